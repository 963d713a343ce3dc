//! The distribution of the advance over a finished block to the steps of the current block. After
//! share j of J,
//!
//! `Σ_{i done} c_i ≥ (j/J) Σ_i c_i`,
//!
//! for pieces i of cost c_i, which are done in order. The first pieces are the steps of the block,
//! last step first, for which Λ is computed. The other pieces are the units whose tiles are
//! advanced to the end of the block.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Returns the number of shares of an advance over K steps. More shares are shorter, but backward
/// passes are longer until the advance is complete.
pub fn shares(steps: usize) -> usize {
    steps.div_ceil(2)
}

/// Cost of a MAC with a list of couplings, relative to a MAC in a matrix product.
pub const LISTED: u64 = 5;

/// The state of an advance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// `[pieces]`, cumulative cost and MACs, including the piece.
    until: Vec<(u64, u64)>,
    /// J, number of shares.
    shares: usize,
    /// Number of shares taken, at most J.
    share: usize,
    /// Number of pieces taken, at most the number of pieces.
    done: usize,
}

impl Schedule {
    /// Creates an empty schedule. Reserves memory for `pieces` pieces.
    pub fn new(pieces: usize) -> Self {
        Self { until: Vec::with_capacity(pieces), ..Self::default() }
    }

    /// Starts a schedule of pieces of these costs and MACs in `shares` shares.
    pub fn begin(&mut self, pieces: impl Iterator<Item = (u64, u64)>, shares: usize) {
        self.clear();
        self.shares = shares;
        self.until.extend(pieces.scan((0, 0), |sum, piece| {
            *sum = (sum.0 + piece.0, sum.1 + piece.1);
            Some(*sum)
        }));
    }

    /// Takes the next share. Returns its pieces and their MACs.
    pub fn next(&mut self) -> (Range<usize>, u64) {
        let all = self.until.last().map_or(0, |sum| sum.0);
        self.share = self.shares.min(self.share + 1);
        let pieces = match self.share == self.shares {
            true => self.done..self.until.len(),
            false => {
                let due = (u128::from(all) * self.share as u128 / self.shares as u128) as u64;
                let end = self.until.partition_point(|until| until.0 < due) + usize::from(due > 0);
                self.done..end.clamp(self.done, self.until.len())
            }
        };
        self.done = pieces.end;
        let before = |piece: usize| if piece == 0 { 0 } else { self.until[piece - 1].1 };
        (pieces.clone(), before(pieces.end) - before(pieces.start))
    }

    /// Returns the number of pieces taken.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Reserves memory for `pieces` pieces.
    pub fn reserve(&mut self, pieces: usize) {
        self.until.reserve(pieces.saturating_sub(self.until.len()));
    }

    /// Returns whether all pieces are taken.
    pub fn is_done(&self) -> bool {
        self.done == self.until.len()
    }

    /// Returns whether the schedule is consistent and has `pieces` pieces or none.
    pub fn is_sound(&self, pieces: usize) -> bool {
        let rises = self.until.is_sorted_by(|before, after| before.0 <= after.0 && before.1 <= after.1);
        [0, pieces].contains(&self.until.len()) && self.done <= self.until.len() && rises
    }

    /// Removes all pieces.
    pub fn clear(&mut self) {
        self.until.clear();
        (self.share, self.done) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_of_any_number_of_shares_is_even_and_ends_with_the_last() {
        let costs = [5, 0, 7, 1, 1, 1, 30, 2, 2, 2];
        for shares in 1..=12 {
            let mut schedule = Schedule::new(costs.len());
            assert!(schedule.is_done());
            schedule.begin(costs.into_iter().map(|cost| (cost, 2 * cost)), shares);
            let (mut pieces, mut sum) = (0, 0);
            for share in 1..=shares {
                assert!(!schedule.is_done() || pieces == costs.len());
                let (range, macs) = schedule.next();
                assert_eq!((range.start, macs), (pieces, 2 * costs[range.clone()].iter().sum::<u64>()));
                (pieces, sum) = (range.end, sum + macs / 2);
                // The sum is at least the even share, and exceeds it by less than one piece.
                assert!(sum * shares as u64 >= 51 * share as u64 - shares as u64);
                assert!(sum < 51 * share as u64 / shares as u64 + 31);
            }
            assert_eq!((pieces, sum, schedule.is_done()), (costs.len(), 51, true));
        }
    }
}
