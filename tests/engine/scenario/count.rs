//! The expected cost of rules: MACs, stored numbers and stored entries of S, counted from the steps
//! by the definitions in the rules' documentation, with dense tables of booleans. Shares no code
//! with the rules or their cost models.

use super::tables::{Tables, is_inner, layers_of_pres, reached, recurrent};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::wiring::{Step, Wiring};
use std::sync::Arc;

/// Counts the operations of a rule.
pub trait Count {
    fn reset(&mut self) {}
    fn observe(&mut self, step: &Step<f64>) -> Macs;
    fn credit(&mut self, credit: &[f64]) -> Macs;
    fn drain(&mut self) -> Macs {
        Macs::default()
    }
    /// Numbers in use.
    fn numbers(&self) -> usize;
    /// Stored entries of S, if the rule reports their number.
    fn held(&self) -> Option<usize> {
        None
    }
}

fn count(of: &[bool]) -> usize {
    of.iter().filter(|x| **x).count()
}

/// The parameters of one layer, over the rows they can reach.
struct Layer {
    pres: Vec<bool>,
    owns: Vec<bool>,
    reached: Vec<bool>,
    carries: bool,
    active: Vec<bool>,
    held: Vec<bool>,
    live: Vec<bool>,
}

/// Exact RTRL with skips.
pub struct Exact {
    wiring: Arc<Wiring>,
    tables: Tables,
    skip: bool,
    recurrent: Vec<bool>,
    layers: Vec<Layer>,
}

impl Exact {
    pub fn new(wiring: &Arc<Wiring>, folding: bool, skip: bool) -> Self {
        let tables = Tables::new(wiring, folding);
        let (n, p) = (wiring.rows(), wiring.parameters());
        let of_pre = layers_of_pres(wiring);
        let layer = |k: usize| {
            let pres: Vec<bool> = of_pre.iter().map(|&layer| layer == k).collect();
            let mut reached = reached(&tables, wiring, &pres);
            (0..n).filter(|row| !tables.rows.contains(row)).for_each(|row| reached[row] = false);
            Layer {
                owns: wiring.layout().weights().entries().map(|(pre, _)| pres[pre]).collect(),
                carries: (0..n).any(|row| reached[row] && wiring.carries(row)),
                active: vec![false; p],
                held: vec![false; n],
                live: vec![false; n],
                pres,
                reached,
            }
        };
        let layers = (0..=of_pre.iter().copied().max().unwrap_or(0)).map(layer).collect();
        Self { wiring: wiring.clone(), skip, recurrent: recurrent(wiring), layers, tables }
    }
}

impl Layer {
    fn observe(
        &mut self,
        tables: &Tables,
        wiring: &Wiring,
        step: &Step<f64>,
        skip: bool,
        recurrent: &[bool],
    ) -> Macs {
        let counts = |x: f64| x != 0.0 || !skip;
        let before = count(&self.active);
        let of_recurrent = (0..self.active.len()).filter(|&c| self.active[c] && recurrent[c]).count();
        let n = wiring.rows();
        let sources: Vec<bool> = (0..n).map(|l| before > 0 && self.held[l] && self.live[l]).collect();
        let read = (0..n).filter(|&l| sources[l] && tables.a.column_exists(l)).count();
        let mut products = if self.carries { read } else { 0 };
        for (column, (_, source)) in wiring.layout().weights().entries().enumerate() {
            self.active[column] |= self.owns[column] && counts(step.phi[source]);
        }
        let now = count(&self.active);
        let (mut terms, mut relayed, mut injected) = (0, 0, 0);
        for row in 0..n {
            let shows = wiring.threshold(row).is_some_and(|k| self.owns[k]) && step.e_bar[row] != 0.0;
            self.live[row] = counts(step.e[row]) || shows;
            let across = tables.a.of(row).filter(|&(l, x)| sources[l] && counts(x)).count();
            let within = tables.b.of(row).filter(|&(j, x)| self.held[j] && self.live[j] && counts(x)).count();
            let gained = tables.gains.of(row).any(|(pre, x)| self.pres[pre] && x != 0.0);
            let fed = !skip || shows || gained || across + within > 0;
            self.held[row] = self.reached[row] && (wiring.carries(row) || (self.live[row] && fed));
            if self.held[row] {
                products += usize::from(wiring.carries(row) && step.d[row] != 1.0) + across;
                terms += across;
                relayed += within;
                for &pre in tables.gains.rows[row].iter().filter(|&&pre| self.pres[pre]) {
                    let weights = wiring.layout().weights().row(pre);
                    injected += weights.filter(|&(source, _)| counts(step.phi[source])).count();
                }
            }
        }
        let influence = (products * before + relayed * now + injected) as u64;
        Macs { influence, recurrent: (terms * of_recurrent) as u64, ..Macs::default() }
    }
}

