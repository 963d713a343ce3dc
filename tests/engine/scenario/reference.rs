//! The expected gradients from formulas: the dense recursion with couplings dropped or entries
//! masked, and its window for truncated back-propagation. References have state, so that they
//! receive the same resets and drains as a rule.

use super::tables::{Tables, recurrent};
use sparse_rtrl::wiring::{Step, Wiring};
use std::collections::VecDeque;
use std::sync::Arc;

/// A rule by its definition.
pub trait Reference {
    fn reset(&mut self);
    fn observe(&mut self, step: &Step<f64>);
    fn credit(&mut self, credit: &[f64]);
    /// Returns the gradient since the last drain and sets it to zero.
    fn drain(&mut self) -> Vec<f64>;
    /// Nonzero entries of Y over units, and those of recurrent weights. `None` if some entries are
    /// too small, or for other rules.
    fn influence(&self) -> Option<(usize, usize)> {
        None
    }
}

/// The kept part of the coupling to the step before.
#[derive(Clone, PartialEq)]
pub enum Kept {
    All,
    /// The direct coupling of a row to itself: its index for every row, if there is one.
    Own(Vec<Option<usize>>),
    Nothing,
}

/// `S = flush(diag(d) S + A Y⁻ + B Y + M̄)`, `Y = diag(e) S + Ē`, `g += Yᵀ c̄`, without skips. Numbers below 2⁻⁵¹¹ are stored as zero.
pub struct Recursion {
    wiring: Arc<Wiring>,
    tables: Tables,
    kept: Kept,
    /// Entries that are kept, rows × parameters.
    mask: Option<Vec<bool>>,
    recurrent: Vec<bool>,
    s: Vec<f64>,
    y: Vec<f64>,
    gradient: Vec<f64>,
}

impl Recursion {
    pub fn exact(wiring: &Arc<Wiring>) -> Self {
        Self::new(wiring, Tables::new(wiring, false), Kept::All, None)
    }

    /// The recursion of a local rule.
    pub fn local(wiring: &Arc<Wiring>, kept: Kept) -> Self {
        Self::new(wiring, Tables::new(wiring, true), kept, None)
    }

    /// SnAp-n: P₁ is the pattern of M̄ and of the couplings within a step; then `P ← P ∪ A P`.
    pub fn snap(wiring: &Arc<Wiring>, steps: usize) -> Self {
        let tables = Tables::new(wiring, true);
        let mask = pattern(wiring, &tables, steps);
        Self::new(wiring, tables, Kept::All, Some(mask))
    }

    fn new(wiring: &Arc<Wiring>, tables: Tables, kept: Kept, mask: Option<Vec<bool>>) -> Self {
        let (n, p) = (wiring.rows(), wiring.parameters());
        let zeros = || vec![0.0; n * p];
        let recurrent = recurrent(wiring);
        let (s, y, gradient) = (zeros(), zeros(), vec![0.0; p]);
        Self { wiring: wiring.clone(), tables, kept, mask, recurrent, s, y, gradient }
    }
}

/// The entries, rows × parameters, that can be reached within `steps` steps.
pub fn pattern(wiring: &Wiring, tables: &Tables, steps: usize) -> Vec<bool> {
    let (n, p) = (wiring.rows(), wiring.parameters());
    let mut mask = vec![false; n * p];
    for i in 0..n {
        for (column, (pre, _)) in wiring.layout().weights().entries().enumerate() {
            mask[i * p + column] = tables.gains.has(i, pre);
        }
    }
    let join = |mask: &mut Vec<bool>, i: usize, from: &[bool]| {
        mask[i * p..][..p].iter_mut().zip(from).for_each(|(to, from)| *to |= from);
    };
    for step in 0..steps {
        let before = mask.clone();
        for i in 0..n {
            if step > 0 {
                tables.a.rows[i].iter().for_each(|&l| join(&mut mask, i, &before[l * p..][..p]));
            }
            for &j in &tables.b.rows[i] {
                let from = mask[j * p..][..p].to_vec();
                join(&mut mask, i, &from);
            }
        }
    }
    mask
}

