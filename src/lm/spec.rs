//! The specification of a language model, as plain data.

use crate::cell::{CellConfig, EventReset, ResetGate, Surrogate};
use crate::error::{Error, Result};
use crate::range::{below_one, within};
use serde::{Deserialize, Serialize};

/// The cells of a language model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LmCell {
    /// Event-based gated recurrent unit ([`egru`](crate::cell::egru)).
    #[default]
    Egru,
    /// Gated recurrent unit, with the reset gate after the product ([`gru`](crate::cell::gru)).
    Gru,
    /// Long short-term memory: `i, f, o = σ(s)`, `g = tanh(s_g)`, `c = f c⁻ + i g`,
    /// `y = o tanh(c)`.
    Lstm,
}

/// What of the state is carried from one window to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carry {
    /// State c and emission y.
    #[default]
    Whole,
    /// The emission y only; c starts at zero in every window, as in the published code of the LM
    /// paper.
    Emission,
}

/// The specification of a language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LmSpec {
    /// V, the number of tokens.
    pub vocabulary: usize,
    /// E, the size of the embedding.
    pub embedding: usize,
    /// Units of each layer. The last layer has E units, since the softmax uses the embedding.
    pub sizes: Vec<usize>,
    /// The cell.
    pub cell: LmCell,
    /// Surrogate, reset gate and event reset of an EGRU.
    pub config: CellConfig,
    /// What is carried from window to window.
    pub carry: Carry,
}

impl LmSpec {
    /// An EGRU as in the published code of the LM paper: the reset gate after the product, the
    /// threshold reset, and a pseudo-derivative of unit area and width `1 / 3.6`.
    pub fn new(vocabulary: usize, embedding: usize, sizes: Vec<usize>) -> Self {
        Self {
            vocabulary,
            embedding,
            sizes,
            cell: LmCell::Egru,
            config: CellConfig {
                surrogate: Surrogate::new(3.6, 1.0 / 3.6),
                reset_gate: ResetGate::After,
                event_reset: EventReset::Threshold,
                activity: true,
            },
            carry: Carry::Whole,
        }
    }

    /// The configuration of a unit: that of the specification for an EGRU; a GRU is an EGRU without
    /// events whose reset gate is after the product.
    pub(super) fn unit_config(&self) -> CellConfig {
        match self.cell {
            LmCell::Egru => self.config,
            _ => CellConfig { reset_gate: ResetGate::After, activity: false, ..self.config },
        }
    }

    /// Checks sizes.
    ///
    /// # Errors
    /// If a size is out of range, or the last layer does not have the size of the embedding.
    pub fn check(&self) -> Result<()> {
        within("vocabulary", self.vocabulary, 2..=10_000_000)?;
        within("embedding", self.embedding, 1..=100_000)?;
        within("layers", self.sizes.len(), 1..=100)?;
        for &units in &self.sizes {
            within("units", units, 1..=100_000)?;
        }
        self.config.surrogate.check()?;
        match self.sizes.last() {
            Some(&last) if last != self.embedding => {
                let expected = format!("{}, the size of the embedding, in the last layer", self.embedding);
                Err(Error::setting("units", &expected, last))
            }
            _ => Ok(()),
        }
    }
}

/// Shares of dropped entries. A kept entry is divided by `1 − share`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Dropout {
    /// Rows of the embedding where it is the input, per window.
    pub word: f64,
    /// Entries of the embedded input.
    pub embedded: f64,
    /// Entries of the emissions between layers.
    pub between: f64,
    /// Entries of the emissions of the last layer.
    pub output: f64,
    /// Recurrent weights, per window (DropConnect; Wan et al. 2013).
    pub connect: f64,
    /// Whether `embedded`, `between` and `output` use one mask per window, as in the AWD-LSTM
    /// (Merity et al. 2018). Otherwise a fresh mask per step is shared by the batch, as in the
    /// published code of the LM paper.
    pub locked: bool,
}

impl Dropout {
    /// Checks that shares lie in [0, 1).
    ///
    /// # Errors
    /// If one does not.
    pub fn check(&self) -> Result<()> {
        below_one("dropout-word", self.word)?;
        below_one("dropout-embedded", self.embedded)?;
        below_one("dropout-between", self.between)?;
        below_one("dropout-output", self.output)?;
        below_one("dropout-connect", self.connect)
    }
}
