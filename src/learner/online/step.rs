//! One step of a streaming learner: from inputs to a prediction, and from a target to a weight update:
//!
//! `o = W [y; x] + b`,  `c̄ = W_outᵀ ∂L/∂o`.

use super::train::WeightUpdate;
use super::{StreamLearner, StreamLearnerSpec};
use crate::error::Result;
use crate::network::Network;
use crate::readout::{Loss, Target};
use crate::scalar::{Real, exp_flushed, sigmoid};
use crate::wiring::State;

impl<T: Real> StreamLearner<T> {
    /// Makes the oldest pending step, and learns from it if its target arrived.
    pub(super) fn learn_oldest(
        &mut self,
        stream: usize,
        target: Option<Target<'_, f64>>,
    ) -> Result<Option<f64>> {
        self.advance_oldest(stream)?;
        // Predicted before the target was known, in the units of that moment.
        self.say();
        let Some(target) = target else { return Ok(None) };
        self.see_target(Some(target));
        let said = &mut self.said;
        let target = match target {
            Target::Class(k) => Target::Class(k),
            Target::Values(_) => Target::Values(&said.target[..]),
        };
        let loss = self.spec.loss.evaluate(&said.output, target, &mut said.slope).as_f64();
        if !said.curvature.is_empty() {
            self.spec.loss.curvature(&said.output, &mut said.curvature);
        }
        if !loss.is_finite() {
            return Err(self.give_up(stream, "loss", loss));
        }
        if let Some(limit) = self.spec.error_clip.map(T::of) {
            self.said.slope.iter_mut().for_each(|s| *s = s.max(-limit).min(limit));
        }
        self.train(stream)?;
        Ok(Some(loss))
    }

    pub(super) fn advance_oldest(&mut self, stream: usize) -> Result<()> {
        self.credit_pending = false;
        let stream_state = &mut self.stream_states[stream];
        let x = stream_state.waiting.pop_front().expect("a step that waits");
        let (m, p) = (self.network.wiring().inputs(), self.network.wiring().parameters());
        stream_state.advance(&self.network, &self.w[..p], &x[..m], self.train.trains_network());
        read(&self.network, &self.spec, &stream_state.state, &x, &mut self.said.features);
        stream_state.macs.forward +=
            self.readout.forward(&self.w[p..], &self.said.features, &mut self.said.output);
        self.check_output(stream)
    }

    /// The prediction after all pending inputs, and `more`.
    pub(super) fn look_ahead(&mut self, stream: usize, more: Option<&Vec<T>>) {
        let stream_state = &mut self.stream_states[stream];
        let (m, p) = (self.network.wiring().inputs(), self.network.wiring().parameters());
        let (state, step) = &mut self.ahead;
        state.clone_from(&stream_state.state);
        let mut last = None;
        for x in stream_state.waiting.iter().chain(more) {
            stream_state.macs.forward += self.network.forward(&self.w[..p], &x[..m], state, step);
            state.follow(step);
            last = Some(x);
        }
        let Some(x) = last else { return };
        read(&self.network, &self.spec, state, x, &mut self.said.features);
        stream_state.macs.forward +=
            self.readout.forward(&self.w[p..], &self.said.features, &mut self.said.output);
        self.say();
    }

    /// Converts outputs to a prediction.
    fn say(&mut self) {
        let said = &mut self.said;
        let o = |k: usize| said.output[k].as_f64();
        match self.spec.loss {
            Loss::SquaredError => {
                for (k, prediction) in said.prediction.iter_mut().enumerate() {
                    *prediction = self.targets.restore(k, said.output[k].as_f64());
                }
            }
            Loss::BinaryCrossEntropy => said.prediction[0] = sigmoid(o(0)),
            Loss::CrossEntropy => {
                let top = said.output.iter().map(|o| o.as_f64()).fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = said.output.iter().map(|o| exp_flushed(o.as_f64() - top)).sum();
                for (prediction, o) in said.prediction.iter_mut().zip(&said.output) {
                    *prediction = exp_flushed(o.as_f64() - top) / total;
                }
            }
        }
    }

    pub(super) fn train(&mut self, stream: usize) -> Result<()> {
        let said = &self.said;
        let update_of =
            WeightUpdate { features: &said.features, slope: &said.slope, curvature: &said.curvature };
        let stream_state = &mut self.stream_states[stream];
        let done = self.train.learn(&self.network, &self.readout, &mut self.w, stream_state, &update_of);
        done.map_err(|(what, value)| self.give_up(stream, what, value))
    }

    /// Adds a target to the running statistics, and standardises it.
    pub(super) fn see_target(&mut self, target: Option<Target<'_, f64>>) {
        if let Some(Target::Values(values)) = target {
            self.targets.observe(values);
            for (k, (to, &value)) in self.said.target.iter_mut().zip(values).enumerate() {
                *to = T::of(self.targets.standardise(k, value));
            }
        }
    }

    pub(super) fn standardise(&self, x: &[f64]) -> Vec<T> {
        x.iter().enumerate().map(|(k, &x)| T::of(self.inputs.standardise(k, x)).flushed()).collect()
    }
}

/// The features of the readout: emissions, direct inputs and, with `echo`, the network's inputs.
fn read<T: Real>(
    network: &Network<T>,
    spec: &StreamLearnerSpec,
    state: &State<T>,
    x: &[T],
    features: &mut [T],
) {
    let y = &state.y[network.wiring().outputs()];
    let (own, direct) = x.split_at(spec.network.inputs);
    let echo = if spec.echo { own } else { &[] };
    let all = y.iter().chain(direct).chain(echo);
    features.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
}
