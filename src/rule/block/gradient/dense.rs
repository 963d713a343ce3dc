//! `Σ_s δ_s φ_s` of a unit whose parameters read a large share of all sources. The products of four
//! pre-activations and 64 sources are computed together. Products without a parameter are not used.

use super::super::adjoint::StepRange;
use super::super::influence::{GateColumns, UnitInfluence};
use super::super::tape::STEP_LANES;
use super::super::tile::COLUMNS;
use crate::scalar::Real;
use crate::sparse::lanes::{ROWS, combine_dense};
use std::ops::Range;

/// Number of entries of a matrix product that cost as much as one dot product over steps.
const PLACES: usize = 20;

/// Scratch for δ, and the columns that read each block of sources.
pub struct DenseScratch<T> {
    /// `[K, rounded up]`, λ of the unit's row.
    lambda: Vec<T>,
    /// `[2 K][4]`, δ of four pre-activations at every step of two blocks.
    delta: Vec<[T; ROWS]>,
    /// Readers of each block of sources; readers with equal gates are consecutive.
    readers: Vec<SourceReaders>,
}

/// The columns of at most four pre-activations that read one block of 64 sources.
struct SourceReaders {
    /// Indices of the pre-activations in the gates of the unit.
    gates: Range<usize>,
    /// Index of the block: sources `64 block..64 (block + 1)`.
    block: usize,
    /// The columns of each of these pre-activations.
    columns: [Range<usize>; ROWS],
}

impl<T: Real> DenseScratch<T> {
    /// Creates the scratch of a unit with these columns for blocks of `steps` steps. Returns `None`
    /// if a dot product per column costs less.
    pub fn new(gates: &[GateColumns], columns: &[(u32, u32)], steps: usize) -> Option<Self> {
        let block_of = |column: usize| columns[column].1 as usize / COLUMNS;
        let mut readers = Vec::new();
        for first in (0..gates.len()).step_by(ROWS) {
            let four = first..gates.len().min(first + ROWS);
            let blocks = gates[four.clone()].iter().flat_map(|gate| gate.columns.clone().map(block_of));
            let mut blocks: Vec<_> = blocks.collect();
            blocks.sort_unstable();
            blocks.dedup();
            readers.extend(blocks.into_iter().map(|block| {
                let mut of_block: [Range<usize>; ROWS] = Default::default();
                for (range, gate) in of_block.iter_mut().zip(&gates[four.clone()]) {
                    let sources = &columns[gate.columns.clone()];
                    let before = |end: usize| sources.partition_point(|c| (c.1 as usize) < end);
                    let start = gate.columns.start;
                    *range = start + before(block * COLUMNS)..start + before((block + 1) * COLUMNS);
                }
                SourceReaders { gates: four.clone(), block, columns: of_block }
            }));
        }
        (readers.len() * ROWS * COLUMNS <= PLACES * columns.len()).then(|| Self {
            lambda: vec![T::zero(); steps.next_multiple_of(STEP_LANES)],
            delta: vec![[T::zero(); ROWS]; 2 * steps],
            readers,
        })
    }

    /// Computes `sums ← sums + Σ_s δ_s φ_s` over at most two ranges of steps. `sums` is
    /// `[columns]`.
    #[inline(always)]
    pub fn add<const FUSED: bool, const WIDTH: usize>(
        &mut self,
        unit: &UnitInfluence<T>,
        ranges: &[StepRange<'_, T>],
        sums: &mut [T],
    ) {
        let Self { lambda, delta, readers } = self;
        for readers in readers.chunk_by(|x, y| x.gates == y.gates) {
            let gates = &unit.gates[readers[0].gates.clone()];
            let mut end = 0;
            for range in ranges {
                end += fill(&mut delta[end..], lambda, unit.row, gates, range);
            }
            for readers in readers {
                add_products::<T, FUSED, WIDTH>(readers, delta, ranges, &unit.columns, sums);
            }
        }
    }
}

/// Computes δ of some pre-activations at every step of a range. Returns the number of steps.
#[inline(always)]
fn fill<T: Real>(
    delta: &mut [[T; ROWS]],
    lambda: &mut [T],
    row: usize,
    gates: &[GateColumns],
    range: &StepRange<'_, T>,
) -> usize {
    let StepRange { tape, steps, .. } = range;
    let lambda = &mut lambda[..*steps];
    range.lambda_of(row, lambda);
    for (k, gate) in gates.iter().enumerate() {
        let gains = &tape.gains[gate.pre * tape.stride..];
        for (delta, (&gain, &lambda)) in delta.iter_mut().zip(gains.iter().zip(&*lambda)) {
            delta[k % ROWS] = gain * lambda;
        }
    }
    *steps
}

/// Computes the products of δ of some pre-activations and φ of a block of sources. Adds the
/// products of columns to `sums`.
#[inline(always)]
fn add_products<T: Real, const FUSED: bool, const WIDTH: usize>(
    readers: &SourceReaders,
    mut delta: &[[T; ROWS]],
    ranges: &[StepRange<'_, T>],
    columns: &[(u32, u32)],
    sums: &mut [T],
) {
    let mut products = [[T::zero(); COLUMNS]; ROWS];
    for StepRange { tape, steps, .. } in ranges {
        let (own, others) = delta.split_at(*steps);
        let phis = &tape.phi_blocks(readers.block)[..*steps];
        match readers.gates.len() {
            1 => combine_dense::<T, FUSED, WIDTH, COLUMNS, 1>(&mut products, own, phis),
            2 => combine_dense::<T, FUSED, WIDTH, COLUMNS, 2>(&mut products, own, phis),
            3 => combine_dense::<T, FUSED, WIDTH, COLUMNS, 3>(&mut products, own, phis),
            _ => combine_dense::<T, FUSED, WIDTH, COLUMNS, ROWS>(&mut products, own, phis),
        }
        delta = others;
    }
    for (products, range) in products.iter().zip(&readers.columns) {
        let sources = columns[range.clone()].iter().map(|column| column.1);
        for (sum, source) in sums[range.clone()].iter_mut().zip(sources) {
            *sum += products[source as usize % COLUMNS];
        }
    }
}
