//! Cost models: the MACs and memory of each rule in closed form.
//!
//! - A [`CostModel`] receives the steps of a rule and predicts its MACs and memory exactly. A test
//!   compares every prediction with the count.
//! - [`RuleEntry::mean_cost`](super::RuleEntry::mean_cost) is the mean cost for sizes and
//!   sparsities ([`Means`]). It needs no network.
//! - [`paper()`] has the formulas of Table 1 of the RTRL paper.

pub(super) mod block;
mod mean;
pub(super) mod oracle;
mod paper;
pub(super) mod pattern;
pub(super) mod rtrl;
pub(super) mod tape;
mod unmasked;
pub(super) mod uoro;

pub(super) use block::BlockCost;
pub(super) use oracle::OracleCost;
pub(super) use pattern::PatternCost;
pub(super) use rtrl::PanelCost;
pub(super) use tape::TapeCost;
pub(super) use unmasked::UnmaskedCost;
pub(super) use uoro::UoroCost;

pub use mean::Means;
pub use paper::{PaperCost, Shape, paper};

use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Prediction of the MACs and the memory of a rule, for each call with the arguments of that call.
///
/// Predictions are based on counts and not on mean sparsities: on the number of live units that a
/// row reads instead of β̃, and on the number of couplings instead of ω̃. The MACs of the forward
/// step and of the readout are not included. A model predicts the rule with all skips.
pub trait CostModel<T: Real>: Send {
    /// Starts a new sequence.
    fn reset(&mut self);

    /// Returns the MACs of [`Rule::observe`](crate::rule::Rule::observe).
    fn observe(&mut self, step: &Step<T>) -> Macs;

    /// Returns the MACs of [`Rule::credit`](crate::rule::Rule::credit).
    fn credit(&mut self, credit: &[T]) -> Macs;

    /// Returns the MACs of [`Rule::drain`](crate::rule::Rule::drain).
    fn drain(&mut self) -> Macs {
        Macs::default()
    }

    /// Returns the number of values of influence, tape and gradient in use:
    /// [`Rule::bytes`](crate::rule::Rule::bytes) divided by the size of a value.
    fn footprint(&self) -> usize;
}

/// Returns the number of parameters whose source is nonzero.
fn nonzero_parameters<T: Real>(wiring: &Wiring, step: &Step<T>) -> usize {
    let weights = wiring.layout().weights();
    let nonzero = |source: &usize| step.phi[*source] != T::zero();
    (0..step.phi.len()).filter(nonzero).map(|source| weights.col(source).len()).sum()
}
