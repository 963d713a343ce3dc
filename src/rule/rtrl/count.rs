//! Numbers of stored and of nonzero entries of a panel.

use super::panel::Panel;
use super::program::{NOWHERE, PreviousStep};
use super::tile::{self, COLUMNS};
use crate::scalar::Real;

/// Counts the nonzero entries of Y of a panel with vector instructions.
pub struct NonzeroCount<'a, T> {
    /// The panel.
    pub panel: &'a mut Panel<T>,
    /// e and Ē of the last step.
    pub last: &'a PreviousStep<T>,
    /// The rows of units, ascending.
    pub units: &'a [usize],
}

impl<T: Real> pulp::WithSimd for NonzeroCount<'_, T> {
    type Output = (usize, usize);

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> (usize, usize) {
        self.panel.nonzero(self.last, self.units)
    }
}

impl<T: Real> Panel<T> {
    /// Returns the number of stored entries of S.
    pub fn held(&self) -> usize {
        self.rows.held.len() * self.columns.len()
    }

    /// Returns the number of nonzero entries of Y in rows of units, and the number of these entries
    /// in columns of recurrent weights.
    #[inline(always)]
    pub fn nonzero(&mut self, last: &PreviousStep<T>, units: &[usize]) -> (usize, usize) {
        let (mut all, mut recurrent) = (0, 0);
        let tiles = self.columns.tiles();
        for k in 0..self.rows.held.len() {
            let row = self.rows.held[k] as usize;
            if !self.was_live(row, last) || units.binary_search(&row).is_err() {
                continue;
            }
            let slot = self.rows.slot[row] as usize;
            let shows = !self.carries || last.e[row] != T::zero();
            for (number, tile) in self.tiles[..tiles].iter_mut().map(tile::own).enumerate().filter(|_| shows)
            {
                // Vector instructions count in u32.
                let entries = tile.blocks[slot].0.iter().zip(self.columns.recurrent(number));
                let (mut own, mut of_recurrent) = (0u32, 0u32);
                for (&s, &is_recurrent) in entries {
                    let nonzero = u32::from(s != T::zero());
                    own += nonzero;
                    of_recurrent += nonzero * is_recurrent;
                }
                all += own as usize;
                recurrent += of_recurrent as usize;
            }
            // If slots hold S, Ē is added to the entry of the row's threshold.
            if self.carries && self.theta[row] != NOWHERE && self.columns.len() > 0 {
                let column = self.theta[row] as usize;
                let tile = tile::own(&mut self.tiles[column / COLUMNS]);
                let own = last.e[row] * tile.blocks[slot].0[column % COLUMNS];
                let count = |s: T| usize::from(s != T::zero());
                all = all + count(own + last.e_bar[row]) - count(own);
            }
        }
        (all, recurrent)
    }

    /// Returns the number of values in use: S or Y, and the gathered gradient.
    pub fn numbers(&self) -> usize {
        self.held() + self.columns.all()
    }
}
