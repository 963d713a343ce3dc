//! The inner loops of [`products`](super::products), compiled for several vector units.

use super::lists::Lists;
use super::matrix::Matrix;
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

/// A source j that one or both of two rows need, with the places of the results.
#[derive(Clone, Copy)]
struct Needed {
    source: u32,
    out: [u32; 2],
}

/// The place of a result that is not needed.
const NOWHERE: u32 = u32::MAX;

impl<T: Real> Sample<'_, T> {
    /// Lists the sources that two rows need together, ascending, for each pair of rows. With an odd
    /// number of rows, the last row is alone. Returns the lists and the start of each.
    fn pairs(&self) -> (Vec<Needed>, Vec<usize>) {
        let first = self.at.positions(self.rows.start..self.rows.start).start;
        let (mut all, mut starts) = (Vec::new(), vec![0]);
        for row in self.rows.clone().step_by(2) {
            let one = self.at.positions(row..row + 1);
            let two = if row + 1 < self.rows.end { self.at.positions(row + 1..row + 2) } else { 0..0 };
            let (mut i, mut j) = (one.start, two.start);
            let source = |k: usize, end: usize| if k < end { self.at.index[k] } else { NOWHERE };
            while i < one.end || j < two.end {
                let (a, b) = (source(i, one.end), source(j, two.end));
                let place = |k: usize, own: u32| if own == a.min(b) { (k - first) as u32 } else { NOWHERE };
                all.push(Needed { source: a.min(b), out: [place(i, a), place(j, b)] });
                i += usize::from(a <= b);
                j += usize::from(b <= a);
            }
            starts.push(all.len());
        }
        (all, starts)
    }
}

impl<T: Real> Loop for Sample<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let (needed, starts) = self.pairs();
        let Self { rows, d, w, out, .. } = self;
        let (width, sources) = (w.width(), w.values.len() / w.stride);
        out.fill(T::zero());
        let mut next = starts.clone();
        for start in (0..width).step_by(PART.0) {
            let columns = start..width.min(start + PART.0);
            next.copy_from_slice(&starts);
            for limit in (PART.1..sources + PART.1).step_by(PART.1) {
                for pair in 0..starts.len() - 1 {
                    let mine = &needed[next[pair]..starts[pair + 1]];
                    let mine = &mine[..mine.partition_point(|own| (own.source as usize) < limit)];
                    next[pair] += mine.len();
                    let both = [2 * pair, (2 * pair + 1).min(rows.len() - 1)];
                    let ds = both.map(|row| &d.row(row)[columns.clone()]);
                    for own in mine.chunks(2) {
                        let ws = [own[0], own[own.len() - 1]];
                        let of = ws.map(|own| &w.row(own.source as usize)[columns.clone()]);
                        let dots = four_dots::<T, FUSED>(ds, of);
                        for (own, dots) in own.iter().zip(dots) {
                            for (place, dot) in own.out.into_iter().zip(dots) {
                                if place != NOWHERE {
                                    out[place as usize] += dot;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the dot products of two rows of W with two rows of D: `[w][d]`.
#[inline(always)]
fn four_dots<T: Real, const FUSED: bool>(ds: [&[T]; 2], ws: [&[T]; 2]) -> [[T; 2]; 2] {
    // Four variables, since the compiler would put an array of sums into memory.
    let (mut s0, mut s1) = ([T::zero(); SUMS], [T::zero(); SUMS]);
    let (mut s2, mut s3) = ([T::zero(); SUMS], [T::zero(); SUMS]);
    let [(d0, e0), (d1, e1)] = ds.map(|row| row.as_chunks::<SUMS>());
    let [(w0, v0), (w1, v1)] = ws.map(|row| row.as_chunks::<SUMS>());
    for (((d0, d1), w0), w1) in d0.iter().zip(d1).zip(w0).zip(w1) {
        for c in 0..SUMS {
            s0[c] = add_product::<T, FUSED>(s0[c], d0[c], w0[c]);
        }
        for c in 0..SUMS {
            s1[c] = add_product::<T, FUSED>(s1[c], d1[c], w0[c]);
        }
        for c in 0..SUMS {
            s2[c] = add_product::<T, FUSED>(s2[c], d0[c], w1[c]);
        }
        for c in 0..SUMS {
            s3[c] = add_product::<T, FUSED>(s3[c], d1[c], w1[c]);
        }
    }
    // Without this barrier, the compiler vectorises across the four sums instead of along them,
    // which takes three times as long.
    let [s0, s1, s2, s3] = std::hint::black_box([s0, s1, s2, s3]);
    [[total(s0, e0, v0), total(s1, e1, v0)], [total(s2, e0, v1), total(s3, e1, v1)]]
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
