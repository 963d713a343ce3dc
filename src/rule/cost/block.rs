//! Cost of exact RTRL in blocks of K steps.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::params::Pattern;
use crate::rule::block::schedule::{self, Schedule};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Cost model of [`BlockRtrl`](crate::rule::BlockRtrl).
///
/// # Equation
/// Backward pass: `Σ_{s≤k} (a_s + b_s) + Σ_rows q (l + k)` MACs, where k is the last step with
/// credit.
///
/// Advance over a block: `n′ Σ_s (a_s + b_s) + Σ_rows q (l′ (l + K) + K)` MACs, distributed over
/// the next steps. Until the advance is complete, a backward pass continues through the previous
/// block. This adds `a_1 + Σ_s (a_s + b_s)` MACs, where the sum is over the previous block. For
/// rows that are not advanced yet, k is larger by K and l refers to the previous anchor.
///
/// Memory: `Σ_rows q l + Σ_s (a_s + b_s) + k (3 h + g + 2 f + o) + p` numbers, and
/// `64 ⌈L/64⌉ (h K + 2 h + L) + 4 ⌈L/4⌉ L` numbers for the advance. Until the advance is complete,
/// the steps include the previous block.
///
/// # Symbols
/// - a_s: number of nonzero entries of A in columns of rows that were live at s − 1
/// - b_s: number of nonzero entries of B in columns of rows that are live at s and contribute to
///   the gradient
/// - q: number of parameters of a row
/// - l, l′: number of rows of the old and of the new anchor that these parameters can reach
/// - n′: number of rows of the new anchor (rows that carry, and live rows that other rows read)
/// - L: maximum number of rows of an anchor
/// - h, g, f, o: number of rows, pre-activations, sources and outputs
pub(in crate::rule) struct BlockCost {
    wiring: Arc<Wiring>,
    /// K.
    steps: usize,
    /// `[rows with parameters]`, pairs (q, first row that the parameters can reach).
    rows: Vec<(usize, usize)>,
    /// Rows of the last anchor, ascending; `None` before the first anchor.
    anchor: Option<Vec<usize>>,
    /// Rows of the anchor before the last anchor.
    anchor_before: Option<Vec<usize>>,
    /// `[rows]`, whether a row is live at the last step; `None` after a reset.
    live: Option<Vec<bool>>,
    /// `[at most K]`, pairs (a_s, b_s) of the current block.
    couplings: Vec<(usize, usize)>,
    /// `[K]`, pairs (a_s, b_s) of the previous block.
    couplings_before: Vec<(usize, usize)>,
    /// The state of the advance.
    schedule: Schedule,
    /// Whether the last step's share of the advance is due.
    due: bool,
    /// Number of leading steps of the current block that may have pending credit.
    credited: usize,
    /// MACs of resets. The next drain reports them.
    owed: Macs,
}

/// Returns `Σ_s (a_s + b_s)`.
fn sum(couplings: &[(usize, usize)]) -> usize {
    couplings.iter().map(|c| c.0 + c.1).sum()
}

/// Returns the mean MACs per step with a drain every K steps:
/// `ν |A| (1 + r) + 2 p + r p + (r + r²) p/K`.
pub(in crate::rule) fn mean(of: &Means, steps: f64) -> f64 {
    let rows = of.held() * of.units;
    let ends = (rows + rows * rows) / steps;
    of.live * of.couplings * (1.0 + rows) + (2.0 + rows + ends) * of.parameters
}

/// Returns the number of rows from `first` on.
fn reach(rows: Option<&Vec<usize>>, first: usize) -> usize {
    rows.map_or(0, |rows| rows.iter().filter(|&&row| row >= first).count())
}

