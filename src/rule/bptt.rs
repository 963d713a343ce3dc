//! Back-propagation through time over a tape of the same objects RTRL reads:
//!
//! `μ_t = c̄_t + A_{t+1}ᵀ λ_{t+1} + B_tᵀ λ_t`,  `λ_t = e_t ⊙ μ_t + d_{t+1} ⊙ λ_{t+1}`,  `g += M̄_tᵀ λ_t + Ē_tᵀ μ_t`.
//!
//! Event-sparse (LM paper, section 3.2): μ is needed only where the unit's emission has a derivative, `e ≠ 0` or
//! `Ē ≠ 0`, so the columns of A and B of all other units are skipped; and M̄ has entries only where a source spoke.
//!
//! The tape holds every step since the reset and is walked at every drain, so draining once a sequence is what it
//! is made for. Draining more often is exact too (each credit walks the whole tape once more) and costs more.
//! The tape grows with the longest sequence seen and is reused from then on.
//!
//! Cost in MACs of a drain, a step: the entries of A and B in live columns, and one per kept parameter whose source is
//! not silent.

use super::{Claim, Rule};
use crate::cell::{Step, Wiring};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::sparse::kernel;
use std::sync::Arc;

/// A step as the tape keeps it, and the credit it was given since the last drain.
struct Record<T> {
    step: Step<T>,
    credit: Vec<T>,
}

/// BPTT for one stream.
pub struct Bptt<T> {
    wiring: Arc<Wiring>,
    /// Whether units and sources that are zero are skipped.
    activity: bool,
    /// Records, of which the first `len` belong to this sequence.
    tape: Vec<Record<T>>,
    len: usize,
    /// Steps up to here may have credit that was not drained.
    credited: usize,
    /// λ of the step walked, λ of the one after, `gain ⊙ λ` per pre-activation.
    lambda: Vec<T>,
    lambda_after: Vec<T>,
    delta: Vec<T>,
    gradient: Vec<T>,
    /// MACs of walks that a reset made and nobody has asked for yet.
    unreported: u64,
}

impl<T: Real> Bptt<T> {
    /// A rule for one stream over `wiring`.
    pub fn new(wiring: Arc<Wiring>, activity: bool) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        Self {
            activity,
            tape: Vec::new(),
            len: 0,
            credited: 0,
            lambda: zeros(wiring.rows()),
            lambda_after: zeros(wiring.rows()),
            delta: zeros(wiring.pre_rows().len()),
            gradient: zeros(wiring.parameters()),
            unreported: 0,
            wiring,
        }
    }

    /// Walks the tape back from the last credited step and gathers the gradient. Returns the MACs.
    fn walk(&mut self) -> u64 {
        let wiring = &self.wiring;
        let outputs = wiring.outputs();
        let mut macs = 0;
        for t in (0..self.credited).rev() {
            let (before, after) = self.tape.split_at_mut(t + 1);
            let Record { step, credit } = &mut before[t];
            let next = after.first().filter(|_| t + 1 < self.credited).map(|r| &r.step);
            std::mem::swap(&mut self.lambda, &mut self.lambda_after);
            self.lambda.fill(T::zero());
            for row in (0..wiring.rows()).rev() {
                let mut lambda = next.map_or(T::zero(), |next| next.d[row] * self.lambda_after[row]);
                if step.is_live(row) || !self.activity {
                    let mut mu = if outputs.contains(&row) { credit[row - outputs.start] } else { T::zero() };
                    if let Some(next) = next {
                        let (sum, done) =
                            kernel::transposed_entry(wiring.previous(), &next.a, &self.lambda_after, row);
                        mu += sum;
                        macs += done;
                    }
                    let (sum, done) = kernel::transposed_entry(wiring.current(), &step.b, &self.lambda, row);
                    mu += sum;
                    macs += done;
                    lambda += step.e[row] * mu;
                    if let Some(theta) = wiring.threshold(row) {
                        self.gradient[theta] += step.e_bar[row] * mu;
                    }
                }
                self.lambda[row] = lambda;
            }
            let gains = step.gain.iter().zip(wiring.pre_rows());
            for (delta, (&gain, &row)) in self.delta.iter_mut().zip(gains) {
                *delta = gain * self.lambda[row];
            }
            for (source, &phi) in step.phi.iter().enumerate() {
                if phi != T::zero() || !self.activity {
                    for (pre, column) in wiring.layout().weights().col(source) {
                        self.gradient[column] += self.delta[pre] * phi;
                        macs += 1;
                    }
                }
            }
            credit.fill(T::zero());
        }
        self.credited = 0;
        macs
    }
}

impl<T: Real> Rule<T> for Bptt<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.unreported += self.walk();
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
        given.iter_mut().zip(credit).for_each(|(to, &c)| *to += c);
        self.credited = self.len;
    }

    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs) {
        assert_eq!(gradient.len(), self.gradient.len(), "the gradient must have p entries");
        macs.backward += self.walk() + std::mem::take(&mut self.unreported);
        for (to, from) in gradient.iter_mut().zip(&mut self.gradient) {
            *to += std::mem::replace(from, T::zero());
        }
    }

    fn bytes(&self) -> usize {
        let tape: usize = self.tape[..self.len].iter().map(|r| r.step.size() + r.credit.len()).sum();
        (tape + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
