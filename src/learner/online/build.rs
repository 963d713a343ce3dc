//! Construction of a streaming learner, with drawn or zero weights.

use super::scaler::Scaler;
use super::scratch::{Evaluation, Forecast};
use super::stream_state::StreamState;
use super::train::TrainerState;
use super::{StreamLearner, StreamLearnerSpec};
use crate::error::Result;
use crate::learner::core::Core;
use crate::network::Network;
use crate::params::{ParamBlockSpec, Pattern};
use crate::readout::Loss;
use crate::rule;
use crate::scalar::Real;

impl<T: Real> StreamLearner<T> {
    /// Creates a learner with masks and initial values drawn from `seed`.
    ///
    /// # Errors
    /// If a name is unknown, a number is out of range, or the learner does not fit into memory.
    pub fn new(spec: &StreamLearnerSpec, seed: u64) -> Result<Self> {
        spec.check()?;
        spec.check_size::<T>()?;
        let draws_readout = spec.least_squares.is_none();
        Self::build(spec, seed, Core::draw(&spec.model, seed, spec.further_features(), draws_readout)?)
    }

    /// Creates a learner with given masks and zero weights.
    ///
    /// # Errors
    /// If the specification is invalid, or `masks` fails.
    pub(super) fn zero(
        spec: &StreamLearnerSpec,
        seed: u64,
        masks: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        let network = Network::new(&spec.model.network, masks)?;
        Self::build(spec, seed, Core::zero(network, &spec.model, spec.further_features()))
    }

    fn build(spec: &StreamLearnerSpec, seed: u64, core: Core<T>) -> Result<Self> {
        let wiring = core.model.network.wiring();
        // A checkpoint stores the chosen rule: another version may choose another one for
        // rtrl-auto.
        let mut spec = spec.clone();
        spec.model.rule = rule::resolve(&spec.model.rule, wiring);
        let state = |k| Ok(StreamState::new(&core.model.network, core.rule(&spec.model.rule, seed, k)?));
        let stream_states = (0..spec.streams).map(state).collect::<Result<_>>()?;
        let all =
            if spec.standardise.is_empty() { vec![true; spec.width()] } else { spec.standardise.clone() };
        let by_value = spec.model.loss == Loss::SquaredError && spec.standardise_target;
        let features = core.model.readout.inputs;
        Ok(Self {
            train: TrainerState::new(&spec, &core.model)?,
            inputs: Scaler::new(all),
            targets: Scaler::new(vec![by_value; spec.model.outputs]),
            stream_states,
            forecast: Forecast::new(wiring, features, spec.model.outputs),
            evaluation: Evaluation::new(&spec, features),
            predicted: vec![0.0; spec.model.outputs],
            has_predicted: false,
            credit_pending: false,
            core,
            spec,
        })
    }
}
