//! The tiles of a unit at the end of a block from those at its start, with Λ, P and the block's steps known:
//!
//! `S_K = P S_0 + Σ_s Λ_sᵀ M̄_s`,
//!
//! two products of matrices per tile, since all its columns enter through the same row of Λ.

use super::ended::EndedBlock;
use super::influence::UnitInfluence;
use super::tile::{COLUMNS, UnitLanes};
use super::transition::Transition;
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS, combine_dense, flushed};

/// Room for the factors of one unit and an updated tile.
pub struct UpdateScratch<T> {
    /// M̄ in the columns of a tile. [K]
    entries: Vec<UnitLanes<T>>,
    /// Λ in the unit's row. [⌈slots / 4⌉][K][4]
    coefficients: Vec<[T; ROWS]>,
    /// [slots]
    updated: Vec<UnitLanes<T>>,
}

impl<T: Real> UpdateScratch<T> {
    /// Room for `slots` stored rows and blocks of `steps` steps.
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
    pub unit: &'a mut UnitInfluence<T>,
    pub scratch: &'a mut UpdateScratch<T>,
    /// Λ of the rows at the end, 64 each; P as in [`Advance`](super::advance::Advance).
    pub transitions: &'a [Transition<T>],
    pub p: &'a [[T; ROWS]],
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
        // Rows that the unit cannot reach stay zero: all slots before its first row.
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
            // Lanes without a parameter stay zero.
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
