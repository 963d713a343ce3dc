//! A streaming learner from its specification: drawn from a seed, or empty, to be filled.

use super::scaler::Scaler;
use super::stream_state::StreamState;
use super::train::TrainerState;
use super::{Said, StreamLearner, StreamLearnerSpec, Trainer};
use crate::error::Result;
use crate::network::Network;
use crate::params::{ParamBlockSpec, Purpose, generator};
use crate::readout::{Loss, Readout};
use crate::rule::{self, Skips};
use crate::scalar::Real;
use crate::sparse::Pattern;
use crate::wiring::{State, Step};

impl<T: Real> StreamLearner<T> {
    /// Draws masks and first values from `seed`.
    ///
    /// # Errors
    /// If a name is unknown, a number out of range, or the whole larger than memory.
    pub fn new(spec: &StreamLearnerSpec, seed: u64) -> Result<Self> {
        spec.check()?;
        spec.check_size::<T>()?;
        let mut masks = generator(seed, Purpose::Mask);
        let draw = |blocks: &[_]| spec.network.draw_masks(&spec.mask, blocks, &mut masks);
        let mut learner = Self::build(spec, seed, draw)?;
        let mut values = generator(seed, Purpose::Init);
        let p = learner.network.wiring().parameters();
        let drawn = spec.init.draw(learner.network.wiring().layout(), &mut values)?;
        learner.w[..p].copy_from_slice(&drawn);
        if spec.least.is_none() {
            learner.draw_readout(p, &mut values);
        }
        Ok(learner)
    }

    /// Everything in its place, all weights zero.
    pub(super) fn build(
        spec: &StreamLearnerSpec,
        seed: u64,
        draw: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        let network = Network::new(&spec.network, draw)?;
        let wiring = network.wiring();
        // A checkpoint keeps the rule that was chosen: a later version may choose another one for rtrl-auto.
        let spec = &StreamLearnerSpec { rule: rule::resolve(&spec.rule, wiring), ..spec.clone() };
        let inputs = wiring.outputs().len() + spec.direct + if spec.echo { spec.network.inputs } else { 0 };
        let readout = Readout { inputs, outputs: spec.outputs };
        let build = rule::find::<T>(&spec.rule)?.build;
        let noise = |k: usize| seed.wrapping_add((k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let stream_states = (0..spec.streams)
            .map(|k| StreamState::new(&network, build(wiring, Skips::ALL, noise(k))))
            .collect();
        let all =
            if spec.standardise.is_empty() { vec![true; spec.width()] } else { spec.standardise.clone() };
        let by_value = spec.loss == Loss::SquaredError && spec.standardise_target;
        Ok(Self {
            w: vec![T::zero(); wiring.parameters() + readout.parameters()],
            train: TrainerState::new(spec, &network, &readout)?,
            inputs: Scaler::new(all),
            targets: Scaler::new(vec![by_value; spec.outputs]),
            stream_states,
            ahead: (State::new(wiring), Step::new(wiring)),
            said: Said {
                features: vec![T::zero(); inputs],
                output: vec![T::zero(); spec.outputs],
                slope: vec![T::zero(); spec.outputs],
                // Filters alone ask for it.
                curvature: match spec.trainer {
                    Trainer::Kalman { .. } => vec![0.0; spec.outputs * spec.outputs],
                    _ => Vec::new(),
                },
                target: vec![T::zero(); spec.outputs],
                prediction: vec![0.0; spec.outputs],
                predicted: vec![0.0; spec.outputs],
                aside: (vec![T::zero(); inputs], vec![T::zero(); spec.outputs]),
            },
            credit_pending: false,
            readout,
            network,
            spec: spec.clone(),
        })
    }

    /// Glorot-normal weights from emissions; none from inputs.
    fn draw_readout(&mut self, p: usize, rng: &mut impl rand::Rng) {
        let emissions = self.network.wiring().outputs().len();
        let narrow = Readout { inputs: emissions, outputs: self.spec.outputs };
        let drawn = narrow.draw::<T>(&self.spec.init, rng);
        for k in 0..self.spec.outputs {
            let to = p + k * self.readout.inputs;
            self.w[to..to + emissions].copy_from_slice(&drawn[k * emissions..(k + 1) * emissions]);
            let bias = self.spec.outputs * emissions + k;
            self.w[p + self.spec.outputs * self.readout.inputs + k] = drawn[bias];
        }
    }
}
