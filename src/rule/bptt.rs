//! Back-propagation through time. [`Bptt`] has the equations.

use super::adjoint::Backward;
use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// A step as the tape keeps it, and the credit it was given since the last drain.
struct Record<T> {
    step: Step<T>,
    credit: Vec<T>,
}

/// Back-propagation through time for one stream: every step is recorded on a tape, and credit is carried back to the start of the sequence.
///
/// # Equation
///
/// `μ_t = c̄_t + A_{t+1}ᵀ λ_{t+1} + B_tᵀ λ_t`,  `λ_t = e_t ⊙ μ_t + d_{t+1} ⊙ λ_{t+1}`,  `g += M̄_tᵀ λ_t + Ē_tᵀ μ_t`
///
/// for t from the last step to the first, with λ = ∂L/∂c and μ = ∂L/∂y, one per row.
///
/// # What is skipped
///
/// μ and the columns of A and B of rows with `e = 0` and `Ē = 0`; entries of M̄ whose source is zero (sparse BPTT: LM paper, section 3.2).
///
/// # Cost
///
/// One backward pass per drain. In MACs per step of the tape: the entries of A and B in live columns, and one per kept parameter whose source is nonzero. Drain once per
/// sequence: each drain goes back to the reset. Memory grows with the longest sequence, so this rule is not for endless streams. The tape is reused after a reset.
///
/// # Exactness
///
/// Exact ([`Claim::Exact`]).
pub struct Bptt<T> {
    wiring: Arc<Wiring>,
    backward: Backward<T>,
    /// Records, of which the first `len` belong to this sequence.
    tape: Vec<Record<T>>,
    len: usize,
    /// Steps up to here may have credit that was not drained.
    credited: usize,
    gradient: Vec<T>,
    /// MACs of walks that a reset made and nobody has asked for yet.
    unreported: u64,
}

impl<T: Real> Bptt<T> {
    /// A rule for one stream over `wiring`; with `activity`, units and sources that are zero are skipped.
    pub fn new(wiring: Arc<Wiring>, activity: bool) -> Self {
        Self {
            backward: Backward::new(&wiring, activity),
            tape: Vec::new(),
            len: 0,
            credited: 0,
            gradient: vec![T::zero(); wiring.parameters()],
            unreported: 0,
            wiring,
        }
    }

    /// Walks the tape back from the last credited step and gathers the gradient. Returns the MACs.
    fn backward_pass(&mut self) -> u64 {
        let mut macs = 0;
        let span = &mut self.tape[..self.credited];
        for t in (0..span.len()).rev() {
            let (Record { step, credit }, next) = (&span[t], span.get(t + 1).map(|r| &r.step));
            macs += self.backward.step(&self.wiring, step, next, Some(credit), &mut self.gradient);
        }
        span.iter_mut().for_each(|r| r.credit.fill(T::zero()));
        self.credited = 0;
        macs
    }
}

impl<T: Real> Rule<T> for Bptt<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.unreported += self.backward_pass();
        self.len = 0;
    }

    fn observe(&mut self, step: &Step<T>, _: &mut Macs) {
        if self.len == self.tape.len() {
            let credit = vec![T::zero(); self.wiring.outputs().len()];
            self.tape.push(Record { step: step.clone(), credit });
        } else {
            self.tape[self.len].step.copy_from(step);
        }
        self.len += 1;
    }

    fn credit(&mut self, credit: &[T], _: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        assert!(self.len > 0, "credit needs an observed step");
        let given = &mut self.tape[self.len - 1].credit;
        given.iter_mut().zip(credit).for_each(|(to, &c)| *to = (*to + c).normal());
        self.credited = self.len;
    }

    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs) {
        macs.backward += self.backward_pass() + std::mem::take(&mut self.unreported);
        super::drain_into(&mut self.gradient, gradient);
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("bptt.len", &mut self.len)?;
        archive.field("bptt.credited", &mut self.credited)?;
        archive.field("bptt.unreported", &mut self.unreported)?;
        archive.list("bptt.gradient", &mut self.gradient)?;
        if archive.reads() {
            // Records of a rule that was used may hold credit.
            self.tape.clear();
        }
        let fresh =
            || Record { step: Step::new(&self.wiring), credit: vec![T::zero(); self.wiring.outputs().len()] };
        self.tape.resize_with(self.len.max(self.tape.len()), fresh);
        for record in &mut self.tape[..self.len] {
            record.step.archive(archive)?;
            archive.list("bptt.credit", &mut record.credit)?;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let tape: usize = self.tape[..self.len].iter().map(|r| r.step.size() + r.credit.len()).sum();
        (tape + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
