//! The inner loops of [`products`](super::products), compiled for several vector units.

use super::lists::Lists;
use super::products::Matrix;
use crate::scalar::Real;
use crate::sparse::lanes::{Lanes, Loop, add_product};
use std::ops::Range;

/// Number of columns of a tile: a sum of one tile stays in registers.
const COLUMNS: usize = 64;

/// A matrix in tiles of 64 columns: `[tiles][sources][64]`. Missing columns of the last tile are
/// zero. All sources of a tile lie close together, so that a tile stays in the second-level cache.
#[derive(Debug)]
pub struct Tiles<T> {
    lanes: Vec<Lanes<T, COLUMNS>>,
    sources: usize,
}

impl<T> Default for Tiles<T> {
    fn default() -> Self {
        Self { lanes: Vec::new(), sources: 0 }
    }
}

impl<T: Real> Tiles<T> {
    /// Copies a matrix.
    pub fn pack(&mut self, w: Matrix<T>) {
        let width = w.width();
        self.sources = w.values.len() / w.stride;
        let tiles = width.div_ceil(COLUMNS);
        self.lanes.clear();
        self.lanes.resize(tiles * self.sources, Lanes::zero());
        for (k, tile) in self.lanes.chunks_exact_mut(self.sources).enumerate() {
            let columns = k * COLUMNS..width.min((k + 1) * COLUMNS);
            for (j, lanes) in tile.iter_mut().enumerate() {
                lanes.0[..columns.len()].copy_from_slice(&w.row(j)[columns.clone()]);
            }
        }
    }
}

/// `s_r ← s_r + Σ_j x_rj w_j` for the rows r of X, one tile of columns after another.
pub struct Combine<'a, T> {
    /// X.
    pub x: &'a Lists<T>,
    /// The rows of X.
    pub rows: Range<usize>,
    /// W.
    pub tiles: &'a Tiles<T>,
    /// These rows of S. `[rows][stride]`
    pub s: &'a mut [T],
    /// Length of a row of S.
    pub stride: usize,
    /// The columns of S.
    pub columns: Range<usize>,
}

impl<T: Real> Loop for Combine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { x, rows, tiles, s, stride, columns } = self;
        for (k, tile) in tiles.lanes.chunks_exact(tiles.sources).enumerate() {
            let start = columns.start + k * COLUMNS;
            let width = COLUMNS.min(columns.end - start);
            for (row, s) in rows.clone().zip(s.chunks_exact_mut(stride)) {
                let to = &mut s[start..start + width];
                let mut sum = [T::zero(); COLUMNS];
                sum[..width].copy_from_slice(to);
                let (index, value) = x.row(row);
                for (&j, &x) in index.iter().zip(value) {
                    let source = &tile[j as usize].0;
                    for c in 0..COLUMNS {
                        sum[c] = add_product::<T, FUSED>(sum[c], x, source[c]);
                    }
                }
                to.copy_from_slice(&sum[..width]);
            }
        }
    }
}

/// Columns and sources of a part of W that stays in the second-level cache while all rows are
/// sampled.
const PART: (usize, usize) = (1024, 64);

/// Number of independent sums of a dot product.
const SUMS: usize = 16;

/// `out_k = Σ_c d_rc w_jc` for the entries k = (r, j).
pub struct Sample<'a, T> {
    /// The entries (r, j).
    pub at: &'a Lists<T>,
    /// The rows r.
    pub rows: Range<usize>,
    /// These rows of D.
    pub d: Matrix<'a, T>,
    /// W.
    pub w: Matrix<'a, T>,
    /// One value per entry of the rows.
    pub out: &'a mut [T],
}

impl<T: Real> Loop for Sample<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { at, rows, d, w, out } = self;
        let first = at.positions(rows.start..rows.start).start;
        let (width, sources) = (w.width(), w.values.len() / w.stride);
        out.fill(T::zero());
        let mut next: Vec<usize> = Vec::new();
        for start in (0..width).step_by(PART.0) {
            let columns = start..width.min(start + PART.0);
            // The next entry of every row.
            next.clear();
            next.extend(rows.clone().map(|row| at.positions(row..row).start));
            for limit in (PART.1..sources + PART.1).step_by(PART.1) {
                for (k, row) in rows.clone().enumerate() {
                    let end = at.positions(row..row + 1).end;
                    let d = &d.row(k)[columns.clone()];
                    let row_of = |entry: usize| &w.row(at.index[entry] as usize)[columns.clone()];
                    let mut now = next[k];
                    while now + 4 <= end && (at.index[now + 3] as usize) < limit {
                        let rows = [row_of(now), row_of(now + 1), row_of(now + 2), row_of(now + 3)];
                        let dots = four_dots::<T, FUSED>(d, rows);
                        let out = &mut out[now - first..now - first + 4];
                        out.iter_mut().zip(dots).for_each(|(out, dot)| *out += dot);
                        now += 4;
                    }
                    while now < end && (at.index[now] as usize) < limit {
                        let one = row_of(now);
                        out[now - first] += four_dots::<T, FUSED>(d, [one; 4])[0];
                        now += 1;
                    }
                    next[k] = now;
                }
            }
        }
    }
}

/// Returns the dot products of `d` with four rows of the same length.
#[inline(always)]
fn four_dots<T: Real, const FUSED: bool>(d: &[T], rows: [&[T]; 4]) -> [T; 4] {
    // Four variables, since the compiler would put an array of sums into memory.
    let (mut s0, mut s1) = ([T::zero(); SUMS], [T::zero(); SUMS]);
    let (mut s2, mut s3) = ([T::zero(); SUMS], [T::zero(); SUMS]);
    let (ds, rest) = d.as_chunks::<SUMS>();
    let [(r0, t0), (r1, t1), (r2, t2), (r3, t3)] = rows.map(|row| row.as_chunks::<SUMS>());
    for ((((d, a), b), e), f) in ds.iter().zip(r0).zip(r1).zip(r2).zip(r3) {
        for c in 0..SUMS {
            s0[c] = add_product::<T, FUSED>(s0[c], d[c], a[c]);
        }
        for c in 0..SUMS {
            s1[c] = add_product::<T, FUSED>(s1[c], d[c], b[c]);
        }
        for c in 0..SUMS {
            s2[c] = add_product::<T, FUSED>(s2[c], d[c], e[c]);
        }
        for c in 0..SUMS {
            s3[c] = add_product::<T, FUSED>(s3[c], d[c], f[c]);
        }
    }
    // Without this barrier, the compiler vectorises across the four sums instead of along them,
    // which takes three times as long.
    let [s0, s1, s2, s3] = std::hint::black_box([s0, s1, s2, s3]);
    [total(s0, rest, t0), total(s1, rest, t1), total(s2, rest, t2), total(s3, rest, t3)]
}

/// Adds the sums of a dot product by halves, and the products of the rest.
#[inline(always)]
fn total<T: Real>(mut sums: [T; SUMS], d: &[T], w: &[T]) -> T {
    let mut half = SUMS / 2;
    while half > 0 {
        for c in 0..half {
            sums[c] += sums[c + half];
        }
        half /= 2;
    }
    d.iter().zip(w).fold(sums[0], |sum, (&d, &w)| sum + d * w)
}
