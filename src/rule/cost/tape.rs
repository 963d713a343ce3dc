//! Rules with a tape: `Σ_t (a_t + b_t + m_t)` MACs for a walk over steps t, with a_t the couplings of A out of units that were
//! live at t (none at the end of the walk), b_t the same of B, m_t the parameters whose source spoke. BPTT walks from the last
//! credited step to the reset at every drain, truncated BPTT over its window at every credit.
//!
//! `T s + p` numbers for T steps of s numbers each (and o more for BPTT's credit): 6 h + 2 g + f + |A| + |B| and the direct
//! couplings, for h rows, g pre-activations, f sources. In the paper's Table 1 this is `T n + p`.

use super::{CostModel, spoken};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

pub(in crate::rule) struct TapeCost {
    wiring: Arc<Wiring>,
    /// The window of truncated BPTT; none for BPTT.
    window: Option<usize>,
    /// a_t, and b_t + m_t.
    steps: Vec<(u64, u64)>,
    credited: usize,
    owed: u64,
    step_numbers: usize,
}

impl TapeCost {
    pub fn new(wiring: Arc<Wiring>, window: Option<usize>) -> Self {
        Self { wiring, window, steps: Vec::new(), credited: 0, owed: 0, step_numbers: 0 }
    }

    fn walk(&self, from: usize, to: usize) -> u64 {
        (from..to).map(|t| self.steps[t].1 + if t + 1 < to { self.steps[t].0 } else { 0 }).sum()
    }
}

impl<T: Real> CostModel<T> for TapeCost {
    fn reset(&mut self) {
        self.owed += self.walk(0, self.credited);
        self.steps.clear();
        self.credited = 0;
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let out_of_live = |pattern: &crate::sparse::Pattern| {
            let live = (0..pattern.cols()).filter(|&row| step.is_live(row));
            live.map(|row| pattern.col(row).len()).sum::<usize>()
        };
        let across = out_of_live(self.wiring.previous());
        let within = out_of_live(self.wiring.current()) + spoken(&self.wiring, step);
        self.steps.push((across as u64, within as u64));
        self.step_numbers = step.size();
        Macs::default()
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        let now = self.steps.len();
        match self.window {
            Some(window) => {
                let backward = self.walk(now.saturating_sub(window), now);
                Macs { backward, ..Macs::default() }
            }
            None => {
                self.credited = now;
                Macs::default()
            }
        }
    }

    fn drain(&mut self) -> Macs {
        let backward = self.walk(0, self.credited) + std::mem::take(&mut self.owed);
        self.credited = 0;
        Macs { backward, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        let (steps, credit) = match self.window {
            Some(window) => (self.steps.len().min(window), 0),
            None => (self.steps.len(), self.wiring.outputs().len()),
        };
        steps * (self.step_numbers + credit) + self.wiring.parameters()
    }
}
