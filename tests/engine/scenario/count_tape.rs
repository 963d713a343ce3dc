//! The expected cost of rules on a pattern and of rules with a tape, by brute force: SnAp-n, RFLO,
//! e-prop, BPTT, truncated BPTT.

use super::count::Count;
use super::reference::{Kept, pattern};
use super::tables::Tables;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::wiring::{Step, Wiring};
use std::sync::Arc;

/// A rule on a pattern: for every pre-activation, the rows in which its parameters have entries.
pub struct Pattern {
    wiring: Arc<Wiring>,
    tables: Tables,
    kept: Kept,
    /// The rows of the pattern, for each pre-activation.
    rows: Vec<Vec<bool>>,
    last: Option<Step<f64>>,
}

impl Pattern {
    /// Local rules include couplings within a step, like SnAp-1.
    pub fn new(wiring: &Arc<Wiring>, kept: Kept, steps: usize) -> Self {
        let tables = Tables::new(wiring, true);
        let mask = pattern(wiring, &tables, steps);
        let (n, p) = (wiring.rows(), wiring.parameters());
        let of_pre = |pre: usize| match wiring.layout().weights().row(pre).next() {
            Some((_, column)) => (0..n).map(|row| mask[row * p + column]).collect(),
            None => vec![false; n],
        };
        let rows = (0..wiring.pre_rows().len()).map(of_pre).collect();
        Self { wiring: wiring.clone(), tables, kept, rows, last: None }
    }

    fn was(&self, row: usize) -> bool {
        self.last.as_ref().is_some_and(|last| last.is_live(row))
    }

    /// Whether the carry, with the row's coupling to itself, is not 1.
    fn decays(&self, row: usize, step: &Step<f64>) -> bool {
        let own = match &self.kept {
            _ if !self.was(row) => 0.0,
            Kept::All => self.tables.a.at(row, row),
            Kept::Own(own) => own[row].map_or(0.0, |k| step.direct_previous[k]),
            Kept::Nothing => 0.0,
        };
        step.d[row] + own * self.last.as_ref().map_or(0.0, |last| last.e[row]) != 1.0
    }

    /// The number of products with all parameters of a pre-activation, and of entries of M̄.
    fn of_pre(&self, pre: usize, step: &Step<f64>) -> (usize, usize) {
        let (tables, rows) = (&self.tables, &self.rows[pre]);
        let (mut products, mut injected) = (0, 0);
        let all = self.kept == Kept::All;
        for row in (0..rows.len()).filter(|&row| rows[row]) {
            let feeds = (0..rows.len()).any(|i| all && i != row && rows[i] && tables.a.has(i, row));
            products += usize::from(feeds && self.was(row));
            if !(self.wiring.carries(row) || step.is_live(row)) {
                continue;
            }
            products += usize::from(self.decays(row, step));
            let across = |&(l, x): &(usize, f64)| all && l != row && rows[l] && self.was(l) && x != 0.0;
            products += tables.a.of(row).filter(across).count();
            let within = |&(j, x): &(usize, f64)| rows[j] && step.is_live(j) && x != 0.0;
            products += tables.b.of(row).filter(within).count();
            if tables.gains.has(row, pre) {
                let weights = self.wiring.layout().weights().row(pre);
                injected += weights.filter(|&(source, _)| step.phi[source] != 0.0).count();
            }
        }
        (products, injected)
    }

    fn width(&self, pre: usize) -> usize {
        self.wiring.layout().weights().row(pre).len()
    }

    /// Entries of a pre-activation.
    fn entries(&self, pre: usize) -> usize {
        self.rows[pre].iter().filter(|x| **x).count() * self.width(pre)
    }
}

impl Count for Pattern {
    fn reset(&mut self) {
        self.last = None;
    }

    fn observe(&mut self, step: &Step<f64>) -> Macs {
        let coupling = self.tables.fill(&self.wiring, step, true);
        let mut influence = 0;
        for pre in 0..self.rows.len() {
            let (products, injected) = self.of_pre(pre, step);
            influence += products * self.width(pre) + injected;
        }
        self.last = Some(step.clone());
        Macs { coupling, influence: influence as u64, ..Macs::default() }
    }

    fn credit(&mut self, _: &[f64]) -> Macs {
        let read =
            |pre: usize| self.wiring.outputs().filter(|&row| self.rows[pre][row] && self.was(row)).count();
        let gradient: usize = (0..self.rows.len()).map(|pre| read(pre) * self.width(pre)).sum();
        Macs { gradient: gradient as u64, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        let largest = (0..self.rows.len()).map(|pre| self.entries(pre)).max().unwrap_or(0);
        self.held().unwrap_or(0) + largest + self.wiring.parameters()
    }

    fn held(&self) -> Option<usize> {
        Some((0..self.rows.len()).map(|pre| self.entries(pre)).sum())
    }
}

/// BPTT, with a backward pass to the reset at every drain, or truncated BPTT, with one over its
/// window at every credit.
pub struct Tape {
    wiring: Arc<Wiring>,
    window: Option<usize>,
    skip: bool,
    /// Entries of A out of live rows, and entries of B together with the parameters whose source is
    /// nonzero.
    steps: Vec<(u64, u64)>,
    credited: usize,
    undrained: u64,
}

impl Tape {
    pub fn new(wiring: &Arc<Wiring>, window: Option<usize>, skip: bool) -> Self {
        Self { wiring: wiring.clone(), window, skip, steps: Vec::new(), credited: 0, undrained: 0 }
    }

    /// A backward pass over some steps. The last one receives no adjoint from the step after it.
    fn back(&self, from: usize, to: usize) -> u64 {
        let all: u64 = self.steps[from..to].iter().map(|(a, own)| a + own).sum();
        all - if to > from { self.steps[to - 1].0 } else { 0 }
    }
}

impl Count for Tape {
    fn reset(&mut self) {
        self.undrained += self.back(0, self.credited);
        self.steps.clear();
        self.credited = 0;
    }

    fn observe(&mut self, step: &Step<f64>) -> Macs {
        let w = &self.wiring;
        let live = |e: &(usize, usize)| step.is_live(e.1) || !self.skip;
        let counted = |e: &(usize, usize)| step.phi[e.1] != 0.0 || !self.skip;
        let across = w.previous().entries().filter(live).count();
        let within = w.current().entries().filter(live).count();
        let injected = w.layout().weights().entries().filter(counted).count();
        self.steps.push((across as u64, (within + injected) as u64));
        Macs::default()
    }

    fn credit(&mut self, _: &[f64]) -> Macs {
        let now = self.steps.len();
        let Some(window) = self.window else {
            self.credited = now;
            return Macs::default();
        };
        Macs { backward: self.back(now.saturating_sub(window), now), ..Macs::default() }
    }

    fn drain(&mut self) -> Macs {
        let backward = self.back(0, self.credited) + self.undrained;
        (self.credited, self.undrained) = (0, 0);
        Macs { backward, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        let w = &self.wiring;
        let step = Step::<f64>::new(w);
        let direct = step.direct_previous.len() + step.direct_current.len();
        let couplings = w.previous().len() + w.current().len();
        let a_step = 6 * w.rows() + 2 * w.pre_rows().len() + w.sources().len() + couplings + direct;
        let kept = match self.window {
            Some(window) => self.steps.len().min(window) * a_step,
            None => self.steps.len() * (a_step + w.outputs().len()),
        };
        kept + w.parameters()
    }
}
