//! One step of the backward pass, shared by all rules with a tape:
//!
//! `μ_t = c̄_t + A_{t+1}ᵀ λ_{t+1} + B_tᵀ λ_t`,  `λ_t = e_t ⊙ μ_t + d_{t+1} ⊙ λ_{t+1}`,  `g += M̄_tᵀ λ_t + Ē_tᵀ μ_t`.
//!
//! Event-sparse (LM paper, section 3.2): μ is computed only for rows with `e ≠ 0` or `Ē ≠ 0`, so the columns of A and B of all other rows are
//! skipped. M̄ has entries only where a source is nonzero.
//!
//! Cost in MACs: the entries of A and B in live columns, and one per kept parameter whose source is nonzero.

use crate::scalar::Real;
use crate::sparse::kernel;
use crate::wiring::{Step, Wiring};

/// λ on its way back.
pub(super) struct Backward<T> {
    /// Whether units and sources that are zero are skipped.
    activity: bool,
    /// λ of the step walked, λ of the one after, and `gain ⊙ λ` per pre-activation.
    lambda: Vec<T>,
    lambda_after: Vec<T>,
    delta: Vec<T>,
}

impl<T: Real> Backward<T> {
    pub fn new(wiring: &Wiring, activity: bool) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let rows = wiring.rows();
        Self {
            activity,
            lambda: zeros(rows),
            lambda_after: zeros(rows),
            delta: zeros(wiring.pre_rows().len()),
        }
    }

    /// Takes λ one step back, from `next` (none at the end of the walk's span) to `step`, with the credit given at
    /// `step`, and adds to `gradient`. Returns the MACs.
    pub fn step(
        &mut self,
        wiring: &Wiring,
        step: &Step<T>,
        next: Option<&Step<T>>,
        credit: Option<&[T]>,
        gradient: &mut [T],
    ) -> u64 {
        let outputs = wiring.outputs();
        let mut macs = 0;
        std::mem::swap(&mut self.lambda, &mut self.lambda_after);
        self.lambda.fill(T::zero());
        for row in (0..wiring.rows()).rev() {
            let mut lambda = next.map_or(T::zero(), |next| next.d[row] * self.lambda_after[row]);
            if step.is_live(row) || !self.activity {
                let given = credit.filter(|_| outputs.contains(&row));
                let mut mu = given.map_or(T::zero(), |credit| credit[row - outputs.start]);
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
                    gradient[theta] = (gradient[theta] + step.e_bar[row] * mu).normal();
                }
            }
            self.lambda[row] = lambda.flushed();
        }
        for (delta, (&gain, &row)) in self.delta.iter_mut().zip(step.gain.iter().zip(wiring.pre_rows())) {
            *delta = (gain * self.lambda[row]).flushed();
        }
        for (source, &phi) in step.phi.iter().enumerate() {
            if phi != T::zero() || !self.activity {
                for (pre, column) in wiring.layout().weights().col(source) {
                    gradient[column] = (gradient[column] + self.delta[pre] * phi).normal();
                    macs += 1;
                }
            }
        }
        macs
    }
}
