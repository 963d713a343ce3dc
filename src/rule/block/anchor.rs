//! An anchor: a moment at which S is stored, the end of a block.

use super::tape::TapeStep;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::wiring::Wiring;
use serde::{Deserialize, Serialize};

/// The rows of S that are stored at an anchor, and e and Ē there.
///
/// Row `rows[k]` of S lies in slot k of every tile.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct Anchor<T> {
    /// Whether there is an anchor: not before the end of a sequence's first block.
    pub present: bool,
    /// The stored rows, ascending: those that a later step can read. [slots]
    pub rows: Vec<usize>,
    /// e, Ē and whether a row is live, at the anchor. [n] each
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
    pub live: Vec<bool>,
}

impl<T: Real> Anchor<T> {
    /// No anchor yet, with room for `slots` rows.
    pub fn new(rows: usize, slots: usize) -> Self {
        let zeros = || vec![T::zero(); rows];
        Self {
            present: false,
            rows: Vec::with_capacity(slots),
            e: zeros(),
            e_bar: zeros(),
            live: vec![false; rows],
        }
    }

    /// The stored rows; none without an anchor.
    pub fn slots(&self) -> &[usize] {
        if self.present { &self.rows } else { &[] }
    }

    /// Sets the anchor at `step`. `lasting` are the rows that a later step can read: by carry, or by A if they are live.
    pub fn set(&mut self, wiring: &Wiring, lasting: &[usize], step: &TapeStep<T>) {
        let read = lasting.iter().filter(|&&row| wiring.carries(row) || step.live[row]);
        self.rows.clear();
        self.rows.extend(read);
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
        self.live.copy_from_slice(&step.live);
        self.present = true;
    }

    /// Saves or restores the anchor.
    ///
    /// # Errors
    /// If the archive belongs to another network.
    pub fn archive(&mut self, lasting: &[usize], archive: &mut Archive) -> Result<()> {
        let n = self.e.len();
        archive.field("anchor", self)?;
        let sizes = [self.e.len(), self.e_bar.len(), self.live.len()];
        let fits = sizes == [n; 3] && self.rows.is_sorted_by(|a, b| a < b);
        self.rows.reserve(lasting.len().saturating_sub(self.rows.len()));
        if fits && self.rows.iter().all(|row| lasting.binary_search(row).is_ok()) {
            Ok(())
        } else {
            Err(Error::State { field: "anchor", found: "one of another network".into() })
        }
    }
}
