//! The update of the tiles of a unit from the start to the end of a block, given Λ, P and the
//! steps:
//!
//! `S_K = P S_0 + Σ_s Λ_s M̄_s`,
//!
//! two matrix products per tile, since M̄ of all its columns is in the same row.

use super::ended::EndedBlock;
use super::influence::UnitInfluence;
use super::tile::{COLUMNS, UnitLanes};
use super::transition::Transition;
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS, combine_dense, flushed};

/// Scratch for the factors of one unit and an updated tile.
pub struct UpdateScratch<T> {
    /// `[K][64]`, M̄ in the columns of a tile.
    entries: Vec<UnitLanes<T>>,
    /// `[⌈slots / 4⌉][K][4]`, Λ in the unit's row.
    coefficients: Vec<[T; ROWS]>,
    /// `[slots][64]`, the updated tile.
    updated: Vec<UnitLanes<T>>,
}

impl<T: Real> UpdateScratch<T> {
    /// Creates the scratch for `slots` stored rows and blocks of `steps` steps.
    pub fn new(slots: usize, steps: usize) -> Self {
        Self {
            entries: vec![UnitLanes::zero(); steps],
            coefficients: vec![[T::zero(); ROWS]; slots.div_ceil(ROWS) * steps],
            updated: vec![UnitLanes::zero(); slots],
        }
    }
}

/// Updates the tiles of one unit.
pub struct TileUpdate<'a, T> {
    /// The unit to update.
    pub unit: &'a mut UnitInfluence<T>,
    /// Scratch.
    pub scratch: &'a mut UpdateScratch<T>,
    /// `[⌈slots / 64⌉]`, Λ of 64 rows at the end of the block each.
    pub transitions: &'a [Transition<T>],
    /// `[⌈slots / 4⌉][slots at the start][4]`, P.
    pub p: &'a [[T; ROWS]],
    /// The finished block.
    pub block: EndedBlock<'a, T>,
}

impl<T: Real> lanes::Loop for TileUpdate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { unit, scratch, transitions, p, block } = self;
        let (from, to, tape) = (block.start, block.end, block.tape);
        let (n, steps) = (from.e.len(), tape.len);
        let (old_rows, rows) = (from.slots(), to.slots());
        let old = old_rows.len();
        // Slots before the first row of the unit are zero.
        let first_set = unit.first_slot(rows) / ROWS;
        let first_old = unit.first_slot(old_rows);
        let sets = rows.len().div_ceil(ROWS);
        for set in first_set..sets {
            let (transition, at) = (&transitions[set * ROWS / COLUMNS], set * ROWS % COLUMNS);
            let coefficients = &mut scratch.coefficients[set * steps..][..steps];
            for (s, coefficients) in coefficients.iter_mut().enumerate() {
                coefficients.copy_from_slice(&transition.lambda[s * n + unit.row].0[at..at + ROWS]);
            }
        }
        let UnitInfluence { columns, tiles, theta, .. } = unit;
        for (number, (tile, columns)) in tiles.iter_mut().zip(columns.chunks(COLUMNS)).enumerate() {
            let entries = &mut scratch.entries[..steps];
            for (k, &(pre, source)) in columns.iter().enumerate() {
                let gains = &tape.gains[pre as usize * tape.stride..][..steps];
                let phis = &tape.phis[source as usize * tape.stride..][..steps];
                for (entry, (&gain, &phi)) in entries.iter_mut().zip(gains.iter().zip(phis)) {
                    entry.0[k] = gain * phi;
                }
            }
            // Lanes without a parameter must be zero.
            for entry in entries.iter_mut() {
                entry.0[columns.len()..].fill(T::zero());
            }
            for set in first_set..sets {
                let mut sums = [[T::zero(); COLUMNS]; ROWS];
                if old > first_old {
                    let p = &p[set * old + first_old..(set + 1) * old];
                    combine_dense::<T, FUSED, WIDTH, COLUMNS, ROWS>(&mut sums, p, &tile[first_old..old]);
                }
                let coefficients = &scratch.coefficients[set * steps..][..steps];
                combine_dense::<T, FUSED, WIDTH, COLUMNS, ROWS>(&mut sums, coefficients, entries);
                for (slot, sum) in scratch.updated[set * ROWS..].iter_mut().zip(sums) {
                    slot.0 = flushed(sum);
                }
            }
            scratch.updated[..first_set * ROWS].fill(UnitLanes::zero());
            if let Some((column, row)) = theta.filter(|theta| theta.0 / COLUMNS == number) {
                for (slot, updated) in scratch.updated[first_set * ROWS..rows.len()].iter_mut().enumerate() {
                    let slot = first_set * ROWS + slot;
                    let updated = &mut updated.0[column % COLUMNS];
                    *updated =
                        (*updated + transitions[slot / COLUMNS].theta[row].0[slot % COLUMNS]).flushed();
                }
            }
            std::mem::swap(tile, &mut scratch.updated);
        }
    }
}
