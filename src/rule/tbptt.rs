//! Truncated back-propagation through time: each credit is carried back over the last K steps and no further
//! (`rule/backward.rs` has the equations; R. J. Williams & J. Peng 1990 call it BPTT(h)).
//!
//! What is cut off is the influence of anything longer ago. Exact on sequences of at most K steps.
//!
//! Cost in MACs of a credit: K steps back. Memory: K steps, whatever the length of the stream.
//!
//! R. J. Williams & J. Peng, *An efficient gradient-based algorithm for on-line training of recurrent network trajectories*,
//! Neural Computation 2(4), 1990.

use super::adjoint::Backward;
use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Truncated BPTT for one stream.
pub struct Tbptt<T> {
    wiring: Arc<Wiring>,
    backward: Backward<T>,
    window: usize,
    /// The last `len` steps in a ring, the oldest of them at `first`.
    tape: Vec<Step<T>>,
    first: usize,
    len: usize,
    gradient: Vec<T>,
}

impl<T: Real> Tbptt<T> {
    /// A rule for one stream over `wiring` that looks back over `window` steps, the present one included.
    ///
    /// # Panics
    /// If the window is empty.
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
