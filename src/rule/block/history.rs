//! The steps of a block, kept in the form in which credit is carried back through them.

use super::base::{COLUMNS, Lanes};
use super::live::Live;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use serde::{Deserialize, Serialize};

/// Steps that a dot product over steps takes at once.
pub const LANES: usize = 16;

/// One step.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct Record<T> {
    pub d: Vec<T>,
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
    /// Rows whose Y can be nonzero.
    pub live: Vec<bool>,
    /// A, out of rows that were live a step before.
    pub feeds: Live<T>,
    /// B, out of rows that are live.
    pub relays: Live<T>,
    /// Credit given to the output rows and not carried back yet.
    pub credit: Vec<T>,
}

impl<T: Real> Record<T> {
    /// Rows, four times, and outputs.
    fn sizes(&self) -> (usize, usize, usize, usize, usize) {
        (self.d.len(), self.e.len(), self.e_bar.len(), self.live.len(), self.credit.len())
    }

    /// Whether its couplings are of that wiring.
    fn is_of(&self, wiring: &Wiring) -> bool {
        self.feeds.is_of(wiring.previous()) && self.relays.is_of(wiring.current())
    }
}

/// The steps since the base, and what enters them, steps fastest: a dot product over steps is one over neighbours.
pub struct History<T> {
    activity: bool,
    records: Vec<Record<T>>,
    pub len: usize,
    /// Numbers from one pre-activation or source to the next.
    pub stride: usize,
    pub gains: Vec<T>,
    pub phis: Vec<T>,
    /// φ once more, sources fastest: 64 of them at every step, and then the next 64.
    phi_blocks: Vec<Lanes<T>>,
}

impl<T: Real> History<T> {
    /// Room for `steps` steps.
    pub fn new(wiring: &Wiring, steps: usize, activity: bool) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let rows = wiring.rows();
        let record = || Record {
            d: zeros(rows),
            e: zeros(rows),
            e_bar: zeros(rows),
            live: vec![false; rows],
            feeds: Live::new(wiring.previous()),
            relays: Live::new(wiring.current()),
            credit: zeros(wiring.outputs().len()),
        };
        // An odd number of lines of the cache: neighbours at a power of two would all fall into the same few places.
        let stride = LANES * (steps.div_ceil(LANES) | 1);
        Self {
            activity,
            records: (0..steps).map(|_| record()).collect(),
            len: 0,
            stride,
            gains: zeros(wiring.pre_rows().len() * stride),
            phis: zeros(wiring.sources().len() * stride),
            phi_blocks: vec![Lanes::zero(); wiring.sources().len().div_ceil(COLUMNS) * steps],
        }
    }

    /// The steps of the block, oldest first.
    pub fn steps(&self) -> &[Record<T>] {
        &self.records[..self.len]
    }

    pub fn steps_mut(&mut self) -> &mut [Record<T>] {
        &mut self.records[..self.len]
    }

    /// Appends a step; `before` tells which rows were live in the base, if there is one, for the first.
    pub fn push(&mut self, wiring: &Wiring, step: &Step<T>, before: Option<&[bool]>) {
        let (past, rest) = self.records.split_at_mut(self.len);
        let record = &mut rest[0];
        record.d.copy_from_slice(&step.d);
        record.e.copy_from_slice(&step.e);
        record.e_bar.copy_from_slice(&step.e_bar);
        record.credit.fill(T::zero());
        for (row, live) in record.live.iter_mut().enumerate() {
            *live = step.is_live(row) || !self.activity;
        }
        let before = past.last().map(|record| &record.live[..]).or(before);
        match before {
            Some(live) => record.feeds.fill(wiring.previous(), &step.a, |row| live[row], !self.activity),
            None => record.feeds.clear(),
        }
        let all = !self.activity;
        let Record { relays, live, .. } = record;
        relays.fill(
            wiring.current(),
            &step.b,
            |row| live[row] && (all || earns(wiring, step, row, before)),
            all,
        );
        for (gains, &gain) in self.gains.chunks_exact_mut(self.stride).zip(&step.gain) {
            gains[self.len] = gain;
        }
        for (phis, &phi) in self.phis.chunks_exact_mut(self.stride).zip(&step.phi) {
            phis[self.len] = phi;
        }
        let steps = self.records.len();
        for (of_block, phi) in self.phi_blocks.chunks_exact_mut(steps).zip(step.phi.chunks(COLUMNS)) {
            of_block[self.len].0[..phi.len()].copy_from_slice(phi);
        }
        self.len += 1;
    }

    /// φ of 64 sources at every step.
    pub fn phi_blocks(&self, block: usize) -> &[Lanes<T>] {
        &self.phi_blocks[block * self.records.len()..][..self.len]
    }

    /// Begins a new block.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets everything: also what lies behind the steps of a block, which is multiplied by zero and must be finite.
    pub fn forget(&mut self) {
        self.len = 0;
        self.gains.fill(T::zero());
        self.phis.fill(T::zero());
    }

    /// Writes the steps of the block, or takes them back.
    ///
    /// # Errors
    /// If what is read is of another wiring, or of longer blocks.
    pub fn archive(&mut self, wiring: &Wiring, archive: &mut Archive) -> Result<()> {
        archive.field("history.len", &mut self.len)?;
        if self.len > self.records.len() {
            return Err(Error::State { field: "history.len", found: format!("{} steps", self.len) });
        }
        for record in &mut self.records[..self.len] {
            let sizes = record.sizes();
            archive.field("history.step", record)?;
            if record.sizes() != sizes || !record.is_of(wiring) {
                return Err(Error::State {
                    field: "history.step",
                    found: "a step of another network".into(),
                });
            }
            record.feeds.reserve(wiring.previous());
            record.relays.reserve(wiring.current());
        }
        archive.list("history.gains", &mut self.gains)?;
        archive.list("history.phis", &mut self.phis)?;
        let (steps, stride) = (self.records.len(), self.stride);
        for (source, phis) in self.phis.chunks_exact(stride).enumerate() {
            for (s, &phi) in phis[..self.len].iter().enumerate() {
                self.phi_blocks[source / COLUMNS * steps + s].0[source % COLUMNS] = phi;
            }
        }
        Ok(())
    }

    /// Numbers that the steps of the block take.
    pub fn numbers(&self) -> usize {
        let entries: usize = self.steps().iter().map(|r| r.feeds.len() + r.relays.len()).sum();
        let fixed = self.steps().first().map_or(0, |r| 3 * r.d.len() + r.credit.len());
        let (gains, phis) = (self.gains.len() / self.stride, self.phis.len() / self.stride);
        entries + self.len * (fixed + gains + 2 * phis)
    }
}

/// Whether anything comes of credit for the emission of a row: by its threshold, by its carry, by its parameters, or by what it reads. A row
/// inside a step, such as the gated activity of a unit that was silent, need not.
fn earns<T: Real>(wiring: &Wiring, step: &Step<T>, row: usize, before: Option<&[bool]>) -> bool {
    let zero = T::zero();
    let mut read = wiring.previous().row(row);
    step.e_bar[row] != zero
        || step.d[row] != zero
        || wiring.gates_of(row).iter().any(|&pre| step.gain[pre] != zero)
        || wiring.current().row(row).any(|(_, at)| step.b[at] != zero)
        || before.is_some_and(|live| read.any(|(l, at)| live[l] && step.a[at] != zero))
}
