//! One step of a streaming learner: prediction from the inputs, weight update from the target.
//!
//! `o = W [y; x] + b`,  `c̄ = W_outᵀ ∂L/∂o`.

use super::scaler::Scaler;
use super::{StreamLearner, StreamLearnerSpec};
use crate::error::Result;
use crate::model::Model;
use crate::readout::{Loss, Target};
use crate::scalar::Real;
use crate::wiring::{State, Wiring};

impl<T: Real> StreamLearner<T> {
    /// Completes the oldest pending step. If there is a target, updates the weights and returns the
    /// loss.
    pub(super) fn learn_oldest(
        &mut self,
        stream: usize,
        target: Option<Target<'_, f64>>,
    ) -> Result<Option<f64>> {
        self.advance_oldest(stream)?;
        let (loss, evaluation) = (self.core.model.loss, &mut self.evaluation);
        // The conversion uses the statistics before this target.
        convert(loss, &self.targets, &evaluation.output, &mut evaluation.prediction);
        let Some(target) = target else { return Ok(None) };
        self.observe_target(Some(target));
        let evaluation = &mut self.evaluation;
        let target = match target {
            Target::Class(k) => Target::Class(k),
            Target::Values(_) => Target::Values(&evaluation.target[..]),
        };
        let value = loss.evaluate(&evaluation.output, target, &mut evaluation.slope).as_f64();
        if !evaluation.curvature.is_empty() {
            loss.curvature(&evaluation.output, &mut evaluation.curvature);
        }
        if !value.is_finite() {
            return Err(self.give_up(stream, "loss", value));
        }
        if let Some(limit) = self.spec.error_clip.map(T::of) {
            self.evaluation.slope.iter_mut().for_each(|s| *s = s.max(-limit).min(limit));
        }
        self.update(stream)?;
        Ok(Some(value))
    }

    /// Runs the oldest pending step: state, influence and outputs.
    pub(super) fn advance_oldest(&mut self, stream: usize) -> Result<()> {
        self.credit_pending = false;
        let stream_state = &mut self.stream_states[stream];
        let (Model { network, readout, .. }, evaluation) = (&self.core.model, &mut self.evaluation);
        let x = stream_state.pending.pop_front().expect("a pending step");
        let (w, w_out) = self.core.w.split_at(network.wiring().parameters());
        stream_state.advance(network, w, &x[..network.wiring().inputs()], self.train.trains_network());
        fill_features(network.wiring(), &self.spec, &stream_state.state, &x, &mut evaluation.features);
        stream_state.macs.forward += readout.forward(w_out, &evaluation.features, &mut evaluation.output);
        let bad = first_not_finite(&evaluation.output);
        self.check_output(stream, bad)
    }

    /// Predicts after all pending inputs and `more`. The state of the stream does not change.
    pub(super) fn look_ahead(&mut self, stream: usize, more: Option<&Vec<T>>) {
        let stream_state = &mut self.stream_states[stream];
        let (Model { network, readout, loss }, forecast) = (&self.core.model, &mut self.forecast);
        let wiring = network.wiring();
        let (w, w_out) = self.core.w.split_at(wiring.parameters());
        forecast.state.clone_from(&stream_state.state);
        let mut last = None;
        for x in stream_state.pending.iter().chain(more) {
            let x_network = &x[..wiring.inputs()];
            stream_state.macs.forward += network.forward(w, x_network, &forecast.state, &mut forecast.step);
            forecast.state.follow(&forecast.step);
            last = Some(x);
        }
        let Some(x) = last else { return };
        fill_features(wiring, &self.spec, &forecast.state, x, &mut forecast.features);
        stream_state.macs.forward += readout.forward(w_out, &forecast.features, &mut forecast.output);
        convert(*loss, &self.targets, &forecast.output, &mut forecast.prediction);
    }

    /// Updates the weights from slope and curvature of the last evaluation.
    pub(super) fn update(&mut self, stream: usize) -> Result<()> {
        let (train, evaluation) = (&mut self.train, &self.evaluation);
        let stream_state = &mut self.stream_states[stream];
        let updated =
            self.core.update(|model, w, updates| train.update(model, w, updates, stream_state, evaluation));
        updated.map_err(|bad| self.give_up(stream, bad.what, bad.value))
    }

    /// Adds a target to the running statistics and standardises it.
    pub(super) fn observe_target(&mut self, target: Option<Target<'_, f64>>) {
        if let Some(Target::Values(values)) = target {
            self.targets.observe(values);
            for (k, (to, &value)) in self.evaluation.target.iter_mut().zip(values).enumerate() {
                *to = T::of(self.targets.standardise(k, value));
            }
        }
    }

    /// Standardises inputs with the current statistics.
    pub(super) fn standardise(&self, x: &[f64]) -> Vec<T> {
        x.iter().enumerate().map(|(k, &x)| T::of(self.inputs.standardise(k, x)).flushed()).collect()
    }
}

/// Returns the first output that is not finite.
pub(super) fn first_not_finite<T: Real>(output: &[T]) -> Option<f64> {
    output.iter().find(|o| !o.is_finite()).map(|o| o.as_f64())
}

/// Converts outputs to a prediction: values in the units of the target, or probabilities.
fn convert<T: Real>(loss: Loss, targets: &Scaler, output: &[T], prediction: &mut [f64]) {
    loss.probabilities(output, prediction);
    prediction.iter_mut().enumerate().for_each(|(k, value)| *value = targets.restore(k, *value));
}

/// Writes the features of the readout: emissions, direct inputs and, with `echo`, the inputs of the
/// network.
fn fill_features<T: Real>(
    wiring: &Wiring,
    spec: &StreamLearnerSpec,
    state: &State<T>,
    x: &[T],
    features: &mut [T],
) {
    let (x_network, direct) = x.split_at(wiring.inputs());
    let echo = if spec.echo { x_network } else { &[] };
    let all = state.y[wiring.outputs()].iter().chain(direct).chain(echo);
    features.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
}