/// `to += factor · from`.
pub fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

impl Reference for Recursion {
    fn reset(&mut self) {
        self.s.fill(0.0);
        self.y.fill(0.0);
    }

    fn observe(&mut self, step: &Step<f64>) {
        let Self { wiring, tables, kept, mask, s, y, .. } = self;
        let p = wiring.parameters();
        tables.fill(wiring, step, false);
        let before = y.clone();
        for &i in &tables.rows {
            let mut sum: Vec<f64> = s[i * p..][..p].iter().map(|s| step.d[i] * s).collect();
            match kept {
                Kept::All => tables.a.of(i).for_each(|(l, x)| add(&mut sum, x, &before[l * p..][..p])),
                Kept::Own(own) => {
                    own[i]
                        .into_iter()
                        .for_each(|k| add(&mut sum, step.direct_previous[k], &before[i * p..][..p]));
                }
                Kept::Nothing => (),
            }
            tables.b.of(i).for_each(|(j, x)| add(&mut sum, x, &y[j * p..][..p]));
            for (pre, gain) in tables.gains.of(i) {
                for (source, column) in wiring.layout().weights().row(pre) {
                    sum[column] += gain * step.phi[source];
                }
            }
            if let Some(mask) = mask {
                sum.iter_mut().zip(&mask[i * p..]).filter(|(_, kept)| !**kept).for_each(|(s, _)| *s = 0.0);
            }
            sum.iter_mut().filter(|s| s.abs() < 2f64.powi(-511)).for_each(|s| *s = 0.0);
            y[i * p..][..p].iter_mut().zip(&sum).for_each(|(y, s)| *y = step.e[i] * s);
            if let Some(theta) = wiring.threshold(i) {
                y[i * p + theta] += step.e_bar[i];
            }
            s[i * p..][..p].copy_from_slice(&sum);
        }
    }

    fn credit(&mut self, credit: &[f64]) {
        let p = self.wiring.parameters();
        for (row, &c) in self.wiring.outputs().zip(credit) {
            add(&mut self.gradient, c, &self.y[row * p..][..p]);
        }
    }

    fn drain(&mut self) -> Vec<f64> {
        let fresh = vec![0.0; self.gradient.len()];
        std::mem::replace(&mut self.gradient, fresh)
    }

    fn influence(&self) -> Option<(usize, usize)> {
        let p = self.wiring.parameters();
        let (mut all, mut of_recurrent) = (0, 0);
        for &row in self.wiring.units() {
            for (&y, &recurrent) in self.y[row * p..][..p].iter().zip(&self.recurrent) {
                // Without carry, Y is stored and flushed instead of S.
                if y != 0.0 && y.abs() < 1e-150 {
                    return None;
                }
                all += usize::from(y != 0.0);
                of_recurrent += usize::from(y != 0.0 && recurrent);
            }
        }
        Some((all, of_recurrent))
    }
}

/// Truncated back-propagation by its definition: the gradient of each credit is that of the dense
/// recursion started K steps ago.
pub struct Window {
    recursion: Recursion,
    window: usize,
    steps: VecDeque<Step<f64>>,
}

impl Window {
    pub fn new(wiring: &Arc<Wiring>, window: usize) -> Self {
        Self { recursion: Recursion::exact(wiring), window, steps: VecDeque::new() }
    }
}

impl Reference for Window {
    fn reset(&mut self) {
        self.steps.clear();
    }

    fn observe(&mut self, step: &Step<f64>) {
        if self.steps.len() == self.window {
            self.steps.pop_front();
        }
        self.steps.push_back(step.clone());
    }

    fn credit(&mut self, credit: &[f64]) {
        self.recursion.reset();
        for step in &self.steps {
            self.recursion.observe(step);
        }
        self.recursion.credit(credit);
    }

    fn drain(&mut self) -> Vec<f64> {
        self.recursion.drain()
    }
}
