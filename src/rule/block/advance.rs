//! The base carried over a whole block, in shares: with `Λ_s = ∂S_K/∂S_s` from K steps back for every line of the new base ([`Back`]),
//!
//! `S_K = P S_0 + Σ_s Λ_sᵀ M̄_s`,  `P = Λ_1ᵀ (diag(d_1) + A_1 diag(e_0))`
//!
//! for one unit after another ([`Make`]). Ē enters in the columns of thresholds.

use super::back::{Back, Chunk};
use super::base::{Anchor, Base, COLUMNS, Unit};
use super::history::{History, Record};
use super::make::{Make, Scratch};
use super::schedule::{self, Schedule};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS};
use crate::wiring::Wiring;
use rayon::prelude::*;
use std::ops::Range;

/// Parts into which the units of a share are cut for threads to take: more than there are threads, as a rule, so that none waits long.
const PARTS: usize = 8;

/// Carries a base over blocks; all room is kept.
pub struct Advance<T> {
    chunks: Vec<Chunk<T>>,
    /// P, one set of coefficients per old line, for every set of new lines.
    p: Vec<[T; ROWS]>,
    scratch: Vec<Scratch<T>>,
    schedule: Schedule,
    /// The most lines there can be, and the steps of a block.
    lines: usize,
    steps: usize,
}

impl<T: Real> Advance<T> {
    /// Room for blocks of that many steps.
    pub fn new(wiring: &Wiring, base: &Base<T>, steps: usize) -> Self {
        let lines = base.most_lines();
        Self {
            chunks: (0..lines.div_ceil(COLUMNS)).map(|_| Chunk::new(wiring.rows(), lines, steps)).collect(),
            p: vec![[T::zero(); ROWS]; lines.div_ceil(ROWS) * lines],
            scratch: vec![Scratch::new(lines, steps)],
            schedule: Schedule::new(steps + base.units.len()),
            lines,
            steps,
        }
    }

    /// Begins to carry the base over a block, to be done long before as many steps have passed.
    pub fn begin(&mut self, wiring: &Wiring, history: &History<T>, base: &mut Base<T>) {
        let Some(last) = history.steps().last() else { return };
        base.go_on(wiring, last);
        let (old, new) = (base.left.lines(), base.reached.lines());
        let back = |step: &Record<T>| {
            let macs = ((step.feeds.len() + step.relays.len()) * new.len()) as u64;
            (schedule::LISTED * macs, macs)
        };
        let unit = |unit: &Unit<T>| {
            let products = unit.reach(new) * (unit.reach(old) + history.len) + history.len;
            let macs = (unit.columns.len() * products) as u64;
            (macs, macs)
        };
        let pieces = history.steps().iter().rev().map(back).chain(base.units.iter().map(unit));
        self.schedule.begin(pieces, schedule::shares(self.steps));
    }

    /// Writes where it stands, or takes it back.
    ///
    /// # Errors
    /// If what is read is of another network.
    pub fn archive(&mut self, archive: &mut Archive, units: usize) -> Result<()> {
        archive.field("advance.schedule", &mut self.schedule)?;
        if !self.schedule.is_sound(self.steps + units) {
            return Err(Error::State { field: "advance.schedule", found: "one of another network".into() });
        }
        self.schedule.reserve(self.steps + units);
        // Also what an advance has left that is done: nobody reads it, but what is saved must not depend on whether it was restored once.
        self.chunks.iter_mut().try_for_each(|chunk| chunk.archive(archive))?;
        archive.list("advance.p", &mut self.p)
    }

    /// What is due at a step: pieces to be carried out, and their MACs.
    pub fn due(&mut self) -> (Range<usize>, u64) {
        self.schedule.next()
    }

    /// Whether all of it has been due.
    pub fn is_done(&self) -> bool {
        self.schedule.is_done()
    }

    /// Units that these pieces carry to the new base.
    pub fn units(&self, pieces: &Range<usize>) -> Range<usize> {
        pieces.start.saturating_sub(self.steps)..pieces.end.saturating_sub(self.steps)
    }

    /// Units that are at the new base.
    pub fn moved(&self) -> usize {
        if self.is_done() { usize::MAX } else { self.schedule.done().saturating_sub(self.steps) }
    }

    /// Gives up.
    pub fn forget(&mut self) {
        self.schedule.forget();
    }

    /// Carries out some pieces: first Λ, then their units.
    pub fn carry_out(
        &mut self,
        arch: pulp::Arch,
        (wiring, history): (&Wiring, &History<T>),
        (from, to): (&Anchor<T>, &Anchor<T>),
        units: &mut [Unit<T>],
        (pieces, macs): (Range<usize>, u64),
    ) {
        let (threads, steps) = (super::catch_up::threads(macs), self.steps);
        let taken = steps - pieces.end.min(steps)..steps - pieces.start.min(steps);
        if !taken.is_empty() {
            self.back(arch, (wiring, history), (from, to), taken, threads);
        }
        let (chunks, p) = (&self.chunks[..], &self.p[..]);
        let make = |units: &mut [Unit<T>], scratch: &mut Scratch<T>| {
            for unit in units {
                let scratch = &mut *scratch;
                lanes::dispatch(arch, Make { unit, scratch, chunks, p, from, to, history });
            }
        };
        let parts = if threads == 1 { 1 } else { units.len().min(PARTS) };
        if parts <= 1 {
            return make(units, &mut self.scratch[0]);
        }
        let room = parts.max(self.scratch.len());
        self.scratch.resize_with(room, || Scratch::new(self.lines, steps));
        let share = units.len().div_ceil(parts);
        units.par_chunks_mut(share).zip(&mut self.scratch).for_each(|(units, scratch)| make(units, scratch));
    }

    /// Carries Λ back through some steps and, once it has arrived at the old base, puts P together.
    fn back(
        &mut self,
        arch: pulp::Arch,
        (wiring, history): (&Wiring, &History<T>),
        (from, to): (&Anchor<T>, &Anchor<T>),
        taken: Range<usize>,
        threads: usize,
    ) {
        let (rows, steps, old) = (to.lines(), history.steps(), from.lines().len());
        let chunks = &mut self.chunks[..rows.len().div_ceil(COLUMNS)];
        let back = |(k, chunk): (usize, &mut Chunk<T>)| {
            let lines = &rows[k * COLUMNS..rows.len().min((k + 1) * COLUMNS)];
            lanes::dispatch(arch, Back { wiring, chunk, lines, steps, taken: taken.clone(), base: from });
        };
        match threads {
            1 => chunks.iter_mut().enumerate().for_each(back),
            _ => chunks.par_iter_mut().enumerate().for_each(back),
        }
        if taken.start > 0 || old == 0 {
            return;
        }
        let sets = self.p.chunks_exact_mut(old).take(rows.len().div_ceil(ROWS));
        for (set, p) in sets.enumerate() {
            let (chunk, at) = (set * ROWS / COLUMNS, set * ROWS % COLUMNS);
            for (coefficients, p) in p.iter_mut().zip(&chunks[chunk].p) {
                coefficients.copy_from_slice(&p.0[at..at + ROWS]);
            }
        }
    }

    /// Numbers it keeps between blocks.
    pub fn numbers(&self) -> usize {
        self.chunks.iter().map(Chunk::numbers).sum::<usize>() + self.p.len() * ROWS
    }
}
