//! Which weights a run ends with.

use crate::experiment::dataset::Dataset;
use crate::learner::sequence::SequenceLearner;
use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// Which weights a run ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those after the last update.
    #[default]
    Last,
    /// Those with the highest accuracy on held-out sequences among all evaluations so far; of equal ones, the earliest. This is early stopping
    /// (L. Prechelt, *Early stopping — but when?*, Neural Networks: Tricks of the Trade, 1998), except that training goes on to the last
    /// iteration.
    Best,
}

/// The weights kept so far, and what they achieve.
pub(super) struct Kept<T> {
    keep: Keep,
    /// Accuracy of `weights` on the held-out sequences; NaN before the first evaluation. Not measured with [`Keep::Last`].
    held_out: f64,
    /// Accuracy of `weights` on the test sequences.
    test: f64,
    /// Network's p, then the readout's; empty before the first evaluation.
    weights: Vec<T>,
}

impl<T: Real> Kept<T> {
    /// Nothing yet.
    pub fn new(keep: Keep) -> Self {
        Self { keep, held_out: f64::NAN, test: f64::NAN, weights: Vec::new() }
    }

    /// Considers the learner's weights. Returns the test accuracy of the weights that are kept then.
    pub fn evaluate(&mut self, learner: &SequenceLearner<T>, data: &Dataset<T>) -> f64 {
        if self.keep == Keep::Best {
            // No accuracy is higher than 1.
            if self.held_out == 1.0 {
                return self.test;
            }
            let accuracy = learner.test(&data.held_out);
            if accuracy <= self.held_out {
                return self.test;
            }
            self.held_out = accuracy;
        }
        self.test = learner.test(&data.test);
        self.weights.clear();
        self.weights.extend_from_slice(learner.parameters());
        self.test
    }

    /// The weights that are kept.
    pub fn into_weights(self) -> Vec<T> {
        self.weights
    }
}
