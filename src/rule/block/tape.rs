//! The steps of a block, in the form that the backward pass reads.

use super::coupling::LiveColumns;
use super::tile::{COLUMNS, UnitLanes};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use serde::{Deserialize, Serialize};

/// Steps that a dot product over steps takes at once.
pub const STEP_LANES: usize = 16;

/// One step: d, e and Ē per row [n], and couplings.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct TapeStep<T> {
    pub d: Vec<T>,
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
    /// Whether the row of Y can be nonzero. [n]
    pub live: Vec<bool>,
    /// A, in the columns of rows that were live at the previous step.
    pub coupling_previous: LiveColumns<T>,
    /// B, in the columns of rows that are live.
    pub coupling_current: LiveColumns<T>,
    /// Credit that has not been carried back. [outputs]
    pub credit: Vec<T>,
}

impl<T: Real> TapeStep<T> {
    /// The number of rows, four times, and of outputs.
    fn sizes(&self) -> (usize, usize, usize, usize, usize) {
        (self.d.len(), self.e.len(), self.e_bar.len(), self.live.len(), self.credit.len())
    }

    /// Whether its couplings fit the wiring.
    fn is_of(&self, wiring: &Wiring) -> bool {
        self.coupling_previous.is_of(wiring.previous()) && self.coupling_current.is_of(wiring.current())
    }
}

/// The steps of a block, with gains and sources stored step by step for each of them: dot products over steps read contiguous memory.
pub struct Tape<T> {
    activity: bool,
    steps: Vec<TapeStep<T>>,
    /// Number of recorded steps, at most K.
    pub len: usize,
    /// Distance between pre-activations, or sources: K rounded up.
    pub stride: usize,
    /// Gain of pre-activation g at step s: `gains[g · stride + s]`; φ of source k at step s: `phis[k · stride + s]`.
    pub gains: Vec<T>,
    pub phis: Vec<T>,
    /// φ again, 64 sources at a time. [⌈sources / C⌉][K][C]
    phi_blocks: Vec<UnitLanes<T>>,
}

