//! What is planned beside the lines themselves: the immediate influence M̄ and Ē, `B Y_t` of the same step, and credit.

use super::panel::Panel;
use super::plan::Now;
use super::program::{Last, Line, NOWHERE, Point};
use super::tile::COLUMNS;
use crate::rule::form::Form;
use crate::scalar::Real;
use std::ops::Range;

impl<T: Real> Panel<T> {
    /// What M̄ and Ē add: gain × source, one entry per parameter of a held row whose source is not silent. Returns how many there are.
    pub(super) fn inject(&mut self, now: Now<T>, activity: bool) -> usize {
        let Self { program, columns, line, theta, held, carries, .. } = self;
        program.points.clear();
        program.starts.clear();
        program.starts.extend_from_slice(columns.starts());
        program.ends.clone_from(&program.starts);
        if columns.len() == 0 {
            return 0;
        }
        let (entries, ends) = (&mut program.entries[..], &mut program.ends[..]);
        let (phi, gain) = (&now.step.phi[..], now.values.gain);
        for &row in held.iter() {
            let row = row as usize;
            if !*carries && now.step.e_bar[row] != T::zero() && theta[row] != NOWHERE {
                let (line, column, value) = (line[row], theta[row], now.step.e_bar[row]);
                program.points.push(Point { line, column, value });
            }
            let scale = if *carries { T::one() } else { now.step.e[row] };
            let start = line[row] * COLUMNS as u32;
            if columns.are_arranged() {
                for span in columns.spans().of(row) {
                    let (factor, start) = (scale * gain[span.at as usize], start + span.column);
                    let end = &mut ends[span.tile as usize];
                    let mut own = *end as usize;
                    for (place, &source) in (start..).zip(columns.spans().sources(span)) {
                        let phi = phi[source as usize];
                        entries[own] = (place, factor * phi);
                        own += usize::from((phi != T::zero()) | !activity);
                    }
                    *end = own as u32;
                }
                continue;
            }
            for entry in columns.entries(row) {
                // Written always, kept if the source speaks.
                let phi = phi[entry.source as usize];
                let end = &mut ends[entry.column as usize / COLUMNS];
                let place = start + entry.column % COLUMNS as u32;
                entries[*end as usize] = (place, scale * gain[entry.at as usize] * phi);
                *end += u32::from((phi != T::zero()) | !activity);
            }
        }
        program.ends.iter().zip(&program.starts).map(|(end, start)| (end - start) as usize).sum()
    }

    /// What lines read of the same step. Returns the number of terms.
    pub(super) fn relay(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> usize {
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
        for &row in &self.held {
            let row = row as usize;
            if !outputs.contains(&row) || !(self.was_live(row, last)) {
                continue;
            }
            let c = credit[row - outputs.start];
            if c == T::zero() && last.activity {
                continue;
            }
            let factor = if self.carries { c * last.e[row] } else { c };
            self.program.credit.push((factor, self.line[row]));
            self.program.credit_of[self.line[row] as usize] = factor;
            if self.carries && self.theta[row] != NOWHERE {
                self.program.credit_points.push((c * last.e_bar[row], self.theta[row]));
            }
        }
        (self.program.credit.len() * self.columns.len()) as u64
    }
}
