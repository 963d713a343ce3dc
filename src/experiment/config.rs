//! The configuration of an experiment, and the two settings everything is compared in.

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

/// A named setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Ours: a loss at every step after the tenth, read from y. AMSGrad 2e-2, γ .7, ε .5, thresholds Beta with mean .1. At this rate a
    /// run loses accuracy now and then. So gradients longer than 0.1 are scaled down, and it ends with the weights that were best on held-out
    /// sequences.
    #[default]
    Default,
    /// The setting of the RTRL paper's own code: Adam 3e-3, γ .7, ε 1, thresholds σ(N(0,1) − 1), reset gate after the
    /// product, threshold reset inside the leak, one sigmoid output of the last y, biases U(±1/√n). Its leak of .001 on
    /// pre-activations is left out.
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
    /// The cell's name.
    pub cell: String,
    /// Units of each layer, n.
    pub units: usize,
    /// Number of stacked layers.
    #[serde(alias = "depth")]
    pub layers: usize,
    /// Settings of the cell.
    pub cell_config: CellConfig,
    /// κ, if the readout reads a running trace of y.
    pub trace: Option<f64>,
    /// Masks: which parameters are kept.
    pub mask: MaskSpec,
    /// Initial values.
    pub init: Init,
    /// The learning rule's name.
    pub rule: String,
    /// Name of an exact rule that is run beside the rule; the learning curve then records the error of the gradient.
    #[serde(alias = "shadow")]
    pub reference_rule: Option<String>,
    /// The loss.
    pub loss: Loss,
    /// The steps that have a loss.
    pub loss_at: LossAt,
    /// The optimiser's name.
    pub optimiser: String,
    /// η.
    pub learning_rate: f64,
    /// The name of the schedule that says which share of η an iteration takes.
    #[serde(default = "constant")]
    pub schedule: String,
    /// The longest gradient let through unscaled, if any.
    pub clip: Option<f64>,
    /// When weights are updated.
    pub update: Update,
    /// Which weights the run ends with.
    #[serde(default)]
    pub keep: Keep,
    /// Whether sequences follow one another without a reset.
    pub continuous: bool,
    /// Sequences a batch.
    pub batch: usize,
    /// Batches.
    pub iterations: usize,
    /// Iterations between evaluations on the test set; the last one is always evaluated.
    pub test_every: usize,
}

/// The schedule of configurations that name none.
fn constant() -> String {
    "constant".into()
}

impl Config {
    /// The spiral experiment in one of the two settings.
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

    /// The learner this configuration asks for, on data with that many inputs and classes.
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

    /// # Errors
    /// If a name is unknown or a number out of range, anywhere in it.
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
