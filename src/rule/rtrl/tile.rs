//! A tile: the lanes of all slots for the same columns, and their gradient.

use crate::scalar::Real;
use crate::sparse::lanes;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// C, the columns of a tile: eight AVX-512 vectors in single precision, with independent sums.
pub const COLUMNS: usize = 128;

/// The columns of one slot in a tile. [C]
pub type TileLanes<T> = lanes::Lanes<T, COLUMNS>;

/// 128 neighbouring columns of all slots.
pub struct Tile<T> {
    /// [slots]
    pub blocks: Vec<TileLanes<T>>,
    /// The gradient gathered in these columns.
    pub gradient: TileLanes<T>,
}

impl<T: Real> Tile<T> {
    pub fn new(updates: usize) -> Self {
        Self { blocks: vec![TileLanes::zero(); updates], gradient: TileLanes::zero() }
    }
}

/// The tile, without locking.
#[inline(always)]
pub fn own<T>(tile: &mut Mutex<Tile<T>>) -> &mut Tile<T> {
    tile.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a tile. It never waits: a tile is given to one thread only.
pub fn lock<T>(tile: &Mutex<Tile<T>>) -> MutexGuard<'_, Tile<T>> {
    tile.lock().unwrap_or_else(PoisonError::into_inner)
}
