//! The symbolic part of a step for immediate influence, coupling within the step, and credit:
//!
//! `M̄[i, w] = gain_i φ_w`,  `S ← S + M̄ + B Y_t`,  `Y ← Y + Ē`,  `g ← g + Yᵀ c̄`.

use super::column_map::ColumnMap;
use super::panel::Panel;
use super::program::{Injection, NOWHERE, PointUpdate, PreviousStep, Program, RowUpdate};
use super::row_map::RowMap;
use super::symbolic::CurrentStep;
use super::tile::COLUMNS;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use std::ops::Range;

impl<T: Real> Panel<T> {
    /// Plans M̄ and Ē: an entry gain × source per parameter of a stored row whose source is
    /// nonzero. Returns the number of entries.
    pub(super) fn plan_immediate(&mut self, now: CurrentStep<T>, activity: bool) -> usize {
        let Self { program, columns, rows, theta, carries, .. } = self;
        let RowMap { slot, held, .. } = rows;
        program.sorted = columns.are_sorted();
        program.starts.clear();
        program.starts.extend_from_slice(if program.sorted {
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
                    program.points.push(PointUpdate { slot: slot[row as usize], column, value: e_bar });
                }
            }
        }
        let scale = |row: usize| if *carries { T::one() } else { now.step.e[row] };
        let places = held.iter().map(|&row| (row as usize, slot[row as usize], scale(row as usize)));
        match program.sorted {
            true => plan_spans(program, columns, places, now, activity),
            false => plan_entries(program, columns, places, now, activity),
        }
    }

    /// Plans `B Y_t`. Returns the number of terms.
    pub(super) fn plan_coupling(&mut self, form: &Form<T>, now: CurrentStep<T>, activity: bool) -> usize {
        let step = now.step;
        self.program.couplings.clear();
        self.program.coupling_terms.clear();
        for k in 0..self.coupled_rows.len() {
            let row = self.coupled_rows[k];
            let slot = self.rows.slot[row];
            if slot == NOWHERE {
                continue;
            }
            let start = self.program.coupling_terms.len() as u32;
            for (j, at) in form.current.row(row) {
                let b = now.values.b[at];
                let live = self.couplings(j, step) && b != T::zero();
                if !(live || (self.rows.is_stored(j) && !activity)) {
                    continue;
                }
                // Either all slots hold S, or all slots hold Y.
                let factor = if self.carries { b * step.e[j] } else { b * step.e[row] };
                self.program.coupling_terms.push((factor, self.rows.slot[j]));
                if self.carries && self.theta[j] != NOWHERE {
                    let value = b * step.e_bar[j];
                    self.program.points.push(PointUpdate { slot, column: self.theta[j], value });
                }
            }
            let terms = self.program.coupling_terms.len() as u32 - start;
            self.program.couplings.push(RowUpdate { at: slot, decay: T::one(), start, terms });
        }
        self.program.coupling_terms.len()
    }

    /// Plans `g ← g + Yᵀ c̄` over the live output rows. Returns the MACs.
    pub fn plan_credit(&mut self, last: &PreviousStep<T>, outputs: Range<usize>, credit: &[T]) -> u64 {
        for &row in &self.rows.held {
            let row = row as usize;
            if !outputs.contains(&row) || !(self.was_live(row, last)) {
                continue;
            }
            let c = credit[row - outputs.start];
            if c == T::zero() && last.activity {
                continue;
            }
            let factor = if self.carries { c * last.e[row] } else { c };
            self.program.credit.push((factor, self.rows.slot[row]));
            self.program.credit_of[self.rows.slot[row] as usize] = factor;
            if self.carries && self.theta[row] != NOWHERE {
                self.program.credit_points.push((c * last.e_bar[row], self.theta[row]));
            }
        }
        (self.program.credit.len() * self.columns.len()) as u64
    }
}

/// Plans M̄ of sorted columns. `places` are rows with their slot and scale. Returns the number of
/// nonzero entries.
fn plan_spans<T: Real>(
    program: &mut Program<T>,
    columns: &ColumnMap,
    places: impl Iterator<Item = (usize, u32, T)>,
    now: CurrentStep<T>,
    activity: bool,
) -> usize {
    let Program { injections, ends, phi, nonzero, .. } = program;
    phi.copy_from_slice(&now.step.phi);
    for (set, phi) in nonzero.iter_mut().zip(phi.chunks(64)) {
        let bit = |(k, &phi): (usize, &T)| u64::from((phi != T::zero()) | !activity) << k;
        *set = phi.iter().enumerate().map(bit).fold(0, |set, bit| set | bit);
    }
    let mut count = 0;
    for (row, slot, scale) in places {
        for (span, set) in columns.spans().of(row) {
            let end = &mut ends[span.tile as usize];
            let factor = scale * now.values.gain[span.at as usize];
            let (column, start) = (span.column, span.start);
            injections[*end as usize] = Injection { slot, column, start, end: span.end, factor };
            *end += 1;
            count += set.iter().zip(&*nonzero).map(|(a, b)| (a & b).count_ones()).sum::<u32>();
        }
    }
    count as usize
}

/// Plans M̄ of columns in the order of activation. `places` are rows with their slot and scale.
/// Returns the number of nonzero entries.
fn plan_entries<T: Real>(
    program: &mut Program<T>,
    columns: &ColumnMap,
    places: impl Iterator<Item = (usize, u32, T)>,
    now: CurrentStep<T>,
    activity: bool,
) -> usize {
    let Program { entries, starts, ends, .. } = program;
    for (row, slot, scale) in places {
        let start = slot * COLUMNS as u32;
        for entry in columns.entries(row) {
            // The entry is always written, and kept by the count: a branch would be unpredictable.
            let phi = now.step.phi[entry.source as usize];
            let end = &mut ends[entry.column as usize / COLUMNS];
            let place = start + entry.column % COLUMNS as u32;
            entries[*end as usize] = (place, scale * now.values.gain[entry.at as usize] * phi);
            *end += u32::from((phi != T::zero()) | !activity);
        }
    }
    ends.iter().zip(&*starts).map(|(end, start)| (end - start) as usize).sum()
}
