//! Local rules, RFLO and e-prop: influence stays within the unit where it started. See [`PatternRtrl`].

use super::{PatternRtrl, Reach};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::sync::Arc;

/// RFLO for one stream.
pub(super) fn rflo<T: Real>(wiring: Arc<Wiring>) -> PatternRtrl<T> {
    PatternRtrl::new(wiring, Reach::Carry)
}

/// e-prop for one stream.
pub(super) fn e_prop<T: Real>(wiring: Arc<Wiring>) -> PatternRtrl<T> {
    PatternRtrl::new(wiring, Reach::Unit)
}
