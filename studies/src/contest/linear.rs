//! Linear models by recursive least squares, causal: the weights that predict a row stem from rows whose values are known by then.

use super::Predictions;
use sparse_rtrl::optim::Rls;

/// Predicts each value `horizon` rows ahead from features of the row it is predicted at, those of a constant excluded, with a ridge
/// penalty of one over `variance`.
///
/// Values are divided by `scale`, so that weights are near one.
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
