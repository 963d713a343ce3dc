//! Exact RTRL in blocks of K steps. A walk back from step k of a block, the last one that has credit, takes
//!
//! `Σ_{s≤k} b_s + Σ_{1<s≤k} a_s + a_1 [there is a base] + Σ_rows q (l + k)`
//!
//! MACs, with a_s the entries of A, not zero, out of rows live at s − 1, b_s the same of B out of rows live at s, q the parameters of a row and
//! l the lines of S at the base that they can reach: carrying rows, and live ones that others read. The end of a block takes
//! `n′ Σ_s (a_s + b_s) + Σ_rows q (l′ (l + K) + K)`, with n′ lines at the new base, l′ of them in reach.
//!
//! `Σ_rows q l + Σ_s (a_s + b_s) + k (3 h + g + f + o) + p` numbers for h rows, g pre-activations, f sources and o outputs, and for the end of blocks
//! `64 ⌈L/64⌉ (h K + 2 h + L) + 4 ⌈L/4⌉ L`, with L the most lines there can be.

use super::Predict;
use crate::cell::{Step, Wiring};
use crate::macs::Macs;
use crate::rule::form::Form;
use crate::scalar::Real;
use crate::sparse::Pattern;
use std::sync::Arc;

pub(in crate::rule) struct PredictBlocked {
    wiring: Arc<Wiring>,
    steps: usize,
    /// For every row with parameters: how many, and the first row they can reach.
    rows: Vec<(usize, usize)>,
    /// Lines of S at the base, if there is one; rows live at the newest step, or the base.
    base: Option<Vec<usize>>,
    live: Option<Vec<bool>>,
    /// a_s and b_s of the block so far.
    couplings: Vec<(usize, usize)>,
    credited: usize,
    owed: u64,
}

impl PredictBlocked {
    pub fn new<T: Real>(wiring: Arc<Wiring>, steps: usize) -> Self {
        let form = Form::<T>::held(&wiring);
        let row = |row: usize| {
            let gates = wiring.gates_of(row);
            let parameters = gates.iter().map(|&pre| wiring.layout().weights().row(pre).len()).sum();
            let layer = wiring.layer_of(*gates.first()?);
            let of_layer = (0..wiring.pre_rows().len()).filter(|&pre| wiring.layer_of(pre) == layer);
            Some((parameters, *form.reach(of_layer, usize::MAX).first()?))
        };
        let rows = (0..wiring.rows()).filter_map(row).collect();
        Self { rows, base: None, live: None, couplings: Vec::new(), credited: 0, owed: 0, steps, wiring }
    }

    /// `Σ_rows q (l + k)` and the like: a sum over rows with parameters, given how many lines are in reach of each.
    fn over_rows(&self, lines: &[usize], of: impl Fn(usize) -> usize) -> usize {
        let reach = |first: usize| lines.iter().filter(|&&row| row >= first).count();
        self.rows.iter().map(|&(q, first)| q * of(reach(first))).sum()
    }

    fn walk(&mut self) -> u64 {
        let k = std::mem::take(&mut self.credited);
        if k == 0 {
            return 0;
        }
        let across: usize = self.couplings[1..k].iter().map(|c| c.0).sum();
        let within: usize = self.couplings[..k].iter().map(|c| c.1).sum();
        let at_base = if self.base.is_some() { self.couplings[0].0 } else { 0 };
        let lines = self.base.as_deref().unwrap_or(&[]);
        (across + within + at_base + self.over_rows(lines, |l| l + k)) as u64
    }

    fn end(&mut self) -> u64 {
        let live = self.live.clone().unwrap_or_default();
        let (wiring, steps) = (&self.wiring, self.couplings.len());
        let read_later =
            |&row: &usize| wiring.carries(row) || (live[row] && wiring.previous().col(row).len() > 0);
        let new: Vec<usize> = (0..live.len()).filter(read_later).collect();
        let old = self.base.as_deref().unwrap_or(&[]);
        let reach = |lines: &[usize], first: usize| lines.iter().filter(|&&row| row >= first).count();
        let products =
            |&(q, first): &(usize, usize)| q * (reach(&new, first) * (reach(old, first) + steps) + steps);
        let couplings: usize = self.couplings.iter().map(|c| c.0 + c.1).sum();
        let macs = couplings * new.len() + self.rows.iter().map(products).sum::<usize>();
        self.couplings.clear();
        self.base = Some(new);
        macs as u64
    }
}

/// Entries that are not zero in columns of live rows.
fn out_of<T: Real>(pattern: &Pattern, values: &[T], live: &[bool]) -> usize {
    let columns = (0..pattern.cols()).filter(|&row| live[row]);
    columns.map(|row| pattern.col(row).filter(|&(_, at)| values[at] != T::zero()).count()).sum()
}

impl<T: Real> Predict<T> for PredictBlocked {
    fn reset(&mut self) {
        self.owed += self.walk();
        self.couplings.clear();
        (self.base, self.live) = (None, None);
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let mut macs = Macs::default();
        if self.couplings.len() == self.steps {
            macs.backward = self.walk();
            macs.influence = self.end();
        }
        let live: Vec<bool> = (0..self.wiring.rows()).map(|row| step.is_live(row)).collect();
        let before = self.live.as_ref();
        let across = before.map_or(0, |before| out_of(self.wiring.previous(), &step.a, before));
        self.couplings.push((across, out_of(self.wiring.current(), &step.b, &live)));
        self.live = Some(live);
        macs
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        self.credited = self.couplings.len();
        Macs::default()
    }

    fn drain(&mut self) -> Macs {
        Macs { backward: self.walk() + std::mem::take(&mut self.owed), ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        let (w, h) = (&self.wiring, self.wiring.rows());
        let held = self.base.as_ref().map_or(0, |lines| self.over_rows(lines, |l| l));
        let kept: usize = self.couplings.iter().map(|c| c.0 + c.1).sum();
        let a_step = 3 * h + w.pre_rows().len() + w.sources().len() + w.outputs().len();
        let most = (0..h).filter(|&row| w.carries(row) || w.previous().col(row).len() > 0).count();
        let ends = 64 * most.div_ceil(64) * (h * self.steps + 2 * h + most) + 4 * most.div_ceil(4) * most;
        held + kept + self.couplings.len() * a_step + ends + w.parameters()
    }
}
