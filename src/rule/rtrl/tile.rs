//! A tile: 128 columns of all slots, and their gradient.

use crate::scalar::Real;
use crate::sparse::lanes;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// C, the number of columns of a tile: eight AVX-512 vectors in single precision.
pub const COLUMNS: usize = 128;

/// The columns of one slot in a tile. `[128]`
pub type TileLanes<T> = lanes::Lanes<T, COLUMNS>;

/// 128 consecutive columns of all slots.
pub struct Tile<T> {
    /// `[slots][128]`, S or Y.
    pub blocks: Vec<TileLanes<T>>,
    /// `[128]`, the gathered gradient.
    pub gradient: TileLanes<T>,
}

impl<T: Real> Tile<T> {
    /// Creates a zero tile with this number of slots.
    pub fn new(updates: usize) -> Self {
        Self { blocks: vec![TileLanes::zero(); updates], gradient: TileLanes::zero() }
    }
}

/// Returns the tile without locking.
#[inline(always)]
pub fn own<T>(tile: &mut Mutex<Tile<T>>) -> &mut Tile<T> {
    tile.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a tile. The lock does not block, since only one thread takes a tile.
pub fn lock<T>(tile: &Mutex<Tile<T>>) -> MutexGuard<'_, Tile<T>> {
    tile.lock().unwrap_or_else(PoisonError::into_inner)
}
