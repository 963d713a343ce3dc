//! Inference token by token: one sample, single precision, products over nonzero sources only.

mod layer;
mod rows;

#[cfg(test)]
mod tests;

use super::layout::LmLayout;
use super::spec::LmSpec;
use crate::error::{Error, Result};
use crate::scalar::{exp_flushed, softmax};
use layer::EventLayer;
use rows::{ActiveSource, RowProducts, SourceRows};

/// Predicts a text token by token.
///
/// For every token, with the pre-activations of [`LmLayout`] (LM paper, section 3):
///
/// `x = E[token]`; per layer `S = b + x W_x + y⁻ W_y`, then c and y of every unit, and x of the
/// layer above is y; `logits = y Eᵀ + b`.
///
/// | product | sources | columns |
/// |---|---|---|
/// | `x W_x` | nonzero entries of the embedded token, or of y of the layer below | gates × n |
/// | `y⁻ W_y` | nonzero emissions of the layer at the last token | gates × n |
/// | `y Eᵀ` | nonzero emissions of the last layer | V |
///
/// The row of a source is read only if the source is not zero. All units are computed at every
/// token, since c changes without events as well. Products of about a million MACs or more are split
/// over the threads of the current rayon pool, by columns; the result does not depend on the number
/// of threads.
///
/// *Carry.* State and emission are carried from token to token, as with [`Carry::Whole`]. A model
/// with [`Carry::Emission`] is used in the same way: its c would be zero at the start of every
/// window, and there are no windows here.
///
/// *Memory.* After construction, [`next`](Self::next) allocates nothing on one thread. With several,
/// the scheduler may.
///
/// [`Carry::Whole`]: super::Carry::Whole
/// [`Carry::Emission`]: super::Carry::Emission
pub struct Predictor {
    /// The transposed embedding. `[E][V]`
    embedding: SourceRows,
    /// `[V]`
    bias: Vec<f32>,
    layers: Vec<EventLayer>,
    products: RowProducts,
    /// Nonzero entries of the embedded token. At most E.
    embedded: Vec<ActiveSource>,
    /// `[V]`
    logits: Vec<f32>,
    /// `[V]`
    shares: Vec<f32>,
}

impl Predictor {
    /// Creates a predictor from a copy of the weights `w`, in the order of [`LmLayout`]. The state
    /// is zero.
    ///
    /// # Errors
    /// If the specification is out of range.
    ///
    /// # Panics
    /// If `w` does not have one value per parameter.
    pub fn new(spec: &LmSpec, w: &[f32]) -> Result<Self> {
        Self::with(spec, w, SourceRows::single)
    }

    /// Creates a predictor with weights in 8-bit form, one scale per source j:
    ///
    /// `w_jc ≈ scale_j q_jc`, `scale_j = max_c |w_jc| / 127`, `q_jc = round(w_jc / scale_j)`.
    ///
    /// This includes the embedding. Biases and thresholds stay in single precision. A unit whose c
    /// is close to its threshold may emit with these weights only, or without them only; the logits
    /// of an EGRU then differ by more than the error of the weights.
    ///
    /// # Errors
    /// If the specification is out of range.
    ///
    /// # Panics
    /// If `w` does not have one value per parameter.
    pub fn quantised(spec: &LmSpec, w: &[f32]) -> Result<Self> {
        Self::with(spec, w, SourceRows::quantised)
    }

    fn with(spec: &LmSpec, w: &[f32], pack: fn(&[f32], usize) -> SourceRows) -> Result<Self> {
        spec.check()?;
        let layout = LmLayout::new(spec);
        assert_eq!(w.len(), layout.len, "w must have one value per parameter");
        let v = spec.vocabulary;
        let cell = (spec.cell, spec.unit_config());
        let sources = spec.sizes.iter().fold(spec.embedding, |most, &n| most.max(n));
        Ok(Self {
            embedding: pack(&w[layout.embedding.clone()], v),
            bias: w[layout.bias.clone()].to_vec(),
            layers: layout.layers.iter().map(|layer| EventLayer::new(cell, layer, w, pack)).collect(),
            products: RowProducts::new(sources),
            embedded: Vec::with_capacity(spec.embedding),
            logits: vec![0.0; v],
            shares: vec![0.0; v],
        })
    }

    /// Reads a token, and returns the logits of the next one, `[V]`.
    ///
    /// # Errors
    /// If the token is not below V. The state is then unchanged.
    pub fn next(&mut self, token: u32) -> Result<&[f32]> {
        let v = self.bias.len();
        let at = token as usize;
        if at >= v {
            return Err(Error::setting("token", &format!("a number below {v}"), token));
        }
        (self.products.macs, self.products.macs_dense) = (0, 0);
        let entries = (0..self.embedding.sources()).map(|j| (self.embedding.weight(j, at), j as u32));
        self.embedded.clear();
        self.embedded.extend(entries.filter(|&(x, _)| x != 0.0));
        let mut x = &self.embedded[..];
        for layer in &mut self.layers {
            layer.step(x, &mut self.products);
            x = layer.active();
        }
        self.logits.copy_from_slice(&self.bias);
        self.products.add(&self.embedding, x, &mut self.logits);
        Ok(&self.logits)
    }

    /// Sets the state to zero, as after construction. The weights stay.
    pub fn reset(&mut self) {
        self.layers.iter_mut().for_each(EventLayer::reset);
        self.logits.fill(0.0);
        (self.products.macs, self.products.macs_dense) = (0, 0);
    }

    /// Returns the probabilities of the next token, `[V]`: the softmax of the last logits. Before
    /// the first token, all are equal.
    pub fn probabilities(&mut self) -> &[f32] {
        softmax(&self.logits, &mut self.shares);
        &self.shares
    }

    /// Returns the `k` most probable next tokens with their probabilities, the most probable first;
    /// of equal ones, the lower token first. At most V.
    pub fn top(&self, k: usize) -> Vec<(u32, f32)> {
        let order = |a: &u32, b: &u32| {
            let logit = |token: &u32| self.logits[*token as usize];
            logit(b).total_cmp(&logit(a)).then(a.cmp(b))
        };
        let mut tokens: Vec<u32> = (0..self.logits.len() as u32).collect();
        if k < tokens.len() {
            tokens.select_nth_unstable_by(k, order);
            tokens.truncate(k);
        }
        tokens.sort_unstable_by(order);
        let largest = self.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let share = |logit: f32| exp_flushed(logit - largest);
        let sum: f32 = self.logits.iter().map(|&logit| share(logit)).sum();
        tokens.into_iter().map(|token| (token, share(self.logits[token as usize]) / sum)).collect()
    }

    /// Returns the MACs of the last token, over nonzero sources. The units are not counted.
    pub fn macs(&self) -> u64 {
        self.products.macs
    }

    /// Returns the MACs of the same products over all sources.
    pub fn macs_dense(&self) -> u64 {
        self.products.macs_dense
    }

    /// Returns the share of units with y ≠ 0 at the last token, for each layer from the input up.
    pub fn activity(&self) -> impl Iterator<Item = f64> + '_ {
        self.layers.iter().map(|layer| layer.active().len() as f64 / layer.units() as f64)
    }

    /// Returns the bytes of weights, state and scratch memory.
    pub fn bytes(&self) -> usize {
        let numbers = self.bias.len() + self.logits.len() + self.shares.len();
        self.embedding.bytes()
            + self.layers.iter().map(EventLayer::bytes).sum::<usize>()
            + self.products.bytes()
            + numbers * size_of::<f32>()
            + self.embedded.capacity() * size_of::<ActiveSource>()
    }
}
