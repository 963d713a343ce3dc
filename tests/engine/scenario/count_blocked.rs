//! The expected cost of exact RTRL in blocks of K steps, by brute force, with the advance in
//! shares.

use super::count::Count;
use super::tables::{Tables, layers_of_pres, reached};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::wiring::{Step, Wiring};
use std::sync::Arc;

/// An advance over a block. Pieces are done in order; after share j of ⌈K/2⌉ at least that part of
/// the cost is done.
#[derive(Default)]
struct Advance {
    /// Cost and MACs of each piece.
    pieces: Vec<(u64, u64)>,
    shares: u64,
    share: u64,
    done: usize,
}

impl Advance {
    fn is_done(&self) -> bool {
        self.done == self.pieces.len()
    }

    fn next(&mut self) -> u64 {
        let all: u64 = self.pieces.iter().map(|piece| piece.0).sum();
        self.share = (self.share + 1).min(self.shares);
        let due = all * self.share / self.shares;
        let mut macs = 0;
        let last = self.share == self.shares;
        while !self.is_done() && (last || self.pieces[..self.done].iter().map(|p| p.0).sum::<u64>() < due) {
            macs += self.pieces[self.done].1;
            self.done += 1;
        }
        macs
    }
}

/// Couplings of a step out of live rows, of A and of B.
type Couplings = (u64, u64);

fn sum(steps: &[Couplings]) -> u64 {
    steps.iter().map(|step| step.0 + step.1).sum()
}

pub struct BlockRtrl {
    wiring: Arc<Wiring>,
    steps: usize,
    skip: bool,
    /// For every row with parameters: their number, and the first row that they can reach.
    rows: Vec<(u64, usize)>,
    /// Rows of S at the start of the current block, and at the start of the block before it.
    base: Option<Vec<usize>>,
    before: Option<Vec<usize>>,
    live: Option<Vec<bool>>,
    now: Vec<Couplings>,
    past: Vec<Couplings>,
    advance: Advance,
    due: bool,
    credited: usize,
    undrained: Macs,
}

impl BlockRtrl {
    pub fn new(wiring: &Arc<Wiring>, steps: usize, skip: bool) -> Self {
        let (tables, of_pre) = (Tables::new(wiring, false), layers_of_pres(wiring));
        let mut rows = Vec::new();
        for row in 0..wiring.rows() {
            let Some(&first) = wiring.gates_of(row).first() else { continue };
            let pres: Vec<bool> = of_pre.iter().map(|&layer| layer == of_pre[first]).collect();
            let reached = reached(&tables, wiring, &pres);
            let weights = wiring.layout().weights();
            let q: usize = wiring.gates_of(row).iter().map(|&pre| weights.row(pre).len()).sum();
            rows.push((q as u64, reached.iter().position(|x| *x).expect("a parameter reaches its own row")));
        }
        Self {
            wiring: wiring.clone(),
            steps,
            skip,
            rows,
            base: None,
            before: None,
            live: None,
            now: Vec::new(),
            past: Vec::new(),
            advance: Advance::default(),
            due: false,
            credited: 0,
            undrained: Macs::default(),
        }
    }

    /// The number of rows of S that a row reads, and whether they are those at the start of the
    /// current block.
    fn lines(&self, k: usize) -> (u64, bool) {
        let moved = self.advance.is_done() || self.advance.done > self.steps + k;
        let lines = if moved { &self.base } else { &self.before };
        (reach(lines, self.rows[k].1), moved)
    }

    fn share(&mut self) -> u64 {
        if std::mem::take(&mut self.due) { self.advance.next() } else { 0 }
    }

    /// The share of the advance of the last step, and the backward pass of the credit.
    fn back(&mut self) -> Macs {
        let influence = self.share();
        let k = std::mem::take(&mut self.credited);
        if k == 0 {
            return Macs { influence, ..Macs::default() };
        }
        let mut backward = sum(&self.now[..k]);
        if !self.advance.is_done() {
            backward += self.now[0].0 + sum(&self.past);
        }
        for at in 0..self.rows.len() {
            let (lines, moved) = self.lines(at);
            let steps = if moved { k } else { k + self.past.len() };
            backward += self.rows[at].0 * (lines + steps as u64);
        }
        Macs { influence, backward, ..Macs::default() }
    }

