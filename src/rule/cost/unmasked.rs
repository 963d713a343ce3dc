//! Cost of rules on the unmasked network.

use super::CostModel;
use crate::macs::Macs;
use crate::rule::unmasked::Expansion;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Cost model of [`Unmasked`](crate::rule::Unmasked): the cost of the inner rule on the unmasked
/// network.
pub(in crate::rule) struct UnmaskedCost<T, P> {
    inner: P,
    expansion: Expansion<T>,
}

impl<T: Real, P: CostModel<T>> UnmaskedCost<T, P> {
    /// Creates the cost model. `build` creates the cost model of the inner rule.
    pub fn new(wiring: &Wiring, build: impl FnOnce(Arc<Wiring>) -> P) -> Self {
        let full = Arc::new(wiring.unmasked());
        Self { expansion: Expansion::new(wiring, &full), inner: build(full) }
    }
}

impl<T: Real, P: CostModel<T>> CostModel<T> for UnmaskedCost<T, P> {
    fn reset(&mut self) {
        self.inner.reset();
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        self.inner.observe(self.expansion.expand(step))
    }

    fn credit(&mut self, credit: &[T]) -> Macs {
        self.inner.credit(credit)
    }

    fn drain(&mut self) -> Macs {
        self.inner.drain()
    }

    fn footprint(&self) -> usize {
        self.inner.footprint()
    }
}
