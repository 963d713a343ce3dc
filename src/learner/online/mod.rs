//! Online learning from streams of unlimited length, in constant memory: a prediction and a weight
//! update per step.
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
//!     let predicted = learner.predict(&x)?[0]; // does not change the state
//!     let target = 100.0 + 20.0 * x[0] * x[1];
//!     learner.learn(&x, Some(Target::Values(&[target])))?;
//!     assert!(predicted.is_finite());
//! }
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! Inputs and targets are in the units of the caller. They are standardised with running statistics
//! ([`scaler`]), and predictions are converted back.
//!
//! **Late targets.** With a horizon h, the target of step t arrives with step t + h. Until then,
//! step t is pending. When its target arrives, the step is completed and the weights are updated.
//! Predictions are computed from a copy of the state that is advanced over the pending inputs. An
//! update never uses later data.
//!
//! **Custom losses.** [`StreamLearner::observe`] runs a step, and [`StreamLearner::credit`] updates
//! the weights, given `∂L/∂o`.

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
    /// Prediction of the target that arrives h steps later: values in units of the target, or class
    /// probabilities (for two classes on one output, the probability of class 1).
    pub prediction: &'a [f64],
    /// Prediction of the target that arrived with this step, made h steps earlier. `None` if no
    /// target was due.
    pub predicted: Option<&'a [f64]>,
    /// Loss for the target that arrived, in standardised units. `None` without a target.
    pub loss: Option<f64>,
}

/// A network that is trained online on one or more streams. Streams share the weights.
pub struct StreamLearner<T: Real> {
    spec: StreamLearnerSpec,
    core: Core<T>,
    train: TrainerState<T>,
    inputs: Scaler,
    targets: Scaler,
    stream_states: Vec<StreamState<T>>,
    /// Scratch: predictions for later steps.
    forecast: Forecast<T>,
    /// Scratch: readout and loss of the last completed step.
    evaluation: Evaluation<T>,
    /// Prediction of the target that arrived last, if `has_predicted`. [outputs]
    predicted: Vec<f64>,
    has_predicted: bool,
    /// Whether the last step of stream 0 was [observed](Self::observe) and has no
    /// [credit](Self::credit) yet.
    credit_pending: bool,
}

impl<T: Real> StreamLearner<T> {
    /// Predicts the target for input `x` on stream 0. No state changes.
    ///
    /// `x` is standardised with the current statistics.
    ///
    /// # Errors
    /// If an input is not finite.
    ///
    /// # Panics
    /// If `x` does not have one entry per input.
    pub fn predict(&mut self, x: &[f64]) -> Result<&[f64]> {
        self.predict_in(0, x)
    }

    /// Predicts the target for input `x` on any stream. No state changes.
    ///
    /// # Errors
    /// If an input is not finite.
    ///
    /// # Panics
    /// If `x` does not have one entry per input, or there is no such stream.
    pub fn predict_in(&mut self, stream: usize, x: &[f64]) -> Result<&[f64]> {
        self.check_input(stream, x)?;
        let z = self.standardise(x);
        self.look_ahead(stream, Some(&z));
        Ok(&self.forecast.prediction)
    }

    /// Updates the weights with the target that arrived with input `x` on stream 0, and returns the
    /// loss in standardised units.
    ///
    /// The target belongs to the step h steps earlier, h being the horizon.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    ///
    /// # Panics
    /// If `x` does not have one entry per input, or the target does not fit the loss.
    pub fn learn(&mut self, x: &[f64], target: Option<Target<'_, f64>>) -> Result<Option<f64>> {
        Ok(self.step(x, target)?.loss)
    }

    /// Predicts from input `x` on stream 0 and updates the weights with the target that arrived
    /// with it.
    ///
    /// The target belongs to the step h steps earlier, h being the horizon. A prediction never uses
    /// its own target.
    ///
    /// # Errors
    /// If an input, a target, an output, the loss, a gain or a new weight is not finite. The
    /// weights are then unchanged. If an input or the target is not finite, no other state changes
    /// either; otherwise the stream is reset, and the running moments of an optimiser may include
    /// the gradient. Training can continue with the next step.
    ///
    /// # Panics
    /// If `x` does not have one entry per input, or the target does not fit the loss.
    pub fn step(&mut self, x: &[f64], target: Option<Target<'_, f64>>) -> Result<StepReport<'_>> {
        self.step_in(0, x, target)
    }

    /// Predicts and updates the weights on any stream. Otherwise as [`step`](Self::step).
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    ///
    /// # Panics
    /// Those of [`step`](Self::step), and if there is no such stream.
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

    /// Runs a step of stream 0 and returns the outputs o, in standardised units or as logits.
    ///
    /// [`credit`](Self::credit) updates the weights for this step.
    ///
    /// # Errors
    /// If an input or an output is not finite.
    ///
    /// # Panics
    /// If there is a horizon, or `x` does not have one entry per input.
    pub fn observe(&mut self, x: &[f64]) -> Result<&[T]> {
        assert_eq!(self.spec.horizon, 0, "a custom loss needs a horizon of 0");
        self.check_input(0, x)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        self.stream_states[0].pending.push_back(z);
        self.advance_oldest(0)?;
        self.credit_pending = true;
        Ok(&self.evaluation.output)
    }

    /// Updates the weights for the last step of stream 0, given `∂L/∂o`.
    ///
    /// # Errors
    /// If a gain, the gradient norm or a new weight is not finite. The weights are then unchanged,
    /// and the stream is reset.
    ///
    /// # Panics
    /// If `slope` does not have one entry per output, or no step was [observed](Self::observe)
    /// since the last credit or reset.
    pub fn credit(&mut self, slope: &[T]) -> Result<()> {
        let k = self.spec.model.outputs;
        assert_eq!(slope.len(), k, "∂L/∂o must have one entry per output");
        assert!(std::mem::take(&mut self.credit_pending), "credit must follow a step of observe");
        self.evaluation.slope.copy_from_slice(slope);
        self.evaluation.curvature.fill(0.0);
        self.evaluation.curvature.iter_mut().step_by(k + 1).for_each(|f| *f = 1.0);
        self.update(0)
    }

    /// Resets the state, the influence and the pending steps of one stream. Weights and statistics
    /// are kept.
    ///
    /// # Panics
    /// If there is no such stream.
    pub fn reset(&mut self, stream: usize) {
        // Only stream 0 can have an observed step without credit.
        self.credit_pending &= stream != 0;
        self.stream_states[stream].reset();
    }
}
