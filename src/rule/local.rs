//! Local rules: influence stays within the unit it began in, from step to step.
//!
//! RFLO (J. M. Murray 2019), the coupling dropped altogether:
//!
//! `S_t = diag(d) S_{t-1} + B Y_t + M̄_t`;
//!
//! e-prop (G. Bellec et al. 2020), which follows a unit's own dynamics, the reset by its own event included, and drops what
//! goes through recurrent weights, also those of a unit to itself:
//!
//! `S_t = (diag(d) + R diag(e)) S_{t-1} + R Ē_{t-1} + B Y_t + M̄_t`, with R the direct coupling of a unit to itself (−1 for an
//! EGRU with output reset, else 0).
//!
//! Where an event resets the threshold inside the leak, the reset is part of d, so that RFLO follows it too and the two rules are
//! one; likewise for cells without a direct coupling.
//!
//! Variants: the derivative of the reset is part of a unit's own dynamics (published e-prop for LSNNs leaves it out); credit is the exact `∂L_t/∂y_t` of the readout (symmetric feedback, not random), without a filter on it.
//! Within a step influence goes on through B, so that lower layers of a stack learn from what upper layers make of them; for
//! a reset gate before the product that is its path to the candidate. For the event RNN, which has no carry, both are the
//! gradient of a single step.
//!
//! J. M. Murray, *Local online learning in recurrent networks with random feedback*, eLife 8:e43299, 2019.
//! G. Bellec et al., *A solution to the learning dilemma for recurrent networks of spiking neurons*, Nature Communications
//! 11:3625, 2020.

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
