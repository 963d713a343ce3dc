//! A step as a plan, `S_t = diag(d) S_{t-1} + A Y_{t-1} + M̄_t + B Y_t`: which lines there are, and what they are made of. Everything that
//! depends on what is live, silent or masked is decided here, once a step; carrying it out (`tile.rs`) is the same for every tile.

use super::panel::Panel;
use super::program::{Copied, Last, Line, NOWHERE, Point};
use super::tile::{Block, COLUMNS};
use crate::cell::Step;
use crate::rule::form::{Form, Values};
use crate::scalar::Real;
use std::ops::Range;

/// The step being made, and its couplings and gains in the form the rule runs on.
#[derive(Clone, Copy)]
pub struct Now<'a, T> {
    pub step: &'a Step<T>,
    pub values: Values<'a, T>,
}

impl<T: Real> Panel<T> {
    /// Plans a step. Returns its MACs, and those of `A Y` over the columns of recurrent weights.
    pub fn plan(&mut self, form: &Form<T>, last: &Last<T>, now: Now<T>) -> (u64, u64) {
        let activity = last.activity;
        let (y_len, y_recurrent) = (self.columns.len(), self.columns.recurrent_len());
        self.program.before = self.columns.tiles();
        self.emit(last);
        self.wake(now, activity);
        let (terms, decays) = self.carry(form, now, activity);
        let entries = self.inject(form, now, activity);
        let relayed = self.relay(form, now, activity);
        let macs =
            (self.program.copies.len() + decays + terms) * y_len + entries + relayed * self.columns.len();
        (macs as u64, (terms * y_recurrent) as u64)
    }

    /// Which live rows of Y the step reads, and where it finds them.
    fn emit(&mut self, last: &Last<T>) {
        self.program.copies.clear();
        for k in 0..self.feeders.len() {
            let row = self.feeders[k];
            self.slot[row] = match self.columns.len() > 0 && self.was_live(row, last) {
                false => NOWHERE,
                true if !self.carries => self.line[row],
                true => {
                    let (e, theta, e_bar) = (last.e[row], self.theta[row], last.e_bar[row]);
                    self.program.copies.push(Copied { line: self.line[row], e, theta, e_bar });
                    self.program.copies.len() as u32 - 1
                }
            };
        }
        self.program.sources = if self.carries { self.program.copies.len() } else { self.held };
    }

    /// Wakes the columns of sources that speak for the first time.
    fn wake(&mut self, now: Now<T>, activity: bool) {
        // The constant always speaks, and first: thresholds are found at their place in its group.
        debug_assert!(now.step.phi[0] == T::one());
        let before = self.program.before;
        for (source, &phi) in now.step.phi.iter().enumerate() {
            if phi != T::zero() || !activity {
                self.columns.wake(source);
            }
        }
        self.program.tiles = self.columns.tiles();
        if self.carries {
            // Places of a tile that no column has taken yet stay zero by themselves.
            for tile in &mut self.tiles[before..self.program.tiles] {
                tile.blocks.fill(Block::zero());
            }
        }
    }

