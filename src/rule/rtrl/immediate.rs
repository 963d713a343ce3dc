//! What is planned beside the lines themselves: the immediate influence M̄ and Ē, `B Y_t` of the same step, and credit,
//!
//! `M̄[i, w] = gain_i φ_w`,  `S ← S + M̄ + B Y_t`,  `Y ← Y + Ē`,  `g ← g + Yᵀ c̄`.

use super::columns::Columns;
use super::panel::Panel;
use super::plan::Now;
use super::program::{Injection, Last, Line, NOWHERE, Point, Program};
use super::tile::COLUMNS;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use std::ops::Range;

impl<T: Real> Panel<T> {
    /// What M̄ and Ē add: gain × source, one entry per parameter of a held row whose source is not silent. Returns how many there are.
    pub(super) fn inject(&mut self, now: Now<T>, activity: bool) -> usize {
        let Self { program, columns, line, theta, held, carries, .. } = self;
        program.arranged = columns.are_arranged();
        program.starts.clear();
        program.starts.extend_from_slice(if program.arranged {
            columns.spans().starts()
        } else {
            columns.starts()
        });
        program.ends.clone_from(&program.starts);
        program.points.clear();
        if columns.len() == 0 {
            return 0;
        }
        if !*carries {
            for &row in held.iter() {
                let (e_bar, column) = (now.step.e_bar[row as usize], theta[row as usize]);
                if e_bar != T::zero() && column != NOWHERE {
                    program.points.push(Point { line: line[row as usize], column, value: e_bar });
                }
            }
        }
        let scale = |row: usize| if *carries { T::one() } else { now.step.e[row] };
        let places = held.iter().map(|&row| (row as usize, line[row as usize], scale(row as usize)));
        match program.arranged {
            true => inject_spans(program, columns, places, now, activity),
            false => inject_entries(program, columns, places, now, activity),
        }
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

/// Injects into rows, each with its line and scale, where columns are arranged. Returns how many entries are not zero.
fn inject_spans<T: Real>(
    program: &mut Program<T>,
    columns: &Columns,
    places: impl Iterator<Item = (usize, u32, T)>,
    now: Now<T>,
    activity: bool,
) -> usize {
    let Program { injections, ends, phi, speaks, .. } = program;
    phi.copy_from_slice(&now.step.phi);
    for (set, phi) in speaks.iter_mut().zip(phi.chunks(64)) {
        let bit = |(k, &phi): (usize, &T)| u64::from((phi != T::zero()) | !activity) << k;
        *set = phi.iter().enumerate().map(bit).fold(0, |set, bit| set | bit);
    }
    let mut count = 0;
    for (row, line, scale) in places {
        for (span, set) in columns.spans().of(row) {
            let end = &mut ends[span.tile as usize];
            let factor = scale * now.values.gain[span.at as usize];
            let (column, start) = (span.column, span.start);
            injections[*end as usize] = Injection { line, column, start, end: span.end, factor };
            *end += 1;
            count += set.iter().zip(&*speaks).map(|(a, b)| (a & b).count_ones()).sum::<u32>();
        }
    }
    count as usize
}

/// The same while columns lie as they woke, entry by entry.
fn inject_entries<T: Real>(
    program: &mut Program<T>,
    columns: &Columns,
    places: impl Iterator<Item = (usize, u32, T)>,
    now: Now<T>,
    activity: bool,
) -> usize {
    let Program { entries, starts, ends, .. } = program;
    for (row, line, scale) in places {
        let start = line * COLUMNS as u32;
        for entry in columns.entries(row) {
            // Written always, kept if the source speaks.
            let phi = now.step.phi[entry.source as usize];
            let end = &mut ends[entry.column as usize / COLUMNS];
            let place = start + entry.column % COLUMNS as u32;
            entries[*end as usize] = (place, scale * now.values.gain[entry.at as usize] * phi);
            *end += u32::from((phi != T::zero()) | !activity);
        }
    }
    ends.iter().zip(&*starts).map(|(end, start)| (end - start) as usize).sum()
}
