//! What there is to know of a streaming learner.

use super::scaler::Scaler;
use super::{StreamLearner, StreamLearnerSpec};
use crate::macs::Macs;
use crate::network::Network;
use crate::scalar::Real;

impl<T: Real> StreamLearner<T> {
    /// What it is made of.
    pub fn spec(&self) -> &StreamLearnerSpec {
        &self.spec
    }

    /// Takes over what of `spec` changes no shape: an optimiser's rate, decay and clip, and the clip of errors. It applies from the next
    /// update on.
    pub fn retune(&mut self, spec: &StreamLearnerSpec) {
        self.spec.error_clip = spec.error_clip;
        self.spec.trainer.retune(&spec.trainer);
        self.train.retune(&spec.trainer);
    }

    /// Its network.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// All weights: the network's p, then the readout's, `W` row-major and `b`.
    pub fn weights(&self) -> &[T] {
        &self.w
    }

    /// The outputs o behind the last prediction, raw: of values, in standardised units.
    pub fn output(&self) -> &[T] {
        &self.said.output
    }

    /// Means and deviations of inputs and of targets so far.
    pub fn scalers(&self) -> (&Scaler, &Scaler) {
        (&self.inputs, &self.targets)
    }

    /// What was predicted, with a horizon, for the target that the next step of a stream brings.
    pub fn due(&self, stream: usize) -> Option<&[f64]> {
        let stream_state = &self.stream_states[stream];
        let due = self.spec.horizon > 0 && stream_state.waiting.len() == self.spec.horizon;
        stream_state.forecasts.front().filter(|_| due).map(Vec::as_slice)
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.train.updates()
    }

    /// Work done by all streams: their networks, rules and readouts, and the updates with covariances (recursive least squares, Kalman filters).
    pub fn macs(&self) -> Macs {
        self.stream_states.iter().fold(Macs::default(), |mut total, stream_state| {
            total += stream_state.macs;
            total
        })
    }

    /// Bytes of influence and gathered gradient in use, of all streams.
    pub fn bytes(&self) -> usize {
        self.stream_states.iter().map(|stream_state| stream_state.rule.bytes()).sum()
    }
}
