//! Sorting of the active columns in the order of parameters.
//!
//! Columns are first stored in the order of activation, so that inactive columns need no storage.
//! The parameters of a row are then scattered. In the order of parameters, the gradient and the
//! entries of S that M̄ of a row is added to are contiguous. Columns do not interact, so their
//! order does not change the result.

use super::column_map::ColumnMap;
use super::panel::Panel;
use super::program::NOWHERE;
use super::spans::{ImmediateSpans, STEPS_UNTIL_SORTED};
use super::tile::{self, COLUMNS, Tile, TileLanes};
use crate::scalar::Real;
use crate::sparse::{IndexRun, extend_runs};
use std::sync::Mutex;

impl ColumnMap {
    /// Returns whether columns should be sorted at this step.
    pub fn is_due_for_sorting(&self) -> bool {
        self.unchanged == STEPS_UNTIL_SORTED && self.active > self.sorted
    }

    /// Returns whether all active columns are sorted.
    #[inline(always)]
    pub fn are_sorted(&self) -> bool {
        self.sorted > 0 && self.sorted == self.active
    }

    /// Returns whether some columns are sorted.
    pub fn any_sorted(&self) -> bool {
        self.sorted > 0
    }

    /// Sorts the active columns.
    pub fn sort(&mut self) {
        self.from.clear();
        self.from.extend(0..self.order.len() as u32);
        self.from.sort_unstable_by_key(|&column| self.order[column as usize]);
        self.order.sort_unstable();
        self.starts.clear();
        self.starts.resize(self.tiles(), 0);
        for source in (0..self.parameters.len()).filter(|&source| self.is_active[source]) {
            for &(column, at) in &self.of_source[source] {
                let parameter = self.parameters[source][column as usize] as u32;
                let column = self.order.binary_search(&parameter).expect("the parameter must be active");
                self.entries[at as usize].column = column as u32;
                self.starts[column / COLUMNS] += 1;
            }
        }
        self.end = 0;
        for start in &mut self.starts {
            let entries = std::mem::replace(start, self.end);
            self.end += entries + 1;
        }
        for (is_recurrent, &parameter) in self.is_recurrent.iter_mut().zip(&self.order) {
            *is_recurrent = u32::from(self.weighs[parameter as usize]);
        }
        self.runs.clear();
        for (tile, parameters) in self.order.chunks(COLUMNS).enumerate() {
            let columns = tile * COLUMNS..;
            extend_runs(&mut self.runs, columns.zip(parameters.iter().map(|&parameter| parameter as usize)));
        }
        let mut spans = std::mem::take(&mut self.spans);
        spans.fill(self.rows(), self.tiles(), |row| {
            self.entries(row).iter().filter(|entry| self.is_active(entry.source))
        });
        (self.spans, self.sorted) = (spans, self.active);
    }

    /// Returns the column before the last sort of every sorted column. `[sorted columns]`
    pub fn from(&self) -> &[u32] {
        &self.from
    }

    /// Returns M̄ of sorted columns, by rows.
    #[inline(always)]
    pub fn spans(&self) -> &ImmediateSpans {
        &self.spans
    }

    /// Returns the sorted columns as runs (column, parameter). No run crosses the end of a tile.
    pub fn runs(&self) -> &[IndexRun] {
        &self.runs
    }
}

impl<T: Real> Panel<T> {
    /// Sorts columns and their entries of S, if no column was activated for 256 steps. No step may
    /// be pending.
    pub(super) fn sort(&mut self) {
        if !self.columns.is_due_for_sorting() {
            return;
        }
        self.columns.sort();
        let found = self.follow_thresholds();
        debug_assert!(found, "the constant source must be active");
        let Self { columns, tiles, rows, strip, .. } = self;
        let (tiles, from) = (&mut tiles[..columns.tiles()], columns.from());
        for &row in &rows.held {
            let slot = rows.slot[row as usize] as usize;
            permute(tiles, from, strip, |tile| &mut tile.blocks[slot]);
        }
        permute(tiles, from, strip, |tile| &mut tile.gradient);
    }

    /// Updates the columns of thresholds. Returns whether all were found among the sorted columns.
    pub(super) fn follow_thresholds(&mut self) -> bool {
        let sorted = &self.columns.order[..self.columns.from().len()];
        let mut own = self.theta.iter_mut().zip(&self.thresholds).filter(|own| *own.0 != NOWHERE);
        own.all(|(theta, parameter)| match sorted.binary_search(parameter) {
            Ok(column) => {
                *theta = column as u32;
                true
            }
            Err(_) => false,
        })
    }
}

/// Permutes the columns of one slot of all tiles. `strip` is scratch, `[columns]`.
fn permute<T: Real>(
    tiles: &mut [Mutex<Tile<T>>],
    from: &[u32],
    strip: &mut [T],
    block: impl Fn(&mut Tile<T>) -> &mut TileLanes<T>,
) {
    let strip = &mut strip[..from.len()];
    for (tile, strip) in tiles.iter_mut().map(tile::own).zip(strip.chunks_mut(COLUMNS)) {
        strip.copy_from_slice(&block(tile).0[..strip.len()]);
    }
    for (tile, from) in tiles.iter_mut().map(tile::own).zip(from.chunks(COLUMNS)) {
        for (to, &column) in block(tile).0.iter_mut().zip(from) {
            *to = strip[column as usize];
        }
    }
}
