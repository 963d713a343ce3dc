//! The ledger of multiply-accumulates (MACs), filled where the work is done.
//!
//! One MAC is one product that is added to, or written over, an entry of a vector or matrix whose size grows with
//! weights or influence: weight × activity, coupling × influence, credit × influence, gain × source. Work that is
//! linear in the number of units (gates, events, local derivatives) is not counted, in any rule.
//!
//! Counted is what a step needs. Where a loop over neighbours is cheaper than picking out those that are needed (sets of dense
//! coefficients, tiles' padding, products of zero sources beside nonzero ones), it multiplies by zeros too, which are not.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// MACs done so far, by the part of the work that did them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Macs {
    /// Pre-activations `W φ`, readout included.
    pub forward: u64,
    /// Assembling the coupling `A` (and the within-step coupling `B`) from gains and weights.
    pub coupling: u64,
    /// Advancing the influence matrix: `diag(d) S + A Y + B Y + M̄`, and `Y = diag(e) S + Ē`.
    pub influence: u64,
    /// Of `influence`, the products `A Y` over the columns of recurrent weights: what the RTRL paper's ω̃²β̃² is about. A
    /// part, not added again in sums. Counted by the exact rule that skips.
    pub recurrent: u64,
    /// Reading the gradient: `Yᵀ c̄`, and the readout's own.
    pub gradient: u64,
    /// Carrying credit back through a tape (BPTT).
    pub backward: u64,
    /// Updates with a covariance of weights: recursive least squares and Kalman filters (`optim::Rls` and `optim::Kalman` give the
    /// formulas). The update of an optimiser is not counted: it is a few products per weight with every rule.
    pub update: u64,
}

impl Macs {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.forward + self.coupling + self.influence + self.gradient + self.backward + self.update
    }
}

impl AddAssign for Macs {
    fn add_assign(&mut self, other: Self) {
        self.forward += other.forward;
        self.coupling += other.coupling;
        self.influence += other.influence;
        self.recurrent += other.recurrent;
        self.gradient += other.gradient;
        self.backward += other.backward;
        self.update += other.update;
    }
}
