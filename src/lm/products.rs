//! The three matrix products of a layer, each over nonzero entries or dense:
//!
//! | product | equation | sparse over |
//! |---|---|---|
//! | [`Products::forward`] | `S ← S + X W` | nonzero entries of X |
//! | [`Products::sample`] | `(D Wᵀ)[r, j]` for listed (r, j) | entries that are needed: `e ≠ 0` |
//! | [`Products::gradient`] | `G ← G + Xᵀ D` | nonzero entries of X |
//!
//! W and G are `[sources][columns]`, X is `[rows][sources]`, S and D are `[rows][columns]`. A row is
//! one token of one sample. Dense products use ndarray, which uses `matrixmultiply`.

use super::lists::Lists;
use crate::scalar::Real;
use crate::sparse::lanes::{Loop, add_product, dispatch};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How products are computed. The result is the same up to rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each product sparse or dense, whichever is expected to be faster at the counted density.
    #[default]
    Auto,
    /// Over nonzero entries only.
    Sparse,
    /// Dense, zeros included.
    Dense,
}

/// Density of X from which [`Mode::Auto`] computes dense products.
const DENSE_FROM: f64 = 0.6;

/// MACs from which a product uses several threads.
const WORTH_A_THREAD: usize = 1 << 20;

/// A dense matrix `[rows][stride]`, of which `columns` take part.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// Entries, row by row.
    pub values: &'a [T],
    /// Length of a row.
    pub stride: usize,
    /// Columns that take part.
    pub columns: (usize, usize),
}

impl<'a, T> Matrix<'a, T> {
    /// Returns a matrix with rows of `stride` entries and the columns `columns`.
    pub fn new(values: &'a [T], stride: usize, columns: Range<usize>) -> Self {
        Self { values, stride, columns: (columns.start, columns.end) }
    }

    fn width(&self) -> usize {
        self.columns.1 - self.columns.0
    }

    fn row(&self, row: usize) -> &'a [T] {
        &self.values[row * self.stride + self.columns.0..row * self.stride + self.columns.1]
    }
}

/// A mutable [`Matrix`].
pub struct MatrixMut<'a, T> {
    /// Entries, row by row.
    pub values: &'a mut [T],
    /// Length of a row.
    pub stride: usize,
    /// Columns that take part.
    pub columns: Range<usize>,
}

/// Computes products, and counts them.
pub struct Products<T> {
    arch: pulp::Arch,
    mode: Mode,
    /// Scratch: a dense copy of X, and a dense product.
    dense: Vec<T>,
    product: Vec<T>,
    /// Scratch: X transposed.
    transposed: Lists<T>,
    /// MACs over nonzero entries, whichever way the product was computed.
    pub macs: u64,
    /// MACs of the same products without skipping.
    pub macs_dense: u64,
}

impl<T: Real> Products<T> {
    /// Creates the scratch memory of products.
    pub fn new(mode: Mode) -> Self {
        Self {
            arch: pulp::Arch::new(),
            mode,
            dense: Vec::new(),
            product: Vec::new(),
            transposed: Lists::default(),
            macs: 0,
            macs_dense: 0,
        }
    }

    /// Counts a product of `entries` of `all` pairs (row, source) with `width` columns. Returns
    /// whether it is to be dense.
    fn count(&mut self, entries: usize, all: usize, width: usize) -> bool {
        self.macs += (entries * width) as u64;
        self.macs_dense += (all * width) as u64;
        match self.mode {
            Mode::Auto => entries as f64 >= DENSE_FROM * all as f64,
            Mode::Sparse => false,
            Mode::Dense => true,
        }
    }

