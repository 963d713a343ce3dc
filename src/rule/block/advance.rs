//! The advance of S over a block, in shares. With `Λ_s = ∂S_K/∂S_s` of the K steps
//! ([`TransitionPass`]),
//!
//! `S_K = P S_0 + Σ_s Λ_s M̄_s`,  `P = Λ_1 (diag(d_1) + A_1 diag(e_0))`
//!
//! for one unit after another ([`TileUpdate`]). Ē is added in the columns of thresholds.

use super::ended::EndedBlock;
use super::influence::{AnchorInfluence, UnitInfluence};
use super::schedule::{self, Schedule};
use super::tape::{Tape, TapeStep};
use super::tile::COLUMNS;
use super::transition::{Transition, TransitionPass};
use super::update::{TileUpdate, UpdateScratch};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS};
use crate::wiring::Wiring;
use rayon::prelude::*;
use std::ops::Range;

/// Number of parts into which the units of a share are split for threads. It exceeds the usual
/// number of threads, so that all threads finish at similar times.
const PARTS: usize = 8;

/// MACs from which several threads are used. Fewer than in the direct recursion, since reading
/// memory takes most of the time.
const WORTH_A_THREAD: u64 = 1_500_000;

/// Returns the number of threads for `macs` MACs.
pub fn threads(macs: u64) -> usize {
    if macs < WORTH_A_THREAD { 1 } else { rayon::current_num_threads() }
}

/// A share of the advance.
#[derive(Default)]
pub struct Share {
    /// Pieces of the schedule.
    pub pieces: Range<usize>,
    /// MACs of the pieces.
    pub macs: u64,
}

/// Advances S over blocks.
pub struct Advance<T> {
    /// `[⌈slots / 64⌉]`, Λ of 64 rows at the end of the block each.
    transitions: Vec<Transition<T>>,
    /// `[⌈slots / 4⌉][slots at the start][4]`, P: the coefficients of four rows at the end.
    p: Vec<[T; ROWS]>,
    /// `[parts]`
    scratch: Vec<UpdateScratch<T>>,
    /// The state of the advance.
    schedule: Schedule,
    /// Maximum number of stored rows.
    slots: usize,
    /// K.
    steps: usize,
}

impl<T: Real> Advance<T> {
    /// Reserves memory for blocks of `steps` steps.
    pub fn new(wiring: &Wiring, influence: &AnchorInfluence<T>, steps: usize) -> Self {
        let slots = influence.max_slots();
        let transition = |_| Transition::new(wiring.rows(), slots, steps);
        Self {
            transitions: (0..slots.div_ceil(COLUMNS)).map(transition).collect(),
            p: vec![[T::zero(); ROWS]; slots.div_ceil(ROWS) * slots],
            scratch: vec![UpdateScratch::new(slots, steps)],
            schedule: Schedule::new(steps + influence.units.len()),
            slots,
            steps,
        }
    }

    /// Starts the advance over a finished block.
    pub fn begin(&mut self, wiring: &Wiring, tape: &Tape<T>, influence: &mut AnchorInfluence<T>) {
        let Some(last) = tape.steps().last() else { return };
        influence.begin_block(wiring, last);
        let (old, new) = (influence.start.slots(), influence.end.slots());
        let back = |step: &TapeStep<T>| {
            let couplings = step.coupling_previous.len() + step.coupling_current.len();
            let macs = (couplings * new.len()) as u64;
            (schedule::LISTED * macs, macs)
        };
        let unit = |unit: &UnitInfluence<T>| {
            let products = unit.reached(new) * (unit.reached(old) + tape.len) + tape.len;
            let macs = (unit.columns.len() * products) as u64;
            (macs, macs)
        };
        let pieces = tape.steps().iter().rev().map(back).chain(influence.units.iter().map(unit));
        self.schedule.begin(pieces, schedule::shares(self.steps));
    }

