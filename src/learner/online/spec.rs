//! The specification of a streaming learner, as plain data.

use crate::error::{Error, Result};
use crate::model::ModelSpec;
use crate::optim;
use crate::range::{not_negative, positive, share, within};
use crate::readout::Loss;
use crate::rule;
use serde::{Deserialize, Serialize};

/// The trainer of the network. It updates the weights at every step with a target.
///
/// | variant | update | equations |
/// |---|---|---|
/// | `Untrained` | none | |
/// | `Gradient` | `w ← w − η_t · (step of the optimiser for ∂L/∂w)`, `η_t = η₀ / (1 + δ t)` | [`optim`] |
/// | `Kalman` | `w_g ← w_g − P_g H_gᵀ M ∂L/∂o` for each group g of weights | [`Kalman`](optim::Kalman) |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trainer {
    /// No updates: the network keeps its initial weights, and only the readout is trained.
    Untrained,
    /// Gradient descent with an optimiser.
    Gradient {
        /// Name of the optimiser.
        optimiser: String,
        /// η₀, the learning rate before the first update.
        #[serde(alias = "rate")]
        learning_rate: f64,
        /// δ: the learning rate at update t is `η₀ / (1 + δ t)`.
        decay: f64,
        /// Maximum norm of the gradient. Longer gradients are scaled down. `None`: no clipping.
        clip: Option<f64>,
    },
    /// An extended Kalman filter ([`optim::Kalman`]). It uses the learning rule to compute ∂o/∂w.
    Kalman {
        /// Groups of weights with one covariance matrix each.
        grouping: Grouping,
        /// Initial variance of a weight.
        variance: f64,
        /// R, the observation-noise variance, in squared standard deviations of the target. Used
        /// for the squared error only.
        #[serde(alias = "error")]
        error_variance: f64,
        /// λ, the forgetting factor per step, in (0, 1].
        forgetting: f64,
        /// Q, the process-noise variance per step.
        noise: f64,
    },
}

impl Trainer {
    /// Copies learning rate, decay and clip from `other`, if both are optimisers.
    pub(super) fn retune(&mut self, other: &Self) {
        if let (
            Self::Gradient { learning_rate, decay, clip, .. },
            Self::Gradient { learning_rate: new_rate, decay: new_decay, clip: new_clip, .. },
        ) = (self, other)
        {
            (*learning_rate, *decay, *clip) = (*new_rate, *new_decay, *new_clip);
        }
    }
}

impl Default for Trainer {
    fn default() -> Self {
        Self::Gradient { optimiser: "adam".into(), learning_rate: 1e-2, decay: 1e-3, clip: None }
    }
}

/// Groups of weights that share a covariance matrix in a Kalman filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Grouping {
    /// One group per unit and one per output.
    #[default]
    Node,
    /// One group of all weights.
    Full,
}

/// Settings of recursive least squares for the readout ([`Rls`](optim::Rls) has the equations).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeastSquares {
    /// Initial variance of a weight. It corresponds to a ridge penalty of 1 / variance.
    pub variance: f64,
    /// λ, the forgetting factor per step, in (0, 1].
    pub forgetting: f64,
}

impl Default for LeastSquares {
    fn default() -> Self {
        Self { variance: 1.0, forgetting: 0.9998 }
    }
}

/// The specification of a [`StreamLearner`](super::StreamLearner).
///
/// [`new`](Self::new) returns the defaults; fields can be changed one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamLearnerSpec {
    /// Network, outputs, loss, masks, initial values and learning rule.
    pub model: ModelSpec,
    /// Number of direct inputs: inputs of the readout that the network does not receive. They
    /// follow the inputs of the network.
    pub direct: usize,
    /// Whether the inputs of the network are features of the readout as well.
    pub echo: bool,
    /// The trainer of the network.
    pub trainer: Trainer,
    /// Whether the trainer updates only the readout, and the network keeps its initial weights.
    pub frozen: bool,
    /// Recursive least squares for the readout, for the squared error only. `None`: the readout is
    /// trained by the trainer of the network.
    pub least_squares: Option<LeastSquares>,
    /// Maximum absolute value of ∂L/∂o in an update, in standardised units. `None`: no limit.
    pub error_clip: Option<f64>,
    /// h, the number of steps from a prediction to its target: the target of step t arrives with
    /// step t + h.
    pub horizon: usize,
    /// Whether each input is standardised, direct inputs included. Empty: all inputs are
    /// standardised.
    pub standardise: Vec<bool>,
    /// Whether target values are standardised.
    pub standardise_target: bool,
    /// Number of streams that share the weights.
    pub streams: usize,
}