    /// Computes `S ← S + X W` over the rows `rows` of X. `s` holds these rows only.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn forward(&mut self, x: &Lists<T>, rows: Range<usize>, w: Matrix<T>, s: MatrixMut<T>) {
        let (width, sources) = (w.width(), w.values.len() / w.stride);
        assert_eq!(width, s.columns.len(), "W and S must have the same columns");
        assert_eq!(rows.len() * s.stride, s.values.len(), "S must have one row per row of X");
        let entries = x.positions(rows.clone()).len();
        if self.count(entries, rows.len() * sources, width) {
            x.densify(rows.clone(), sources, &mut self.dense);
            let x = view(&self.dense, sources, (0, sources));
            let w = view(w.values, w.stride, w.columns);
            let s = view_mut(s.values, s.stride, (s.columns.start, s.columns.end));
            return dense_product(x, w, T::one(), s);
        }
        let (arch, columns, stride) = (self.arch, s.columns.clone(), s.stride);
        let part = |first: usize, s: &mut [T]| {
            let rows = first..first + s.len() / stride;
            dispatch(arch, Combine { x, rows, w, s, stride, start: columns.start });
        };
        for_each_share(s.values, stride, entries * width, |first, s| part(rows.start + first, s));
    }

    /// Computes `out_k = Σ_c D[r, c] W[j, c]` for every entry k = (r, j) of `at` in the rows
    /// `rows`. `d` holds these rows only, `out` one value per entry.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn sample(&mut self, at: &Lists<T>, rows: Range<usize>, d: Matrix<T>, w: Matrix<T>, out: &mut [T]) {
        let (width, sources) = (w.width(), w.values.len() / w.stride);
        assert_eq!(width, d.width(), "D and W must have the same columns");
        let positions = at.positions(rows.clone());
        assert_eq!(positions.len(), out.len(), "there must be one value per entry");
        if self.count(positions.len(), rows.len() * sources, width) {
            self.product.clear();
            self.product.resize(rows.len() * sources, T::zero());
            let d = view(&d.values[..rows.len() * d.stride], d.stride, d.columns);
            let w = view(w.values, w.stride, w.columns);
            let product = view_mut(&mut self.product, sources, (0, sources));
            dense_product(d, w.reversed_axes(), T::zero(), product);
            let places = rows.clone().flat_map(|row| at.row(row).0.iter().map(move |&j| (row, j as usize)));
            for (out, (row, j)) in out.iter_mut().zip(places) {
                *out = self.product[(row - rows.start) * sources + j];
            }
            return;
        }
        let threads = rayon::current_num_threads();
        if threads == 1 || positions.len() * width < WORTH_A_THREAD {
            return dispatch(self.arch, Sample { at, rows, d, w, out });
        }
        let share = rows.len().div_ceil(2 * threads).max(1);
        let mut shares = Vec::new();
        let mut rest = out;
        for start in rows.clone().step_by(share) {
            let own = start..(start + share).min(rows.end);
            let (out, later) = rest.split_at_mut(at.positions(own.clone()).len());
            rest = later;
            shares.push((own, out));
        }
        let arch = self.arch;
        shares.into_par_iter().for_each(|(own, out)| {
            let values = &d.values[(own.start - rows.start) * d.stride..];
            dispatch(arch, Sample { at, rows: own, d: Matrix { values, ..d }, w, out });
        });
    }

    /// Computes `G ← G + Xᵀ D` over the rows `rows` of X. `d` holds these rows only.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn gradient(&mut self, x: &Lists<T>, rows: Range<usize>, d: Matrix<T>, g: MatrixMut<T>) {
        let (width, sources) = (d.width(), g.values.len() / g.stride);
        assert_eq!(width, g.columns.len(), "D and G must have the same columns");
        let entries = x.positions(rows.clone()).len();
        if self.count(entries, rows.len() * sources, width) {
            x.densify(rows.clone(), sources, &mut self.dense);
            let x = view(&self.dense, sources, (0, sources));
            let d = view(&d.values[..rows.len() * d.stride], d.stride, d.columns);
            let g = view_mut(g.values, g.stride, (g.columns.start, g.columns.end));
            return dense_product(x.reversed_axes(), d, T::one(), g);
        }
        x.transpose_into(rows, sources, &mut self.transposed);
        let (arch, x, stride, start) = (self.arch, &self.transposed, g.stride, g.columns.start);
        for_each_share(g.values, stride, entries * width, |first, s| {
            let rows = first..first + s.len() / stride;
            dispatch(arch, Combine { x, rows, w: d, s, stride, start });
        });
    }
}

/// Runs `work` on shares of the rows of a matrix, in parallel if there are enough MACs. It receives
/// the first row and the values of its share. Every row is computed by one thread, so the result
/// does not depend on their number.
fn for_each_share<T: Real>(
    values: &mut [T],
    stride: usize,
    macs: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let threads = rayon::current_num_threads();
    if threads == 1 || macs < WORTH_A_THREAD {
        return work(0, values);
    }
    let rows = (values.len() / stride).div_ceil(2 * threads).max(1);
    values.par_chunks_mut(rows * stride).enumerate().for_each(|(k, share)| work(k * rows, share));
}

/// Computes `c ← a b + beta c`.
fn dense_product<T: Real>(a: ArrayView2<T>, b: ArrayView2<T>, beta: T, mut c: ArrayViewMut2<T>) {
    general_mat_mul(T::one(), &a, &b, beta, &mut c);
}

/// Returns a view of the `columns` of a matrix `[rows][stride]`.
fn view<T>(values: &[T], stride: usize, columns: (usize, usize)) -> ArrayView2<'_, T> {
    let shape = (values.len() / stride, stride);
    let all = ArrayView2::from_shape(shape, &values[..shape.0 * stride]).expect("a complete matrix");
    all.slice_move(s![.., columns.0..columns.1])
}

fn view_mut<T>(values: &mut [T], stride: usize, columns: (usize, usize)) -> ArrayViewMut2<'_, T> {
    let shape = (values.len() / stride, stride);
    let all = ArrayViewMut2::from_shape(shape, &mut values[..shape.0 * stride]).expect("a complete matrix");
    all.slice_move(s![.., columns.0..columns.1])
}

