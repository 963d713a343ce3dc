//! Multiplicative masks of one window. A kept entry is `1 / (1 − share)`, a dropped one 0.

use super::layout::LmLayout;
use super::spec::{Dropout, LmSpec};
use crate::params::Generator;
use crate::scalar::Real;
use rand::RngExt;

/// Masks of one window of T steps of B samples. An empty mask drops nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DropoutMasks<T> {
    /// Of rows of the embedding where it is the input. `[V]`
    pub word: Vec<T>,
    /// Of the embedded input. `[T B][E]`
    pub embedded: Vec<T>,
    /// Of the emissions of each layer but the last. `[layers − 1][T B][n]`
    pub between: Vec<Vec<T>>,
    /// Of the emissions of the last layer. `[T B][E]`
    pub output: Vec<T>,
    /// Of recurrent weights. `[layers][sources][width]`
    pub recurrent: Vec<Vec<T>>,
    /// Of weights from r ⊙ y⁻, for a reset gate before the product. `[layers][sources][width]`
    pub gated: Vec<Vec<T>>,
}

impl<T: Real> DropoutMasks<T> {
    /// Draws the masks of a window.
    pub fn draw(
        &mut self,
        dropout: &Dropout,
        spec: &LmSpec,
        layout: &LmLayout,
        (steps, batch): (usize, usize),
        rng: &mut Generator,
    ) {
        fill(&mut self.word, spec.vocabulary, dropout.word, rng);
        let mut activity = |mask: &mut Vec<T>, n: usize, share: f64| {
            if share == 0.0 {
                return mask.clear();
            }
            let mut own = Vec::new();
            mask.clear();
            for step in 0..steps {
                // Locked: one mask per window and sample. Otherwise one per step, for all samples.
                if step == 0 || !dropout.locked {
                    fill(&mut own, if dropout.locked { batch * n } else { n }, share, rng);
                }
                (0..if dropout.locked { 1 } else { batch }).for_each(|_| mask.extend_from_slice(&own));
            }
        };
        activity(&mut self.embedded, spec.embedding, dropout.embedded);
        let between = spec.sizes.len() - 1;
        self.between.resize(between, Vec::new());
        for (mask, &n) in self.between.iter_mut().zip(&spec.sizes[..between]) {
            activity(mask, n, dropout.between);
        }
        activity(&mut self.output, spec.embedding, dropout.output);
        self.recurrent.resize(layout.layers.len(), Vec::new());
        self.gated.resize(layout.layers.len(), Vec::new());
        for (layer, (recurrent, gated)) in
            layout.layers.iter().zip(self.recurrent.iter_mut().zip(&mut self.gated))
        {
            fill(recurrent, layer.recurrent.at.len(), dropout.connect, rng);
            fill(gated, layer.gated.as_ref().map_or(0, |block| block.at.len()), dropout.connect, rng);
        }
    }
}

/// Draws a mask of `n` entries; an empty one if nothing is dropped.
fn fill<T: Real>(mask: &mut Vec<T>, n: usize, share: f64, rng: &mut Generator) {
    mask.clear();
    if share > 0.0 {
        let kept = T::of(1.0 / (1.0 - share));
        mask.extend((0..n).map(|_| if rng.random::<f64>() < share { T::zero() } else { kept }));
    }
}
