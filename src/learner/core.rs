//! Shared core of the learners: a model with its weights, rules for its streams, and weight updates
//! that are undone if they fail.

use crate::error::Result;
use crate::model::{Model, ModelSpec};
use crate::network::Network;
use crate::optim::{self, Optimiser};
use crate::params::{Generator, Init, Purpose, generator};
use crate::readout::Readout;
use crate::rule::{self, Rule, Skips};
use crate::scalar::Real;

/// A value that is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonFinite {
    /// The quantity: "input", "output", "loss", "gradient norm", "weight", …
    pub what: &'static str,
    /// The value.
    pub value: f64,
}

/// A model and its weights.
pub struct Core<T> {
    /// The model.
    pub model: Model<T>,
    /// Weights. [p + parameters of the readout]
    pub w: Vec<T>,
    /// Number of weight updates.
    pub updates: u64,
    /// Scratch: the weights before an update. [length of `w`]
    before: Vec<T>,
}

impl<T: Real> Core<T> {
    /// Creates a model with masks and initial values drawn from `seed`.
    ///
    /// Besides emissions, the readout has `further` inputs, whose initial weights are zero. If
    /// `draws_readout` is false, all initial weights of the readout are zero.
    ///
    /// # Errors
    /// If the specification is invalid.
    pub fn draw(spec: &ModelSpec, seed: u64, further: usize, draws_readout: bool) -> Result<Self> {
        let mut masks = generator(seed, Purpose::Mask);
        let draw = |blocks: &[_]| spec.network.draw_masks(&spec.mask, blocks, &mut masks);
        let network = Network::new(&spec.network, draw)?;
        Self::with_network(network, spec, seed, further, draws_readout)
    }

    /// Creates a model of a given network, with initial values drawn from `seed`. The other
    /// arguments are those of [`draw`](Self::draw).
    ///
    /// # Errors
    /// If the specification is invalid.
    pub fn with_network(
        network: Network<T>,
        spec: &ModelSpec,
        seed: u64,
        further: usize,
        draws_readout: bool,
    ) -> Result<Self> {
        let mut core = Self::zero(network, spec, further);
        let mut values = generator(seed, Purpose::Init);
        let layout = core.model.network.wiring().layout();
        let p = layout.len();
        core.w[..p].copy_from_slice(&spec.init.draw(layout, &mut values)?);
        if draws_readout {
            draw_readout(&core.model, &spec.init, &mut core.w[p..], &mut values);
        }
        Ok(core)
    }

    /// Creates a model of a given network with zero weights.
    pub fn zero(network: Network<T>, spec: &ModelSpec, further: usize) -> Self {
        let mut model = Model::new(network, spec.outputs, spec.loss);
        model.readout.inputs += further;
        let w = vec![T::zero(); model.parameters()];
        Self { before: w.clone(), w, updates: 0, model }
    }

    /// Builds the rule `name` for stream `k`. Noise is drawn from `seed`, independently per stream.
    ///
    /// # Errors
    /// If the rule is unknown.
    pub fn rule(&self, name: &str, seed: u64, k: usize) -> Result<Box<dyn Rule<T>>> {
        Ok((rule::find::<T>(name)?.build)(self.model.network.wiring(), Skips::ALL, stream_seed(seed, k)))
    }

    /// Updates the weights with `update`, which receives the number of earlier updates, and
    /// projects the new weights to their ranges.
    ///
    /// # Errors
    /// If `update` fails or a new weight is not finite. In both cases the weights are unchanged.
    pub fn update(
        &mut self,
        update: impl FnOnce(&Model<T>, &mut [T], u64) -> std::result::Result<(), NonFinite>,
    ) -> std::result::Result<(), NonFinite> {
        self.before.copy_from_slice(&self.w);
        let updated = update(&self.model, &mut self.w, self.updates).and_then(|()| {
            optim::not_finite(&self.w).map_or(Ok(()), |value| Err(NonFinite { what: "weight", value }))
        });
        match updated {
            Ok(()) => {
                self.constrain();
                self.updates += 1;
            }
            Err(_) => self.w.copy_from_slice(&self.before),
        }
        updated
    }

    /// Projects the network's weights to their ranges.
    pub fn constrain(&mut self) {
        let p = self.model.network.wiring().parameters();
        self.model.network.constrain(&mut self.w[..p]);
    }
}

/// Returns the seed of the noise of stream `k`. The seeds of streams differ by multiples of 2⁶⁴
/// divided by the golden ratio.
pub fn stream_seed(seed: u64, k: usize) -> u64 {
    seed.wrapping_add((k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Draws the initial weights of the readout: Glorot-normal weights of emissions, and biases. The
/// weights of further features stay zero.
fn draw_readout<T: Real>(model: &Model<T>, init: &Init, w: &mut [T], rng: &mut Generator) {
    let emissions = model.network.wiring().outputs().len();
    let Readout { inputs, outputs } = model.readout;
    let drawn = Readout { inputs: emissions, outputs }.draw::<T>(init, rng);
    let (weights, biases) = drawn.split_at(outputs * emissions);
    for (row, drawn) in w.chunks_exact_mut(inputs).zip(weights.chunks_exact(emissions)) {
        row[..emissions].copy_from_slice(drawn);
    }
    w[outputs * inputs..].copy_from_slice(biases);
}

/// Clips a gradient and applies one step of an optimiser.
///
/// # Errors
/// If the norm of the gradient is not finite. The weights and the optimiser are then unchanged.
pub fn descend<T: Real>(
    optimiser: &mut dyn Optimiser<T>,
    clip: Option<f64>,
    w: &mut [T],
    gradient: &mut [T],
) -> std::result::Result<(), NonFinite> {
    let norm = optim::clip(gradient, clip);
    if !norm.is_finite() {
        return Err(NonFinite { what: "gradient norm", value: norm });
    }
    optimiser.update(w, gradient);
    Ok(())
}
