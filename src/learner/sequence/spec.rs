//! What a learner is made of, as plain data.

use crate::cell::CellConfig;
use crate::error::{Error, Result};
use crate::network::{LayerSpec, NetworkSpec};
use crate::optim;
use crate::params::{Init, MaskSpec};
use crate::readout::Loss;
use crate::rule::{self, Claim};
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
    /// Inputs, layers and trace.
    pub network: NetworkSpec,
    /// Number of outputs.
    pub outputs: usize,
    /// The loss.
    pub loss: Loss,
    /// Masks: which parameters are kept.
    pub mask: MaskSpec,
    /// Initial values.
    pub init: Init,
    /// Name of the learning rule.
    pub rule: String,
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
        let layer = LayerSpec::new("egru", units, CellConfig::default());
        Self {
            network: NetworkSpec { inputs, layers: vec![layer], trace: None },
            outputs,
            loss: Loss::SquaredError,
            mask: MaskSpec::default(),
            init: Init::default(),
            rule: "rtrl".into(),
            reference_rule: None,
            optimiser: "adam".into(),
            learning_rate: 1e-2,
            clip: None,
            update: Update::Steps(1),
            continuous: false,
            streams: 1,
        }
    }

    /// Checks names and ranges.
    ///
    /// # Errors
    /// If a name is unknown or a number is out of range.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;
        self.mask.check()?;
        self.init.check()?;
        let reference_rule = self.reference_rule.as_ref().map(|name| ("reference-rule", name));
        for (what, name) in std::iter::once(("rule", &self.rule)).chain(reference_rule) {
            if rule::find::<f64>(name)?.grows && self.continuous {
                return Err(Error::setting(
                    what,
                    "a rule whose memory does not grow on an endless stream",
                    name,
                ));
            }
        }
        if let Some(reference_rule) = &self.reference_rule
            && rule::find::<f64>(reference_rule)?.claim != Claim::Exact
        {
            return Err(Error::setting("reference-rule", "an exact rule", reference_rule));
        }
        optim::find::<f64>(&self.optimiser)?;
        let at_least_one = |name, n: usize| match n {
            0 => Err(Error::setting(name, "at least 1", n)),
            1..=1_000_000 => Ok(()),
            _ => Err(Error::setting(name, "at most 1000000", n)),
        };
        at_least_one("outputs", self.outputs)?;
        at_least_one("streams", self.streams)?;
        if let Update::Steps(k) = self.update {
            at_least_one("update", k)?;
        }
        if self.loss == Loss::BinaryCrossEntropy && self.outputs != 1 {
            return Err(Error::setting("outputs", "1 for a binary cross-entropy", self.outputs));
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(Error::setting("learning-rate", "a finite number above 0", self.learning_rate));
        }
        match self.clip {
            Some(clip) if !(clip.is_finite() && clip > 0.0) => {
                Err(Error::setting("clip", "a finite number above 0", clip))
            }
            _ => Ok(()),
        }
    }
}
