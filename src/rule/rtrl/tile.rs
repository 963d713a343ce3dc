//! A tile: the blocks of all rows for the same columns, and their gradient.

use crate::scalar::Real;
use crate::sparse::lanes;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Columns of a tile: in single precision eight vectors of AVX-512, whose sums are independent of one another.
pub const COLUMNS: usize = 128;

/// The columns of one line in a tile.
pub type Lanes<T> = lanes::Lanes<T, COLUMNS>;

/// Some neighbouring columns of all lines.
pub struct Tile<T> {
    /// One block a line.
    pub blocks: Vec<Lanes<T>>,
    /// Gradient gathered in these columns.
    pub gradient: Lanes<T>,
}

impl<T: Real> Tile<T> {
    pub fn new(lines: usize) -> Self {
        Self { blocks: vec![Lanes::zero(); lines], gradient: Lanes::zero() }
    }
}

/// A tile that nobody else has.
#[inline(always)]
pub fn own<T>(tile: &mut Mutex<Tile<T>>) -> &mut Tile<T> {
    tile.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// A tile that others may want. Nobody waits: it is given to one thread only.
pub fn lock<T>(tile: &Mutex<Tile<T>>) -> MutexGuard<'_, Tile<T>> {
    tile.lock().unwrap_or_else(PoisonError::into_inner)
}
