//! What a rule should cost, in closed form, from what is live: counted on steps alone, without doing the work.
//!
//! Each rule's closed form stands at the top of its file here. The quantities in it are the measured sparsities in the place
//! where they count: not the share β̃ of live units, but how many live units a row reads; not ω̃, but how many couplings there
//! are. A test holds every prediction against the ledger, exactly. In the mean over masks and units they become
//!
//! | | event RNN | EGRU |
//! |---|---|---|
//! | l, live sources | `β̃(t−1) n` | `ν(t−1) n`, ν the share of units with `e ≠ 0` |
//! | h, rows held | `β̃(t) n` | `n`: the carry keeps them all |
//! | a, couplings from live sources into held rows | `ω̃ β̃(t) β̃(t−1) n²` | `ω̃′ ν(t−1) n²`, ω̃′ the share of pairs any gate couples |
//! | k, columns that something has touched | `≤ ω̃ n² + (m + 2) n` | `≤ 3 ω̃ n² + (3 m + 4) n` |
//!
//! so that `a k`, the product A Y, falls as ω̃² β̃(t) β̃(t−1) for the event RNN over the columns of recurrent weights, which is the
//! RTRL paper's law, and as ω̃ ω̃′ ν(t−1) for an EGRU, whose rows do not vanish. [`paper`] gives the paper's own formulas.

mod blocks;
mod dense;
mod panels;
mod paper;
mod tape;
mod unmasked;
mod uoro;

pub(super) use blocks::PredictBlocks;
pub(super) use dense::PredictDense;
pub(super) use panels::PredictPanels;
pub(super) use tape::PredictTape;
pub(super) use unmasked::PredictUnmasked;
pub(super) use uoro::PredictUoro;

pub use paper::{PaperCost, Shape, paper};

use crate::cell::{Step, Wiring};
use crate::macs::Macs;
use crate::scalar::Real;

/// Follows the steps a rule observes and says what each should cost. The MACs are those of the rule alone: neither the
/// forward step nor the readout.
pub trait Predict<T: Real>: Send {
    /// A new sequence begins.
    fn reset(&mut self);

    /// A step is observed.
    fn observe(&mut self, step: &Step<T>) -> Macs;

    /// Credit is given to the output rows.
    fn credit(&mut self, credit: &[T]) -> Macs;

    /// The gradient is asked for.
    fn drain(&mut self) -> Macs {
        Macs::default()
    }

    /// Numbers of influence or tape in use.
    fn numbers(&self) -> usize;
}

/// Parameters whose source speaks: the entries of M̄ that are not zero.
fn spoken<T: Real>(wiring: &Wiring, step: &Step<T>) -> usize {
    let weights = wiring.layout().weights();
    let speaks = |source: &usize| step.phi[*source] != T::zero();
    (0..step.phi.len()).filter(speaks).map(|source| weights.col(source).len()).sum()
}
