//! A rule on the unmasked network ([`Unmasked`]), in which pruned parameters are stored zeros.

use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::params::Pattern;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Expands steps of a masked network to steps of the unmasked network.
pub(super) struct Expansion<T> {
    /// `[p]`, the column of each kept parameter, less than P.
    columns: Vec<usize>,
    /// `[entries of A]`, the position of each kept entry of A in the unmasked A.
    a: Vec<usize>,
    /// `[entries of B]`, the position of each kept entry of B in the unmasked B.
    b: Vec<usize>,
    /// The expanded step.
    step: Step<T>,
}

impl<T: Real> Expansion<T> {
    /// Creates the expansion from `wiring` to the unmasked wiring `full`.
    pub fn new(wiring: &Wiring, full: &Wiring) -> Self {
        let places = |kept: &Pattern, all: &Pattern| {
            kept.entries()
                .map(|(i, j)| all.position(i, j).expect("a kept entry must be in the unmasked pattern"))
                .collect()
        };
        Self {
            columns: places(wiring.layout().weights(), full.layout().weights()),
            a: places(wiring.previous(), full.previous()),
            b: places(wiring.current(), full.current()),
            step: Step::new(full),
        }
    }

    /// Returns the expanded step. Couplings of pruned parameters are zero.
    pub fn expand(&mut self, step: &Step<T>) -> &Step<T> {
        let full = &mut self.step;
        full.copy_local(step);
        for (places, to, from) in [(&self.a, &mut full.a, &step.a), (&self.b, &mut full.b, &step.b)] {
            places.iter().zip(from).for_each(|(&at, &value)| to[at] = value);
        }
        full
    }
}

/// Runs a rule on the unmasked network and drops the gradient of pruned parameters.
///
/// # Equation
/// The unmasked network has P parameters, of which p are kept, and a mask m of length P. The inner
/// rule computes S and Y of shape h × P. Pruned weights are zero, so that `A_{il} = Σ gain w` is a
/// sum over kept weights. The gradient of length p is the inner gradient restricted to `m = 1`.
///
/// # Cost
/// The cost of the inner rule with P instead of p: pruned parameters are not skipped.
///
/// # Exactness
/// The claim of the inner rule. An exact inner rule returns the same gradient with and without
/// `Unmasked`. Tests compare the two to verify that the skip of pruned parameters changes no
/// result.
pub struct Unmasked<T, R> {
    inner: R,
    expansion: Expansion<T>,
    /// `[P]`, the gradient of the inner rule.
    gradient: Vec<T>,
}

impl<T: Real, R: Rule<T>> Unmasked<T, R> {
    /// Creates a rule whose inner rule is built by `build` on the unmasked version of `wiring`.
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
