//! A rule on the unmasked network: pruned weights are zeros with columns and couplings of their own.

use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::sparse::Pattern;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Expands steps of a masked network to steps of the unmasked network.
pub(super) struct Expansion<T> {
    // Positions of the kept entries in the unmasked W, A and B.
    columns: Vec<usize>, // [p]
    a: Vec<usize>,       // [|A|]
    b: Vec<usize>,       // [|B|]
    step: Step<T>,
}

impl<T: Real> Expansion<T> {
    pub fn new(wiring: &Wiring, full: &Wiring) -> Self {
        let places = |kept: &Pattern, all: &Pattern| {
            kept.entries().map(|(i, j)| all.position(i, j).expect("the mask only removes")).collect()
        };
        Self {
            columns: places(wiring.layout().weights(), full.layout().weights()),
            a: places(wiring.previous(), full.previous()),
            b: places(wiring.current(), full.current()),
            step: Step::new(full),
        }
    }

    /// The step, with zeros for the masked couplings.
    pub fn expand(&mut self, step: &Step<T>) -> &Step<T> {
        let full = &mut self.step;
        full.copy_local(step);
        for (places, to, from) in [(&self.a, &mut full.a, &step.a), (&self.b, &mut full.b, &step.b)] {
            places.iter().zip(from).for_each(|(&at, &value)| to[at] = value);
        }
        full
    }
}

/// Runs a rule on the unmasked network and drops the gradient of masked parameters.
///
/// # Equation
/// With P parameters of the unmasked network, of which p are kept, and a mask m of length P: the inner rule computes
/// S and Y of shape h × P, in which a masked weight is zero and couples nothing, `A_{il} = Σ gain w` over kept weights only.
/// The gradient of length p is the inner gradient restricted to `m = 1`.
///
/// # Cost
/// The cost of masking without skipping: that of the inner rule with P for p.
///
/// # Exactness
/// The claim of the inner rule. If it is exact, equal gradients with and without `Unmasked` show that skipping masked
/// parameters changes nothing.
pub struct Unmasked<T, R> {
    inner: R,
    expansion: Expansion<T>,
    gradient: Vec<T>, // [P]
}

impl<T: Real, R: Rule<T>> Unmasked<T, R> {
    /// Builds the inner rule, with `build`, on the unmasked version of `wiring`.
    pub fn new(wiring: &Arc<Wiring>, build: impl FnOnce(Arc<Wiring>) -> R) -> Self {
        let full = Arc::new(wiring.unmasked());
        Self {
            expansion: Expansion::new(wiring, &full),
            gradient: vec![T::zero(); full.parameters()],
            inner: build(full),
        }
    }
}

impl<T: Real, R: Rule<T>> Rule<T> for Unmasked<T, R> {
    fn claim(&self) -> Claim {
        self.inner.claim()
    }

    fn reset(&mut self) {
        self.inner.reset();
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        self.inner.observe(self.expansion.expand(step), macs);
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        self.inner.credit(credit, macs);
    }

    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs) {
        let columns = &self.expansion.columns;
        assert_eq!(gradient.len(), columns.len(), "the gradient must have p entries");
        self.gradient.fill(T::zero());
        self.inner.drain(&mut self.gradient, macs);
        columns.iter().zip(gradient).for_each(|(&column, to)| *to += self.gradient[column]);
    }

    fn influence(&mut self) -> Option<Influence> {
        self.inner.influence()
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.inner.archive(archive)
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }
}
