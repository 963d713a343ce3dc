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

use super::kernels::{Combine, Sample, Tiles};
use super::lists::Lists;
use super::matrix::{Matrix, MatrixMut};
use crate::scalar::Real;
use crate::sparse::lanes::dispatch;
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

/// Computes products, and counts them.
pub struct Products<T> {
    arch: pulp::Arch,
    mode: Mode,
    /// Scratch: a dense copy of X, and a dense product.
    dense: Vec<T>,
    product: Vec<T>,
    /// Scratch: X transposed, and W in tiles.
    transposed: Lists<T>,
    tiles: Tiles<T>,
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
            tiles: Tiles::default(),
            macs: 0,
            macs_dense: 0,
        }
    }

    /// Counts a product of `entries` of `all` pairs (row, source) with `width` columns. Returns
    /// whether it is to be dense.
    fn count(&mut self, entries: usize, all: usize, width: usize) -> bool {
        self.macs += (entries * width) as u64;
        self.macs_dense += (all * width) as u64;
        self.is_dense(entries, all)
    }

    /// Returns whether a product over `entries` of `all` pairs is to be dense.
    fn is_dense(&self, entries: usize, all: usize) -> bool {
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
        self.tiles.pack(w);
        combine(self.arch, x, rows.start, &self.tiles, s, entries * width);
    }

    /// Computes [`forward`](Self::forward) with weights that are in tiles already, for a matrix that
    /// is used at many steps.
    ///
    /// # Panics
    /// If shapes do not fit.
    pub fn forward_tiled(
        &mut self,
        x: &Lists<T>,
        rows: Range<usize>,
        (w, tiles): (Matrix<T>, &Tiles<T>),
        s: MatrixMut<T>,
    ) {
        let (width, sources) = (w.width(), w.values.len() / w.stride);
        let entries = x.positions(rows.clone()).len();
        if self.is_dense(entries, rows.len() * sources) {
            return self.forward(x, rows, w, s);
        }
        self.count(entries, rows.len() * sources, width);
        combine(self.arch, x, rows.start, tiles, s, entries * width);
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
        self.tiles.pack(d);
        combine(self.arch, &self.transposed, 0, &self.tiles, g, entries * width);
    }
}

/// Computes `S ← S + X W` with W in tiles, over the rows of X from `first`.
fn combine<T: Real>(
    arch: pulp::Arch,
    x: &Lists<T>,
    first: usize,
    tiles: &Tiles<T>,
    s: MatrixMut<T>,
    macs: usize,
) {
    let MatrixMut { values, stride, columns } = s;
    for_each_share(values, stride, macs, |row, s| {
        let rows = first + row..first + row + s.len() / stride;
        dispatch(arch, Combine { x, rows, tiles, s, stride, columns: columns.clone() });
    });
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
