//! Cost of dense RTRL.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::rule::DenseCost;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Cost model of [`RtrlDense`](crate::rule::RtrlDense) on the unmasked network: `(|A| + |B| + 2 h) p + p` MACs per step and
/// `o p` per credit, and those of folding. |A| and |B| are the coupled pairs of rows and h the rows after inner rows are folded
/// away. Memory: `4 p h′ + 2 h′² + p` numbers for h′ rows before folding. For one EGRU layer `|A| = n²` and `|B| = 0`.
pub(in crate::rule) struct OracleCost {
    cost: DenseCost,
    footprint: usize,
}

/// Mean MACs per step: `(n² + 2 n) P + P + n P`.
pub(in crate::rule) fn mean(of: &Means) -> f64 {
    let (n, dense) = (of.units, of.dense_parameters);
    (n * n + 2.0 * n) * dense + dense + n * dense
}

impl OracleCost {
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
