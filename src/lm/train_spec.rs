//! How a language model is trained, as plain data.

use super::spec::{Carry, Dropout, LmCell, LmSpec};
use super::text::TokenKind;
use crate::cell::CellConfig;
use crate::error::{Error, Result};
use crate::optim;
use crate::range::{below_one, not_negative, positive, within};
use serde::{Deserialize, Serialize};

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