impl Count for Exact {
    fn reset(&mut self) {
        for layer in &mut self.layers {
            [&mut layer.active, &mut layer.held, &mut layer.live].into_iter().for_each(|x| x.fill(false));
        }
    }

    fn observe(&mut self, step: &Step<f64>) -> Macs {
        let Self { wiring, tables, skip, recurrent, layers } = self;
        let mut macs = Macs { coupling: tables.fill(wiring, step, *skip), ..Macs::default() };
        for layer in layers {
            macs += layer.observe(tables, wiring, step, *skip, recurrent);
        }
        macs
    }

    fn credit(&mut self, credit: &[f64]) -> Macs {
        let mut gradient = 0;
        for layer in &self.layers {
            let read =
                |(row, c): &(usize, &f64)| layer.held[*row] && layer.live[*row] && (**c != 0.0 || !self.skip);
            gradient += count(&layer.active) * self.wiring.outputs().zip(credit).filter(read).count();
        }
        Macs { gradient: gradient as u64, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        self.held().unwrap_or(0) + 2 * self.wiring.parameters()
    }

    fn held(&self) -> Option<usize> {
        Some(self.layers.iter().map(|layer| count(&layer.held) * count(&layer.active)).sum())
    }
}

/// Dense RTRL with folded inner rows: `(|A| + |B| + 2 h) p + p` MACs and those of folding.
pub struct Dense {
    step: u64,
    credit: u64,
    numbers: usize,
    held: usize,
}

impl Dense {
    pub fn new(wiring: &Wiring) -> Self {
        let tables = Tables::new(wiring, true);
        let (n, p, h) = (wiring.rows(), wiring.parameters(), tables.rows.len());
        let parameters_of = |row: usize| -> usize {
            wiring.gates_of(row).iter().map(|&pre| wiring.layout().weights().row(pre).len()).sum()
        };
        let fold = |&(_, j): &(usize, usize)| {
            assert!(is_inner(wiring, j));
            wiring.previous().row(j).len() + wiring.current().row(j).len() + parameters_of(j)
        };
        let folds: usize = tables.folds.iter().map(fold).sum();
        Self {
            step: ((tables.a.len() + tables.b.len() + 2 * h) * p + p + folds) as u64,
            credit: (wiring.outputs().len() * p) as u64,
            numbers: 4 * n * p + 2 * n * n + p,
            held: h * p,
        }
    }
}

impl Count for Dense {
    fn observe(&mut self, _: &Step<f64>) -> Macs {
        Macs { influence: self.step, ..Macs::default() }
    }

    fn credit(&mut self, _: &[f64]) -> Macs {
        Macs { gradient: self.credit, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        self.numbers
    }

    fn held(&self) -> Option<usize> {
        Some(self.held)
    }
}

/// UORO: one MAC per entry of A, two per entry of B, one more of each out of rows with a threshold,
/// and two per parameter.
pub struct RankOne {
    step: u64,
    p: usize,
    rows: usize,
}

impl RankOne {
    pub fn new(wiring: &Wiring) -> Self {
        let shown = |e: &(usize, usize)| wiring.threshold(e.1).is_some();
        let (a, b, p) = (wiring.previous(), wiring.current(), wiring.parameters());
        let step = a.len() + 2 * b.len() + a.entries().chain(b.entries()).filter(shown).count() + 2 * p;
        Self { step: step as u64, p, rows: wiring.rows() }
    }
}

impl Count for RankOne {
    fn observe(&mut self, _: &Step<f64>) -> Macs {
        Macs { influence: self.step, ..Macs::default() }
    }

    fn credit(&mut self, _: &[f64]) -> Macs {
        Macs { gradient: self.p as u64, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        3 * self.p + 5 * self.rows
    }
}
