//! A block that has ended, while S is advanced over it.

use super::anchor::Anchor;
use super::tape::Tape;
use crate::wiring::Wiring;

/// A block that has ended: its steps, and the anchors at its start and end.
pub struct EndedBlock<'a, T> {
    pub wiring: &'a Wiring,
    pub tape: &'a Tape<T>,
    pub start: &'a Anchor<T>,
    pub end: &'a Anchor<T>,
}

impl<T> Clone for EndedBlock<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for EndedBlock<'_, T> {}
