//! Back-propagation through time ([`Bptt`]).

use super::adjoint::Backward;
use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// A step on the tape.
struct Record<T> {
    step: Step<T>,
    /// `[outputs]`, the pending credit of the step.
    credit: Vec<T>,
}

/// Back-propagation through time for one stream. Every step is recorded on a tape, and credit is
/// carried back to the start of the sequence.
///
/// # Equation
///
/// `μ_t = c̄_t + A_{t+1}ᵀ λ_{t+1} + B_tᵀ λ_t`,  `λ_t = e_t ⊙ μ_t + d_{t+1} ⊙ λ_{t+1}`,
/// `g += M̄_tᵀ λ_t + Ē_tᵀ μ_t`
///
/// for t from the last step to the first, with λ = ∂L/∂c and μ = ∂L/∂y, one per row.
///
/// # What is skipped
///
/// μ of rows with `e = 0` and `Ē = 0`, the columns of A and B of these rows, and entries of M̄
/// whose source is zero (sparse BPTT: LM paper, section 3.2).
///
/// # Cost
///
/// One backward pass per drain. MACs per step of the tape: the number of entries of A and B in live
/// columns, plus the number of kept parameters whose source is nonzero. Each backward pass starts
/// at the last step with credit and ends at the reset, so one drain per sequence is cheapest.
///
/// Memory grows with the longest sequence, so this rule is not for endless streams. The tape is
/// reused after a reset.
///
/// # Exactness
///
/// [`Claim::Exact`].
pub struct Bptt<T> {
    wiring: Arc<Wiring>,
    backward: Backward<T>,
    /// `[at least len]`, of which the first `len` records belong to the current sequence.
    tape: Vec<Record<T>>,
    /// Number of steps since the reset.
    len: usize,
    /// Number of leading steps that may have pending credit, at most `len`.
    credited: usize,
    /// `[p]`
    gradient: Vec<T>,
    /// MACs of backward passes of resets. The next drain reports them.
    unreported: u64,
}

impl<T: Real> Bptt<T> {
    /// Creates a rule for one stream. With `activity`, rows and sources that are zero are skipped.
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

    /// Runs a backward pass from the last step with credit and adds to the gradient. Returns the
    /// MACs.
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
            // Old records may hold credit.
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
