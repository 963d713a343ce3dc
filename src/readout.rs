//! The linear readout and the losses:
//!
//! `o = W y + b`,  `c̄ = ∂L/∂y = Wᵀ ∂L/∂o`,  `∂L/∂W += ∂L/∂o yᵀ`,  `∂L/∂b += ∂L/∂o`.

use crate::params::{Generator, Init};
use crate::scalar::{Real, exp_flushed, flush, sigmoid, softmax};
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

/// Target of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a, T> {
    /// The index of a class, from 0.
    Class(usize),
    /// One value per output.
    Values(&'a [T]),
}

/// Loss of the outputs of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Loss {
    /// `−log softmax(o)_class`, with one output per class.
    #[default]
    CrossEntropy,
    /// `−log σ(o)` for class 1 and `−log σ(−o)` for class 0, with one output. Class 1 is predicted
    /// if o > 0.
    BinaryCrossEntropy,
    /// `½ ‖o − target‖²`. The target of a class is its unit vector.
    SquaredError,
}

impl Loss {
    /// Returns the loss and writes `∂L/∂o` into `slope`, one entry per output.
    ///
    /// # Panics
    /// If `slope` or the target does not have one entry per output, if a class is not below the
    /// number of classes, if the target of a cross-entropy is not a class, or if a binary
    /// cross-entropy does not have exactly one output.
    pub fn evaluate<T: Real>(self, output: &[T], target: Target<'_, T>, slope: &mut [T]) -> T {
        assert_eq!(slope.len(), output.len(), "the slope must have one entry per output");
        let class = |classes: usize| match target {
            Target::Class(k) => {
                assert!(k < classes, "class {k} must be below the number of classes, {classes}");
                k
            }
            Target::Values(_) => panic!("the target of a cross-entropy must be a class"),
        };
        match self {
            Self::CrossEntropy => {
                let class = class(output.len());
                let log_sum = softmax(output, slope);
                flush(slope);
                slope[class] -= T::one();
                log_sum - output[class]
            }
            Self::BinaryCrossEntropy => {
                assert_eq!(output.len(), 1, "a binary cross-entropy must have one output");
                let sign = if class(2) == 1 { T::one() } else { -T::one() };
                let margin = sign * output[0];
                slope[0] = -sign * sigmoid(-margin);
                // log(1 + exp(−m)) without overflow.
                (-margin).max(T::zero()) + exp_flushed(-margin.abs()).ln_1p()
            }
            Self::SquaredError => {
                let mut loss = T::zero();
                if let Target::Values(values) = target {
                    assert_eq!(values.len(), output.len(), "a target must have one value per output");
                }
                for (k, (s, &o)) in slope.iter_mut().zip(output).enumerate() {
                    *s = o - match target {
                        Target::Values(values) => values[k],
                        Target::Class(_) if k == class(output.len()) => T::one(),
                        Target::Class(_) => T::zero(),
                    };
                    loss += T::of(0.5) * *s * *s;
                }
                loss
            }
        }
    }

    /// Writes the curvature `∂²L/∂o²` at the k outputs into `curvature`, k × k.
    ///
    /// It is `diag(p) − p pᵀ` with p = softmax(o) for a cross-entropy, `p (1 − p)` with p = σ(o)
    /// for a binary cross-entropy, and the identity for a squared error.
    ///
    /// # Panics
    /// If `curvature` does not have k² entries.
    pub fn curvature<T: Real>(self, output: &[T], curvature: &mut [f64]) {
        let k = output.len();
        assert_eq!(curvature.len(), k * k, "the curvature must have outputs × outputs entries");
        let mut shares = vec![0.0; k];
        softmax(output, &mut shares);
        for (at, curvature) in curvature.iter_mut().enumerate() {
            let (i, j) = (at / k, at % k);
            *curvature = match self {
                Self::CrossEntropy => f64::from(i == j) * shares[i] - shares[i] * shares[j],
                Self::BinaryCrossEntropy => sigmoid(output[0].as_f64()) * sigmoid(-output[0].as_f64()),
                Self::SquaredError => f64::from(i == j),
            };
        }
    }

    /// Writes the probabilities of classes at `output` into `probabilities`: softmax(o), or σ(o) of
    /// class 1. For a squared error, these are the outputs themselves.
    ///
    /// # Panics
    /// If there is not one probability per output.
    pub fn probabilities<T: Real>(self, output: &[T], probabilities: &mut [f64]) {
        assert_eq!(output.len(), probabilities.len(), "there must be one probability per output");
        match self {
            Self::CrossEntropy => {
                softmax(output, probabilities);
            }
            Self::BinaryCrossEntropy => probabilities[0] = sigmoid(output[0].as_f64()),
            Self::SquaredError => {
                probabilities.iter_mut().zip(output).for_each(|(to, o)| *to = o.as_f64());
            }
        }
    }

