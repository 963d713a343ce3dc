//! Learning from endless streams in constant memory: predict, then learn, at every step.
//!
//! ```
//! use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
//! use sparse_rtrl::readout::Target;
//!
//! // Two inputs per step, 16 EGRU units, one value to predict.
//! let mut spec = StreamLearnerSpec::new(2, 16, 1);
//! spec.model.mask.sparsity = 0.9;
//! let mut learner = StreamLearner::<f32>::new(&spec, 0)?;
//! for t in 0..1000 {
//!     let x = [(0.1 * t as f64).sin(), t as f64 % 7.0];
//!     let predicted = learner.predict(&x)?[0]; // changes nothing
//!     let came = 100.0 + 20.0 * x[0] * x[1];
//!     learner.learn(&x, Some(Target::Values(&[came])))?;
//!     assert!(predicted.is_finite());
//! }
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! Inputs and targets are in the user's units. They are standardised with running statistics ([`scaler`]), and predictions are converted back.
//!
//! **Late targets.** With a horizon h, the target of step t arrives with step t + h, as in a forecast. The learner stays at step t until that
//! target arrives and then learns from it. Predictions come from a copy of the state that runs forward over the inputs since then. Nothing is
//! learned from later data.
//!
//! **A loss of your own.** [`StreamLearner::observe`] makes a step, and [`StreamLearner::credit`] learns from its `∂L/∂o`.

mod access;
mod build;
mod check;
mod saved;
pub mod scaler;
mod scratch;
mod spec;
mod step;
mod stream_state;
mod train;

pub use spec::{Grouping, LeastSquares, StreamLearnerSpec, Trainer};

use crate::error::Result;
use crate::learner::core::Core;
use crate::readout::Target;
use crate::scalar::Real;
use scaler::Scaler;
use scratch::{Evaluation, Forecast};
use step::first_not_finite;
use stream_state::StreamState;
use train::TrainerState;

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepReport<'a> {
    /// The prediction from this step's inputs, of the target that arrives h steps later. Values in their own units; for classes,
    /// probabilities (of class 1, for two classes on one output).
    pub prediction: &'a [f64],
    /// The earlier prediction of the target that arrived with this step; `None` before the first target is due.
    pub predicted: Option<&'a [f64]>,
    /// The loss of the target that arrived, in standardised units.
    pub loss: Option<f64>,
}

/// A network that learns from one stream or from several streams that share its weights.
pub struct StreamLearner<T: Real> {
    spec: StreamLearnerSpec,
    core: Core<T>,
    train: TrainerState<T>,
    inputs: Scaler,
    targets: Scaler,
    stream_states: Vec<StreamState<T>>,
    /// Scratch of predictions ahead of the target.
    forecast: Forecast<T>,
    /// Scratch of the step whose target arrived last.
    evaluation: Evaluation<T>,
    /// The prediction of the target that arrived last, if `has_predicted`. [outputs]
    predicted: Vec<f64>,
    has_predicted: bool,
    /// Whether [`credit`](Self::credit) may follow: the last step of stream 0 was [observed](Self::observe).
    credit_pending: bool,
}

impl<T: Real> StreamLearner<T> {
    /// Predicts the target for input `x` on stream 0 without changing any state. `x` is standardised with the statistics so far.
    ///
    /// # Errors
    /// If an input is not finite.
    ///
    /// # Panics
    /// If `x` does not have one entry per input.
    pub fn predict(&mut self, x: &[f64]) -> Result<&[f64]> {
        self.predict_in(0, x)
    }

