//! Initial parameters of a language model, and which of them are trained.

use super::layout::LmLayout;
use super::train_spec::LmTraining;
use crate::params::{Purpose, generator};
use crate::scalar::Real;
use rand::RngExt;
use rand::seq::index::sample;
use rand_distr::{Beta, Distribution, Normal};

/// Bound of the uniform distribution of the embedding.
const EMBEDDING: f64 = 0.1;

/// Draws all parameters: the embedding `U(−0.1, 0.1)`; weights of a gate from n sources to m units
/// `N(0, 2 / (n + m))` (Glorot & Bengio 2010); biases zero; thresholds `Beta(3 m / (1 − m), 3)` with
/// mean m.
pub fn draw<T: Real>(training: &LmTraining, layout: &LmLayout, seed: u64) -> Vec<T> {
    let mut rng = generator(seed, Purpose::Init);
    let mut w = vec![T::zero(); layout.len];
    for w in &mut w[layout.embedding.clone()] {
        *w = T::of(EMBEDDING * (2.0 * rng.random::<f64>() - 1.0));
    }
    let mean = training.threshold_mean;
    let thresholds = Beta::new(3.0 * mean / (1.0 - mean), 3.0).expect("a mean in (0, 1)");
    for layer in &layout.layers {
        for block in [Some(&layer.input), Some(&layer.recurrent), layer.gated.as_ref()].into_iter().flatten()
        {
            let deviation = (2.0 / (block.sources + layer.units) as f64).sqrt();
            let normal = Normal::new(0.0, deviation).expect("a finite deviation");
            w[block.at.clone()].iter_mut().for_each(|w| *w = T::of(normal.sample(&mut rng)));
        }
        for theta in layer.theta.clone().into_iter().flatten() {
            w[theta] = T::of(thresholds.sample(&mut rng));
        }
    }
    w
}

/// Returns 1 for every parameter that is trained and 0 for pruned recurrent weights and fixed
/// thresholds. Empty if all are trained. Exactly `round((1 − ω) n²)` weights of a gate are kept.
pub fn trained<T: Real>(training: &LmTraining, layout: &LmLayout, seed: u64) -> Vec<T> {
    let fixed = !training.train_thresholds && layout.layers.iter().any(|layer| layer.theta.is_some());
    if training.param_sparsity == 0.0 && !fixed {
        return Vec::new();
    }
    let mut rng = generator(seed, Purpose::Mask);
    let mut trained = vec![T::one(); layout.len];
    for layer in &layout.layers {
        if let Some(theta) = layer.theta.clone().filter(|_| fixed) {
            trained[theta].fill(T::zero());
        }
        for tensor in layer.tensors().iter().filter(|tensor| tensor.name.ends_with("_y")) {
            let all = tensor.units * tensor.sources;
            let pruned = all - ((1.0 - training.param_sparsity) * all as f64).round() as usize;
            for k in sample(&mut rng, all, pruned) {
                trained[tensor.index(k % tensor.units, k / tensor.units)] = T::zero();
            }
        }
    }
    trained
}

/// Sets pruned weights to zero. Fixed thresholds keep their values.
pub fn prune<T: Real>(w: &mut [T], layout: &LmLayout, trained: &[T]) {
    if trained.is_empty() {
        return;
    }
    for layer in &layout.layers {
        for block in [Some(&layer.recurrent), layer.gated.as_ref()].into_iter().flatten() {
            let at = block.at.clone();
            w[at.clone()].iter_mut().zip(&trained[at]).for_each(|(w, &trained)| *w *= trained);
        }
    }
}