    /// Returns the predicted class: the index of the largest output or, for a binary cross-entropy,
    /// 1 if the output is positive and else 0.
    ///
    /// # Panics
    /// If a binary cross-entropy has no output.
    pub fn class<T: Real>(self, output: &[T]) -> usize {
        if self == Self::BinaryCrossEntropy {
            return usize::from(output[0] > T::zero());
        }
        let mut best = 0;
        for k in 1..output.len() {
            if output[k] > output[best] {
                best = k;
            }
        }
        best
    }
}

/// Shape of a linear readout `o = W y + b`. Its parameters are one slice: `W` (outputs × inputs,
/// row-major), then `b` (outputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readout {
    /// Number of emissions that the readout reads.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
}

impl Readout {
    /// Returns the number of parameters: outputs × (inputs + 1).
    pub fn parameters(&self) -> usize {
        self.outputs * (self.inputs + 1)
    }

    /// Draws initial values. Weights are Glorot-normal; biases follow [`Init::bias`].
    pub fn draw<T: Real>(&self, init: &Init, rng: &mut Generator) -> Vec<T> {
        let scale = (2.0 / (self.inputs + self.outputs) as f64).sqrt();
        let normal = Normal::new(0.0, scale).expect("a finite deviation");
        let weights: Vec<f64> = (0..self.inputs * self.outputs).map(|_| normal.sample(rng)).collect();
        let biases = (0..self.outputs).map(|_| init.bias(self.inputs, rng));
        weights.into_iter().chain(biases).map(T::of).collect()
    }

    /// Computes `o = W y + b`. Emissions that are zero are skipped. Returns the MACs: outputs ×
    /// nonzero emissions.
    ///
    /// # Panics
    /// If `w`, `y` or `output` does not have the size of the readout.
    pub fn forward<T: Real>(&self, w: &[T], y: &[T], output: &mut [T]) -> u64 {
        assert_eq!(w.len(), self.parameters(), "w must have outputs × (inputs + 1) entries");
        assert_eq!(
            (y.len(), output.len()),
            (self.inputs, self.outputs),
            "y must have one entry per input and o one per output"
        );
        output.copy_from_slice(&w[self.inputs * self.outputs..]);
        let mut macs = 0;
        for (j, &y) in y.iter().enumerate().filter(|(_, y)| **y != T::zero()) {
            for (k, o) in output.iter_mut().enumerate() {
                *o += w[k * self.inputs + j] * y;
            }
            macs += self.outputs as u64;
        }
        macs
    }