impl<T: Real> Tape<T> {
    /// Room for `steps` steps.
    pub fn new(wiring: &Wiring, steps: usize, activity: bool) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let rows = wiring.rows();
        let tape_step = || TapeStep {
            d: zeros(rows),
            e: zeros(rows),
            e_bar: zeros(rows),
            live: vec![false; rows],
            coupling_previous: LiveColumns::new(wiring.previous()),
            coupling_current: LiveColumns::new(wiring.current()),
            credit: zeros(wiring.outputs().len()),
        };
        // An odd number of cache lines: strides of a power of two would map to the same few cache sets.
        let stride = STEP_LANES * (steps.div_ceil(STEP_LANES) | 1);
        Self {
            activity,
            steps: (0..steps).map(|_| tape_step()).collect(),
            len: 0,
            stride,
            gains: zeros(wiring.pre_rows().len() * stride),
            phis: zeros(wiring.sources().len() * stride),
            phi_blocks: vec![UnitLanes::zero(); wiring.sources().len().div_ceil(COLUMNS) * steps],
        }
    }

    /// The steps of the block, oldest first.
    pub fn steps(&self) -> &[TapeStep<T>] {
        &self.steps[..self.len]
    }

    pub fn steps_mut(&mut self) -> &mut [TapeStep<T>] {
        &mut self.steps[..self.len]
    }

    /// Appends a step; `before` tells which rows are live at the anchor, if there is one; it is used for the first step.
    pub fn push(&mut self, wiring: &Wiring, step: &Step<T>, before: Option<&[bool]>) {
        let (past, rest) = self.steps.split_at_mut(self.len);
        let tape_step = &mut rest[0];
        tape_step.d.copy_from_slice(&step.d);
        tape_step.e.copy_from_slice(&step.e);
        tape_step.e_bar.copy_from_slice(&step.e_bar);
        tape_step.credit.fill(T::zero());
        for (row, live) in tape_step.live.iter_mut().enumerate() {
            *live = step.is_live(row) || !self.activity;
        }
        let before = past.last().map(|tape_step| &tape_step.live[..]).or(before);
        match before {
            Some(live) => {
                tape_step.coupling_previous.fill(wiring.previous(), &step.a, |row| live[row], !self.activity)
            }
            None => tape_step.coupling_previous.clear(),
        }
        let all = !self.activity;
        let TapeStep { coupling_current, live, .. } = tape_step;
        coupling_current.fill(
            wiring.current(),
            &step.b,
            |row| live[row] && (all || has_effect(wiring, step, row, before)),
            all,
        );
        for (gains, &gain) in self.gains.chunks_exact_mut(self.stride).zip(&step.gain) {
            gains[self.len] = gain;
        }
        for (phis, &phi) in self.phis.chunks_exact_mut(self.stride).zip(&step.phi) {
            phis[self.len] = phi;
        }
        let steps = self.steps.len();
        for (of_block, phi) in self.phi_blocks.chunks_exact_mut(steps).zip(step.phi.chunks(COLUMNS)) {
            of_block[self.len].0[..phi.len()].copy_from_slice(phi);
        }
        self.len += 1;
    }

    /// φ of the sources of one block at every step. [len][C]
    pub fn phi_blocks(&self, block: usize) -> &[UnitLanes<T>] {
        &self.phi_blocks[block * self.steps.len()..][..self.len]
    }

    /// Starts a new block.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Clears everything, also the numbers after the last step: they are multiplied by zero and must be finite.
    pub fn clear_all(&mut self) {
        self.len = 0;
        self.gains.fill(T::zero());
        self.phis.fill(T::zero());
    }

    /// Saves or restores the steps of the block.
    ///
    /// # Errors
    /// If the archive belongs to another wiring, or to longer blocks.
    pub fn archive(&mut self, wiring: &Wiring, archive: &mut Archive) -> Result<()> {
        archive.field("tape.len", &mut self.len)?;
        if self.len > self.steps.len() {
            return Err(Error::State { field: "tape.len", found: format!("{} steps", self.len) });
        }
        for tape_step in &mut self.steps[..self.len] {
            let sizes = tape_step.sizes();
            archive.field("tape.step", tape_step)?;
            if tape_step.sizes() != sizes || !tape_step.is_of(wiring) {
                return Err(Error::State { field: "tape.step", found: "a step of another network".into() });
            }
            tape_step.coupling_previous.reserve(wiring.previous());
            tape_step.coupling_current.reserve(wiring.current());
        }
        archive.list("tape.gains", &mut self.gains)?;
        archive.list("tape.phis", &mut self.phis)?;
        let (steps, stride) = (self.steps.len(), self.stride);
        for (source, phis) in self.phis.chunks_exact(stride).enumerate() {
            for (s, &phi) in phis[..self.len].iter().enumerate() {
                self.phi_blocks[source / COLUMNS * steps + s].0[source % COLUMNS] = phi;
            }
        }
        Ok(())
    }

    /// Numbers that the steps of the block take.
    pub fn numbers(&self) -> usize {
        let entries: usize =
            self.steps().iter().map(|r| r.coupling_previous.len() + r.coupling_current.len()).sum();
        let fixed = self.steps().first().map_or(0, |r| 3 * r.d.len() + r.credit.len());
        let (gains, phis) = (self.gains.len() / self.stride, self.phis.len() / self.stride);
        entries + self.len * (fixed + gains + 2 * phis)
    }
}

/// Whether credit for the emission of a row has any effect: by its threshold, its carry, its parameters, or the rows it reads. An inner
/// row, such as the gated activity of a silent unit, may have none.
fn has_effect<T: Real>(wiring: &Wiring, step: &Step<T>, row: usize, before: Option<&[bool]>) -> bool {
    let zero = T::zero();
    let mut read = wiring.previous().row(row);
    step.e_bar[row] != zero
        || step.d[row] != zero
        || wiring.gates_of(row).iter().any(|&pre| step.gain[pre] != zero)
        || wiring.current().row(row).any(|(_, at)| step.b[at] != zero)
        || before.is_some_and(|live| read.any(|(l, at)| live[l] && step.a[at] != zero))
}
