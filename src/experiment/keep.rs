//! Choice of the final weights of a run.

use crate::experiment::dataset::Dataset;
use crate::learner::sequence::SequenceLearner;
use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// Choice of the final weights of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Keep {
    /// The weights after the last update.
    #[default]
    Last,
    /// The weights with the highest accuracy on held-out sequences among all evaluations; the
    /// earliest of equal ones. This is early stopping (L. Prechelt, *Early stopping — but when?*,
    /// Neural Networks: Tricks of the Trade, 1998), but training continues to the last iteration.
    Best,
}

/// The weights selected so far and their accuracies.
pub(super) struct KeptWeights<T> {
    keep: Keep,
    /// Accuracy of `weights` on the held-out sequences; NaN before the first evaluation and with
    /// [`Keep::Last`].
    held_out: f64,
    /// Accuracy of `weights` on the test sequences.
    test: f64,
    /// p weights of the network, then those of the readout; empty before the first evaluation.
    weights: Vec<T>,
}

impl<T: Real> KeptWeights<T> {
    /// Creates a selection without weights.
    pub fn new(keep: Keep) -> Self {
        Self { keep, held_out: f64::NAN, test: f64::NAN, weights: Vec::new() }
    }

    /// Evaluates the learner, selects its weights or keeps the earlier ones, and returns the test
    /// accuracy of the selected weights.
    pub fn evaluate(&mut self, learner: &SequenceLearner<T>, data: &Dataset<T>) -> f64 {
        if self.keep == Keep::Best {
            // No later evaluation can be better.
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
        self.weights.extend_from_slice(learner.weights());
        self.test
    }

    /// Returns the selected weights.
    pub fn into_weights(self) -> Vec<T> {
        self.weights
    }
}
