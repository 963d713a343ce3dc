//! Runs of consecutive indices, which turn a gather or scatter into copies of slices.

use std::ops::Range;

/// The pairs `(from + k, to + k)` for `0 ≤ k < len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexRun {
    pub from: u32,
    pub to: u32,
    pub len: u32,
}

impl IndexRun {
    /// Returns `from..from + len`.
    #[inline(always)]
    pub fn source(self) -> Range<usize> {
        self.from as usize..(self.from + self.len) as usize
    }

    /// Returns `to..to + len`.
    #[inline(always)]
    pub fn destination(self) -> Range<usize> {
        self.to as usize..(self.to + self.len) as usize
    }
}

/// Appends pairs `(from, to)` to `runs`, in their order, and in the smallest number of runs in this
/// order. Runs added by earlier calls are not extended.
pub(crate) fn extend_runs(runs: &mut Vec<IndexRun>, pairs: impl IntoIterator<Item = (usize, usize)>) {
    let first = runs.len();
    for (from, to) in pairs {
        let (from, to) = (from as u32, to as u32);
        match runs[first..].last_mut() {
            Some(run) if (run.from + run.len, run.to + run.len) == (from, to) => run.len += 1,
            _ => runs.push(IndexRun { from, to, len: 1 }),
        }
    }
}

/// Returns pairs `(from, to)` as runs.
pub(crate) fn index_runs(pairs: impl IntoIterator<Item = (usize, usize)>) -> Vec<IndexRun> {
    let mut runs = Vec::new();
    extend_runs(&mut runs, pairs);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(from: u32, to: u32, len: u32) -> IndexRun {
        IndexRun { from, to, len }
    }

    #[test]
    fn index_runs_without_pairs_is_empty() {
        assert!(index_runs([]).is_empty());
    }

    #[test]
    fn index_runs_with_neighbours_on_both_sides_are_joined() {
        assert_eq!(index_runs([(3, 7), (4, 8), (5, 9)]), [run(3, 7, 3)]);
    }

    #[test]
    fn index_runs_with_a_gap_on_either_side_are_split() {
        assert_eq!(index_runs([(0, 0), (2, 1), (3, 3)]), [run(0, 0, 1), run(2, 1, 1), run(3, 3, 1)]);
    }

    #[test]
    fn index_runs_in_descending_order_are_not_joined() {
        assert_eq!(index_runs([(1, 1), (0, 0)]), [run(1, 1, 1), run(0, 0, 1)]);
    }

    #[test]
    fn extend_runs_with_new_pairs_leaves_earlier_runs_unchanged() {
        let mut runs = index_runs([(0, 4)]);
        extend_runs(&mut runs, [(1, 5), (2, 6)]);
        assert_eq!(runs, [run(0, 4, 1), run(1, 5, 2)]);
    }

    #[test]
    fn index_run_ranges_cover_its_pairs() {
        let run = run(2, 9, 3);
        assert_eq!((run.source(), run.destination()), (2..5, 9..12));
    }
}
