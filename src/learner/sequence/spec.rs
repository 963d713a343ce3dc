//! The specification of a sequence learner, as plain data.

use crate::error::{Error, Result};
use crate::model::ModelSpec;
use crate::optim;
use crate::range::{positive, within};
use crate::rule::{self, Claim};
use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// When weights are updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// At the end of every sequence: the gradient is that of fixed weights.
    #[default]
    Sequence,
    /// After this number of steps, 1 for every step. Influence then contains contributions of slightly older weights, as in all
    /// online RTRL.
    Steps(usize),
}

/// The specification of a [`SequenceLearner`](super::SequenceLearner). Fields can be set one by one over the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceLearnerSpec {
    /// Network, outputs, loss, masks, initial values and learning rule.
    pub model: ModelSpec,
    /// Name of an exact rule that is run beside the rule, to measure the error of its gradient at every update.
    pub reference_rule: Option<String>,
    /// Name of the optimiser.
    pub optimiser: String,
    /// η, the learning rate.
    pub learning_rate: f64,
    /// Longer gradients are scaled down to this norm.
    pub clip: Option<f64>,
    /// When weights are updated.
    pub update: Update,
    /// Whether streams continue from one sequence to the next without a reset of state and influence.
    pub continuous: bool,
    /// Number of streams that share the weights.
    pub streams: usize,
}

impl SequenceLearnerSpec {
    /// One layer of `units` EGRU units between `inputs` and `outputs`. The other defaults: exact RTRL, Adam with learning rate
    /// 1e-2, an update at every step, squared error.
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

    /// The learning rule, and the reference rule if there is one.
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
                let expected = "a rule whose memory does not grow on an endless stream";
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
    /// If it does not fit.
    pub fn check_size<T: Real>(&self) -> Result<()> {
        self.model.check_memory::<T>(&self.rules(), self.streams)
    }
}
