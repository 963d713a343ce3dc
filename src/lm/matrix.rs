//! Views of dense matrices with a row stride.

use std::ops::Range;

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

    /// Returns the number of columns that take part.
    pub fn width(&self) -> usize {
        self.columns.1 - self.columns.0
    }

    /// Returns the columns that take part of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [T] {
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
