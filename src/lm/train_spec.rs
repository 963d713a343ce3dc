//! How a language model is trained, as plain data.

use super::spec::{Carry, Dropout, LmCell, LmSpec};
use super::text::TokenKind;
use crate::cell::CellConfig;
use crate::error::{Error, Result};
use crate::optim;
use crate::range::{below_one, not_negative, positive, within};
use serde::{Deserialize, Serialize};

/// A named setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LmPreset {
    /// 2 × 64 units on a generated text: seconds.
    Tiny,
    /// 3 × 200 units: minutes on Penn Treebank.
    Small,
    /// The command of the LM paper's code for Penn Treebank: 750, 1350, 1350, 750.
    Ptb,
    /// The command of the LM paper's code for WikiText-2.
    Wt2,
}

/// The setting of a training run, without data and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LmTraining {
    /// What a token is.
    pub tokens: TokenKind,
    /// The cell.
    pub cell: LmCell,
    /// E, the size of the embedding.
    pub embedding: usize,
    /// Units of each layer; the last has E units.
    pub sizes: Vec<usize>,
    /// Surrogate, reset gate and event reset of an EGRU.
    pub config: CellConfig,
    /// What is carried from window to window.
    pub carry: Carry,
    /// ω, the share of recurrent weights that are pruned.
    pub param_sparsity: f64,
    /// Mean of the initial thresholds, in (0, 1): `ϑ ~ Beta(3 m / (1 − m), 3)`.
    pub threshold_mean: f64,
    /// Whether thresholds are trained, and kept in [0, 1]. Otherwise they keep their initial values.
    pub train_thresholds: bool,
    /// Dropout.
    pub dropout: Dropout,
    /// B, the number of samples of a batch.
    pub batch: usize,
    /// T, the number of steps of a window.
    pub window: usize,
    /// Whether the length of windows is random, as in the AWD-LSTM: `max(5, N(T, 5²))`, with T halved
    /// in 5 % of the windows. The learning rate is scaled by length / T.
    pub random_windows: bool,
    /// Passes over the training text.
    pub epochs: usize,
    /// η, the learning rate of AdamW.
    pub learning_rate: f64,
    /// β₁ of AdamW; β₂ is 0.999.
    pub beta1: f64,
    /// λ, the weight decay of AdamW: `w ← w − η λ w`. Thresholds do not decay.
    pub weight_decay: f64,
    /// Longer gradients are scaled down to this norm.
    pub clip: Option<f64>,
    /// The name of the schedule of the learning rate, over the epochs from `schedule-start`.
    pub schedule: String,
    /// The first epoch, from 0, at which the schedule changes the learning rate.
    pub schedule_start: usize,
}

impl LmTraining {
    /// Returns a named setting.
    pub fn preset(preset: LmPreset) -> Self {
        let tiny = Self {
            tokens: TokenKind::Words,
            cell: LmCell::Egru,
            embedding: 64,
            sizes: vec![64, 64],
            config: LmSpec::new(2, 1, vec![1]).config,
            carry: Carry::Whole,
            param_sparsity: 0.0,
            threshold_mean: 0.05,
            train_thresholds: false,
            dropout: Dropout::default(),
            batch: 16,
            window: 20,
            random_windows: false,
            epochs: 4,
            learning_rate: 3e-3,
            beta1: 0.0,
            weight_decay: 0.0,
            clip: Some(1.0),
            schedule: "cosine".into(),
            schedule_start: 0,
        };
        let paper = Self {
            embedding: 750,
            sizes: vec![1350, 1350, 750],
            threshold_mean: 0.01,
            dropout: Dropout {
                word: 0.1,
                embedded: 0.6,
                between: 0.25,
                output: 0.5,
                connect: 0.7,
                locked: false,
            },
            batch: 64,
            window: 70,
            random_windows: true,
            epochs: 1000,
            learning_rate: 1.2e-3,
            weight_decay: 0.1,
            clip: Some(0.1),
            schedule_start: 700,
            ..tiny.clone()
        };
        match preset {
            LmPreset::Tiny => tiny,
            LmPreset::Small => Self {
                embedding: 200,
                sizes: vec![200; 3],
                dropout: Dropout { embedded: 0.2, between: 0.2, output: 0.3, locked: true, ..tiny.dropout },
                batch: 20,
                window: 35,
                epochs: 8,
                learning_rate: 2e-3,
                schedule_start: 2,
                ..tiny
            },
            LmPreset::Ptb => paper,
            LmPreset::Wt2 => Self {
                dropout: Dropout { embedded: 0.7, ..paper.dropout },
                batch: 128,
                epochs: 800,
                learning_rate: 1e-3,
                weight_decay: 0.12,
                schedule_start: 400,
                ..paper
            },
        }
    }

    /// Returns the specification of the model for `vocabulary` tokens.
    pub fn model(&self, vocabulary: usize) -> LmSpec {
        LmSpec {
            vocabulary,
            embedding: self.embedding,
            sizes: self.sizes.clone(),
            cell: self.cell,
            config: self.config,
            carry: self.carry,
        }
    }

    /// Checks names and ranges.
    ///
    /// # Errors
    /// If a name is unknown or a number is out of range.
    pub fn check(&self) -> Result<()> {
        self.model(2).check()?;
        self.dropout.check()?;
        below_one("param-sparsity", self.param_sparsity)?;
        if !(self.threshold_mean > 0.0 && self.threshold_mean < 1.0) {
            return Err(Error::setting("threshold-mean", "a number in (0, 1)", self.threshold_mean));
        }
        within("batch", self.batch, 1..=100_000)?;
        within("window", self.window, 1..=100_000)?;
        within("epochs", self.epochs, 1..=1_000_000)?;
        positive("learning-rate", self.learning_rate)?;
        below_one("beta1", self.beta1)?;
        not_negative("weight-decay", self.weight_decay)?;
        self.clip.map_or(Ok(()), |clip| positive("clip", clip))?;
        optim::find_schedule(&self.schedule).map(drop)
    }
}
