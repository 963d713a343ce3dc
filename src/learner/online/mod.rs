//! Learning from endless streams in constant memory: predict, then learn, at every step.
//!
//! ```
//! use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
//! use sparse_rtrl::readout::Target;
//!
//! // Two inputs per step, 16 EGRU units, one value to predict.
//! let mut spec = StreamLearnerSpec::new(2, 16, 1);
//! spec.mask.sparsity = 0.9;
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
mod spec;
mod step;
mod stream_state;
mod train;

pub use spec::{Grouping, LeastSquares, StreamLearnerSpec, Trainer};

use crate::error::Result;
use crate::network::Network;
use crate::readout::{Readout, Target};
use crate::scalar::Real;
use crate::wiring::{State, Step};
use scaler::Scaler;
use stream_state::StreamState;
use train::TrainerState;

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    network: Network<T>,
    readout: Readout,
    w: Vec<T>,
    train: TrainerState<T>,
    inputs: Scaler,
    targets: Scaler,
    stream_states: Vec<StreamState<T>>,
    /// The copy that runs forward, the scratch of the last prediction, and whether that step waits for credit.
    ahead: (State<T>, Step<T>),
    said: Said<T>,
    credit_pending: bool,
}

/// Scratch for one prediction.
struct Said<T> {
    features: Vec<T>,
    output: Vec<T>,
    slope: Vec<T>,
    curvature: Vec<f64>,
    target: Vec<T>,
    prediction: Vec<f64>,
    predicted: Vec<f64>,
    /// Room for the features and output of another prediction.
    aside: (Vec<T>, Vec<T>),
}

impl<T> Said<T> {
    /// Swaps features and output with `aside`.
    fn turn_aside(&mut self) {
        std::mem::swap(&mut self.features, &mut self.aside.0);
        std::mem::swap(&mut self.output, &mut self.aside.1);
    }
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
        // Credit may still come for the step made last: what the readout read of it must stay.
        self.said.turn_aside();
        self.look_ahead(stream, Some(&z));
        self.said.turn_aside();
        Ok(&self.said.prediction)
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
        self.check_input(stream, x)?;
        self.check_target(stream, target)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        let horizon = self.spec.horizon;
        let stream_state = &mut self.stream_states[stream];
        let due = stream_state.waiting.len() == horizon;
        if horizon == 0 {
            stream_state.waiting.push_back(z);
            let loss = self.learn_oldest(stream, target)?;
            self.said.predicted.copy_from_slice(&self.said.prediction);
            return Ok(StepReport {
                prediction: &self.said.prediction,
                predicted: Some(&self.said.predicted),
                loss,
            });
        }
        let mut loss = None;
        if due {
            self.said
                .predicted
                .clone_from(&stream_state.forecasts.pop_front().expect("one for each that waits"));
            loss = self.learn_oldest(stream, target)?;
        } else {
            self.see_target(target);
        }
        self.stream_states[stream].waiting.push_back(z);
        self.look_ahead(stream, None);
        self.check_output(stream)?;
        self.stream_states[stream].forecasts.push_back(self.said.prediction.clone());
        Ok(StepReport {
            prediction: &self.said.prediction,
            predicted: due.then_some(&self.said.predicted[..]),
            loss,
        })
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
        assert_eq!(self.spec.horizon, 0, "a loss of your own needs its step at hand: the horizon must be 0");
        self.check_input(0, x)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        self.stream_states[0].waiting.push_back(z);
        self.advance_oldest(0)?;
        self.credit_pending = true;
        Ok(&self.said.output)
    }

    /// Learns from the last step of stream 0, given `∂L/∂o`.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    ///
    /// # Panics
    /// If `slope` does not have one entry per output, or no step was [observed](Self::observe) since the last credit or reset.
    pub fn credit(&mut self, slope: &[T]) -> Result<()> {
        assert_eq!(slope.len(), self.spec.outputs, "∂L/∂o must have one entry per output");
        assert!(std::mem::take(&mut self.credit_pending), "credit must follow a step that was observed");
        self.said.slope.copy_from_slice(slope);
        let k = self.spec.outputs;
        self.said.curvature.fill(0.0);
        self.said.curvature.iter_mut().step_by(k + 1).for_each(|f| *f = 1.0);
        self.train(0)
    }

    /// Resets one stream: its state, its influence and pending inputs are cleared. Weights and statistics remain.
    pub fn reset(&mut self, stream: usize) {
        // Only the first stream has a step at hand.
        self.credit_pending &= stream != 0;
        self.stream_states[stream].reset();
    }
}
