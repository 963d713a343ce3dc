//! Exact RTRL in blocks of K steps. A walk back from step k of a block, the last one that has credit, takes
//!
//! `Σ_{s≤k} (a_s + b_s) + Σ_rows q (l + k)`
//!
//! MACs, with a_s the entries of A, not zero, out of rows live at s − 1, b_s the same of B out of rows live at s of which anything comes, q the
//! parameters of a row and l the lines of S at the base that they can reach: carrying rows, and live ones that others read. The advance over
//! a block takes `n′ Σ_s (a_s + b_s) + Σ_rows q (l′ (l + K) + K)`, with n′ lines at the new base, l′ of them in reach, in shares at the next steps;
//! until the last of them a walk goes on through the block before, `a_1 + Σ_s (a_s + b_s)` over its steps, and rows not advanced yet have
//! K steps more, and l of the base before.
//!
//! `Σ_rows q l + Σ_s (a_s + b_s) + k (3 h + g + 2 f + o) + p` numbers for h rows, g pre-activations, f sources and o outputs, the steps of the block
//! before among them until it is done with; and for the advance `64 ⌈L/64⌉ (h K + 2 h + L) + 4 ⌈L/4⌉ L`, with L the most lines there can be.

use super::CostModel;
use crate::macs::Macs;
use crate::rule::block::schedule::{self, Schedule};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::Pattern;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

pub(in crate::rule) struct BlockCost {
    wiring: Arc<Wiring>,
    steps: usize,
    /// For every row with parameters: how many, and the first row they can reach.
    rows: Vec<(usize, usize)>,
    /// Lines of S at the base, if there is one, and at the base before; rows live at the newest step, or the base.
    base: Option<Vec<usize>>,
    before: Option<Vec<usize>>,
    live: Option<Vec<bool>>,
    /// a_s and b_s of the block so far, and of the one before.
    now: Vec<(usize, usize)>,
    past: Vec<(usize, usize)>,
    schedule: Schedule,
    due: bool,
    credited: usize,
    owed: Macs,
}

fn sum(couplings: &[(usize, usize)]) -> usize {
    couplings.iter().map(|c| c.0 + c.1).sum()
}

fn reach(lines: Option<&Vec<usize>>, first: usize) -> usize {
    lines.map_or(0, |lines| lines.iter().filter(|&&row| row >= first).count())
}

impl BlockCost {
    pub fn new<T: Real>(wiring: Arc<Wiring>, steps: usize) -> Self {
        let form = Form::<T>::held(&wiring);
        let row = |row: usize| {
            let gates = wiring.gates_of(row);
            let parameters = gates.iter().map(|&pre| wiring.layout().weights().row(pre).len()).sum();
            let layer = wiring.layer_of(*gates.first()?);
            let of_layer = (0..wiring.pre_rows().len()).filter(|&pre| wiring.layer_of(pre) == layer);
            Some((parameters, *form.reach(of_layer, usize::MAX).first()?))
        };
        Self {
            rows: (0..wiring.rows()).filter_map(row).collect(),
            base: None,
            before: None,
            live: None,
            now: Vec::new(),
            past: Vec::new(),
            schedule: Schedule::default(),
            due: false,
            credited: 0,
            owed: Macs::default(),
            steps,
            wiring,
        }
    }

    /// What a row reads: lines of S it can reach, and steps since then.
    fn reading(&self, k: usize, steps: usize) -> (usize, usize) {
        let first = self.rows[k].1;
        match self.schedule.is_done() || k + self.steps < self.schedule.done() {
            true => (reach(self.base.as_ref(), first), steps),
            false => (reach(self.before.as_ref(), first), steps + self.past.len()),
        }
    }

    /// The share of the advance that is due.
    fn share(&mut self) -> u64 {
        if std::mem::take(&mut self.due) { self.schedule.next().1 } else { 0 }
    }

    fn walk(&mut self) -> Macs {
        let influence = self.share();
        let k = std::mem::take(&mut self.credited);
        if k == 0 {
            return Macs { influence, ..Macs::default() };
        }
        let further = if self.schedule.is_done() { 0 } else { self.now[0].0 + sum(&self.past) };
        let of_row = |(at, &(q, _)): (usize, &(usize, usize))| {
            let (lines, steps) = self.reading(at, k);
            q * (lines + steps)
        };
        let gathered: usize = self.rows.iter().enumerate().map(of_row).sum();
        let backward = (sum(&self.now[..k]) + further + gathered) as u64;
        Macs { influence, backward, ..Macs::default() }
    }