impl StreamLearnerSpec {
    /// Returns the defaults for one layer of `units` EGRU units: exact RTRL, Adam, recursive least
    /// squares for the readout, a horizon of 0.
    pub fn new(inputs: usize, units: usize, outputs: usize) -> Self {
        Self {
            model: ModelSpec::new(inputs, units, outputs),
            direct: 0,
            echo: true,
            trainer: Trainer::default(),
            frozen: false,
            least_squares: Some(LeastSquares::default()),
            error_clip: None,
            horizon: 0,
            standardise: Vec::new(),
            standardise_target: true,
            streams: 1,
        }
    }

    /// Returns the number of inputs per step: inputs of the network and direct inputs.
    pub fn width(&self) -> usize {
        self.model.network.inputs + self.direct
    }

    /// Returns the number of features of the readout besides emissions.
    pub(super) fn further_features(&self) -> usize {
        self.direct + if self.echo { self.model.network.inputs } else { 0 }
    }

    /// Checks names, ranges and combinations.
    ///
    /// # Errors
    /// If a name is unknown, a number is out of range, or two settings contradict each other.
    pub fn check(&self) -> Result<()> {
        self.model.check()?;
        if rule::find::<f64>(&self.model.rule)?.grows {
            let expected = "a rule whose memory does not grow with the stream";
            return Err(Error::setting("rule", expected, &self.model.rule));
        }
        within("streams", self.streams, 1..=1_000_000)?;
        within("horizon", self.horizon, 0..=1_000_000)?;
        within("direct", self.direct, 0..=1_000_000)?;
        if !self.standardise.is_empty() && self.standardise.len() != self.width() {
            let expected = format!("no entries, or one for each of {} inputs", self.width());
            return Err(Error::setting("standardise", &expected, self.standardise.len()));
        }
        if let Some(LeastSquares { variance, forgetting }) = self.least_squares {
            positive("readout-variance", variance)?;
            share("readout-forgetting", forgetting)?;
            if self.model.loss != Loss::SquaredError {
                let expected = "squared-error for least squares";
                return Err(Error::setting("loss", expected, format!("{:?}", self.model.loss)));
            }
        }
        self.error_clip.map_or(Ok(()), |clip| positive("error-clip", clip))?;
        self.check_trainer()
    }

    fn check_trainer(&self) -> Result<()> {
        if self.frozen && (self.least_squares.is_some() || !matches!(self.trainer, Trainer::Gradient { .. }))
        {
            let got = "another trainer or least squares";
            return Err(Error::setting(
                "trainer",
                "an optimiser for the readout, since the network is frozen",
                got,
            ));
        }
        match &self.trainer {
            Trainer::Untrained if self.least_squares.is_none() => Err(Error::setting(
                "trainer",
                "an optimiser or a Kalman filter, since the readout has no least squares",
                "untrained",
            )),
            Trainer::Untrained => Ok(()),
            Trainer::Gradient { optimiser, learning_rate, decay, clip } => {
                optim::find::<f64>(optimiser)?;
                positive("learning-rate", *learning_rate)?;
                not_negative("decay", *decay)?;
                clip.map_or(Ok(()), |clip| positive("clip", clip))
            }
            Trainer::Kalman { grouping: _, variance, error_variance, forgetting, noise } => {
                positive("variance", *variance)?;
                positive("error-variance", *error_variance)?;
                share("forgetting", *forgetting)?;
                not_negative("noise", *noise)
            }
        }
    }
}
