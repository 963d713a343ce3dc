//! The symbolic part of a step, `S_t = diag(d) S_{t-1} + A Y_{t-1} + M̄_t + B Y_t`: allocation of
//! slots and the list of terms of each slot. All decisions that depend on live rows, zeros and
//! masks are made here, once per step. The numeric part (`execute.rs`) executes the same program
//! for every tile.

use super::panel::Panel;
use super::program::{CopiedRow, NOWHERE, PreviousStep, RowUpdate};
use super::spans::ImmediateEntry;
use super::tile::{self, TileLanes};
use crate::rule::recursion::{Form, Values};
use crate::scalar::Real;
use crate::wiring::Step;

/// The observed step, and its couplings and gains in the form of the rule.
#[derive(Clone, Copy)]
pub struct CurrentStep<'a, T> {
    /// The observed step.
    pub step: &'a Step<T>,
    /// Couplings and gains on the patterns of the form.
    pub values: Values<'a, T>,
}

impl<T: Real> Panel<T> {
    /// Plans a step. Returns the MACs of the step, and the MACs of `A Y` in columns of recurrent
    /// weights.
    pub fn plan(&mut self, form: &Form<T>, last: &PreviousStep<T>, now: CurrentStep<T>) -> (u64, u64) {
        let activity = last.activity;
        self.sort();
        let (y_len, y_recurrent) = (self.columns.len(), self.columns.recurrent_len());
        self.program.before = self.columns.tiles();
        self.plan_sources(last);
        self.activate(now, activity);
        let (terms, decays) = self.plan_updates(form, now, activity);
        let entries = self.plan_immediate(now, activity);
        let coupled = self.plan_coupling(form, now, activity);
        let macs =
            (self.program.copies.len() + decays + terms) * y_len + entries + coupled * self.columns.len();
        (macs as u64, (terms * y_recurrent) as u64)
    }

    /// Plans the copies of live rows of Y that the step reads, and frees the slots of rows without
    /// carry.
    fn plan_sources(&mut self, last: &PreviousStep<T>) {
        self.program.copies.clear();
        if !self.carries {
            // Slots hold Y of live rows.
            self.program.sources = self.rows.held.len();
            std::mem::swap(&mut self.source_slot, &mut self.rows.slot);
            if self.columns.len() == 0 {
                self.source_slot.fill(NOWHERE);
            }
            return self.rows.release();
        }
        for k in 0..self.sources_next.len() {
            let row = self.sources_next[k];
            self.source_slot[row] = NOWHERE;
            if self.columns.len() > 0 && self.was_live(row, last) {
                self.source_slot[row] = self.program.copies.len() as u32;
                let (e, theta, e_bar) = (last.e[row], self.theta[row], last.e_bar[row]);
                self.program.copies.push(CopiedRow { slot: self.rows.slot[row], e, theta, e_bar });
            }
        }
        self.program.sources = self.program.copies.len();
        self.rows.release();
    }

    /// Activates the columns of sources that are nonzero for the first time.
    fn activate(&mut self, now: CurrentStep<T>, activity: bool) {
        // The constant source is always nonzero and is activated first. Its group contains the
        // thresholds.
        debug_assert!(now.step.phi[0] == T::one());
        let before = self.program.before;
        self.columns.activate(|source| now.step.phi[source] != T::zero() || !activity);
        self.program.tiles = self.columns.tiles();
        if self.carries {
            // Lanes without a column must be zero.
            for tile in self.tiles[before..self.program.tiles].iter_mut().map(tile::own) {
                tile.blocks.fill(TileLanes::zero());
            }
        }
    }

    /// Allocates slots and plans their terms. Returns the number of terms, and the number of slots
    /// with a decay other than 1.
    fn plan_updates(&mut self, form: &Form<T>, now: CurrentStep<T>, activity: bool) -> (usize, usize) {
        let (mut decays, mut end, mut next) = (0, 0, self.rows.carried as u32);
        self.program.updates.clear();
        self.rows.held.clear();
        for k in 0..self.candidate_rows(now.step, activity) {
            let row = self.candidates[k] as usize;
            // Rows without carry have no slot here.
            let carries = self.rows.is_stored(row);
            // If no row carries, slots hold Y = e S.
            let scale = if self.carries { T::one() } else { now.step.e[row] };
            let n = self.read(row, scale, end, form, now, activity);
            if !(carries || !activity || n > 0 || self.has_input(row, form, now)) {
                continue;
            }
            let decay = if carries { now.step.d[row] } else { T::zero() };
            decays += usize::from(carries && decay != T::one());
            if !carries {
                self.rows.slot[row] = next;
                next += 1;
            }
            self.rows.held.push(row as u32);
            let (start, terms) = (end as u32, n as u32);
            self.program.updates.push(RowUpdate { at: self.rows.slot[row], decay, start, terms });
            end += n;
        }
        self.program.densify();
        (end, decays)
    }

    /// Writes the terms of a row from the previous step to the list, from index `start`. Returns
    /// their number.
    #[inline(always)]
    fn read(
        &mut self,
        row: usize,
        scale: T,
        start: usize,
        form: &Form<T>,
        now: CurrentStep<T>,
        activity: bool,
    ) -> usize {
        let (sources, positions) = form.previous.row_of(row);
        let source_slots = &self.source_slot[..];
        let terms = &mut self.program.terms[start..];
        let mut n = 0;
        for (&l, &a) in sources.iter().zip(&now.values.a[positions]) {
            // The term is always written, and kept by the count: a branch would be unpredictable.
            let source_slot = source_slots[l as usize];
            terms[n] = (a * scale, source_slot);
            n += usize::from((source_slot != NOWHERE) & ((a != T::zero()) | !activity));
        }
        n
    }

    /// Writes the rows that carry or are live to `candidates`, ascending. Returns their number.
    fn candidate_rows(&mut self, step: &Step<T>, activity: bool) -> usize {
        let mut n = 0;
        for &(row, carries) in &self.rows.reached {
            let shows = (step.e_bar[row] != T::zero()) & (self.theta[row] != NOWHERE);
            self.candidates[n] = row as u32;
            n += usize::from(carries | !activity | shows | (step.e[row] != T::zero()));
        }
        n
    }

    /// Returns whether M̄, Ē or B Y of a row may be nonzero at this step.
    fn has_input(&self, row: usize, form: &Form<T>, now: CurrentStep<T>) -> bool {
        let nonzero = |entry: &ImmediateEntry| now.values.gain[entry.at as usize] != T::zero();
        let couplings =
            |(j, at): (usize, usize)| now.values.b[at] != T::zero() && self.couplings(j, now.step);
        let shows = now.step.e_bar[row] != T::zero() && self.theta[row] != NOWHERE;
        shows || self.columns.entries(row).iter().any(nonzero) || form.current.row(row).any(couplings)
    }

    /// Returns whether Y of a row may be nonzero at this step.
    pub(super) fn couplings(&self, row: usize, step: &Step<T>) -> bool {
        self.is_live(row, step.e[row], step.e_bar[row])
    }
}
