//! The base carried over a whole block at once: with `Λ_s = ∂S_K/∂S_s` from K steps back for every line of the new base,
//!
//! `S_K = P S_0 + Σ_s Λ_sᵀ M̄_s`,  `P = Λ_1ᵀ (diag(d_1) + A_1 diag(e_0))`,
//!
//! two products of matrices a tile, since all columns of a tile enter through the same row of Λ. Ē enters in the columns of thresholds.

use super::back::{Back, Chunk};
use super::base::{Base, Block, COLUMNS, Unit};
use super::history::History;
use crate::cell::Wiring;
use crate::scalar::Real;
use crate::sparse::block::{self, ROWS, combine_dense};
use rayon::prelude::*;

/// Room for the factors of one unit and a new tile.
struct Scratch<T> {
    entries: Vec<Block<T>>,
    coefficients: Vec<[T; ROWS]>,
    made: Vec<Block<T>>,
}

/// Carries a base over blocks; all room is kept.
pub struct Advance<T> {
    chunks: Vec<Chunk<T>>,
    /// P, one set of coefficients per old line, for every set of new lines.
    p: Vec<[T; ROWS]>,
    rows: Vec<usize>,
    scratch: Vec<Scratch<T>>,
}

impl<T: Real> Advance<T> {
    /// Room for blocks of that many steps.
    pub fn new(wiring: &Wiring, base: &Base<T>, steps: usize) -> Self {
        let lines = base.most_lines();
        Self {
            chunks: (0..lines.div_ceil(COLUMNS)).map(|_| Chunk::new(wiring.rows(), lines, steps)).collect(),
            p: vec![[T::zero(); ROWS]; lines.div_ceil(ROWS) * lines],
            rows: Vec::with_capacity(lines),
            scratch: vec![Scratch::new(lines, steps)],
        }
    }

    /// Carries the base to the end of the block. Returns the MACs.
    pub fn run(
        &mut self,
        arch: pulp::Arch,
        wiring: &Wiring,
        history: &History<T>,
        base: &mut Base<T>,
    ) -> u64 {
        let Some(last) = history.steps().last() else { return 0 };
        self.rows.clear();
        self.rows.extend(base.lines_after(wiring, last));
        let Self { chunks, p, rows, scratch } = self;
        let old = if base.present { base.rows.len() } else { 0 };
        let used = rows.len().div_ceil(COLUMNS);
        let threads = super::threads(rows.len() * wiring.parameters() * (old + history.len));

        let (rows, shared) = (&rows[..], &*base);
        let back = |(k, chunk): (usize, &mut Chunk<T>)| {
            let lines = &rows[k * COLUMNS..rows.len().min((k + 1) * COLUMNS)];
            block::dispatch(arch, Back { chunk, lines, wiring, history, base: shared });
        };
        let chunks = &mut chunks[..used];
        match threads {
            1 => chunks.iter_mut().enumerate().for_each(back),
            _ => chunks.par_iter_mut().enumerate().for_each(back),
        }
        let chunks = &*chunks;
        for (set, p) in p.chunks_exact_mut(old.max(1)).take(rows.len().div_ceil(ROWS)).enumerate() {
            for (line, coefficients) in p[..old].iter_mut().enumerate() {
                let (chunk, at) = (set * ROWS / COLUMNS, set * ROWS % COLUMNS);
                coefficients.copy_from_slice(&chunks[chunk].p[line].0[at..at + ROWS]);
            }
        }

        let room = (scratch[0].made.len(), history.stride);
        scratch.resize_with(threads.max(scratch.len()), || Scratch::new(room.0, room.1));
        let (units, old_rows) = (&mut base.units, &base.rows[..old]);
        let p = &p[..];
        let make = |units: &mut [Unit<T>], scratch: &mut Scratch<T>| {
            for unit in units {
                block::dispatch(
                    arch,
                    Make { unit, scratch: &mut *scratch, chunks, p, rows, old_rows, wiring, history },
                );
            }
        };
        let share = units.len().div_ceil(threads).max(1);
        match threads {
            1 => make(units, &mut scratch[0]),
            _ => units.par_chunks_mut(share).zip(scratch.par_iter_mut()).for_each(|(u, s)| make(u, s)),
        }
        let macs = self.macs(history, base, old);
        base.follow(&self.rows, last);
        macs
    }

