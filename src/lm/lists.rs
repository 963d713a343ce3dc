//! Sparse rows: for each row, the ascending indices of its nonzero entries and their values.

use crate::scalar::Real;
use std::ops::Range;

/// A sparse matrix by rows.
///
/// Invariants: entries of row r are `starts[r]..starts[r + 1]`; `index` and `value` have the same
/// length; indices of a row ascend.
#[derive(Clone, Debug)]
pub struct Lists<T> {
    starts: Vec<u32>,
    /// `[entries]`, the column of each entry.
    pub index: Vec<u32>,
    /// `[entries]`
    pub value: Vec<T>,
}

impl<T: Real> Default for Lists<T> {
    fn default() -> Self {
        Self { starts: vec![0], index: Vec::new(), value: Vec::new() }
    }
}

impl<T: Real> Lists<T> {
    /// Removes all rows. Memory is kept.
    pub fn clear(&mut self) {
        self.starts.truncate(1);
        self.index.clear();
        self.value.clear();
    }

    /// Adds an entry to the row that is being written.
    #[inline(always)]
    pub fn push(&mut self, index: usize, value: T) {
        self.index.push(index as u32);
        self.value.push(value);
    }

    /// Ends the row that is being written.
    pub fn end_row(&mut self) {
        self.starts.push(self.index.len() as u32);
    }

    /// Adds a row with the nonzero entries of `dense`.
    pub fn push_row(&mut self, dense: impl IntoIterator<Item = T>) {
        for (k, value) in dense.into_iter().enumerate() {
            if value != T::zero() {
                self.push(k, value);
            }
        }
        self.end_row();
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns the positions of the entries of some rows.
    pub fn positions(&self, rows: Range<usize>) -> Range<usize> {
        self.starts[rows.start] as usize..self.starts[rows.end] as usize
    }

    /// Returns the columns and values of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> (&[u32], &[T]) {
        let at = self.positions(row..row + 1);
        (&self.index[at.clone()], &self.value[at])
    }

    /// Writes rows `rows` into `dense`, `[rows][columns]`, zeros included.
    pub fn densify(&self, rows: Range<usize>, columns: usize, dense: &mut Vec<T>) {
        dense.clear();
        dense.resize(rows.len() * columns, T::zero());
        for (k, row) in rows.enumerate() {
            let (index, value) = self.row(row);
            for (&j, &v) in index.iter().zip(value) {
                dense[k * columns + j as usize] = v;
            }
        }
    }

    /// Writes the transposed matrix of rows `rows` into `to`: row j of `to` lists the rows of `self`
    /// (counted from `rows.start`) that have an entry in column j.
    pub fn transpose_into(&self, rows: Range<usize>, columns: usize, to: &mut Self) {
        let at = self.positions(rows.clone());
        to.starts.clear();
        to.starts.resize(columns + 1, 0);
        for &j in &self.index[at.clone()] {
            to.starts[j as usize + 1] += 1;
        }
        for j in 0..columns {
            to.starts[j + 1] += to.starts[j];
        }
        to.index.clear();
        to.index.resize(at.len(), 0);
        to.value.clear();
        to.value.resize(at.len(), T::zero());
        let mut next = to.starts.clone();
        for (k, row) in rows.enumerate() {
            let (index, value) = self.row(row);
            for (&j, &v) in index.iter().zip(value) {
                let place = next[j as usize] as usize;
                (to.index[place], to.value[place]) = (k as u32, v);
                next[j as usize] += 1;
            }
        }
    }

    /// Returns the bytes in use.
    pub fn bytes(&self) -> usize {
        size_of::<u32>() * (self.starts.len() + self.index.len()) + size_of::<T>() * self.value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transpose_into_of_selected_rows_lists_rows_by_column() {
        let mut lists = Lists::default();
        lists.push_row([9.0, 9.0, 9.0]);
        lists.push_row([0.0, 2.0, 3.0]);
        lists.push_row([4.0, 0.0, 5.0]);
        let mut transposed = Lists::default();
        lists.transpose_into(1..3, 3, &mut transposed);
        assert_eq!(transposed.rows(), 3);
        assert_eq!(transposed.row(0), (&[1u32][..], &[4.0][..]));
        assert_eq!(transposed.row(1), (&[0u32][..], &[2.0][..]));
        assert_eq!(transposed.row(2), (&[0u32, 1][..], &[3.0, 5.0][..]));
        let mut dense = Vec::new();
        lists.densify(1..3, 3, &mut dense);
        assert_eq!(dense, [0.0, 2.0, 3.0, 4.0, 0.0, 5.0]);
    }
}
