//! Matrices of weights, of which a product reads the rows of nonzero sources only:
//!
//! `s ← s + Σ_j x_j w_j` over the sources j with `x_j ≠ 0`.
//!
//! A matrix `[sources][width]` is stored in tiles of 64 columns, `[tiles][sources][64]`: the sum of
//! one tile stays in registers while the rows of all nonzero sources are added.

use crate::sparse::lanes::{Lanes, Loop, add_product, dispatch};
use rayon::prelude::*;

/// Number of columns of a tile.
const COLUMNS: usize = 64;

/// MACs from which a product uses several threads.
const WORTH_A_THREAD: usize = 1 << 20;

/// The largest magnitude of an 8-bit weight.
const LARGEST: f32 = 127.0;

/// A nonzero source: its value and its index.
pub type ActiveSource = (f32, u32);

/// A matrix of weights in tiles. Missing columns of the last tile are zero.
pub struct SourceRows {
    entries: Entries,
    sources: usize,
    width: usize,
}

enum Entries {
    Single(Vec<Lanes<f32, COLUMNS>>),
    /// `w_jc = scale_j q_jc`.
    Eight {
        q: Vec<Lanes<i8, COLUMNS>>,
        /// `[sources]`
        scales: Vec<f32>,
    },
}

/// Copies a matrix `[sources][width]` into tiles.
fn pack<W: Copy>(w: &[W], width: usize, zero: W) -> Vec<Lanes<W, COLUMNS>> {
    let sources = w.len() / width;
    let mut tiles = vec![Lanes([zero; COLUMNS]); width.div_ceil(COLUMNS) * sources];
    for (k, tile) in tiles.chunks_exact_mut(sources).enumerate() {
        let columns = k * COLUMNS..width.min((k + 1) * COLUMNS);
        for (to, row) in tile.iter_mut().zip(w.chunks_exact(width)) {
            to.0[..columns.len()].copy_from_slice(&row[columns.clone()]);
        }
    }
    tiles
}

impl SourceRows {
    /// Copies a matrix `[sources][width]`.
    pub fn single(w: &[f32], width: usize) -> Self {
        Self { entries: Entries::Single(pack(w, width, 0.0)), sources: w.len() / width, width }
    }

    /// Copies a matrix `[sources][width]` in 8-bit form: `scale_j = max_c |w_jc| / 127`,
    /// `q_jc = round(w_jc / scale_j)`. The error of a weight is at most `scale_j / 2`, up to
    /// rounding.
    pub fn quantised(w: &[f32], width: usize) -> Self {
        let mut scales = Vec::with_capacity(w.len() / width);
        let mut q = Vec::with_capacity(w.len());
        for row in w.chunks_exact(width) {
            let scale = row.iter().fold(0.0f32, |most, w| most.max(w.abs())) / LARGEST;
            // Of a row of zeros, 0 / 0 is NaN, which becomes 0.
            q.extend(row.iter().map(|w| (w / scale).round() as i8));
            scales.push(scale);
        }
        let entries = Entries::Eight { q: pack(&q, width, 0), scales };
        Self { entries, sources: w.len() / width, width }
    }

    /// Returns the number of sources.
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// Returns the weight of a source to a column.
    ///
    /// # Panics
    /// If the source or the column is out of range.
    pub fn weight(&self, source: usize, column: usize) -> f32 {
        assert!(source < self.sources, "the source {source} must be below {}", self.sources);
        let (at, lane) = (column / COLUMNS * self.sources + source, column % COLUMNS);
        match &self.entries {
            Entries::Single(tiles) => tiles[at].0[lane],
            Entries::Eight { q, scales } => scales[source] * f32::from(q[at].0[lane]),
        }
    }

    /// Returns the bytes of the matrix.
    pub fn bytes(&self) -> usize {
        match &self.entries {
            Entries::Single(tiles) => size_of_val(&tiles[..]),
            Entries::Eight { q, scales } => size_of_val(&q[..]) + size_of_val(&scales[..]),
        }
    }
}

/// Computes products, and counts them.
pub struct RowProducts {
    arch: pulp::Arch,
    /// Scratch: sources times the scales of their rows.
    scaled: Vec<ActiveSource>,
    /// MACs over nonzero sources.
    pub macs: u64,
    /// MACs of the same products over all sources.
    pub macs_dense: u64,
}

impl RowProducts {
    /// Creates the scratch memory of products with at most `sources` sources.
    pub fn new(sources: usize) -> Self {
        let scaled = Vec::with_capacity(sources);
        Self { arch: pulp::Arch::new(), scaled, macs: 0, macs_dense: 0 }
    }

