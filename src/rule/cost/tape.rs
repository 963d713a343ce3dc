//! Cost of rules with a tape: BPTT and truncated BPTT.

use super::{CostModel, Means, nonzero_parameters};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Cost model of [`Bptt`](crate::rule::Bptt) and [`Tbptt`](crate::rule::Tbptt).
///
/// # Equation
/// A backward pass over steps t costs `Σ_t (a_t + b_t + m_t)` MACs. BPTT has one backward pass per
/// drain, from the last step with credit to the reset. Truncated BPTT has one backward pass per
/// credit, over its window.
///
/// Memory: `T s + p` numbers for T steps of s numbers (`T n + p` in Table 1 of the RTRL paper). s
/// is `6 h + 2 g + f + |A| + |B|`, plus the number of direct couplings, plus o for BPTT.
///
/// # Symbols
/// - a_t, b_t: couplings of A (none at the end of the pass) and of B in columns of units that are
///   live at t
/// - m_t: parameters whose source is nonzero at t
/// - h, g, f, o: rows, pre-activations, sources and outputs
pub(in crate::rule) struct TapeCost {
    wiring: Arc<Wiring>,
    /// The window of truncated BPTT; `None` for BPTT.
    window: Option<usize>,
    /// `[steps since the reset]`, pairs (a_t, b_t + m_t).
    steps: Vec<(u64, u64)>,
    /// Number of leading steps that may have pending credit.
    credited: usize,
    /// MACs of resets. The next drain reports them.
    owed: u64,
    /// s, number of values per step.
    step_size: usize,
}

/// Returns the mean MACs per step: `ν |A| + s p`, or `(K − 1) ν |A| + K s p` with a window of K
/// steps.
pub(in crate::rule) fn mean(of: &Means, window: Option<f64>) -> f64 {
    match window {
        None => of.live * of.couplings + of.nonzero * of.parameters,
        Some(k) => (k - 1.0) * of.live * of.couplings + k * of.nonzero * of.parameters,
    }
}

impl TapeCost {
    /// Creates the cost model of a wiring.
    pub fn new(wiring: Arc<Wiring>, window: Option<usize>) -> Self {
        Self { wiring, window, steps: Vec::new(), credited: 0, owed: 0, step_size: 0 }
    }

    /// Returns the MACs of a backward pass over the steps `from..to`.
    fn backward(&self, from: usize, to: usize) -> u64 {
        (from..to).map(|t| self.steps[t].1 + if t + 1 < to { self.steps[t].0 } else { 0 }).sum()
    }
}

impl<T: Real> CostModel<T> for TapeCost {
    fn reset(&mut self) {
        self.owed += self.backward(0, self.credited);
        self.steps.clear();
        self.credited = 0;
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let out_of_live = |pattern: &crate::sparse::Pattern| {
            let live = (0..pattern.cols()).filter(|&row| step.is_live(row));
            live.map(|row| pattern.col(row).len()).sum::<usize>()
        };
        let across = out_of_live(self.wiring.previous());
        let within = out_of_live(self.wiring.current()) + nonzero_parameters(&self.wiring, step);
        self.steps.push((across as u64, within as u64));
        self.step_size = step.size();
        Macs::default()
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        let now = self.steps.len();
        match self.window {
            Some(window) => {
                let backward = self.backward(now.saturating_sub(window), now);
                Macs { backward, ..Macs::default() }
            }
            None => {
                self.credited = now;
                Macs::default()
            }
        }
    }

    fn drain(&mut self) -> Macs {
        let backward = self.backward(0, self.credited) + std::mem::take(&mut self.owed);
        self.credited = 0;
        Macs { backward, ..Macs::default() }
    }

    fn footprint(&self) -> usize {
        let (steps, credit) = match self.window {
            Some(window) => (self.steps.len().min(window), 0),
            None => (self.steps.len(), self.wiring.outputs().len()),
        };
        steps * (self.step_size + credit) + self.wiring.parameters()
    }
}
