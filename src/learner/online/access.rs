//! Read access to a streaming learner, and the settings that may change.

use super::scaler::Scaler;
use super::{StreamLearner, StreamLearnerSpec};
use crate::macs::Macs;
use crate::network::Network;
use crate::scalar::Real;

impl<T: Real> StreamLearner<T> {
    /// Its specification.
    pub fn spec(&self) -> &StreamLearnerSpec {
        &self.spec
    }

    /// Takes over the settings of `spec` that change no shape: learning rate, decay and clip of an optimiser, and the error clip. They apply from
    /// the next update on.
    pub fn retune(&mut self, spec: &StreamLearnerSpec) {
        self.spec.error_clip = spec.error_clip;
        self.spec.trainer.retune(&spec.trainer);
        self.train.retune(&spec.trainer);
    }

    /// Its network.
    pub fn network(&self) -> &Network<T> {
        &self.core.model.network
    }

    /// All weights: the network's p, then the readout's, `W` row-major and `b`.
    pub fn weights(&self) -> &[T] {
        &self.core.w
    }

    /// The outputs o of the last prediction: values in standardised units, or logits.
    pub fn output(&self) -> &[T] {
        if self.spec.horizon == 0 { &self.evaluation.output } else { &self.forecast.output }
    }

    /// The prediction, made h steps earlier, of the target that arrived with the last step. It is there with a horizon also if learning
    /// from that target failed. `None` if no target was due.
    pub fn predicted(&self) -> Option<&[f64]> {
        self.has_predicted.then_some(&self.predicted[..])
    }

    /// Statistics of inputs and of targets so far.
    pub fn scalers(&self) -> (&Scaler, &Scaler) {
        (&self.inputs, &self.targets)
    }

    /// With a horizon: the prediction of the target that the next step of a stream brings.
    pub fn due(&self, stream: usize) -> Option<&[f64]> {
        let stream_state = &self.stream_states[stream];
        let due = self.spec.horizon > 0 && stream_state.pending.len() == self.spec.horizon;
        stream_state.forecasts.front().filter(|_| due).map(Vec::as_slice)
    }

    /// Number of updates.
    pub fn updates(&self) -> u64 {
        self.core.updates
    }

    /// MACs of all streams: networks, rules and readouts, and updates with covariances (recursive least squares, Kalman filters).
    pub fn macs(&self) -> Macs {
        self.stream_states.iter().fold(Macs::default(), |mut total, stream_state| {
            total += stream_state.macs;
            total
        })
    }

    /// Bytes of influence and gathered gradient in use, over all streams.
    pub fn bytes(&self) -> usize {
        self.stream_states.iter().map(|stream_state| stream_state.rule.bytes()).sum()
    }
}