/// `s_r ← s_r + Σ_j x_rj w_j` for the rows r, one tile of columns after another: a tile of W stays
/// in the second-level cache for all rows, and a sum stays in registers.
struct Combine<'a, T> {
    x: &'a Lists<T>,
    rows: Range<usize>,
    w: Matrix<'a, T>,
    s: &'a mut [T],
    stride: usize,
    start: usize,
}

impl<T: Real> Loop for Combine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(mut self) {
        let width = self.w.width();
        let mut at = 0;
        if size_of::<T>() == 4 {
            at = self.tiles::<FUSED, 64>(at, width);
        }
        at = self.tiles::<FUSED, 32>(at, width);
        at = self.tiles::<FUSED, 8>(at, width);
        self.tiles::<FUSED, 1>(at, width);
    }
}

impl<T: Real> Combine<'_, T> {
    /// Computes the complete tiles of `C` columns from `at`. Returns the end of the last one.
    #[inline(always)]
    fn tiles<const FUSED: bool, const C: usize>(&mut self, mut at: usize, width: usize) -> usize {
        while at + C <= width {
            let from = self.w.columns.0 + at;
            for (k, row) in self.rows.clone().enumerate() {
                let (index, value) = self.x.row(row);
                let place = k * self.stride + self.start + at;
                let to = &mut self.s[place..place + C];
                let mut sum = [T::zero(); C];
                sum.copy_from_slice(to);
                for (&j, &x) in index.iter().zip(value) {
                    let place = j as usize * self.w.stride + from;
                    let source: &[T; C] =
                        self.w.values[place..place + C].try_into().expect("the slice has C entries");
                    for c in 0..C {
                        sum[c] = add_product::<T, FUSED>(sum[c], x, source[c]);
                    }
                }
                to.copy_from_slice(&sum);
            }
            at += C;
        }
        at
    }
}

/// Number of sources whose weights stay in the second-level cache while all rows are sampled.
const SOURCES: usize = 32;

/// Number of independent sums of a dot product.
const SUMS: usize = 16;

/// `out_k = Σ_c d_rc w_jc` for the entries k = (r, j).
struct Sample<'a, T> {
    at: &'a Lists<T>,
    rows: Range<usize>,
    d: Matrix<'a, T>,
    w: Matrix<'a, T>,
    out: &'a mut [T],
}

impl<T: Real> Loop for Sample<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { at, rows, d, w, out } = self;
        let first = at.positions(rows.start..rows.start).start;
        let sources = w.values.len() / w.stride;
        // The next entry of every row.
        let mut next: Vec<usize> = rows.clone().map(|row| at.positions(row..row).start).collect();
        for limit in (SOURCES..sources + SOURCES).step_by(SOURCES) {
            for (k, row) in rows.clone().enumerate() {
                let end = at.positions(row..row + 1).end;
                let d = d.row(k);
                let mut now = next[k];
                let until = now + at.index[now..end].iter().take_while(|&&j| (j as usize) < limit).count();
                while now + 4 <= until {
                    let rows = [0, 1, 2, 3].map(|i| w.row(at.index[now + i] as usize));
                    out[now - first..now - first + 4].copy_from_slice(&dots::<T, FUSED, 4>(d, rows));
                    now += 4;
                }
                for now in now..until {
                    out[now - first] = dots::<T, FUSED, 1>(d, [w.row(at.index[now] as usize)])[0];
                }
                next[k] = until;
            }
        }
    }
}

/// Returns the dot products of `d` with N rows. The order of each sum is the same for every N.
#[inline(always)]
fn dots<T: Real, const FUSED: bool, const N: usize>(d: &[T], rows: [&[T]; N]) -> [T; N] {
    let mut sums = [[T::zero(); SUMS]; N];
    let complete = d.len() / SUMS * SUMS;
    for start in (0..complete).step_by(SUMS) {
        let d: &[T; SUMS] = d[start..start + SUMS].try_into().expect("the slice has SUMS entries");
        for (sum, row) in sums.iter_mut().zip(rows) {
            let row: &[T; SUMS] = row[start..start + SUMS].try_into().expect("the slice has SUMS entries");
            for c in 0..SUMS {
                sum[c] = add_product::<T, FUSED>(sum[c], d[c], row[c]);
            }
        }
    }
    let mut total = [T::zero(); N];
    for ((total, sum), row) in total.iter_mut().zip(&sums).zip(rows) {
        let rest = d[complete..].iter().zip(&row[complete..d.len()]);
        let rest = rest.fold(T::zero(), |sum, (&d, &w)| add_product::<T, FUSED>(sum, d, w));
        *total = sum.iter().fold(rest, |sum, &part| sum + part);
    }
    total
}
