//! Scratch memory of a streaming learner.

use super::spec::{StreamLearnerSpec, Trainer};
use crate::scalar::Real;
use crate::wiring::{State, Step, Wiring};

/// Scratch for a prediction: a copy of the state of a stream, advanced over the pending inputs.
pub struct Forecast<T> {
    /// The copy of the state.
    pub state: State<T>,
    /// The last step of the copy.
    pub step: Step<T>,
    /// Features of the readout. [features]
    pub features: Vec<T>,
    /// Outputs o. [outputs]
    pub output: Vec<T>,
    /// The prediction, in the units of the target. [outputs]
    pub prediction: Vec<f64>,
}

impl<T: Real> Forecast<T> {
    /// Creates scratch for a readout of `outputs` outputs and `features` features.
    pub fn new(wiring: &Wiring, features: usize, outputs: usize) -> Self {
        Self {
            state: State::new(wiring),
            step: Step::new(wiring),
            features: vec![T::zero(); features],
            output: vec![T::zero(); outputs],
            prediction: vec![0.0; outputs],
        }
    }
}

/// Scratch for readout and loss of the step whose target has arrived.
pub struct Evaluation<T> {
    /// Features of the readout. [features]
    pub features: Vec<T>,
    /// Outputs o. [outputs]
    pub output: Vec<T>,
    /// The standardised target. [outputs]
    pub target: Vec<T>,
    /// ∂L/∂o. [outputs]
    pub slope: Vec<T>,
    /// ∂²L/∂o². [outputs × outputs] for Kalman filters, empty for other trainers.
    pub curvature: Vec<f64>,
    /// The prediction before the update, in the units of the target. [outputs]
    pub prediction: Vec<f64>,
}

impl<T: Real> Evaluation<T> {
    /// Creates scratch for a readout of `features` features.
    pub fn new(spec: &StreamLearnerSpec, features: usize) -> Self {
        let k = spec.model.outputs;
        let curvature = if matches!(spec.trainer, Trainer::Kalman { .. }) { k * k } else { 0 };
        Self {
            features: vec![T::zero(); features],
            output: vec![T::zero(); k],
            target: vec![T::zero(); k],
            slope: vec![T::zero(); k],
            curvature: vec![0.0; curvature],
            prediction: vec![0.0; k],
        }
    }
}
