//! Cost of UORO.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Cost model of [`Uoro`](crate::rule::Uoro).
///
/// # Equation
/// `|A| + 2 |B| + t + 2 p` MACs per step and `p` MACs per credit, where t is the number of entries
/// of A and B in columns of rows with a threshold. Memory: `3 p + 5 h` numbers for h rows. Nothing
/// is skipped.
pub(in crate::rule) struct UoroCost {
    /// MACs per step.
    step: u64,
    /// p, number of parameters.
    p: u64,
    /// Number of values.
    footprint: usize,
}

/// Returns the mean MACs per step: `|A| + ϑ |A| + 2 p + p`, where ϑ is 1 for cells with thresholds,
/// else 0.
pub(in crate::rule) fn mean(of: &Means) -> f64 {
    (if of.thresholds { 2.0 } else { 1.0 }) * of.couplings + 3.0 * of.parameters
}

impl UoroCost {
    /// Creates the cost model of a wiring.
    pub fn new(wiring: &Wiring) -> Self {
        let p = wiring.parameters();
        let from_thresholds = |entries: &mut dyn Iterator<Item = (usize, usize)>| {
            entries.filter(|&(_, from)| wiring.threshold(from).is_some()).count()
        };
        let (a, b) = (wiring.previous(), wiring.current());
        let thresholds = from_thresholds(&mut a.entries()) + from_thresholds(&mut b.entries());
        let step = (a.len() + 2 * b.len() + thresholds + 2 * p) as u64;
        Self { step, p: p as u64, footprint: 3 * p + 5 * wiring.rows() }
    }
}

impl<T: Real> CostModel<T> for UoroCost {
    fn reset(&mut self) {}

    fn observe(&mut self, _: &Step<T>) -> Macs {
        Macs { influence: self.step, ..Macs::default() }
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        Macs { gradient: self.p, ..Macs::default() }
    }

    fn footprint(&self) -> usize {
        self.footprint
    }
}
