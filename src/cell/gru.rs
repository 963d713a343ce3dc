//! The gated recurrent unit (K. Cho et al. 2014): an EGRU without events.
//!
//! `u = σ(W_u [x, c⁻] + b_u)`, `r = σ(W_r [x, c⁻] + b_r)`, `z = tanh(W_z [x, r ⊙ c⁻] + b_z)`,
//! `c = u ⊙ z + (1 − u) ⊙ c⁻`, `y = c`.
//!
//! [`ResetGate::After`] places the reset gate after the matrix product, like cuDNN. The update gate
//! u multiplies the candidate z; some libraries call `1 − u` the update gate.
//!
//! Local derivatives: `d = 1 − u`, `e = 1`; the gains are those of the [EGRU](super::egru) with
//! `k = c⁻`. Shapes and cost are also those of the EGRU. Every unit carries and is live.
//!
//! # References
//!
//! K. Cho et al., *Learning phrase representations using RNN encoder–decoder for statistical
//! machine translation*, EMNLP 2014.

use super::egru::Egru;
use super::{CellConfig, ResetGate};
use crate::wiring::{LayerInput, Plan};

/// Returns every setting that changes the equations.
pub(super) fn variants() -> Vec<CellConfig> {
    let config = CellConfig { activity: false, ..CellConfig::default() };
    vec![config, CellConfig { reset_gate: ResetGate::After, ..config }]
}

/// Places a layer of `n` units on a plan.
pub(super) fn place(plan: &mut Plan, n: usize, config: CellConfig, feed: &LayerInput) -> Egru {
    Egru::place(plan, n, CellConfig { activity: false, ..config }, feed)
}
