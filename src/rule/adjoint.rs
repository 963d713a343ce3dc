//! One step of the backward pass of rules with a tape:
//!
//! `μ_t = c̄_t + A_{t+1}ᵀ λ_{t+1} + B_tᵀ λ_t`,  `λ_t = e_t ⊙ μ_t + d_{t+1} ⊙ λ_{t+1}`,
//! `g += M̄_tᵀ λ_t + Ē_tᵀ μ_t`.
//!
//! Sparse BPTT (LM paper, section 3.2): μ is computed only for rows with `e ≠ 0` or `Ē ≠ 0`. The
//! columns of A and B of all other rows are skipped, and so are entries of M̄ whose source is zero.
//!
//! MACs: the number of entries of A and B in live columns, plus the number of kept parameters whose
//! source is nonzero.

use crate::scalar::Real;
use crate::sparse::kernel;
use crate::wiring::{Step, Wiring};

/// The adjoints of a backward pass.
pub(super) struct Backward<T> {
    /// Whether rows and sources that are zero are skipped.
    activity: bool,
    /// `[rows]`, λ of the current step.
    lambda: Vec<T>,
    /// `[rows]`, λ of the next step.
    lambda_after: Vec<T>,
    /// `[pre-activations]`, `gain ⊙ λ`.
    delta: Vec<T>,
}

impl<T: Real> Backward<T> {
    /// Creates zero adjoints.
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

    /// Computes λ of `step` from λ of `next` and the credit of `step`, and adds the gradient
    /// contribution of `step` to `gradient`. `next` is `None` at the last step of the pass. Returns
    /// the MACs.
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
