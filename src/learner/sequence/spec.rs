//! The specification of a sequence learner, as plain data.

use crate::error::{Error, Result};
use crate::model::ModelSpec;
use crate::optim;
use crate::range::{positive, within};
use crate::rule::{self, Claim};
use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// Time of weight updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Update {
    /// At the end of every sequence. The weights are constant during the sequence.
    #[default]
    Sequence,
    /// After this number of steps; 1 is an update per step. The influence matrix then contains
    /// derivatives with respect to earlier weights, as in all online RTRL.
    Steps(usize),
}

/// The specification of a [`SequenceLearner`](super::SequenceLearner).
///
/// [`new`](Self::new) returns the defaults; fields can be changed one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceLearnerSpec {
    /// Network, outputs, loss, masks, initial values and learning rule.
    pub model: ModelSpec,
    /// Name of an exact rule that runs in parallel, to measure the gradient error of the learning
    /// rule at every update.
    pub reference_rule: Option<String>,
    /// Name of the optimiser.
    pub optimiser: String,
    /// η, the learning rate.
    pub learning_rate: f64,
    /// Maximum norm of the gradient. Longer gradients are scaled down. `None`: no clipping.
    pub clip: Option<f64>,
    /// Time of weight updates.
    pub update: Update,
    /// Whether streams continue from one sequence to the next, without a reset of state and
    /// influence.
    pub continuous: bool,
    /// Number of streams that share the weights.
    pub streams: usize,
}

impl SequenceLearnerSpec {
    /// Returns the defaults for one layer of `units` EGRU units: exact RTRL, squared error, Adam
    /// with learning rate 1e-2, an update per step.
    pub fn new(inputs: usize, units: usize, outputs: usize) -> Self {
        Self {
            model: ModelSpec::new(inputs, units, outputs),
            reference_rule: None,
            optimiser: "adam".into(),
            learning_rate: 1e-2,
            clip: None,
            update: Update::Steps(1),
            continuous: false,
            streams: 1,
        }
    }

    /// Returns the names of the learning rule and of the reference rule, if any.
    fn rules(&self) -> Vec<&str> {
        std::iter::once(&self.model.rule).chain(&self.reference_rule).map(String::as_str).collect()
    }

    /// Checks names and ranges.
    ///
    /// # Errors
    /// If a name is unknown or a number is out of range.
    pub fn check(&self) -> Result<()> {
        self.model.check()?;
        for (setting, name) in ["rule", "reference-rule"].into_iter().zip(self.rules()) {
            if rule::find::<f64>(name)?.grows && self.continuous {
                let expected = "a rule whose memory does not grow, since streams are continuous";
                return Err(Error::setting(setting, expected, name));
            }
        }
        if let Some(reference_rule) = &self.reference_rule
            && rule::find::<f64>(reference_rule)?.claim != Claim::Exact
        {
            return Err(Error::setting("reference-rule", "an exact rule", reference_rule));
        }
        optim::find::<f64>(&self.optimiser)?;
        within("streams", self.streams, 1..=1_000_000)?;
        if let Update::Steps(k) = self.update {
            within("update", k, 1..=1_000_000)?;
        }
        positive("learning-rate", self.learning_rate)?;
        self.clip.map_or(Ok(()), |clip| positive("clip", clip))
    }

    /// Checks that the learner fits into the free memory. [`check`](Self::check) must have passed.
    ///
    /// # Errors
    /// If the learner needs more than the free memory.
    pub fn check_size<T: Real>(&self) -> Result<()> {
        self.model.check_memory::<T>(&self.rules(), self.streams)
    }
}