    /// Writes the state of the advance to an archive, or restores it.
    ///
    /// # Errors
    /// If the archive belongs to another network.
    pub fn archive(&mut self, archive: &mut Archive, units: usize) -> Result<()> {
        archive.field("advance.schedule", &mut self.schedule)?;
        if !self.schedule.is_sound(self.steps + units) {
            return Err(Error::State {
                field: "advance.schedule",
                found: "a schedule of another network".into(),
            });
        }
        self.schedule.reserve(self.steps + units);
        // Also after the advance is complete: the archive must not depend on an earlier restore.
        self.transitions.iter_mut().try_for_each(|transition| transition.archive(archive))?;
        archive.list("advance.p", &mut self.p)
    }

    /// Returns the next share.
    pub fn next_share(&mut self) -> Share {
        let (pieces, macs) = self.schedule.next();
        Share { pieces, macs }
    }

    /// Returns whether every share has been taken.
    pub fn is_done(&self) -> bool {
        self.schedule.is_done()
    }

    /// Returns the units that these pieces advance.
    pub fn units(&self, pieces: &Range<usize>) -> Range<usize> {
        pieces.start.saturating_sub(self.steps)..pieces.end.saturating_sub(self.steps)
    }

    /// Returns the number of units whose S is at the end of the block; `usize::MAX` if all are.
    pub fn moved(&self) -> usize {
        if self.is_done() { usize::MAX } else { self.schedule.done().saturating_sub(self.steps) }
    }

    /// Cancels the advance.
    pub fn clear(&mut self) {
        self.schedule.clear();
    }

    /// Executes a share: first its steps of Λ, then its units.
    pub fn execute(
        &mut self,
        arch: pulp::Arch,
        block: EndedBlock<'_, T>,
        units: &mut [UnitInfluence<T>],
        Share { pieces, macs }: Share,
    ) {
        let (threads, steps) = (threads(macs), self.steps);
        let taken = steps - pieces.end.min(steps)..steps - pieces.start.min(steps);
        if !taken.is_empty() {
            self.back(arch, block, taken, threads);
        }
        let (transitions, p) = (&self.transitions[..], &self.p[..]);
        let update = |units: &mut [UnitInfluence<T>], scratch: &mut UpdateScratch<T>| {
            for unit in units {
                let scratch = &mut *scratch;
                lanes::dispatch(arch, TileUpdate { unit, scratch, transitions, p, block });
            }
        };
        let parts = if threads == 1 { 1 } else { units.len().min(PARTS) };
        if parts <= 1 {
            return update(units, &mut self.scratch[0]);
        }
        let room = parts.max(self.scratch.len());
        self.scratch.resize_with(room, || UpdateScratch::new(self.slots, steps));
        let part = units.len().div_ceil(parts);
        units.par_chunks_mut(part).zip(&mut self.scratch).for_each(|(units, scratch)| update(units, scratch));
    }

    /// Computes Λ of some steps and, at the start of the block, P.
    fn back(&mut self, arch: pulp::Arch, block: EndedBlock<'_, T>, taken: Range<usize>, threads: usize) {
        let (rows, old) = (block.end.slots(), block.start.slots().len());
        let transitions = &mut self.transitions[..rows.len().div_ceil(COLUMNS)];
        let back = |(k, transition): (usize, &mut Transition<T>)| {
            let slots = &rows[k * COLUMNS..rows.len().min((k + 1) * COLUMNS)];
            let steps = block.tape.steps();
            let (wiring, start, taken) = (block.wiring, block.start, taken.clone());
            lanes::dispatch(arch, TransitionPass { wiring, transition, slots, steps, taken, start });
        };
        if threads == 1 {
            transitions.iter_mut().enumerate().for_each(back);
        } else {
            transitions.par_iter_mut().enumerate().for_each(back);
        }
        if taken.start > 0 || old == 0 {
            return;
        }
        let sets = self.p.chunks_exact_mut(old).take(rows.len().div_ceil(ROWS));
        for (set, p) in sets.enumerate() {
            let (transition, at) = (set * ROWS / COLUMNS, set * ROWS % COLUMNS);
            for (coefficients, p) in p.iter_mut().zip(&transitions[transition].p) {
                coefficients.copy_from_slice(&p.0[at..at + ROWS]);
            }
        }
    }

    /// Returns the number of values of Λ and P.
    pub fn numbers(&self) -> usize {
        self.transitions.iter().map(Transition::numbers).sum::<usize>() + self.p.len() * ROWS
    }
}