    /// Which lines there are, and what they are made of. Returns the number of their terms, and of those that decay.
    fn carry(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> (usize, usize) {
        let (mut decays, mut end) = (0, 0);
        self.held = self.carried;
        self.program.lines.clear();
        for k in 0..self.rows.len() {
            let (row, carries) = self.rows[k];
            let dead = activity && !carries && !now.step.is_live(row);
            let start = end;
            if !dead {
                // Lines of rows without carry hold Y = e S where no row carries.
                let scale = if self.carries { T::one() } else { now.step.e[row] };
                let (sources, positions) = form.previous.row_of(row);
                let terms = &mut self.program.terms[start..];
                let mut n = 0;
                for (&l, &a) in sources.iter().zip(&now.values.a[positions]) {
                    // Written always, kept if it counts: whether it does is a coin toss to a branch.
                    let slot = self.slot[l as usize];
                    terms[n] = (a * scale, slot);
                    n += usize::from((slot != NOWHERE) & (a != T::zero() || !activity));
                }
                end = start + n;
            }
            if carries {
                let decay = now.step.d[row];
                decays += usize::from(decay != T::one());
                self.push_line(row, decay, start..end);
            } else if dead || (activity && end == start && !self.is_fed(row, form, now)) {
                end = start;
                self.line[row] = NOWHERE;
            } else {
                self.line[row] = self.held as u32;
                self.held += 1;
                self.push_line(row, T::zero(), start..end);
            }
        }
        self.program.arrange(self.carries);
        (end, decays)
    }

    fn push_line(&mut self, row: usize, decay: T, terms: Range<usize>) {
        let (start, terms) = (terms.start as u32, terms.len() as u32);
        self.program.lines.push(Line { at: self.line[row], decay, start, terms });
    }

    /// Whether anything flows into this row at this step, beside what it reads from the step before.
    fn is_fed(&self, row: usize, form: &Form<T>, now: Now<T>) -> bool {
        let speaks = |(_, at): (usize, usize)| now.values.gain[at] != T::zero();
        let relays = |(j, at): (usize, usize)| now.values.b[at] != T::zero() && self.relays(j, now.step);
        let shows = now.step.e_bar[row] != T::zero() && self.theta[row] != NOWHERE;
        shows || form.gains.row(row).any(speaks) || form.current.row(row).any(relays)
    }

    /// Whether this row's Y of the present step can be nonzero.
    fn relays(&self, row: usize, step: &Step<T>) -> bool {
        self.is_live(row, step.e[row], step.e_bar[row])
    }

    /// What M̄ and Ē add: gain × source, one entry per parameter of a held row whose source is not silent. Returns how many there are.
    fn inject(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> usize {
        let Self { program, columns, line, theta, rows, .. } = self;
        program.points.clear();
        for &(row, _) in rows.iter().filter(|_| !self.carries) {
            if line[row] != NOWHERE && theta[row] != NOWHERE {
                let (line, column, value) = (line[row], theta[row], now.step.e_bar[row]);
                program.points.push(Point { line, column, value });
            }
        }
        for &(row, _) in rows.iter() {
            let place = if line[row] == NOWHERE { NOWHERE } else { line[row] * COLUMNS as u32 };
            let scale = if self.carries { T::one() } else { now.step.e[row] };
            for (_, at) in form.gains.row(row) {
                program.gains[at] = (place, scale * now.values.gain[at]);
            }
        }
        let mut end = 0;
        for tile in 0..program.tiles {
            for span in columns.spans(tile) {
                let phi = now.step.phi[span.source as usize];
                if phi == T::zero() && activity {
                    continue;
                }
                let (from, to) = (columns.entries(span), &mut program.entries[end..]);
                let mut n = 0;
                for entry in from {
                    // Written always, kept if the row is held.
                    let (place, gain) = program.gains[entry.at as usize];
                    to[n] = (place.wrapping_add((entry.column + span.shift) % COLUMNS as u32), gain * phi);
                    n += usize::from(place != NOWHERE);
                }
                end += n;
            }
            program.ends[tile] = end;
        }
        end
    }

    /// What lines read of the same step. Returns the number of terms.
    fn relay(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> usize {
        let step = now.step;
        self.program.relays.clear();
        self.program.relay_terms.clear();
        for k in 0..self.readers.len() {
            let row = self.readers[k];
            let line = self.line[row];
            if line == NOWHERE {
                continue;
            }
            let start = self.program.relay_terms.len() as u32;
            for (j, at) in form.current.row(row) {
                let b = now.values.b[at];
                let live = self.relays(j, step) && b != T::zero();
                if !(live || (self.line[j] != NOWHERE && !activity)) {
                    continue;
                }
                // From lines that hold Y into one that holds Y, or from lines that hold S into one that holds S.
                let factor = if self.carries { b * step.e[j] } else { b * step.e[row] };
                self.program.relay_terms.push((factor, self.line[j]));
                if self.carries && self.theta[j] != NOWHERE {
                    let value = b * step.e_bar[j];
                    self.program.points.push(Point { line, column: self.theta[j], value });
                }
            }
            let terms = self.program.relay_terms.len() as u32 - start;
            self.program.relays.push(Line { at: line, decay: T::one(), start, terms });
        }
        self.program.relay_terms.len()
    }

    /// Plans `g ← g + Yᵀ c̄` over the live output rows. Returns its MACs.
    pub fn plan_credit(&mut self, last: &Last<T>, outputs: Range<usize>, credit: &[T]) -> u64 {
        for (row, &c) in outputs.zip(credit) {
            if !self.was_live(row, last) || (c == T::zero() && last.activity) {
                continue;
            }
            let factor = if self.carries { c * last.e[row] } else { c };
            self.program.credit.push((factor, self.line[row]));
            if self.carries && self.theta[row] != NOWHERE {
                self.program.credit_points.push((c * last.e_bar[row], self.theta[row]));
            }
        }
        (self.program.credit.len() * self.columns.len()) as u64
    }
}
