//! Outputs, predictions and losses from their formulas.

use sparse_rtrl::readout::Loss;

pub struct Output {
    /// Raw outputs o.
    pub o: Vec<f64>,
    /// The outputs, or probabilities.
    pub prediction: Vec<f64>,
}

/// `o = W φ + b` and the prediction.
pub fn output(loss: Loss, outputs: usize, readout: &[f64], features: &[f64]) -> Output {
    let d = features.len();
    let o: Vec<f64> = (0..outputs)
        .map(|k| readout[outputs * d + k] + (0..d).map(|j| readout[k * d + j] * features[j]).sum::<f64>())
        .collect();
    let prediction = match loss {
        Loss::SquaredError => o.clone(),
        Loss::BinaryCrossEntropy => vec![sigmoid(o[0])],
        Loss::CrossEntropy => softmax(&o),
        _ => unreachable!("{loss:?}"),
    };
    Output { o, prediction }
}

fn sigmoid(o: f64) -> f64 {
    1.0 / (1.0 + (-o).exp())
}

fn softmax(o: &[f64]) -> Vec<f64> {
    let total: f64 = o.iter().map(|o| o.exp()).sum();
    o.iter().map(|o| o.exp() / total).collect()
}

/// The loss, `∂L/∂o` and `∂²L/∂o²` (row-major).
pub fn evaluate(loss: Loss, o: &[f64], class: Option<usize>, values: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let k = o.len();
    let one_hot = |i: usize| f64::from(class == Some(i));
    let diagonal = |of: &dyn Fn(usize) -> f64| {
        (0..k * k).map(|at| if at / k == at % k { of(at / k) } else { 0.0 }).collect::<Vec<_>>()
    };
    match loss {
        Loss::SquaredError => {
            let target = |i: usize| if class.is_some() { one_hot(i) } else { values[i] };
            let slope: Vec<f64> = (0..k).map(|i| o[i] - target(i)).collect();
            (0.5 * slope.iter().map(|s| s * s).sum::<f64>(), slope, diagonal(&|_| 1.0))
        }
        Loss::BinaryCrossEntropy => {
            let (p, y) = (sigmoid(o[0]), one_hot(1));
            (-(y * p.ln() + (1.0 - y) * (1.0 - p).ln()), vec![p - y], vec![p * (1.0 - p)])
        }
        Loss::CrossEntropy => {
            let p = softmax(o);
            let slope = (0..k).map(|i| p[i] - one_hot(i)).collect();
            let mut curvature = diagonal(&|i| p[i]);
            (0..k * k).for_each(|at| curvature[at] -= p[at / k] * p[at % k]);
            (-p[class.expect("a class")].ln(), slope, curvature)
        }
        _ => unreachable!("{loss:?}"),
    }
}
