//! Tiles of S: 64 neighbouring columns of one unit, for every stored row.

use crate::sparse::lanes;

/// C, the columns of a tile.
pub const COLUMNS: usize = 64;

/// The columns of one row in a tile, [C].
pub type UnitLanes<T> = lanes::Lanes<T, COLUMNS>;
