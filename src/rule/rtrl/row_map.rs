//! The map between the rows of S and slots of a tile. A row has a slot only while it is stored.

use super::program::NOWHERE;
use crate::archive::Archive;
use crate::error::{Error, Result};

/// Maps the rows that the parameters of a layer can reach to slots.
///
/// Invariants:
///
/// - Row r of S (or Y) is in slot `slot[r]` of every tile. It is zero if `slot[r]` is `NOWHERE`.
/// - `held` are the rows with a slot, ascending.
/// - Rows that carry have the slots `0..carried`, in ascending order of rows.
/// - No two rows have the same slot.
pub struct RowMap {
    /// `[reached rows]`, the rows that the parameters can reach, ascending, and whether they carry.
    pub reached: Vec<(usize, bool)>,
    /// `[rows]`, the slot of each row, less than the number of reached rows, or `NOWHERE`.
    pub slot: Vec<u32>,
    /// Number of reached rows that carry.
    pub carried: usize,
    /// Rows with a slot, ascending.
    pub held: Vec<u32>,
}

impl RowMap {
    /// Creates the map of `rows` rows. Only rows that carry have a slot.
    pub fn new(reached: Vec<(usize, bool)>, rows: usize) -> Self {
        let mut slot = vec![NOWHERE; rows];
        let carried = reached.iter().filter(|row| row.1).enumerate();
        let carried = carried.map(|(k, row)| slot[row.0] = k as u32).count();
        Self { slot, carried, held: Vec::with_capacity(reached.len()), reached }
    }

    /// Returns whether a row has a slot.
    #[inline(always)]
    pub fn is_stored(&self, row: usize) -> bool {
        self.slot[row] != NOWHERE
    }

    /// Frees the slots of rows that do not carry, and marks all rows as not held.
    pub fn reset(&mut self) {
        self.release();
        self.held.clear();
    }

    /// Frees the slots of rows that do not carry.
    pub fn release(&mut self) {
        if self.carried == 0 {
            return self.slot.fill(NOWHERE);
        }
        for &row in &self.held {
            let slot = &mut self.slot[row as usize];
            // Rows that carry have the first slots.
            if *slot as usize >= self.carried {
                *slot = NOWHERE;
            }
        }
    }

    /// Writes the map to an archive, or restores it. Returns the number of slots in use.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<usize> {
        archive.field("rows.held", &mut self.held)?;
        archive.list("rows.slot", &mut self.slot)?;
        if !self.is_sound() {
            return Err(Error::State { field: "rows.slot", found: "slots of other rows".into() });
        }
        self.held.reserve(self.reached.len().saturating_sub(self.held.len()));
        let taken = self.slot.iter().filter(|slot| **slot != NOWHERE);
        Ok(taken.max().map_or(0, |&last| last as usize + 1))
    }

    /// Returns whether the map satisfies its invariants.
    fn is_sound(&self) -> bool {
        let mut carrying = self.reached.iter().filter(|row| row.1).enumerate();
        let mut free = vec![true; self.reached.len()];
        let mut owned = self.reached.iter().map(|&(row, carries)| {
            let slot = self.slot[row];
            slot == NOWHERE
                || free.get_mut(slot as usize).is_some_and(std::mem::take)
                    && (carries || self.held.binary_search(&(row as u32)).is_ok())
        });
        let known = |row: &u32| self.slot.get(*row as usize).is_some_and(|slot| *slot != NOWHERE);
        let stored = self.slot.iter().filter(|slot| **slot != NOWHERE).count();
        self.held.is_sorted_by(|a, b| a < b)
            && self.held.iter().all(known)
            && owned.all(|own| own)
            && stored == free.iter().filter(|free| !**free).count()
            && carrying.all(|(k, row)| self.slot[row.0] as usize == k)
    }
}
