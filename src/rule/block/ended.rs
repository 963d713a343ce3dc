//! A finished block, over which S is advanced.

use super::anchor::Anchor;
use super::tape::Tape;
use crate::wiring::Wiring;

/// A finished block.
pub struct EndedBlock<'a, T> {
    /// The wiring of the network.
    pub wiring: &'a Wiring,
    /// The steps of the block.
    pub tape: &'a Tape<T>,
    /// The anchor before the first step.
    pub start: &'a Anchor<T>,
    /// The anchor at the last step.
    pub end: &'a Anchor<T>,
}

impl<T> Clone for EndedBlock<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for EndedBlock<'_, T> {}