    fn macs(&self, history: &History<T>, base: &Base<T>, old: usize) -> u64 {
        let steps = history.steps();
        let couplings: usize = steps.iter().map(|step| step.feeds.len() + step.relays.len()).sum();
        let of_unit = |unit: &Unit<T>| {
            let below = |rows: &[usize]| rows.len() - rows.partition_point(|&row| row < unit.first);
            let columns: usize = unit.tiles.iter().map(|tile| tile.columns.len()).sum();
            columns * (below(&self.rows) * (below(&base.rows[..old]) + steps.len()) + steps.len())
        };
        (couplings * self.rows.len() + base.units.iter().map(of_unit).sum::<usize>()) as u64
    }

    /// Numbers it keeps between blocks.
    pub fn numbers(&self) -> usize {
        self.chunks.iter().map(Chunk::numbers).sum::<usize>() + self.p.len() * ROWS
    }
}

impl<T: Real> Scratch<T> {
    fn new(lines: usize, steps: usize) -> Self {
        Self {
            entries: vec![Block::zero(); steps],
            coefficients: vec![[T::zero(); ROWS]; lines.div_ceil(ROWS) * steps],
            made: vec![Block::zero(); lines],
        }
    }
}

/// The new tiles of a unit from its old ones.
struct Make<'a, T> {
    unit: &'a mut Unit<T>,
    scratch: &'a mut Scratch<T>,
    chunks: &'a [Chunk<T>],
    p: &'a [[T; ROWS]],
    rows: &'a [usize],
    old_rows: &'a [usize],
    wiring: &'a Wiring,
    history: &'a History<T>,
}

impl<T: Real> block::Loop for Make<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { unit, scratch, chunks, p, rows, old_rows, wiring, history } = self;
        let (n, steps, old) = (wiring.rows(), history.len, old_rows.len());
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
        for tile in &mut unit.tiles {
            let entries = &mut scratch.entries[..steps];
            for (k, column) in tile.columns.iter().enumerate() {
                let gains = &history.gains[column.pre * history.stride..][..steps];
                let phis = &history.phis[column.source * history.stride..][..steps];
                for (entry, (&gain, &phi)) in entries.iter_mut().zip(gains.iter().zip(phis)) {
                    entry.0[k] = gain * phi;
                }
            }
            // Places without a parameter stay zero.
            for entry in entries.iter_mut() {
                entry.0[tile.columns.len()..].fill(T::zero());
            }
            for set in first_set..sets {
                let mut sums = [[T::zero(); COLUMNS]; ROWS];
                if old > first_old {
                    let p = &p[set * old + first_old..(set + 1) * old];
                    combine_dense::<T, FUSED, WIDTH, COLUMNS>(&mut sums, p, &tile.blocks[first_old..old]);
                }
                let coefficients = &scratch.coefficients[set * steps..][..steps];
                combine_dense::<T, FUSED, WIDTH, COLUMNS>(&mut sums, coefficients, entries);
                for (line, sum) in scratch.made[set * ROWS..].iter_mut().zip(sums) {
                    line.0 = sum;
                }
            }
            scratch.made[..first_set * ROWS].fill(Block::zero());
            if let Some((column, row)) = tile.theta {
                for (line, made) in scratch.made[first_set * ROWS..rows.len()].iter_mut().enumerate() {
                    let line = first_set * ROWS + line;
                    made.0[column] += chunks[line / COLUMNS].theta[row].0[line % COLUMNS];
                }
            }
            std::mem::swap(&mut tile.blocks, &mut scratch.made);
        }
    }
}
