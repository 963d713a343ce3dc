//! A step as a plan, `S_t = diag(d) S_{t-1} + A Y_{t-1} + M̄_t + B Y_t`: which lines there are, and what they are made of. Everything that
//! depends on what is live, silent or masked is decided here, once a step; carrying it out (`tile.rs`) is the same for every tile.

use super::columns::Entry;
use super::panel::Panel;
use super::program::{Copied, Last, Line, NOWHERE};
use super::tile::{self, Lanes};
use crate::rule::recursion::{Form, Values};
use crate::scalar::Real;
use crate::wiring::Step;

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
        self.arrange();
        let (y_len, y_recurrent) = (self.columns.len(), self.columns.recurrent_len());
        self.program.before = self.columns.tiles();
        self.emit(last);
        self.wake(now, activity);
        let (terms, decays) = self.carry(form, now, activity);
        let entries = self.inject(now, activity);
        let relayed = self.relay(form, now, activity);
        let macs =
            (self.program.copies.len() + decays + terms) * y_len + entries + relayed * self.columns.len();
        (macs as u64, (terms * y_recurrent) as u64)
    }

    /// Which live rows of Y the step reads, and where it finds them; rows without carry give their lines back.
    fn emit(&mut self, last: &Last<T>) {
        self.program.copies.clear();
        if !self.carries {
            // Lines hold Y, of live rows only.
            self.program.sources = self.held.len();
            std::mem::swap(&mut self.slot, &mut self.line);
            if self.columns.len() == 0 {
                self.slot.fill(NOWHERE);
            }
            return self.release();
        }
        for k in 0..self.feeders.len() {
            let row = self.feeders[k];
            self.slot[row] = NOWHERE;
            if self.columns.len() > 0 && self.was_live(row, last) {
                self.slot[row] = self.program.copies.len() as u32;
                let (e, theta, e_bar) = (last.e[row], self.theta[row], last.e_bar[row]);
                self.program.copies.push(Copied { line: self.line[row], e, theta, e_bar });
            }
        }
        self.program.sources = self.program.copies.len();
        self.release();
    }

    /// Wakes the columns of sources that speak for the first time.
    fn wake(&mut self, now: Now<T>, activity: bool) {
        // The constant always speaks, and first: thresholds are found at their place in its group.
        debug_assert!(now.step.phi[0] == T::one());
        let before = self.program.before;
        self.columns.wake(|source| now.step.phi[source] != T::zero() || !activity);
        self.program.tiles = self.columns.tiles();
        if self.carries {
            // Places of a tile that no column has taken yet stay zero by themselves.
            for tile in self.tiles[before..self.program.tiles].iter_mut().map(tile::own) {
                tile.blocks.fill(Lanes::zero());
            }
        }
    }

    /// Which lines there are, and what they are made of. Returns the number of their terms, and of those that decay.
    fn carry(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> (usize, usize) {
        let (mut decays, mut end, mut next) = (0, 0, self.carried as u32);
        self.program.lines.clear();
        self.held.clear();
        for k in 0..self.choose(now.step, activity) {
            let row = self.candidates[k] as usize;
            // The others have given their lines back.
            let carries = self.line[row] != NOWHERE;
            // Lines of rows without carry hold Y = e S where no row carries.
            let scale = if self.carries { T::one() } else { now.step.e[row] };
            let n = self.read(row, scale, end, form, now, activity);
            if !(carries || !activity || n > 0 || self.is_fed(row, form, now)) {
                continue;
            }
            let decay = if carries { now.step.d[row] } else { T::zero() };
            decays += usize::from(carries && decay != T::one());
            if !carries {
                self.line[row] = next;
                next += 1;
            }
            self.held.push(row as u32);
            let (start, terms) = (end as u32, n as u32);
            self.program.lines.push(Line { at: self.line[row], decay, start, terms });
            end += n;
        }
        self.program.densify();
        (end, decays)
    }

    /// Writes down what a row reads of the step before, from a place on. Returns the number of terms.
    #[inline(always)]
    fn read(
        &mut self,
        row: usize,
        scale: T,
        start: usize,
        form: &Form<T>,
        now: Now<T>,
        activity: bool,
    ) -> usize {
        let (sources, positions) = form.previous.row_of(row);
        let slots = &self.slot[..];
        let terms = &mut self.program.terms[start..];
        let mut n = 0;
        for (&l, &a) in sources.iter().zip(&now.values.a[positions]) {
            // Written always, kept if it counts: whether it does is a coin toss to a branch.
            let slot = slots[l as usize];
            terms[n] = (a * scale, slot);
            n += usize::from((slot != NOWHERE) & ((a != T::zero()) | !activity));
        }
        n
    }

    /// The rows that carry or are live, ascending: writes them down and returns how many there are.
    fn choose(&mut self, step: &Step<T>, activity: bool) -> usize {
        let mut n = 0;
        for &(row, carries) in &self.rows {
            let shows = (step.e_bar[row] != T::zero()) & (self.theta[row] != NOWHERE);
            self.candidates[n] = row as u32;
            n += usize::from(carries | !activity | shows | (step.e[row] != T::zero()));
        }
        n
    }

    /// Whether anything flows into this row at this step, beside what it reads from the step before.
    fn is_fed(&self, row: usize, form: &Form<T>, now: Now<T>) -> bool {
        let speaks = |entry: &Entry| now.values.gain[entry.at as usize] != T::zero();
        let relays = |(j, at): (usize, usize)| now.values.b[at] != T::zero() && self.relays(j, now.step);
        let shows = now.step.e_bar[row] != T::zero() && self.theta[row] != NOWHERE;
        shows || self.columns.entries(row).iter().any(speaks) || form.current.row(row).any(relays)
    }

    /// Whether this row's Y of the present step can be nonzero.
    pub(super) fn relays(&self, row: usize, step: &Step<T>) -> bool {
        self.is_live(row, step.e[row], step.e_bar[row])
    }
}
