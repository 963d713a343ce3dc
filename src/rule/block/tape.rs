//! The steps of a block, stored for the backward pass.

use super::coupling::LiveColumns;
use super::tile::{COLUMNS, UnitLanes};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use serde::{Deserialize, Serialize};

/// Number of steps that a dot product over steps processes together.
pub const STEP_LANES: usize = 16;

/// One step: d, e, Ē, couplings and credit.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct TapeStep<T> {
    /// `[rows]`
    pub d: Vec<T>,
    /// `[rows]`
    pub e: Vec<T>,
    /// `[rows]`
    pub e_bar: Vec<T>,
    /// `[rows]`, whether the row of Y may be nonzero.
    pub live: Vec<bool>,
    /// A, in columns of rows that were live at the previous step.
    pub coupling_previous: LiveColumns<T>,
    /// B, in columns of live rows.
    pub coupling_current: LiveColumns<T>,
    /// `[outputs]`, pending credit.
    pub credit: Vec<T>,
}

impl<T: Real> TapeStep<T> {
    /// Returns the lengths of all buffers.
    fn sizes(&self) -> (usize, usize, usize, usize, usize) {
        (self.d.len(), self.e.len(), self.e_bar.len(), self.live.len(), self.credit.len())
    }

    /// Returns whether the couplings fit the wiring.
    fn is_of(&self, wiring: &Wiring) -> bool {
        self.coupling_previous.is_of(wiring.previous()) && self.coupling_current.is_of(wiring.current())
    }
}

/// The steps of a block. Gains and sources are stored with steps as the last dimension, so that dot
/// products over steps read contiguous memory.
pub struct Tape<T> {
    /// Whether rows that are zero are skipped.
    activity: bool,
    /// `[K]`, of which the first `len` are in use.
    steps: Vec<TapeStep<T>>,
    /// Number of recorded steps, at most K.
    pub len: usize,
    /// Distance between pre-activations in `gains` and between sources in `phis`: K, rounded up.
    pub stride: usize,
    /// `[pre-activations][stride]`, the gains at each step.
    pub gains: Vec<T>,
    /// `[sources][stride]`, φ at each step.
    pub phis: Vec<T>,
    /// `[⌈sources / 64⌉][K][64]`, φ in blocks of 64 sources.
    phi_blocks: Vec<UnitLanes<T>>,
}

impl<T: Real> Tape<T> {
    /// Creates an empty tape for blocks of `steps` steps.
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
        // An odd number of cache lines: strides of a power of two would map to few cache sets.
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

    /// Returns the steps of the block, oldest first.
    pub fn steps(&self) -> &[TapeStep<T>] {
        &self.steps[..self.len]
    }

    /// Returns the mutable steps of the block, oldest first.
    pub fn steps_mut(&mut self) -> &mut [TapeStep<T>] {
        &mut self.steps[..self.len]
    }

    /// Appends a step. `before` is the live rows at the anchor, if there is one; it is used for the
    /// first step of the block.
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

    /// Returns φ of a block of 64 sources at every step. `[len][64]`
    pub fn phi_blocks(&self, block: usize) -> &[UnitLanes<T>] {
        &self.phi_blocks[block * self.steps.len()..][..self.len]
    }

    /// Removes all steps.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Removes all steps and sets gains and sources to zero: values after the last step are
    /// multiplied by zero and must be finite.
    pub fn clear_all(&mut self) {
        self.len = 0;
        self.gains.fill(T::zero());
        self.phis.fill(T::zero());
    }

    /// Writes the steps of the block to an archive, or restores them.
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

    /// Returns the number of values of the steps of the block.
    pub fn numbers(&self) -> usize {
        let entries: usize =
            self.steps().iter().map(|r| r.coupling_previous.len() + r.coupling_current.len()).sum();
        let fixed = self.steps().first().map_or(0, |r| 3 * r.d.len() + r.credit.len());
        let (gains, phis) = (self.gains.len() / self.stride, self.phis.len() / self.stride);
        entries + self.len * (fixed + gains + 2 * phis)
    }
}

/// Returns whether credit for the emission of a row contributes to the gradient: through its
/// threshold, its carry, its parameters, or the rows that it reads. It does not for some inner
/// rows, such as the gated activity of a silent unit.
fn has_effect<T: Real>(wiring: &Wiring, step: &Step<T>, row: usize, before: Option<&[bool]>) -> bool {
    let zero = T::zero();
    let mut read = wiring.previous().row(row);
    step.e_bar[row] != zero
        || step.d[row] != zero
        || wiring.gates_of(row).iter().any(|&pre| step.gain[pre] != zero)
        || wiring.current().row(row).any(|(_, at)| step.b[at] != zero)
        || before.is_some_and(|live| read.any(|(l, at)| live[l] && step.a[at] != zero))
}