    /// Adds the gradient of the readout's parameters to `gradient`, and computes the credit
    /// `c̄ = Wᵀ ∂L/∂o` of the emissions. Returns the MACs: 2 × inputs × outputs.
    ///
    /// # Panics
    /// If a slice does not have the size of the readout.
    pub fn backward<T: Real>(
        &self,
        w: &[T],
        y: &[T],
        slope: &[T],
        gradient: &mut [T],
        credit: &mut [T],
    ) -> u64 {
        assert_eq!(w.len(), self.parameters(), "w must have outputs × (inputs + 1) entries");
        assert_eq!(gradient.len(), w.len(), "the gradient must have as many entries as w");
        assert_eq!(
            (y.len(), credit.len(), slope.len()),
            (self.inputs, self.inputs, self.outputs),
            "y and c̄ must have one entry per input and ∂L/∂o one per output"
        );
        let (weights, biases) = gradient.split_at_mut(self.inputs * self.outputs);
        let mut macs = 0;
        credit.fill(T::zero());
        for (k, &slope) in slope.iter().enumerate() {
            biases[k] += slope;
            let row = k * self.inputs..(k + 1) * self.inputs;
            for (c, &w) in credit.iter_mut().zip(&w[row.clone()]) {
                *c += w * slope;
            }
            for (g, &y) in weights[row].iter_mut().zip(y) {
                *g += slope * y;
            }
            macs += 2 * self.inputs as u64;
        }
        macs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn loss_slopes_and_curvatures_equal_finite_differences() {
        let h = 1e-6;
        let cases = [
            (Loss::CrossEntropy, vec![0.3, -1.2, 0.8], Target::Class(1)),
            (Loss::BinaryCrossEntropy, vec![0.7], Target::Class(0)),
            (Loss::BinaryCrossEntropy, vec![-0.7], Target::Class(1)),
            (Loss::SquaredError, vec![0.3, -1.2], Target::Values(&[1.0, 0.5])),
            (Loss::SquaredError, vec![0.3, -1.2], Target::Class(1)),
        ];
        for (loss, output, target) in cases {
            let mut slope = vec![0.0; output.len()];
            loss.evaluate(&output, target, &mut slope);
            for k in 0..output.len() {
                let at = |d: f64| {
                    let mut o = output.clone();
                    o[k] += d;
                    loss.evaluate(&o, target, &mut vec![0.0; o.len()])
                };
                assert_relative_eq!((at(h) - at(-h)) / (2.0 * h), slope[k], epsilon = 1e-8);
            }
            let outputs = output.len();
            let mut curvature = vec![0.0; outputs * outputs];
            loss.curvature(&output, &mut curvature);
            for (at, expected) in curvature.into_iter().enumerate() {
                let slope_at = |d: f64| {
                    let (mut o, mut slope) = (output.clone(), vec![0.0; outputs]);
                    o[at % outputs] += d;
                    loss.evaluate(&o, target, &mut slope);
                    slope[at / outputs]
                };
                assert_relative_eq!((slope_at(h) - slope_at(-h)) / (2.0 * h), expected, epsilon = 1e-8);
            }
        }
    }

    #[test]
    fn loss_of_known_outputs_equals_values_by_hand() {
        let mut slope = [0.0; 2];
        let loss = Loss::CrossEntropy.evaluate(&[0.0, 0.0], Target::Class(0), &mut slope);
        assert_relative_eq!(loss, 2f64.ln());
        assert_eq!(slope, [-0.5, 0.5]);
        let large = Loss::CrossEntropy.evaluate(&[-1e4, 1e4], Target::Class(0), &mut slope);
        assert_relative_eq!(large, 2e4);
        let large = Loss::BinaryCrossEntropy.evaluate(&[-800.0f64], Target::Class(1), &mut [0.0]);
        assert_relative_eq!(large, 800.0);
        assert_eq!(Loss::CrossEntropy.class(&[0.1, 0.5, 0.2]), 1);
        assert_eq!(Loss::BinaryCrossEntropy.class(&[-0.1]), 0);
    }

    #[test]
    #[should_panic(expected = "class 2 must be below the number of classes, 2")]
    fn cross_entropy_of_a_class_out_of_range_panics() {
        Loss::CrossEntropy.evaluate(&[0.0, 0.0], Target::Class(2), &mut [0.0; 2]);
    }

    #[test]
    fn readout_forward_and_backward_equal_values_by_hand() {
        let readout = Readout { inputs: 2, outputs: 2 };
        let w = [1.0, 2.0, 3.0, 4.0, 0.5, -0.5];
        let (mut output, mut gradient, mut credit) = ([0.0; 2], [0.0; 6], [0.0; 2]);
        assert_eq!(readout.forward(&w, &[0.0, 2.0], &mut output), 2);
        assert_eq!(output, [4.5, 7.5]);
        readout.backward(&w, &[0.0, 2.0], &[1.0, -1.0], &mut gradient, &mut credit);
        assert_eq!(gradient, [0.0, 2.0, 0.0, -2.0, 1.0, -1.0]);
        assert_eq!(credit, [-2.0, -2.0]);
    }

    /// For outputs far apart the derivatives equal their limits, and exp does not overflow.
    #[test]
    fn loss_of_large_outputs_has_finite_slopes_and_curvatures() {
        let (mut slope, mut curvature) = ([9.0; 2], [9.0; 4]);
        Loss::CrossEntropy.evaluate(&[1e4, -1e4], Target::Class(1), &mut slope);
        assert_eq!(slope, [1.0, -1.0]);
        Loss::CrossEntropy.curvature(&[1e4, -1e4], &mut curvature);
        assert_eq!(curvature, [0.0; 4]);
        for (o, class, expected, loss) in
            [(800.0, 1, 0.0, 0.0), (800.0, 0, 1.0, 800.0), (-800.0, 1, -1.0, 800.0), (-800.0, 0, 0.0, 0.0)]
        {
            let mut slope = [9.0];
            assert_eq!(Loss::BinaryCrossEntropy.evaluate(&[o], Target::Class(class), &mut slope), loss);
            assert_eq!(slope, [expected]);
            let mut curvature = [9.0];
            Loss::BinaryCrossEntropy.curvature(&[o], &mut curvature);
            assert!(curvature[0] >= 0.0 && curvature[0] < 1e-300, "{curvature:?}");
        }
    }

    #[test]
    fn loss_class_is_the_first_largest_output() {
        for loss in [Loss::CrossEntropy, Loss::SquaredError] {
            assert_eq!(loss.class(&[0.5, 0.5, 0.2]), 0, "the first of equal outputs");
            assert_eq!(loss.class(&[-0.5, -0.7, -0.2]), 2);
            assert_eq!(loss.class(&[-3.0]), 0);
        }
        assert_eq!([-0.1, 0.0, 0.1].map(|o: f64| Loss::BinaryCrossEntropy.class(&[o])), [0, 0, 1]);
    }

    #[test]
    #[should_panic(expected = "must be a class")]
    fn cross_entropy_of_values_panics() {
        Loss::CrossEntropy.evaluate(&[0.0, 0.0], Target::Values(&[0.0, 1.0]), &mut [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "one value per output")]
    fn squared_error_of_too_few_values_panics() {
        Loss::SquaredError.evaluate(&[0.0, 0.0], Target::Values(&[1.0]), &mut [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "must have one output")]
    fn binary_cross_entropy_of_two_outputs_panics() {
        Loss::BinaryCrossEntropy.evaluate(&[0.0, 0.0], Target::Class(0), &mut [0.0; 2]);
    }
}
