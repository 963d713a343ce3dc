//! Anchors: the ends of blocks, at which S is stored.

use super::tape::TapeStep;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::wiring::Wiring;
use serde::{Deserialize, Serialize};

/// The stored rows of S at an anchor, and e and Ē at that step.
///
/// Row `rows[k]` of S is in slot k of every tile.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct Anchor<T> {
    /// Whether there is an anchor. There is none before the end of the first block of a sequence.
    pub present: bool,
    /// `[slots]`, the stored rows, ascending: the rows that a later step can read.
    pub rows: Vec<usize>,
    /// `[rows]`, e at the anchor.
    pub e: Vec<T>,
    /// `[rows]`, Ē at the anchor.
    pub e_bar: Vec<T>,
    /// `[rows]`, whether a row is live at the anchor.
    pub live: Vec<bool>,
}

impl<T: Real> Anchor<T> {
    /// Creates an absent anchor. Reserves memory for `slots` stored rows.
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

    /// Returns the stored rows; empty if there is no anchor.
    pub fn slots(&self) -> &[usize] {
        if self.present { &self.rows } else { &[] }
    }

    /// Sets the anchor at `step`. `lasting` are the rows that a later step can read: rows that
    /// carry, and rows that A reads. The latter are stored if they are live.
    pub fn set(&mut self, wiring: &Wiring, lasting: &[usize], step: &TapeStep<T>) {
        let read = lasting.iter().filter(|&&row| wiring.carries(row) || step.live[row]);
        self.rows.clear();
        self.rows.extend(read);
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
        self.live.copy_from_slice(&step.live);
        self.present = true;
    }

    /// Writes the anchor to an archive, or restores it.
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
            Err(Error::State { field: "anchor", found: "an anchor of another network".into() })
        }
    }
}
