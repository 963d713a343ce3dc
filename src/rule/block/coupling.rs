//! The live columns of a coupling A at one step, for the products `(Aᵀ λ)_l = Σ_i a_il λ_i` of the
//! backward pass over all live rows l.
//!
//! The pass usually reads them from memory, so they are stored compactly: row indices are taken
//! from the pattern, and are stored only for columns with zero entries.

use crate::params::Pattern;
use crate::scalar::Real;
use crate::sparse::lanes::add_product;
use serde::{Deserialize, Serialize};

/// The place of one live column.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Place {
    /// The row that the column belongs to, less than the number of rows.
    row: u32,
    /// End of the entries in `values`.
    end: u32,
    /// End of the row indices in `rows`; `None` if they are not stored.
    listed: Option<u32>,
}

/// The live columns of a coupling.
///
/// Column k has the entries `values[columns[k − 1].end..columns[k].end]`. `columns[k].row`
/// decreases with k.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct LiveColumns<T> {
    /// `[live columns]`
    columns: Vec<Place>,
    /// `[entries]`
    values: Vec<T>,
    /// `[entries of columns with stored indices]`, ascending within a column.
    rows: Vec<u32>,
}

/// One live column.
pub struct LiveColumn<'a, T> {
    /// The row that the column belongs to.
    pub row: usize,
    /// `[entries]`
    pub values: &'a [T],
    /// `[entries]`, the row of each entry, ascending.
    pub rows: &'a [u32],
}

impl<T: Real> LiveColumns<T> {
    /// Creates an empty list. Reserves memory for all columns of a pattern.
    pub fn new(pattern: &Pattern) -> Self {
        Self {
            columns: Vec::with_capacity(pattern.cols()),
            values: Vec::with_capacity(pattern.len()),
            rows: Vec::with_capacity(pattern.len()),
        }
    }

    /// Removes all columns.
    pub fn clear(&mut self) {
        self.columns.clear();
        self.values.clear();
        self.rows.clear();
    }

    /// Stores the columns of `pattern` for which `columns` returns true, last column first. Zero
    /// entries are left out unless `all`.
    pub fn fill(&mut self, pattern: &Pattern, values: &[T], columns: impl Fn(usize) -> bool, all: bool) {
        self.clear();
        for row in (0..pattern.cols()).rev().filter(|&row| columns(row)) {
            let (readers, positions) = pattern.col_of(row);
            let start = self.values.len();
            self.values.extend(positions.iter().map(|&at| values[at as usize]));
            let own = &mut self.values[start..];
            let mut listed = None;
            if !all && own.contains(&T::zero()) {
                let mut kept = 0;
                for k in 0..readers.len() {
                    if own[k] != T::zero() {
                        own[kept] = own[k];
                        self.rows.push(readers[k]);
                        kept += 1;
                    }
                }
                self.values.truncate(start + kept);
                listed = Some(self.rows.len() as u32);
            }
            if self.values.len() > start {
                self.columns.push(Place { row: row as u32, end: self.values.len() as u32, listed });
            }
        }
    }

    /// Returns the columns, last column first. `pattern` must be the pattern passed to
    /// [`fill`](Self::fill).
    #[inline(always)]
    pub fn columns<'a>(&'a self, pattern: &'a Pattern) -> impl Iterator<Item = LiveColumn<'a, T>> {
        let (mut start, mut start_row) = (0, 0);
        self.columns.iter().map(move |place| {
            let values = &self.values[start..place.end as usize];
            start = place.end as usize;
            let rows = match place.listed {
                Some(end) => &self.rows[std::mem::replace(&mut start_row, end as usize)..end as usize],
                None => pattern.col_of(place.row as usize).0,
            };
            LiveColumn { row: place.row as usize, values, rows }
        })
    }

    /// Reserves memory for all columns of a pattern.
    pub fn reserve(&mut self, pattern: &Pattern) {
        self.columns.reserve(pattern.cols().saturating_sub(self.columns.len()));
        self.values.reserve(pattern.len().saturating_sub(self.values.len()));
        self.rows.reserve(pattern.len().saturating_sub(self.rows.len()));
    }

    /// Returns whether all columns fit `pattern`.
    pub fn is_of(&self, pattern: &Pattern) -> bool {
        let (mut start, mut start_row) = (0, 0);
        let mut last = pattern.cols() as u32;
        let fits = |place: &Place| {
            let column = place.row < std::mem::replace(&mut last, place.row);
            let values = (place.end as usize).checked_sub(start);
            start = place.end as usize;
            let rows = match place.listed {
                Some(end) => (end as usize).checked_sub(std::mem::replace(&mut start_row, end as usize)),
                None if column => Some(pattern.col_of(place.row as usize).0.len()),
                None => None,
            };
            column && values.is_some() && values == rows
        };
        self.columns.iter().all(fits)
            && (start, start_row) == (self.values.len(), self.rows.len())
            && self.columns(pattern).all(|column| {
                let readers = pattern.col_of(column.row).0;
                column.rows.is_sorted_by(|a, b| a < b)
                    && column.rows.iter().all(|row| readers.binary_search(row).is_ok())
            })
    }

    /// Returns the number of entries in all columns.
    pub fn len(&self) -> usize {
        self.values.len()
    }
}

impl<T: Real> LiveColumn<'_, T> {
    /// Returns `Σ_i a_i λ_i`, computed in four independent sums.
    #[inline(always)]
    pub fn dot<const FUSED: bool>(&self, lambda: &[T]) -> T {
        let mut sums = [T::zero(); 4];
        let ((values, last_values), (rows, last_rows)) =
            (self.values.as_chunks::<4>(), self.rows.as_chunks::<4>());
        for (values, rows) in values.iter().zip(rows) {
            for (sum, (&a, &i)) in sums.iter_mut().zip(values.iter().zip(rows)) {
                *sum = add_product::<T, FUSED>(*sum, a, lambda[i as usize]);
            }
        }
        let rest =
            last_values.iter().zip(last_rows).fold(T::zero(), |sum, (&a, &i)| sum + a * lambda[i as usize]);
        (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_columns_outside_the_pattern_are_rejected() {
        let pattern = Pattern::full(3, 3);
        let mut live = LiveColumns::<f64>::new(&pattern);
        // Column 1 is listed although one of its entries is zero.
        live.fill(&pattern, &[1.0, 0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0], |_| true, false);
        assert!(live.is_of(&pattern) && live.len() == 8 && live.rows == [1, 2]);
        let mut check_altered = |alter: &dyn Fn(&mut LiveColumns<f64>)| {
            live.fill(&pattern, &[1.0, 0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0], |_| true, false);
            alter(&mut live);
            assert!(!live.is_of(&pattern));
        };
        check_altered(&|live| live.columns[0].row = 0);
        check_altered(&|live| live.columns[2].row = 1);
        check_altered(&|live| live.columns[0].row = 3);
        check_altered(&|live| live.columns[0].end = 2);
        check_altered(&|live| live.rows.reverse());
        check_altered(&|live| live.rows[1] = 3);
        check_altered(&|live| live.values.truncate(7));
    }
}