    /// [`predict`](Self::predict) for any stream.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_in(&mut self, stream: usize, x: &[f64]) -> Result<&[f64]> {
        self.check_input(stream, x)?;
        let z = self.standardise(x);
        self.look_ahead(stream, Some(&z));
        Ok(&self.forecast.prediction)
    }

    /// Stream 0 reads `x` and learns from the target that arrived with it: that of this step, or of the step h steps ago.
    /// Returns the loss, in standardised units.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn learn(&mut self, x: &[f64], target: Option<Target<'_, f64>>) -> Result<Option<f64>> {
        Ok(self.step(x, target)?.loss)
    }

    /// Predicts and learns on stream 0, given the input `x` and the target that arrived with it: that of this step or, with a horizon h, of the
    /// step h steps ago. The prediction does not use its own target.
    ///
    /// # Errors
    /// If an input, a target, an output, the loss, a gain or a new weight is not finite. Nothing is learned from that step; the stream
    /// is reset, and learning can continue at once. If the input or the target is not finite, no state changes. (If a gain or a
    /// weight is not finite, the weights are unchanged, but the running moments of an optimiser may include the gradient.)
    ///
    /// # Panics
    /// If `x` does not have one entry per input, or the target does not fit the loss.
    pub fn step(&mut self, x: &[f64], target: Option<Target<'_, f64>>) -> Result<StepReport<'_>> {
        self.step_in(0, x, target)
    }

    /// [`step`](Self::step) for any stream.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_in(
        &mut self,
        stream: usize,
        x: &[f64],
        target: Option<Target<'_, f64>>,
    ) -> Result<StepReport<'_>> {
        self.has_predicted = false;
        self.check_input(stream, x)?;
        self.check_target(stream, target)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        if self.spec.horizon == 0 {
            self.stream_states[stream].pending.push_back(z);
            let loss = self.learn_oldest(stream, target)?;
            self.predicted.copy_from_slice(&self.evaluation.prediction);
            self.has_predicted = true;
            let prediction = &self.evaluation.prediction;
            return Ok(StepReport { prediction, predicted: self.predicted(), loss });
        }
        let stream_state = &mut self.stream_states[stream];
        let mut loss = None;
        if stream_state.pending.len() == self.spec.horizon {
            let forecast = stream_state.forecasts.pop_front().expect("one forecast per pending step");
            self.predicted.copy_from_slice(&forecast);
            self.has_predicted = true;
            loss = self.learn_oldest(stream, target)?;
        } else {
            self.observe_target(target);
        }
        self.stream_states[stream].pending.push_back(z);
        self.look_ahead(stream, None);
        self.check_output(stream, first_not_finite(&self.forecast.output))?;
        self.stream_states[stream].forecasts.push_back(self.forecast.prediction.clone());
        let prediction = &self.forecast.prediction;
        Ok(StepReport { prediction, predicted: self.predicted(), loss })
    }

    /// Makes a step of stream 0 and returns its outputs o, neither converted to units nor to probabilities. [`credit`](Self::credit)
    /// learns from the step.
    ///
    /// # Errors
    /// If an input or an output is not finite.
    ///
    /// # Panics
    /// If there is a horizon, or `x` does not have one entry per input.
    pub fn observe(&mut self, x: &[f64]) -> Result<&[T]> {
        assert_eq!(self.spec.horizon, 0, "a loss of your own needs a horizon of 0");
        self.check_input(0, x)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        self.stream_states[0].pending.push_back(z);
        self.advance_oldest(0)?;
        self.credit_pending = true;
        Ok(&self.evaluation.output)
    }

    /// Learns from the last step of stream 0, given `∂L/∂o`.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    ///
    /// # Panics
    /// If `slope` does not have one entry per output, or no step was [observed](Self::observe) since the last credit or reset.
    pub fn credit(&mut self, slope: &[T]) -> Result<()> {
        let k = self.spec.model.outputs;
        assert_eq!(slope.len(), k, "∂L/∂o must have one entry per output");
        assert!(std::mem::take(&mut self.credit_pending), "credit must follow a step that was observed");
        self.evaluation.slope.copy_from_slice(slope);
        self.evaluation.curvature.fill(0.0);
        self.evaluation.curvature.iter_mut().step_by(k + 1).for_each(|f| *f = 1.0);
        self.update(0)
    }

    /// Resets one stream: its state, its influence and pending inputs are cleared. Weights and statistics remain.
    pub fn reset(&mut self, stream: usize) {
        // Only stream 0 can have a step that waits for credit.
        self.credit_pending &= stream != 0;
        self.stream_states[stream].reset();
    }
}
