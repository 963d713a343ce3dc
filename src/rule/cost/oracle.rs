//! Cost of dense RTRL.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::rule::DenseCost;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Cost model of [`RtrlDense`](crate::rule::RtrlDense) on the unmasked network.
///
/// # Equation
/// `(|A| + |B| + 2 h) p + p` MACs per step, plus the MACs of folding, and `o p` MACs per credit.
/// Memory: `4 p h′ + 2 h′² + p` numbers.
///
/// # Symbols
/// - |A|, |B|: number of coupled pairs of rows after folding; `n²` and 0 for one EGRU layer
/// - h, h′: number of rows after and before folding
/// - o: number of output rows
pub(in crate::rule) struct OracleCost {
    cost: DenseCost,
    /// Number of values.
    footprint: usize,
}

/// Returns the mean MACs per step: `(n² + 2 n) P + P + n P`.
pub(in crate::rule) fn mean(of: &Means) -> f64 {
    let (n, dense) = (of.units, of.dense_parameters);
    (n * n + 2.0 * n) * dense + dense + n * dense
}

impl OracleCost {
    /// Creates the cost model of the unmasked version of a wiring.
    pub fn new(wiring: &Wiring) -> Self {
        let unmasked = wiring.unmasked();
        let (rows, p) = (unmasked.rows(), unmasked.parameters());
        Self { cost: DenseCost::new(&unmasked), footprint: 4 * rows * p + 2 * rows * rows + p }
    }
}

impl<T: Real> CostModel<T> for OracleCost {
    fn reset(&mut self) {}

    fn observe(&mut self, _: &Step<T>) -> Macs {
        Macs { influence: self.cost.influence, ..Macs::default() }
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        Macs { gradient: self.cost.gradient, ..Macs::default() }
    }

    fn footprint(&self) -> usize {
        self.footprint
    }
}
