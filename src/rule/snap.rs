//! SnAp-n: see [`PatternRtrl`].

use super::{PatternRtrl, Reach};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::sync::Arc;

/// SnAp-n for one stream.
pub(super) fn snap<T: Real>(wiring: Arc<Wiring>, n: usize) -> PatternRtrl<T> {
    PatternRtrl::new(wiring, Reach::Steps(n))
}
