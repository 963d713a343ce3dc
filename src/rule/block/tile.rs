//! Tiles of S: 64 consecutive columns of one unit, for all stored rows.

use crate::sparse::lanes;

/// Number of columns of a tile.
pub const COLUMNS: usize = 64;

/// The columns of one row in a tile. `[64]`
pub type UnitLanes<T> = lanes::Lanes<T, COLUMNS>;
