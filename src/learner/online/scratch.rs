//! Scratch memory of a streaming learner.

use super::spec::{StreamLearnerSpec, Trainer};
use crate::scalar::Real;
use crate::wiring::{State, Step, Wiring};

/// A prediction by a copy of a stream's state that runs ahead over pending inputs.
pub struct Forecast<T> {
    /// The copy.
    pub state: State<T>,
    /// Its last step.
    pub step: Step<T>,
    /// Features of the readout. [features]
    pub features: Vec<T>,
    /// o. [outputs]
    pub output: Vec<T>,
    /// The prediction, in the units of the target. [outputs]
    pub prediction: Vec<f64>,
}

impl<T: Real> Forecast<T> {
    /// Scratch for a network with a readout of `outputs` outputs from `features` features.
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

/// Readout and loss at the step whose target has arrived.
pub struct Evaluation<T> {
    /// Features of the readout. [features]
    pub features: Vec<T>,
    /// o. [outputs]
    pub output: Vec<T>,
    /// The standardised target. [outputs]
    pub target: Vec<T>,
    /// ∂L/∂o. [outputs]
    pub slope: Vec<T>,
    /// ∂²L/∂o². [outputs × outputs] for Kalman filters, empty for other trainers.
    pub curvature: Vec<f64>,
    /// The prediction before the target was known, in its units. [outputs]
    pub prediction: Vec<f64>,
}

impl<T: Real> Evaluation<T> {
    /// Scratch for a readout of `features` features.
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
