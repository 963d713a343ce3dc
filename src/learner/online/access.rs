//! Read access to a streaming learner, and changes of its settings.

use super::scaler::Scaler;
use super::{StreamLearner, StreamLearnerSpec};
use crate::macs::Macs;
use crate::network::Network;
use crate::scalar::Real;

impl<T: Real> StreamLearner<T> {
    /// Returns the specification.
    pub fn spec(&self) -> &StreamLearnerSpec {
        &self.spec
    }

    /// Copies the settings of `spec` that can change during training: learning rate, decay and clip
    /// of an optimiser, and the error clip. They apply from the next update on.
    pub fn retune(&mut self, spec: &StreamLearnerSpec) {
        self.spec.error_clip = spec.error_clip;
        self.spec.trainer.retune(&spec.trainer);
        self.train.retune(&spec.trainer);
    }

    /// Returns the network.
    pub fn network(&self) -> &Network<T> {
        &self.core.model.network
    }

    /// Returns all weights: the p weights of the network, then `W` of the readout, row-major, and
    /// `b`.
    pub fn weights(&self) -> &[T] {
        &self.core.w
    }

    /// Returns the outputs o of the last prediction: values in standardised units, or logits.
    pub fn output(&self) -> &[T] {
        if self.spec.horizon == 0 { &self.evaluation.output } else { &self.forecast.output }
    }

    /// Returns the prediction of the target that arrived with the last step. It was made h steps
    /// earlier. `None` if no target was due.
    ///
    /// With a horizon of at least 1, the prediction is available even if the update failed.
    pub fn predicted(&self) -> Option<&[f64]> {
        self.has_predicted.then_some(&self.predicted[..])
    }

    /// Returns the running statistics of inputs and of targets.
    pub fn scalers(&self) -> (&Scaler, &Scaler) {
        (&self.inputs, &self.targets)
    }

    /// Returns the prediction of the target that arrives with the next step of a stream. `None` if
    /// the horizon is 0 or no target is due.
    ///
    /// # Panics
    /// If there is no such stream.
    pub fn due(&self, stream: usize) -> Option<&[f64]> {
        let stream_state = &self.stream_states[stream];
        let due = self.spec.horizon > 0 && stream_state.pending.len() == self.spec.horizon;
        stream_state.forecasts.front().filter(|_| due).map(Vec::as_slice)
    }

    /// Returns the number of weight updates.
    pub fn updates(&self) -> u64 {
        self.core.updates
    }

    /// Returns the MACs of all streams: networks, rules, readouts, and updates with covariances
    /// (recursive least squares, Kalman filters).
    pub fn macs(&self) -> Macs {
        self.stream_states.iter().fold(Macs::default(), |mut total, stream_state| {
            total += stream_state.macs;
            total
        })
    }

    /// Returns the bytes of influence and accumulated gradient in use, summed over all streams.
    pub fn bytes(&self) -> usize {
        self.stream_states.iter().map(|stream_state| stream_state.rule.bytes()).sum()
    }
}