    fn end_block(&mut self) {
        let live = self.live.clone().expect("a block has steps");
        let w = &self.wiring;
        let lasts = |&row: &usize| w.carries(row) || (live[row] && w.previous().col(row).len() > 0);
        let lines: Vec<usize> = (0..live.len()).filter(lasts).collect();
        self.before = self.base.replace(lines);
        self.past = std::mem::take(&mut self.now);
        let new = reach(&self.base, 0);
        let k = self.steps as u64;
        // The cost of a MAC with a list of couplings is five.
        let back = self.past.iter().rev().map(|c| (5 * (c.0 + c.1) * new, (c.0 + c.1) * new));
        let row = |&(q, first): &(u64, usize)| {
            let macs = q * (reach(&self.base, first) * (reach(&self.before, first) + k) + k);
            (macs, macs)
        };
        let pieces = back.chain(self.rows.iter().map(row)).collect();
        self.advance = Advance { pieces, shares: k.div_ceil(2), share: 0, done: 0 };
    }

    fn couplings(&self, step: &Step<f64>) -> (Couplings, Vec<bool>) {
        let w = &self.wiring;
        let counts = |x: f64| x != 0.0 || !self.skip;
        let live: Vec<bool> = (0..w.rows()).map(|row| step.is_live(row) || !self.skip).collect();
        let was = |row: usize| self.live.as_ref().is_some_and(|live| live[row]);
        let across = w.previous().entries().zip(&step.a).filter(|&((_, l), &x)| was(l) && counts(x)).count();
        // Credit of a row is passed on only if the row's carry, threshold, gains or couplings are
        // nonzero.
        let comes = |row: usize| {
            step.e_bar[row] != 0.0
                || step.d[row] != 0.0
                || w.gates_of(row).iter().any(|&pre| step.gain[pre] != 0.0)
                || w.current().row(row).any(|(_, at)| step.b[at] != 0.0)
                || w.previous().row(row).any(|(l, at)| was(l) && step.a[at] != 0.0)
        };
        let relays: Vec<bool> = (0..w.rows()).map(|row| live[row] && (!self.skip || comes(row))).collect();
        let within =
            w.current().entries().zip(&step.b).filter(|&((_, j), &x)| relays[j] && counts(x)).count();
        ((across as u64, within as u64), live)
    }
}

fn reach(lines: &Option<Vec<usize>>, first: usize) -> u64 {
    lines.iter().flatten().filter(|&&row| row >= first).count() as u64
}

impl Count for BlockRtrl {
    fn reset(&mut self) {
        self.due = false;
        let macs = self.back();
        self.undrained += macs;
        self.now.clear();
        (self.base, self.before, self.live) = (None, None, None);
        self.advance = Advance::default();
    }

    fn observe(&mut self, step: &Step<f64>) -> Macs {
        let mut macs = Macs::default();
        if self.now.len() == self.steps {
            macs += self.back();
            self.end_block();
        } else {
            macs.influence += self.share();
        }
        let (couplings, live) = self.couplings(step);
        self.now.push(couplings);
        self.live = Some(live);
        self.due = !self.advance.is_done();
        macs
    }

    fn credit(&mut self, _: &[f64]) -> Macs {
        self.credited = self.now.len();
        Macs::default()
    }

    fn drain(&mut self) -> Macs {
        let mut macs = std::mem::take(&mut self.undrained);
        if self.credited > 0 {
            macs += self.back();
        }
        macs
    }

    fn numbers(&self) -> usize {
        let (w, h, k) = (&self.wiring, self.wiring.rows(), self.steps);
        let held: u64 = (0..self.rows.len()).map(|at| self.rows[at].0 * self.lines(at).0).sum();
        let past: &[Couplings] = if self.advance.is_done() { &[] } else { &self.past };
        let a_step = 3 * h + w.pre_rows().len() + 2 * w.sources().len() + w.outputs().len();
        let steps = (sum(&self.now) + sum(past)) as usize + (self.now.len() + past.len()) * a_step;
        let most = (0..h).filter(|&row| w.carries(row) || w.previous().col(row).len() > 0).count();
        let ends = 64 * most.div_ceil(64) * (h * k + 2 * h + most) + 4 * most.div_ceil(4) * most;
        held as usize + steps + ends + w.parameters()
    }
}