impl BlockCost {
    /// Creates the cost model for blocks of `steps` steps.
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
            anchor: None,
            anchor_before: None,
            live: None,
            couplings: Vec::new(),
            couplings_before: Vec::new(),
            schedule: Schedule::default(),
            due: false,
            credited: 0,
            owed: Macs::default(),
            steps,
            wiring,
        }
    }

    /// Returns the number of anchor rows that the parameters of row `k` can reach, and the number
    /// of steps since that anchor.
    fn reading(&self, k: usize, steps: usize) -> (usize, usize) {
        let first = self.rows[k].1;
        match self.schedule.is_done() || k + self.steps < self.schedule.done() {
            true => (reach(self.anchor.as_ref(), first), steps),
            false => (reach(self.anchor_before.as_ref(), first), steps + self.couplings_before.len()),
        }
    }

    /// Returns the MACs of the share of the advance that is due.
    fn share(&mut self) -> u64 {
        if std::mem::take(&mut self.due) { self.schedule.next().1 } else { 0 }
    }

    /// Returns the MACs of the due share and of a backward pass from the last step with credit.
    fn backward(&mut self) -> Macs {
        let influence = self.share();
        let k = std::mem::take(&mut self.credited);
        if k == 0 {
            return Macs { influence, ..Macs::default() };
        }
        let further =
            if self.schedule.is_done() { 0 } else { self.couplings[0].0 + sum(&self.couplings_before) };
        let of_row = |(at, &(q, _)): (usize, &(usize, usize))| {
            let (rows, steps) = self.reading(at, k);
            q * (rows + steps)
        };
        let gathered: usize = self.rows.iter().enumerate().map(of_row).sum();
        let backward = (sum(&self.couplings[..k]) + further + gathered) as u64;
        Macs { influence, backward, ..Macs::default() }
    }

    /// Starts the advance over the finished block.
    fn end(&mut self) {
        let live = self.live.clone().unwrap_or_default();
        let wiring = &self.wiring;
        let read_later =
            |&row: &usize| wiring.carries(row) || (live[row] && wiring.previous().col(row).len() > 0);
        let new: Vec<usize> = (0..live.len()).filter(read_later).collect();
        (self.couplings_before, self.anchor_before) =
            (std::mem::take(&mut self.couplings), self.anchor.replace(new));
        let (old, new) = (self.anchor_before.as_ref(), self.anchor.as_ref());
        let back = |c: &(usize, usize)| {
            let macs = ((c.0 + c.1) * reach(new, 0)) as u64;
            (schedule::LISTED * macs, macs)
        };
        let row = |&(q, first): &(usize, usize)| {
            let macs = q * (reach(new, first) * (reach(old, first) + self.steps) + self.steps);
            (macs as u64, macs as u64)
        };
        let pieces = self.couplings_before.iter().rev().map(back).chain(self.rows.iter().map(row));
        self.schedule.begin(pieces, schedule::shares(self.steps));
    }
}

/// Returns the number of nonzero entries in columns of live rows.
fn out_of<T: Real>(pattern: &Pattern, values: &[T], live: &[bool]) -> usize {
    let columns = (0..pattern.cols()).filter(|&row| live[row]);
    columns.map(|row| pattern.col(row).filter(|&(_, at)| values[at] != T::zero()).count()).sum()
}

/// Returns whether each row of a step is live and contributes to the gradient. `[rows]`
fn contributing<T: Real>(wiring: &Wiring, step: &Step<T>, before: Option<&[bool]>) -> Vec<bool> {
    let is = |x: T| x != T::zero();
    let contributes = |row: usize| {
        let own = is(step.d[row]) || is(step.e_bar[row]);
        let parameters = wiring.gates_of(row).iter().any(|&pre| is(step.gain[pre]));
        let within = wiring.current().row(row).any(|(_, at)| is(step.b[at]));
        let across = wiring.previous().row(row).any(|(l, at)| before.is_some_and(|b| b[l]) && is(step.a[at]));
        own || parameters || within || across
    };
    (0..wiring.rows()).map(|row| step.is_live(row) && contributes(row)).collect()
}

impl<T: Real> CostModel<T> for BlockCost {
    fn reset(&mut self) {
        self.due = false;
        let macs = self.backward();
        self.owed += macs;
        self.couplings.clear();
        (self.anchor, self.anchor_before, self.live) = (None, None, None);
        self.schedule.clear();
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let mut macs = Macs::default();
        if self.couplings.len() == self.steps {
            macs += self.backward();
            self.end();
        }
        macs.influence += self.share();
        let live: Vec<bool> = (0..self.wiring.rows()).map(|row| step.is_live(row)).collect();
        let before = self.live.as_deref();
        let across = before.map_or(0, |before| out_of(self.wiring.previous(), &step.a, before));
        let contributing = contributing(&self.wiring, step, before);
        self.couplings.push((across, out_of(self.wiring.current(), &step.b, &contributing)));
        self.live = Some(live);
        self.due = !self.schedule.is_done();
        macs
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        self.credited = self.couplings.len();
        Macs::default()
    }

    fn drain(&mut self) -> Macs {
        let mut macs = std::mem::take(&mut self.owed);
        if self.credited > 0 {
            macs += self.backward();
        }
        macs
    }

    fn footprint(&self) -> usize {
        let (w, h) = (&self.wiring, self.wiring.rows());
        let held: usize = self.rows.iter().enumerate().map(|(at, row)| row.0 * self.reading(at, 0).0).sum();
        let past = if self.schedule.is_done() { &[] } else { &self.couplings_before[..] };
        let a_step = 3 * h + w.pre_rows().len() + 2 * w.sources().len() + w.outputs().len();
        let kept = sum(&self.couplings) + sum(past) + (self.couplings.len() + past.len()) * a_step;
        let most = (0..h).filter(|&row| w.carries(row) || w.previous().col(row).len() > 0).count();
        let ends = 64 * most.div_ceil(64) * (h * self.steps + 2 * h + most) + 4 * most.div_ceil(4) * most;
        held + kept + ends + w.parameters()
    }
}