    /// Begins the advance over the block that has ended.
    fn end(&mut self) {
        let live = self.live.clone().unwrap_or_default();
        let wiring = &self.wiring;
        let read_later =
            |&row: &usize| wiring.carries(row) || (live[row] && wiring.previous().col(row).len() > 0);
        let new: Vec<usize> = (0..live.len()).filter(read_later).collect();
        (self.past, self.before) = (std::mem::take(&mut self.now), self.base.replace(new));
        let (old, new) = (self.before.as_ref(), self.base.as_ref());
        let back = |c: &(usize, usize)| {
            let macs = ((c.0 + c.1) * reach(new, 0)) as u64;
            (schedule::LISTED * macs, macs)
        };
        let row = |&(q, first): &(usize, usize)| {
            let macs = q * (reach(new, first) * (reach(old, first) + self.steps) + self.steps);
            (macs as u64, macs as u64)
        };
        let pieces = self.past.iter().rev().map(back).chain(self.rows.iter().map(row));
        self.schedule.begin(pieces, schedule::shares(self.steps));
    }
}

/// Entries that are not zero in columns of live rows.
fn out_of<T: Real>(pattern: &Pattern, values: &[T], live: &[bool]) -> usize {
    let columns = (0..pattern.cols()).filter(|&row| live[row]);
    columns.map(|row| pattern.col(row).filter(|&(_, at)| values[at] != T::zero()).count()).sum()
}

/// Rows live at a step whose credit earns anything: see the rule's history.
fn earning<T: Real>(wiring: &Wiring, step: &Step<T>, before: Option<&[bool]>) -> Vec<bool> {
    let is = |x: T| x != T::zero();
    let earns = |row: usize| {
        let own = is(step.d[row]) || is(step.e_bar[row]);
        let parameters = wiring.gates_of(row).iter().any(|&pre| is(step.gain[pre]));
        let within = wiring.current().row(row).any(|(_, at)| is(step.b[at]));
        let across = wiring.previous().row(row).any(|(l, at)| before.is_some_and(|b| b[l]) && is(step.a[at]));
        own || parameters || within || across
    };
    (0..wiring.rows()).map(|row| step.is_live(row) && earns(row)).collect()
}

impl<T: Real> CostModel<T> for BlockCost {
    fn reset(&mut self) {
        self.due = false;
        let macs = self.walk();
        self.owed += macs;
        self.now.clear();
        (self.base, self.before, self.live) = (None, None, None);
        self.schedule.forget();
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let mut macs = Macs::default();
        if self.now.len() == self.steps {
            macs += self.walk();
            self.end();
        }
        macs.influence += self.share();
        let live: Vec<bool> = (0..self.wiring.rows()).map(|row| step.is_live(row)).collect();
        let before = self.live.as_deref();
        let across = before.map_or(0, |before| out_of(self.wiring.previous(), &step.a, before));
        let earning = earning(&self.wiring, step, before);
        self.now.push((across, out_of(self.wiring.current(), &step.b, &earning)));
        self.live = Some(live);
        self.due = !self.schedule.is_done();
        macs
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        self.credited = self.now.len();
        Macs::default()
    }

    fn drain(&mut self) -> Macs {
        let mut macs = std::mem::take(&mut self.owed);
        if self.credited > 0 {
            macs += self.walk();
        }
        macs
    }

    fn numbers(&self) -> usize {
        let (w, h) = (&self.wiring, self.wiring.rows());
        let held: usize = self.rows.iter().enumerate().map(|(at, row)| row.0 * self.reading(at, 0).0).sum();
        let past = if self.schedule.is_done() { &[] } else { &self.past[..] };
        let a_step = 3 * h + w.pre_rows().len() + 2 * w.sources().len() + w.outputs().len();
        let kept = sum(&self.now) + sum(past) + (self.now.len() + past.len()) * a_step;
        let most = (0..h).filter(|&row| w.carries(row) || w.previous().col(row).len() > 0).count();
        let ends = 64 * most.div_ceil(64) * (h * self.steps + 2 * h + most) + 4 * most.div_ceil(4) * most;
        held + kept + ends + w.parameters()
    }
}
