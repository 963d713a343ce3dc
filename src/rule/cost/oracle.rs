//! Dense RTRL: `(|A| + |B| + 2 h) p + p` MACs a step and `o p` a credit, with |A|, |B| the pairs of rows that are coupled in
//! the unmasked network and h its rows, inner ones folded away; `4 p h' + 2 h'² + p` numbers for h' rows before folding. For
//! one EGRU layer |A| = n², |B| = 0.

use super::CostModel;
use crate::macs::Macs;
use crate::rule::DenseCost;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

pub(in crate::rule) struct OracleCost {
    cost: DenseCost,
    numbers: usize,
}

impl OracleCost {
    pub fn new(wiring: &Wiring) -> Self {
        let unmasked = wiring.unmasked();
        let (rows, p) = (unmasked.rows(), unmasked.parameters());
        Self { cost: DenseCost::new(&unmasked), numbers: 4 * rows * p + 2 * rows * rows + p }
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

    fn numbers(&self) -> usize {
        self.numbers
    }
}
