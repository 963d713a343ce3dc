//! Linear models trained by recursive least squares. The weights for a prediction depend only on
//! rows that are known at the time of the prediction.

use super::Predictions;
use sparse_rtrl::optim::Rls;

/// Predicts each value `horizon` rows ahead from `features` and a constant, with ridge penalty
/// 1 / `variance`. Values are divided by `scale`, so that the weights are of order one. The last
/// argument is `(variance, forgetting, scale)`.
pub fn least_squares(
    features: impl Fn(usize) -> Vec<f64>,
    values: &[f64],
    horizon: usize,
    (variance, forgetting, scale): (f64, f64, f64),
) -> Predictions {
    let at = |t: usize| -> Vec<f64> { features(t).into_iter().chain([1.0]).collect() };
    let mut w = vec![0.0; at(0).len()];
    let mut rls = Rls::new(w.len(), variance, forgetting);
    let product = |w: &[f64], x: &[f64]| -> f64 { w.iter().zip(x).map(|(w, x)| w * x).sum() };
    let mut predictions = vec![f64::NAN; values.len()];
    for (t, value) in values.iter().enumerate() {
        if t >= horizon {
            let x = at(t - horizon);
            let slope = product(&w, &x) - value / scale;
            rls.update(x.into_iter(), |gain| w.iter_mut().zip(gain).for_each(|(w, gain)| *w -= slope * gain));
        }
        if let Some(prediction) = predictions.get_mut(t + horizon) {
            *prediction = product(&w, &at(t)) * scale;
        }
    }
    predictions
}
