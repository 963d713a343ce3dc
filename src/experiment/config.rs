//! The configuration of an experiment and its two presets.

use super::Keep;
use crate::cell::{CellConfig, EventReset, ResetGate};
use crate::error::Result;
use crate::experiment::dataset::{self, DatasetOptions};
use crate::learner::sequence::{LossAt, SequenceLearnerSpec, Update};
use crate::model::ModelSpec;
use crate::network::LayerSpec;
use crate::optim;
use crate::params::{BiasInit, Init, MaskSpec, ThresholdInit};
use crate::range::within;
use crate::readout::Loss;
use serde::{Deserialize, Serialize};

/// A preset of the spiral experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The preset of this crate: a loss at every step after the tenth, AMSGrad with learning rate
    /// 2e-2, γ = 0.7, ε = 0.5, thresholds Beta with mean 0.1. With this learning rate the accuracy
    /// of a run drops at times. Gradients are therefore clipped to norm 0.1, and the run ends with
    /// the weights of highest accuracy on held-out sequences.
    #[default]
    Default,
    /// The settings of the RTRL paper's code: Adam with learning rate 3e-3, γ = 0.7, ε = 1,
    /// thresholds σ(N(0, 1) − 1), reset gate after the product, threshold reset inside the leak,
    /// one sigmoid output at the last step, biases U(−1/√n, 1/√n). The code's leak of 0.001 on
    /// pre-activations is omitted.
    Paper,
}

/// The configuration of a run, without its seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the dataset.
    #[serde(alias = "task")]
    pub dataset: String,
    /// Options of the dataset.
    #[serde(alias = "task_options")]
    pub dataset_options: DatasetOptions,
    /// Name of the cell.
    pub cell: String,
    /// Units of each layer, n.
    pub units: usize,
    /// Number of stacked layers.
    #[serde(alias = "depth")]
    pub layers: usize,
    /// Settings of the cell.
    pub cell_config: CellConfig,
    /// Decay κ of the trace, if the readout reads a trace of y.
    pub trace: Option<f64>,
    /// Parameter masks.
    pub mask: MaskSpec,
    /// Initial values.
    pub init: Init,
    /// Name of the learning rule.
    pub rule: String,
    /// Name of the reference rule, if any. The learning curve then records the error of the
    /// gradient.
    #[serde(alias = "shadow")]
    pub reference_rule: Option<String>,
    /// The loss.
    pub loss: Loss,
    /// The steps that have a loss.
    pub loss_at: LossAt,
    /// Name of the optimiser.
    pub optimiser: String,
    /// Learning rate η.
    pub learning_rate: f64,
    /// Name of the learning rate schedule.
    #[serde(default = "constant")]
    pub schedule: String,
    /// Norm to which gradients are clipped, if any.
    pub clip: Option<f64>,
    /// Time of weight updates.
    pub update: Update,
    /// Choice of the final weights.
    #[serde(default)]
    pub keep: Keep,
    /// If true, streams are not reset between sequences.
    pub continuous: bool,
    /// Sequences per batch.
    pub batch: usize,
    /// Number of iterations, one batch each.
    pub iterations: usize,
    /// Iterations between evaluations on the test set. The last iteration is always evaluated.
    pub test_every: usize,
}

/// Returns the schedule of configurations without a schedule.
fn constant() -> String {
    "constant".into()
}

impl Config {
    /// Returns the spiral experiment with a preset.
    pub fn spiral(preset: Preset) -> Self {
        let ours = Self {
            dataset: "spiral".into(),
            dataset_options: DatasetOptions::default(),
            cell: "egru".into(),
            units: 16,
            layers: 1,
            cell_config: CellConfig::default(),
            trace: None,
            mask: MaskSpec::default(),
            init: Init::default(),
            rule: "rtrl".into(),
            reference_rule: None,
            loss: Loss::CrossEntropy,
            loss_at: LossAt::Every { burn_in: 10 },
            optimiser: "amsgrad".into(),
            learning_rate: 2e-2,
            schedule: constant(),
            clip: Some(0.1),
            update: Update::Sequence,
            keep: Keep::Best,
            continuous: false,
            batch: 32,
            iterations: 1700,
            test_every: 50,
        };
        if preset == Preset::Default {
            return ours;
        }
        let mut cell_config = CellConfig {
            reset_gate: ResetGate::After,
            event_reset: EventReset::Threshold,
            ..CellConfig::default()
        };
        cell_config.surrogate.epsilon = 1.0;
        Self {
            cell_config,
            init: Init {
                bias: BiasInit::Uniform,
                threshold: ThresholdInit::Logistic { mean: -1.0, std: 1.0 },
            },
            loss: Loss::BinaryCrossEntropy,
            loss_at: LossAt::Last,
            learning_rate: 3e-3,
            optimiser: "adam".into(),
            clip: None,
            keep: Keep::Last,
            ..ours
        }
    }

    /// Returns the specification of the learner, for a dataset with these numbers of inputs and
    /// classes.
    pub fn learner(&self, inputs: usize, classes: usize) -> SequenceLearnerSpec {
        let layer = LayerSpec::new(&self.cell, self.units, self.cell_config);
        let outputs = if self.loss == Loss::BinaryCrossEntropy { 1 } else { classes };
        let mut model = ModelSpec::stacked(inputs, layer, self.layers, outputs);
        model.network.trace = self.trace;
        (model.loss, model.mask, model.init) = (self.loss, self.mask, self.init);
        model.rule.clone_from(&self.rule);
        SequenceLearnerSpec {
            model,
            reference_rule: self.reference_rule.clone(),
            optimiser: self.optimiser.clone(),
            learning_rate: self.learning_rate,
            clip: self.clip,
            update: self.update,
            continuous: self.continuous,
            streams: self.batch,
        }
    }

    /// Checks names, ranges and memory.
    ///
    /// # Errors
    /// If a name is unknown, a setting is out of range, or the learner needs more memory than is
    /// available.
    pub fn check(&self) -> Result<()> {
        for (name, n, most) in [
            ("iterations", self.iterations, usize::MAX),
            ("batch", self.batch, 1_000_000),
            ("layers", self.layers, 1_000),
            ("test-every", self.test_every, usize::MAX),
        ] {
            within(name, n, 1..=most)?;
        }
        dataset::find::<f64>(&self.dataset)?;
        self.dataset_options.check()?;
        optim::find_schedule(&self.schedule)?;
        let learner = self.learner(1, 2);
        learner.check()?;
        learner.check_size::<f32>()
    }
}

#[cfg(test)]
mod tests;
