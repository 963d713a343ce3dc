//! Cost models: what each rule costs in closed form, computed from steps without doing the work.
//!
//! A [`CostModel`] follows the steps of a rule and predicts its MACs and its memory exactly; a test compares every
//! prediction with the count. [`Means`] are the sizes and measured sparsities for which
//! [`RuleEntry::mean_cost`](super::RuleEntry::mean_cost) gives the mean cost, before a network exists. [`paper`] has
//! the formulas of the RTRL paper's Table 1.

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

/// Predicts the work and the memory of a rule, call by call, from the same arguments that the rule receives.
///
/// The quantities are the sparsities where they count: not the share β̃ of live units, but the number of live units that a
/// row reads; not ω̃, but the number of couplings. The MACs are those of the rule alone, without the forward step and the
/// readout. A model predicts the rule with all skips on.
pub trait CostModel<T: Real>: Send {
    /// Begins a new sequence.
    fn reset(&mut self);

    /// MACs of [`Rule::observe`](crate::rule::Rule::observe).
    fn observe(&mut self, step: &Step<T>) -> Macs;

    /// MACs of [`Rule::credit`](crate::rule::Rule::credit).
    fn credit(&mut self, credit: &[T]) -> Macs;

    /// MACs of [`Rule::drain`](crate::rule::Rule::drain).
    fn drain(&mut self) -> Macs {
        Macs::default()
    }

    /// Numbers of influence, tape and gradient in use:
    /// [`Rule::bytes`](crate::rule::Rule::bytes) divided by the size of a number.
    fn footprint(&self) -> usize;
}

/// Parameters whose source is nonzero: the nonzero entries of M̄.
fn nonzero_parameters<T: Real>(wiring: &Wiring, step: &Step<T>) -> usize {
    let weights = wiring.layout().weights();
    let nonzero = |source: &usize| step.phi[*source] != T::zero();
    (0..step.phi.len()).filter(nonzero).map(|source| weights.col(source).len()).sum()
}
