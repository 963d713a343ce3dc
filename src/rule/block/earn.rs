//! What the steps since S earn in the columns of a unit,
//!
//! `∂L/∂w ← ∂L/∂w + Σ_s δ_s φ_s`,  `δ_s = gain_s ⊙ λ_s`:
//!
//! for each column the dot product of its pre-activation's δ and its source's φ. Where the unit's parameters read a good share of all sources,
//! it is cheaper to multiply by all of them, four pre-activations and 64 sources at a time, and to pick what is wanted; otherwise every dot
//! product is made by itself (`apart.rs`).

use super::apart;
use super::base::{COLUMNS, Run, Unit};
use super::gather::Stretch;
use super::history::LANES;
use crate::scalar::Real;
use crate::sparse::lanes::{ROWS, combine_dense};
use std::ops::Range;

/// Places of a product of matrices that cost about as much as one dot product by itself.
const PLACES: usize = 20;

/// Room for δ, and which columns read which sources.
pub enum Earnings<T> {
    /// δ of four pre-activations at every step of two blocks; by pre-activation, the columns that read from each 64 sources.
    Together { lambda: Vec<T>, delta: Vec<[T; ROWS]>, readers: Vec<Readers> },
    /// λ of the row, and δ of one pre-activation, step by step.
    Apart { lambda: Vec<T>, delta: Vec<T> },
}

/// The columns of some pre-activations, four at most, that read one block of sources.
pub struct Readers {
    pres: Range<usize>,
    block: usize,
    columns: [Range<usize>; ROWS],
}

impl<T: Real> Earnings<T> {
    /// For a unit with these runs and columns, over blocks of that many steps.
    pub fn new(runs: &[Run], columns: &[(u32, u32)], steps: usize) -> Self {
        let block_of = |column: usize| columns[column].1 as usize / COLUMNS;
        let mut readers = Vec::new();
        for first in (0..runs.len()).step_by(ROWS) {
            let pres = first..runs.len().min(first + ROWS);
            let blocks = runs[pres.clone()].iter().flat_map(|run| run.columns.clone().map(block_of));
            let mut blocks: Vec<_> = blocks.collect();
            blocks.sort_unstable();
            blocks.dedup();
            readers.extend(blocks.into_iter().map(|block| {
                let mut of_block: [Range<usize>; ROWS] = Default::default();
                for (range, run) in of_block.iter_mut().zip(&runs[pres.clone()]) {
                    let sources = &columns[run.columns.clone()];
                    let before = |end: usize| sources.partition_point(|c| (c.1 as usize) < end);
                    let start = run.columns.start;
                    *range = start + before(block * COLUMNS)..start + before((block + 1) * COLUMNS);
                }
                Readers { pres: pres.clone(), block, columns: of_block }
            }));
        }
        let zeros = || vec![T::zero(); steps.next_multiple_of(LANES)];
        if readers.len() * ROWS * COLUMNS <= PLACES * columns.len() {
            let (lambda, delta) = (zeros(), vec![[T::zero(); ROWS]; 2 * steps]);
            return Self::Together { lambda, delta, readers };
        }
        Self::Apart { lambda: zeros(), delta: zeros() }
    }
}

impl<T: Real> Unit<T> {
    /// Adds what M̄ of these stretches, two at most, has earned.
    #[inline(always)]
    pub fn earn<const FUSED: bool, const WIDTH: usize>(&mut self, stretches: &[Stretch<'_, T>]) {
        let Self { row, runs, columns, gradient, earnings, .. } = self;
        let gradient = gradient.as_flattened_mut();
        match earnings {
            Earnings::Together { lambda, delta, readers } => {
                for readers in readers.chunk_by(|x, y| x.pres == y.pres) {
                    let runs = &runs[readers[0].pres.clone()];
                    let mut end = 0;
                    for stretch in stretches {
                        end += fill(&mut delta[end..], lambda, *row, runs, stretch);
                    }
                    for readers in readers {
                        earn_together::<T, FUSED, WIDTH>(readers, delta, stretches, columns, gradient);
                    }
                }
            }
            Earnings::Apart { lambda, delta } => {
                for stretch in stretches {
                    apart::earn::<T, FUSED>(*row, runs, columns, stretch, (lambda, delta), gradient);
                }
            }
        }
    }
}

/// δ of some pre-activations at every step of a stretch. Returns the steps.
#[inline(always)]
fn fill<T: Real>(
    delta: &mut [[T; ROWS]],
    lambda: &mut [T],
    row: usize,
    runs: &[Run],
    stretch: &Stretch<'_, T>,
) -> usize {
    let Stretch { history, steps, .. } = stretch;
    let lambda = &mut lambda[..*steps];
    stretch.lambda_of(row, lambda);
    for (k, run) in runs.iter().enumerate() {
        let gains = &history.gains[run.pre * history.stride..];
        for (delta, (&gain, &lambda)) in delta.iter_mut().zip(gains.iter().zip(&*lambda)) {
            delta[k % ROWS] = gain * lambda;
        }
    }
    *steps
}

/// All products of some pre-activations' δ and a block of sources, of which those that are parameters are kept.
#[inline(always)]
fn earn_together<T: Real, const FUSED: bool, const WIDTH: usize>(
    readers: &Readers,
    mut delta: &[[T; ROWS]],
    stretches: &[Stretch<'_, T>],
    columns: &[(u32, u32)],
    gradient: &mut [T],
) {
    let mut sums = [[T::zero(); COLUMNS]; ROWS];
    for Stretch { history, steps, .. } in stretches {
        let (own, others) = delta.split_at(*steps);
        let phis = &history.phi_blocks(readers.block)[..*steps];
        match readers.pres.len() {
            1 => combine_dense::<T, FUSED, WIDTH, COLUMNS, 1>(&mut sums, own, phis),
            2 => combine_dense::<T, FUSED, WIDTH, COLUMNS, 2>(&mut sums, own, phis),
            3 => combine_dense::<T, FUSED, WIDTH, COLUMNS, 3>(&mut sums, own, phis),
            _ => combine_dense::<T, FUSED, WIDTH, COLUMNS, ROWS>(&mut sums, own, phis),
        }
        delta = others;
    }
    for (sums, range) in sums.iter().zip(&readers.columns) {
        let sources = columns[range.clone()].iter().map(|column| column.1);
        for (gradient, source) in gradient[range.clone()].iter_mut().zip(sources) {
            *gradient += sums[source as usize % COLUMNS];
        }
    }
}
