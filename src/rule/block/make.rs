//! The new tiles of a unit from its old ones, with Λ, P and the block's steps known:
//!
//! `S_K = P S_0 + Σ_s Λ_sᵀ M̄_s`,
//!
//! two products of matrices a tile, since all its columns enter through the same row of Λ.

use super::back::Chunk;
use super::base::{Anchor, COLUMNS, Lanes, Unit};
use super::history::History;
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS, combine_dense, flushed};

/// Room for the factors of one unit and a new tile.
pub struct Scratch<T> {
    entries: Vec<Lanes<T>>,
    coefficients: Vec<[T; ROWS]>,
    made: Vec<Lanes<T>>,
}

impl<T: Real> Scratch<T> {
    /// Room for that many lines and blocks of that many steps.
    pub fn new(lines: usize, steps: usize) -> Self {
        Self {
            entries: vec![Lanes::zero(); steps],
            coefficients: vec![[T::zero(); ROWS]; lines.div_ceil(ROWS) * steps],
            made: vec![Lanes::zero(); lines],
        }
    }
}

/// The new tiles of a unit from its old ones.
pub struct Make<'a, T> {
    pub unit: &'a mut Unit<T>,
    pub scratch: &'a mut Scratch<T>,
    /// Λ of the new lines, 64 by 64, and P, one set of coefficients per old line, for every set of new lines.
    pub chunks: &'a [Chunk<T>],
    pub p: &'a [[T; ROWS]],
    pub from: &'a Anchor<T>,
    pub to: &'a Anchor<T>,
    pub history: &'a History<T>,
}

impl<T: Real> lanes::Loop for Make<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { unit, scratch, chunks, p, from, to, history } = self;
        let (n, steps) = (from.e.len(), history.len);
        let (old_rows, rows) = (from.lines(), to.lines());
        let old = old_rows.len();
        // Lines that the unit cannot reach stay zero: all lines before its first row.
        let first_set = rows.partition_point(|&row| row < unit.first) / ROWS;
        let first_old = old_rows.partition_point(|&row| row < unit.first);
        let sets = rows.len().div_ceil(ROWS);
        for set in first_set..sets {
            let (chunk, at) = (&chunks[set * ROWS / COLUMNS], set * ROWS % COLUMNS);
            let coefficients = &mut scratch.coefficients[set * steps..][..steps];
            for (s, coefficients) in coefficients.iter_mut().enumerate() {
                coefficients.copy_from_slice(&chunk.lambda[s * n + unit.row].0[at..at + ROWS]);
            }
        }
        let Unit { columns, tiles, theta, .. } = unit;
        for (number, (tile, columns)) in tiles.iter_mut().zip(columns.chunks(COLUMNS)).enumerate() {
            let entries = &mut scratch.entries[..steps];
            for (k, &(pre, source)) in columns.iter().enumerate() {
                let gains = &history.gains[pre as usize * history.stride..][..steps];
                let phis = &history.phis[source as usize * history.stride..][..steps];
                for (entry, (&gain, &phi)) in entries.iter_mut().zip(gains.iter().zip(phis)) {
                    entry.0[k] = gain * phi;
                }
            }
            // Places without a parameter stay zero.
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
                for (line, sum) in scratch.made[set * ROWS..].iter_mut().zip(sums) {
                    line.0 = flushed(sum);
                }
            }
            scratch.made[..first_set * ROWS].fill(Lanes::zero());
            if let Some((column, row)) = theta.filter(|theta| theta.0 / COLUMNS == number) {
                for (line, made) in scratch.made[first_set * ROWS..rows.len()].iter_mut().enumerate() {
                    let line = first_set * ROWS + line;
                    let made = &mut made.0[column % COLUMNS];
                    *made = (*made + chunks[line / COLUMNS].theta[row].0[line % COLUMNS]).flushed();
                }
            }
            std::mem::swap(tile, &mut scratch.made);
        }
    }
}
