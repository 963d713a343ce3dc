//! The gated recurrent unit (K. Cho et al. 2014), an EGRU that shows its state at every step:
//!
//! `u = σ(W_u [x, c⁻] + b_u)`, `r = σ(W_r [x, c⁻] + b_r)`, `z = tanh(W_z [x, r ⊙ c⁻] + b_z)`,
//! `c = u ⊙ z + (1 − u) ⊙ c⁻`, `y = c`;
//!
//! or with the reset gate after the product, as in cuDNN. u weighs the candidate, as in the papers of this crate; some
//! libraries call `1 − u` the update gate.
//!
//! K. Cho et al., *Learning phrase representations using RNN encoder–decoder for statistical machine translation*, EMNLP
//! 2014.

use super::egru::Egru;
use super::{CellConfig, ResetGate};
use crate::wiring::{LayerInput, Plan};

/// Every setting that changes its equations.
pub(super) fn variants() -> Vec<CellConfig> {
    let config = CellConfig { activity: false, ..CellConfig::default() };
    vec![config, CellConfig { reset_gate: ResetGate::After, ..config }]
}

/// A layer of gated recurrent units.
pub(super) fn place(plan: &mut Plan, n: usize, config: CellConfig, feed: &LayerInput) -> Egru {
    Egru::place(plan, n, CellConfig { activity: false, ..config }, feed)
}
