//! Patterns of sparse matrices, without values.
//!
//! Values are in separate slices, one per entry in row-major order. Patterns are sorted and
//! transposed once; the steps of a network compute on values only.

use sprs::CsMatI;

/// The pattern of a sparse `rows × cols` matrix, with access by row and by column.
///
/// The *position* of an entry is its index in row-major order, and the index of its value in a
/// slice of values.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Compressed rows; the value of an entry is its position.
    by_row: CsMatI<u32, u32>,
    /// Compressed columns; the value of an entry is its row-major position.
    by_col: CsMatI<u32, u32>,
    /// Starts of rows (rows + 1 values) and of columns (cols + 1 values). Copies of those in
    /// `by_row` and `by_col`, which are slower to read.
    row_starts: Vec<u32>,
    col_starts: Vec<u32>,
}

impl Pattern {
    /// Creates the pattern with these `(row, column)` entries, in any order. Duplicates are
    /// removed.
    ///
    /// # Panics
    /// If an entry is outside `rows × cols`, or if there are 2³² or more entries.
    pub fn new(rows: usize, cols: usize, mut entries: Vec<(usize, usize)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        assert!(u32::try_from(entries.len()).is_ok(), "a pattern must have fewer than 2^32 entries");
        let mut row_starts = vec![0u32; rows + 1];
        for &(i, j) in &entries {
            assert!(i < rows && j < cols, "entry ({i}, {j}) must lie inside {rows} × {cols}");
            row_starts[i + 1] += 1;
        }
        for i in 0..rows {
            row_starts[i + 1] += row_starts[i];
        }
        let columns = entries.iter().map(|&(_, j)| j as u32).collect();
        let positions = (0..entries.len() as u32).collect();
        let by_row = CsMatI::new((rows, cols), row_starts, columns, positions);
        let by_col = by_row.to_other_storage();
        let starts = |matrix: &CsMatI<u32, u32>| matrix.proper_indptr().into_owned();
        Self { row_starts: starts(&by_row), col_starts: starts(&by_col), by_row, by_col }
    }

    /// Creates the pattern with all entries of `rows × cols`.
    pub fn full(rows: usize, cols: usize) -> Self {
        Self::new(rows, cols, (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))).collect())
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.by_row.rows()
    }

    /// Returns the number of columns.
    pub fn cols(&self) -> usize {
        self.by_row.cols()
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.by_row.nnz()
    }

    /// Returns whether the pattern has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the entries of row `i` as `(column, position)`, columns ascending.
    #[inline]
    pub fn row(&self, i: usize) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        let (columns, positions) = self.row_of(i);
        columns.iter().zip(positions).map(|(&j, at)| (j as usize, at))
    }

    /// Returns the columns of row `i`, ascending, and the range of their positions.
    #[inline]
    pub fn row_of(&self, i: usize) -> (&[u32], std::ops::Range<usize>) {
        let starts = &self.row_starts;
        let range = starts[i] as usize..starts[i + 1] as usize;
        (&self.by_row.indices()[range.clone()], range)
    }

    /// Returns the entries of column `j` as `(row, position)`, rows ascending.
    #[inline]
    pub fn col(&self, j: usize) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        let (rows, positions) = self.col_of(j);
        rows.iter().zip(positions).map(|(&i, &at)| (i as usize, at as usize))
    }

    /// Returns the rows of column `j`, ascending, and their positions.
    #[inline]
    pub fn col_of(&self, j: usize) -> (&[u32], &[u32]) {
        let starts = &self.col_starts;
        let range = starts[j] as usize..starts[j + 1] as usize;
        (&self.by_col.indices()[range.clone()], &self.by_col.data()[range])
    }

    /// Returns all entries as `(row, column)`, in order of position.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.rows()).flat_map(move |i| self.row(i).map(move |(j, _)| (i, j)))
    }

    /// Returns the position of entry `(i, j)`, or `None` if it is not in the pattern.
    pub fn position(&self, i: usize, j: usize) -> Option<usize> {
        self.by_row.get(i, j).map(|&at| at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_by_rows_and_by_columns_has_the_same_entries() {
        let entries = vec![(2, 0), (0, 1), (2, 2), (0, 1), (1, 0)];
        let p = Pattern::new(3, 4, entries);
        assert_eq!((p.rows(), p.cols(), p.len()), (3, 4, 4));
        assert_eq!(p.entries().collect::<Vec<_>>(), [(0, 1), (1, 0), (2, 0), (2, 2)]);
        for j in 0..4 {
            let down: Vec<_> = p.col(j).collect();
            let across: Vec<_> =
                (0..3).flat_map(|i| p.row(i).filter(|e| e.0 == j).map(move |e| (i, e.1))).collect();
            assert_eq!(down, across);
        }
        assert_eq!(p.position(2, 2), Some(3));
        assert_eq!(p.position(2, 3), None);
        assert_eq!(Pattern::full(2, 3).len(), 6);
        assert!(Pattern::new(0, 0, vec![]).is_empty());
    }

    #[test]
    #[should_panic(expected = "must lie inside 2 × 2")]
    fn pattern_with_an_entry_outside_panics() {
        Pattern::new(2, 2, vec![(0, 2)]);
    }
}
