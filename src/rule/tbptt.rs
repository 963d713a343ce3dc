//! Truncated back-propagation through time ([`Tbptt`]).

use super::adjoint::Backward;
use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Truncated back-propagation through time for one stream (`tbptt-K`). Each credit is carried back
/// over the last K steps.
///
/// # Equation
///
/// The equation of [`Bptt`](super::Bptt), with λ = 0 at all steps before the last K steps.
///
/// # Cost
///
/// MACs per credit: a backward pass over K steps. Memory: K steps.
///
/// # Exactness
///
/// [`Claim::Heuristic`]: influence from more than K steps ago is dropped. The gradient is exact on
/// sequences of at most K steps.
///
/// # References
///
/// R. J. Williams & J. Peng, *An efficient gradient-based algorithm for on-line training of
/// recurrent network trajectories*, Neural Computation 2(4), 1990, where it is called BPTT(h).
pub struct Tbptt<T> {
    wiring: Arc<Wiring>,
    backward: Backward<T>,
    /// K.
    window: usize,
    /// `[at most K]`, a ring buffer of steps.
    tape: Vec<Step<T>>,
    /// Index of the oldest step in `tape`, less than K.
    first: usize,
    /// Number of steps in the ring, at most K.
    len: usize,
    /// `[p]`
    gradient: Vec<T>,
}

impl<T: Real> Tbptt<T> {
    /// Creates a rule for one stream with a window of `window` steps, the current step included.
    /// With `activity`, rows and sources that are zero are skipped.
    ///
    /// # Panics
    /// If `window` is 0.
    pub fn new(wiring: Arc<Wiring>, window: usize, activity: bool) -> Self {
        assert!(window > 0, "a window must have at least one step");
        Self {
            backward: Backward::new(&wiring, activity),
            window,
            tape: Vec::new(),
            first: 0,
            len: 0,
            gradient: vec![T::zero(); wiring.parameters()],
            wiring,
        }
    }
}

impl<T: Real> Rule<T> for Tbptt<T> {
    fn claim(&self) -> Claim {
        Claim::Heuristic
    }

    fn reset(&mut self) {
        (self.first, self.len) = (0, 0);
    }

    fn observe(&mut self, step: &Step<T>, _: &mut Macs) {
        if self.len == self.window {
            self.tape[self.first].copy_from(step);
            self.first = (self.first + 1) % self.window;
            return;
        }
        match self.tape.get_mut(self.len) {
            Some(record) => record.copy_from(step),
            None => self.tape.push(step.clone()),
        }
        self.len += 1;
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        assert!(self.len > 0, "credit needs an observed step");
        let at = |t: usize| (self.first + t) % self.window;
        for t in (0..self.len).rev() {
            let last = t + 1 == self.len;
            let next = (!last).then(|| &self.tape[at(t + 1)]);
            let credit = last.then_some(credit);
            let step = &self.tape[at(t)];
            macs.backward += self.backward.step(&self.wiring, step, next, credit, &mut self.gradient);
        }
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        super::drain_into(&mut self.gradient, gradient);
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("tbptt.first", &mut self.first)?;
        archive.field("tbptt.len", &mut self.len)?;
        archive.list("tbptt.gradient", &mut self.gradient)?;
        let mut room = self.tape.len();
        archive.field("tbptt.room", &mut room)?;
        if room > self.window || self.len > room || self.first >= room.max(1) {
            return Err(Error::State { field: "tbptt.room", found: format!("{room} steps") });
        }
        self.tape.resize_with(room, || Step::new(&self.wiring));
        self.tape.iter_mut().try_for_each(|step| step.archive(archive))
    }

    fn bytes(&self) -> usize {
        let tape: usize = self.tape[..self.len].iter().map(Step::size).sum();
        (tape + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
