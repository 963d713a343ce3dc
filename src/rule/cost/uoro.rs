//! UORO: `2 |A| + 3 |B| + 2 p` MACs a step (couplings from rows without threshold count once less) and `p` a credit;
//! `3 p + 5 h` numbers for h rows. It skips nothing.

use super::CostModel;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

pub(in crate::rule) struct UoroCost {
    step: u64,
    p: u64,
    numbers: usize,
}

impl UoroCost {
    pub fn new(wiring: &Wiring) -> Self {
        let p = wiring.parameters();
        let shown = |entries: &mut dyn Iterator<Item = (usize, usize)>| {
            entries.filter(|&(_, from)| wiring.threshold(from).is_some()).count()
        };
        let (a, b) = (wiring.previous(), wiring.current());
        let thresholds = shown(&mut a.entries()) + shown(&mut b.entries());
        let step = (a.len() + 2 * b.len() + thresholds + 2 * p) as u64;
        Self { step, p: p as u64, numbers: 3 * p + 5 * wiring.rows() }
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

    fn numbers(&self) -> usize {
        self.numbers
    }
}
