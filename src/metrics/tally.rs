//! Sums of measurements over steps and streams.

use super::{DenseSize, Fidelity, Zeros};
use crate::macs::Macs;
use crate::rule::Influence;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Sums over steps and streams, from which means are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Number of steps.
    pub steps: u64,
    /// Σ units over steps.
    units: u64,
    silent: u64,
    flat: u64,
    live: u64,
    /// Number of steps with a predecessor, and Σ β̃(t)β̃(t−1) over them.
    pairs: u64,
    product: f64,
    held: u64,
    nonzero: u64,
    recurrent: u64,
    zeros: Zeros,
    dense: u64,
    dense_recurrent: u64,
    loss: f64,
    /// Number of steps with a target.
    pub supervised: u64,
    correct: u64,
    decided: u64,
    /// Number of gradients compared with exact gradients, Σ cosine and Σ relative error.
    compared: u64,
    cosine: f64,
    error: f64,
    /// MACs by kind.
    pub macs: Macs,
}

impl Tally {
    /// Counts the units of a step that are silent, that have zero pseudo-derivative, and that are
    /// live.
    ///
    /// `before` is β̃, the share of units with nonzero pseudo-derivative, of the step before, or
    /// `None` at the first step. Returns β̃ of this step.
    #[doc(hidden)]
    pub fn observe<T: Real>(&mut self, wiring: &Wiring, step: &Step<T>, before: Option<f64>) -> f64 {
        let units = wiring.units();
        let count = |of: &dyn Fn(usize) -> bool| units.iter().filter(|&&row| of(row)).count() as u64;
        let flat = count(&|row| step.slope[row] == T::zero());
        let steep = 1.0 - flat as f64 / units.len() as f64;
        self.steps += 1;
        self.units += units.len() as u64;
        self.silent += count(&|row| step.y[row] == T::zero());
        self.live += count(&|row| step.is_live(row));
        self.flat += flat;
        if let Some(before) = before {
            self.pairs += 1;
            self.product += steep * before;
        }
        steep
    }

    /// Adds the stored entries of a rule's influence matrix, the zeros by reason, and the size
    /// without masks.
    #[doc(hidden)]
    pub fn influence(&mut self, influence: Influence, zeros: Zeros, dense: DenseSize) {
        self.held += influence.held as u64;
        self.nonzero += influence.nonzero as u64;
        self.recurrent += influence.recurrent as u64;
        self.zeros += zeros;
        self.dense += dense.all as u64;
        self.dense_recurrent += dense.recurrent as u64;
    }

    /// Adds the loss of a step with a target.
    #[doc(hidden)]
    pub fn loss(&mut self, loss: f64) {
        self.loss += loss;
        self.supervised += 1;
    }

    /// Adds a classification.
    #[doc(hidden)]
    pub fn decision(&mut self, correct: bool) {
        self.correct += u64::from(correct);
        self.decided += 1;
    }

    /// Adds the comparison of a gradient with the exact gradient.
    #[doc(hidden)]
    pub fn fidelity(&mut self, fidelity: Fidelity) {
        self.cosine += fidelity.cosine;
        self.error += fidelity.error;
        self.compared += 1;
    }

    /// Adds another tally.
    #[doc(hidden)]
    pub fn merge(&mut self, other: &Self) {
        self.steps += other.steps;
        self.units += other.units;
        self.silent += other.silent;
        self.flat += other.flat;
        self.live += other.live;
        self.pairs += other.pairs;
        self.product += other.product;
        self.held += other.held;
        self.nonzero += other.nonzero;
        self.recurrent += other.recurrent;
        self.zeros += other.zeros;
        self.dense += other.dense;
        self.dense_recurrent += other.dense_recurrent;
        self.loss += other.loss;
        self.supervised += other.supervised;
        self.compared += other.compared;
        self.cosine += other.cosine;
        self.error += other.error;
        self.correct += other.correct;
        self.decided += other.decided;
        self.macs += other.macs;
    }

    /// Returns the mean loss per step with a target; NaN without such steps.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.supervised as f64
    }

    /// Returns the share of correct classifications; NaN without classifications.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.decided as f64
    }

    /// Returns the mean cosine with the exact gradient; NaN if no gradient was compared.
    pub fn gradient_cosine(&self) -> f64 {
        self.cosine / self.compared as f64
    }

    /// Returns the mean relative error of gradients; NaN if no gradient was compared.
    pub fn gradient_error(&self) -> f64 {
        self.error / self.compared as f64
    }

    /// Returns α, the share of units whose output is zero.
    pub fn activity_sparsity(&self) -> f64 {
        self.silent as f64 / self.units as f64
    }

    /// Returns β, the share of units with zero pseudo-derivative.
    pub fn backward_sparsity(&self) -> f64 {
        self.flat as f64 / self.units as f64
    }

    /// Returns the share of live units, which an exact rule cannot skip as sources. For an EGRU it
    /// is larger than β̃: far above the threshold `e = 1`, but the pseudo-derivative is zero.
    pub fn live_share(&self) -> f64 {
        self.live as f64 / self.units as f64
    }

    /// Returns the mean of `β̃(t) β̃(t−1)` over steps with a predecessor. Its product with ω̃² is
    /// the cost relative to dense RTRL according to the RTRL paper.
    pub fn beta_product(&self) -> f64 {
        self.product / self.pairs as f64
    }

    /// Returns the number of nonzero entries of Y, relative to n × p without masks; NaN for a rule
    /// without influence matrix.
    pub fn influence_density(&self) -> f64 {
        self.nonzero as f64 / self.dense as f64
    }

    /// Returns the number of nonzero entries of Y in columns of recurrent weights, relative to n ×
    /// the number of recurrent weights without masks.
    pub fn influence_density_recurrent(&self) -> f64 {
        self.recurrent as f64 / self.dense_recurrent as f64
    }

    /// Returns the number of zeros of Y in rows that are not live, without columns of pruned
    /// parameters, relative to n × p without masks.
    pub fn rows_without_derivative(&self) -> f64 {
        self.zeros.rows as f64 / self.dense as f64
    }

    /// Returns the number of zeros of Y in live rows and inactive columns, relative to n × p
    /// without masks. The source of an inactive column has been zero since the reset.
    pub fn columns_inactive(&self) -> f64 {
        self.zeros.columns as f64 / self.dense as f64
    }

    /// Returns the number of zeros of Y in columns of pruned parameters, relative to n × p without
    /// masks.
    pub fn columns_masked(&self) -> f64 {
        self.zeros.masked as f64 / self.dense as f64
    }

    /// Returns the number of stored entries of S, relative to n × p without masks.
    pub fn influence_held(&self) -> f64 {
        self.held as f64 / self.dense as f64
    }
}

#[cfg(test)]
mod tests;
