//! The ledger of multiply-accumulate operations (MACs). Each function adds the MACs that it
//! performs.
//!
//! One MAC is one product that is stored in, or added to, an entry of a matrix or vector. Four
//! kinds of products are counted: weight × source, coupling × influence, credit × influence, gain ×
//! source. Operations whose number is linear in the units (gates, events, local derivatives) are
//! not counted, for any rule.
//!
//! The ledger counts the necessary MACs. Some loops also multiply by zeros, because skipping them
//! would be slower (dense sets of coefficients, padding of tiles, zero sources next to nonzero
//! ones). These products are not counted.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Numbers of MACs by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Macs {
    /// Pre-activations `W φ`, readout included.
    pub forward: u64,
    /// Couplings `A` and `B` from gains and weights.
    pub coupling: u64,
    /// Update of the influence matrix: `diag(d) S + A Y + B Y + M̄`, and `Y = diag(e) S + Ē`.
    pub influence: u64,
    /// Products `A Y` in columns of recurrent weights, to which the factor ω̃²β̃² of the RTRL paper
    /// refers. They are included in `influence`, and therefore not in [`total`](Self::total). Only
    /// the rule `rtrl` counts them.
    pub recurrent: u64,
    /// Gradient contributions: `Yᵀ c̄`, and the gradient of the readout.
    pub gradient: u64,
    /// Backward pass through time: adjoints and their gradient contributions.
    pub backward: u64,
    /// Weight updates with a covariance: recursive least squares and Kalman filters (formulas in
    /// [`Rls`](crate::optim::Rls) and [`Kalman`](crate::optim::Kalman)). The updates of optimisers
    /// are not counted: they are a few products per weight for every rule.
    pub update: u64,
}

impl Macs {
    /// Returns the sum of all kinds, without counting `recurrent` twice.
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
