//! Checks that inputs, targets and outputs are finite.

use super::StreamLearner;
use crate::error::{Error, Result};
use crate::readout::Target;
use crate::scalar::Real;

impl<T: Real> StreamLearner<T> {
    /// Returns an error if an input is not finite.
    pub(super) fn check_input(&self, stream: usize, x: &[f64]) -> Result<()> {
        assert_eq!(x.len(), self.spec.width(), "x must have one entry per input, direct inputs included");
        match x.iter().find(|x| !T::of(**x).is_finite()) {
            Some(&bad) => Err(self.not_finite(stream, "input", bad)),
            None => Ok(()),
        }
    }

    /// Returns an error if a target value is not finite.
    pub(super) fn check_target(&self, stream: usize, target: Option<Target<'_, f64>>) -> Result<()> {
        let Some(Target::Values(values)) = target else { return Ok(()) };
        assert_eq!(values.len(), self.spec.model.outputs, "a target must have one value per output");
        match values.iter().find(|v| !T::of(**v).is_finite()) {
            Some(&bad) => Err(self.not_finite(stream, "target", bad)),
            None => Ok(()),
        }
    }

    /// Returns an error and resets the stream if `not_finite` contains an output.
    pub(super) fn check_output(&mut self, stream: usize, not_finite: Option<f64>) -> Result<()> {
        not_finite.map_or(Ok(()), |bad| Err(self.give_up(stream, "output", bad)))
    }

    fn not_finite(&self, stream: usize, what: &'static str, value: f64) -> Error {
        let update = self.core.updates as usize + 1;
        Error::NotFinite { what, update, step: self.stream_states[stream].steps as usize, value }
    }

    /// Resets the stream and returns the error for a value that is not finite.
    pub(super) fn give_up(&mut self, stream: usize, what: &'static str, value: f64) -> Error {
        let error = self.not_finite(stream, what, value);
        self.stream_states[stream].reset();
        error
    }
}
