//! SnAp-n, the sparse n-step approximation of RTRL (J. Menick et al. 2021):
//!
//! `S_t = (diag(d) S_{t-1} + A Y_{t-1} + B Y_t + M̄_t) ⊙ P_n`,
//!
//! where P_n keeps an entry (row, parameter) if the parameter can influence the row within n steps: P₁ is the pattern of M̄
//! with all that happens within a step, `P_{k+1} = P_k ∪ pattern(A P_k)`. What is kept is computed as exact RTRL would, from
//! what is kept; once P_n holds every entry that can ever be reached, SnAp-n is exact RTRL.
//!
//! J. Menick et al., *Practical real time recurrent learning with a sparse approximation*, ICLR 2021.

use super::{PatternRtrl, Reach};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::sync::Arc;

/// SnAp-n for one stream.
pub(super) fn snap<T: Real>(wiring: Arc<Wiring>, n: usize) -> PatternRtrl<T> {
    PatternRtrl::new(wiring, Reach::Steps(n))
}
