//! The specification of a streaming learner, as plain data.

use crate::error::{Error, Result};
use crate::model::ModelSpec;
use crate::optim;
use crate::range::{not_negative, positive, share, within};
use crate::readout::Loss;
use crate::rule;
use serde::{Deserialize, Serialize};

/// How the network is trained, at every step with a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trainer {
    /// The network keeps its initial weights; only the readout learns.
    Untrained,
    /// By an optimiser.
    Gradient {
        /// Name of the optimiser.
        optimiser: String,
        /// η₀, the learning rate before the first update.
        rate: f64,
        /// δ: the learning rate at update t is `η₀ / (1 + δ t)`.
        decay: f64,
        /// Longer gradients are scaled down to this norm.
        clip: Option<f64>,
    },
    /// By an extended Kalman filter ([`optim::Kalman`]). Needs a rule whose drained credit is ∂o/∂w.
    Kalman {
        /// One covariance per unit, or one of all weights.
        grouping: Grouping,
        /// Initial variance of a weight.
        variance: f64,
        /// r, the observation-noise variance, in squared standard deviations of the target. Squared error only.
        error: f64,
        /// λ, the forgetting factor per step, in (0, 1].
        forgetting: f64,
        /// q, the process-noise variance per step.
        noise: f64,
    },
}

impl Trainer {
    /// Copies learning rate, decay and clip of another, if both are optimisers.
    pub(super) fn retune(&mut self, other: &Self) {
        if let (
            Self::Gradient { rate, decay, clip, .. },
            Self::Gradient { rate: new_rate, decay: new_decay, clip: new_clip, .. },
        ) = (self, other)
        {
            (*rate, *decay, *clip) = (*new_rate, *new_decay, *new_clip);
        }
    }
}

impl Default for Trainer {
    fn default() -> Self {
        Self::Gradient { optimiser: "adam".into(), rate: 1e-2, decay: 1e-3, clip: None }
    }
}

/// Groups of weights that share a covariance in a Kalman filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// One group per unit and one per output.
    #[default]
    Node,
    /// One group of all weights.
    Full,
}

/// Recursive least squares for the readout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeastSquares {
    /// Initial variance of a weight, equal to a ridge penalty of 1 / variance.
    pub variance: f64,
    /// λ, the forgetting factor per step, in (0, 1].
    pub forgetting: f64,
}

impl Default for LeastSquares {
    fn default() -> Self {
        Self { variance: 1.0, forgetting: 0.9998 }
    }
}

/// The specification of a [`StreamLearner`](super::StreamLearner). Fields can be set one by one over the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamLearnerSpec {
    /// Network, outputs, loss, masks, initial values and learning rule.
    pub model: ModelSpec,
    /// Further inputs, after the network's, that only the readout reads.
    pub direct: usize,
    /// Whether the readout reads the network's inputs as well.
    pub echo: bool,
    /// How the network is trained.
    pub trainer: Trainer,
    /// Whether the trainer updates the readout alone, and the network keeps its initial weights.
    pub frozen: bool,
    /// Recursive least squares for the readout. Without, the trainer of the network trains it. Squared error only.
    pub least_squares: Option<LeastSquares>,
    /// Errors ∂L/∂o are limited to this, in standardised units.
    pub error_clip: Option<f64>,
    /// h: the target of step t arrives with step t + h.
    pub horizon: usize,
    /// For each input, the direct ones included, whether it is standardised. Empty: all are.
    pub standardise: Vec<bool>,
    /// Whether target values are standardised.
    pub standardise_target: bool,
    /// Number of streams that share the weights.
    pub streams: usize,
}

impl StreamLearnerSpec {
    /// One layer of `units` EGRU units between `inputs` and `outputs` values, with recursive least squares for the readout. The other defaults:
    /// exact RTRL, Adam, no horizon.
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

    /// Number of inputs per step: the network's and the direct ones.
    pub fn width(&self) -> usize {
        self.model.network.inputs + self.direct
    }

    /// Number of features of the readout besides emissions.
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
            let expected = format!("nothing, or one entry for each of {} inputs", self.width());
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
            let got = "frozen, with something else";
            return Err(Error::setting(
                "trainer",
                "an optimiser for the readout, where the network is frozen",
                got,
            ));
        }
        match &self.trainer {
            Trainer::Untrained if self.least_squares.is_none() => Err(Error::setting(
                "trainer",
                "one that learns, where the readout has no least squares",
                "untrained",
            )),
            Trainer::Untrained => Ok(()),
            Trainer::Gradient { optimiser, rate, decay, clip } => {
                optim::find::<f64>(optimiser)?;
                positive("learning-rate", *rate)?;
                not_negative("decay", *decay)?;
                clip.map_or(Ok(()), |clip| positive("clip", clip))
            }
            Trainer::Kalman { grouping: _, variance, error, forgetting, noise } => {
                positive("variance", *variance)?;
                positive("error-variance", *error)?;
                share("forgetting", *forgetting)?;
                not_negative("noise", *noise)
            }
        }
    }
}
