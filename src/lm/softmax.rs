//! The tied softmax: `logits = h Eᵀ + b`, where h are the emissions of the last layer after dropout
//! and E is the embedding; the loss is `−log softmax(logits)[next token]`, in the mean over tokens.

use super::kernels::Tiles;
use super::layout::LmLayout;
use super::lists::Lists;
use super::matrix::{Matrix, MatrixMut};
use super::products::Products;
use crate::scalar::{Real, softmax};

/// Rows whose logits are in memory at a time.
const ROWS: usize = 128;

/// Scratch of the softmax.
#[derive(Debug)]
pub struct Softmax<T> {
    /// `[at most 128][V]`: logits, then probabilities, then ∂L/∂logits.
    logits: Vec<T>,
    /// `[V]`
    shares: Vec<T>,
    /// The embedding in tiles.
    tiles: Tiles<T>,
    /// Logits of the last rows of the window. `[B][V]`
    pub last: Vec<T>,
}

impl<T: Real> Default for Softmax<T> {
    fn default() -> Self {
        Self { logits: Vec::new(), shares: Vec::new(), tiles: Tiles::default(), last: Vec::new() }
    }
}

/// Where the gradient of the softmax goes.
pub struct SoftmaxGradient<'a, T> {
    /// All parameters.
    pub gradient: &'a mut [T],
    /// The entries (row, unit) of h whose credit is needed.
    pub needed: &'a Lists<T>,
    /// `∂L/∂h`, one value per entry of `needed`.
    pub credit: &'a mut [T],
}

impl<T: Real> Softmax<T> {
    /// Returns the summed loss of predicting `targets` from the rows of `h`. With `gradient`, also
    /// computes the gradient of `scale` times that sum. The logits of the last `keep` rows stay in
    /// `last`.
    pub fn evaluate(
        &mut self,
        layout: &LmLayout,
        w: &[T],
        (h, targets): (&Lists<T>, &[u32]),
        (scale, keep): (T, usize),
        products: &mut Products<T>,
        mut gradient: Option<SoftmaxGradient<'_, T>>,
    ) -> f64 {
        let v = layout.bias.len();
        let (embedding, bias) = (&w[layout.embedding.clone()], &w[layout.bias.clone()]);
        let mut loss = 0.0;
        self.last.clear();
        self.shares.resize(v, T::zero());
        let weights = Matrix::new(embedding, v, 0..v);
        self.tiles.pack(weights);
        for start in (0..targets.len()).step_by(ROWS) {
            let rows = start..(start + ROWS).min(targets.len());
            self.logits.clear();
            rows.clone().for_each(|_| self.logits.extend_from_slice(bias));
            let s = MatrixMut { values: &mut self.logits, stride: v, columns: 0..v };
            products.forward_tiled(h, rows.clone(), (weights, &self.tiles), s);
            for (row, logits) in rows.clone().zip(self.logits.chunks_exact_mut(v)) {
                if row + keep >= targets.len() {
                    self.last.extend_from_slice(logits);
                }
                let target = targets[row] as usize;
                let log_sum = softmax(&*logits, &mut self.shares);
                loss += (log_sum - logits[target]).as_f64();
                if gradient.is_some() {
                    self.shares[target] -= T::one();
                    let to = logits.iter_mut().zip(&self.shares);
                    to.for_each(|(to, &share)| *to = (scale * share).normal());
                }
            }
            let Some(SoftmaxGradient { gradient, needed, credit }) = &mut gradient else { continue };
            let d = Matrix::new(&self.logits, v, 0..v);
            let at = needed.positions(rows.clone());
            products.sample(needed, rows.clone(), d, weights, &mut credit[at]);
            let values = &mut gradient[layout.embedding.clone()];
            products.gradient(h, rows.clone(), d, MatrixMut { values, stride: v, columns: 0..v });
            let bias = &mut gradient[layout.bias.clone()];
            for logits in self.logits.chunks_exact(v) {
                bias.iter_mut().zip(logits).for_each(|(sum, &d)| *sum += d);
            }
        }
        loss
    }
}