    /// Computes `s ← s + Σ_j x_j w_j` over the listed sources. `s` has one entry per column. Cost:
    /// `width` MACs per listed source.
    ///
    /// # Panics
    /// If `s` has another length, or a source is out of range.
    pub fn add(&mut self, w: &SourceRows, active: &[ActiveSource], s: &mut [f32]) {
        assert_eq!(s.len(), w.width, "s must have one entry per column");
        self.macs += (active.len() * w.width) as u64;
        self.macs_dense += (w.sources * w.width) as u64;
        match &w.entries {
            Entries::Single(tiles) => add(self.arch, active, tiles, w.sources, s),
            Entries::Eight { q, scales } => {
                self.scaled.clear();
                self.scaled.extend(active.iter().map(|&(x, j)| (x * scales[j as usize], j)));
                add(self.arch, &self.scaled, q, w.sources, s);
            }
        }
    }

    /// Returns the bytes of the scratch memory.
    pub fn bytes(&self) -> usize {
        self.scaled.capacity() * size_of::<ActiveSource>()
    }
}

/// Adds rows to `s`, in parallel over tiles if there are enough MACs. Every column is computed by
/// one thread, so the result does not depend on their number.
fn add<W: Copy + Into<f32> + Sync>(
    arch: pulp::Arch,
    active: &[ActiveSource],
    tiles: &[Lanes<W, COLUMNS>],
    sources: usize,
    s: &mut [f32],
) {
    let threads = rayon::current_num_threads();
    if threads == 1 || active.len() * s.len() < WORTH_A_THREAD {
        return dispatch(arch, AddRows { active, tiles, sources, s });
    }
    let share = s.len().div_ceil(COLUMNS).div_ceil(2 * threads);
    tiles
        .par_chunks(share * sources)
        .zip(s.par_chunks_mut(share * COLUMNS))
        .for_each(|(tiles, s)| dispatch(arch, AddRows { active, tiles, sources, s }));
}

/// The inner loop, over the tiles of the columns of `s`.
struct AddRows<'a, W> {
    active: &'a [ActiveSource],
    tiles: &'a [Lanes<W, COLUMNS>],
    sources: usize,
    s: &'a mut [f32],
}

impl<W: Copy + Into<f32>> Loop for AddRows<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        for (tile, s) in self.tiles.chunks_exact(self.sources).zip(self.s.chunks_mut(COLUMNS)) {
            let mut sum = [0.0f32; COLUMNS];
            sum[..s.len()].copy_from_slice(s);
            for &(x, j) in self.active {
                let row = &tile[j as usize].0;
                for c in 0..COLUMNS {
                    sum[c] = add_product::<f32, FUSED>(sum[c], x, row[c].into());
                }
            }
            s.copy_from_slice(&sum[..s.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, so that every sum is exact in any order.
    fn matrix(sources: usize, width: usize) -> Vec<f32> {
        (0..sources * width).map(|k| ((k * k + k / 7) % 9) as f32 - 4.0).collect()
    }

    #[test]
    fn add_of_listed_sources_equals_the_dense_product_on_any_number_of_threads() {
        // 64 does not divide the second width, whose product is split over threads.
        for (sources, width) in [(5, 64), (1024, 1100)] {
            let w = matrix(sources, width);
            let active: Vec<_> = (0..sources as u32).map(|j| ((j % 5) as f32 - 2.0, j)).collect();
            let mut expected = vec![1.0; width];
            for &(x, j) in &active {
                let row = &w[j as usize * width..];
                expected.iter_mut().zip(row).for_each(|(sum, w)| *sum += x * w);
            }
            for threads in [1, 3] {
                let mut s = vec![1.0; width];
                let mut products = RowProducts::new(sources);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| products.add(&SourceRows::single(&w, width), &active, &mut s));
                assert_eq!(s, expected, "{threads} threads");
                assert_eq!(products.macs, (sources * width) as u64);
            }
        }
    }

    #[test]
    fn quantised_row_differs_by_at_most_half_its_scale() {
        let (sources, width) = (4, 100);
        let mut w: Vec<f32> =
            (0..sources * width).map(|k| (k as f32).sin() * (1 + k / width) as f32).collect();
        w[width..2 * width].fill(0.0);
        let rows = SourceRows::quantised(&w, width);
        for (j, row) in w.chunks_exact(width).enumerate() {
            let largest = row.iter().fold(0.0f32, |most, w| most.max(w.abs()));
            let mut s = vec![0.0; width];
            RowProducts::new(1).add(&rows, &[(2.0, j as u32)], &mut s);
            for (c, (&w, s)) in row.iter().zip(s).enumerate() {
                assert!((rows.weight(j, c) - w).abs() <= 0.501 * largest / 127.0, "row {j}, column {c}");
                assert!((s - 2.0 * rows.weight(j, c)).abs() <= 1e-6 * largest);
            }
        }
        assert_eq!(rows.bytes(), 2 * 64 * sources + 4 * sources);
        assert_eq!(SourceRows::single(&w, width).bytes(), 4 * 2 * 64 * sources);
    }
}
