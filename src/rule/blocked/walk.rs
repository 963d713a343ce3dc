//! Credit carried back from the newest step of a block to its base:
//!
//! `μ_s = c̄_s + A_{s+1}ᵀ λ_{s+1} + B_sᵀ λ_s`,  `λ_s = e_s ⊙ μ_s + d_{s+1} ⊙ λ_{s+1}`,
//!
//! and at the base `∂L/∂S = d_{1} ⊙ λ_1 + e_0 ⊙ A_1ᵀ λ_1`. λ of every step is left for what M̄ earns.

use super::base::Base;
use super::history::History;
use crate::cell::Wiring;
use crate::scalar::Real;

/// λ on its way back.
pub struct Walk<T> {
    lambda: Vec<T>,
    after: Vec<T>,
    mu: Vec<T>,
    /// λ of every row, steps fastest; zero after the last step that has credit.
    pub lambdas: Vec<T>,
    /// ∂L/∂S at the base, line by line.
    pub terms: Vec<(T, u32)>,
}

impl<T: Real> Walk<T> {
    pub fn new(wiring: &Wiring, history: &History<T>) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let n = wiring.rows();
        Self {
            lambda: zeros(n),
            after: zeros(n),
            mu: zeros(n),
            lambdas: zeros(n * history.stride),
            terms: Vec::with_capacity(n),
        }
    }

    /// Walks back from step `last` (counted from one), adds to the gradient of thresholds what Ē earns. Returns the MACs.
    pub fn back(
        &mut self,
        wiring: &Wiring,
        history: &History<T>,
        base: &Base<T>,
        last: usize,
        gradient: &mut [T],
    ) -> u64 {
        let (steps, stride) = (&history.steps()[..last], history.stride);
        let dot = |entries: &[(T, u32)], lambda: &[T]| {
            entries.iter().fold(T::zero(), |sum, &(a, i)| sum + a * lambda[i as usize])
        };
        for lambdas in self.lambdas.chunks_exact_mut(stride) {
            lambdas[last..].fill(T::zero());
        }
        let mut macs = 0;
        for (s, step) in steps.iter().enumerate().rev() {
            std::mem::swap(&mut self.lambda, &mut self.after);
            self.mu.fill(T::zero());
            let next = steps.get(s + 1);
            if let Some(next) = next {
                for (row, entries) in next.feeds.columns() {
                    self.mu[row] = dot(entries, &self.after);
                }
                macs += next.feeds.len();
            }
            for (mu, &credit) in self.mu[wiring.outputs()].iter_mut().zip(&step.credit) {
                *mu += credit;
            }
            let mut relays = step.relays.columns().peekable();
            for row in (0..wiring.rows()).rev() {
                if let Some((_, entries)) = relays.next_if(|column| column.0 == row) {
                    self.mu[row] += dot(entries, &self.lambda);
                }
                let kept = next.map_or(T::zero(), |next| next.d[row] * self.after[row]);
                let lambda = kept + step.e[row] * self.mu[row];
                self.lambda[row] = lambda;
                self.lambdas[row * stride + s] = lambda;
                if let (Some(theta), true) = (wiring.threshold(row), step.live[row]) {
                    gradient[theta] += step.e_bar[row] * self.mu[row];
                }
            }
            macs += step.relays.len();
        }
        self.terms.clear();
        if let (Some(first), true) = (steps.first(), base.present) {
            self.mu.fill(T::zero());
            for (row, entries) in first.feeds.columns() {
                self.mu[row] = dot(entries, &self.lambda);
            }
            macs += first.feeds.len();
            for (line, &row) in base.rows.iter().enumerate() {
                let slope = first.d[row] * self.lambda[row] + base.e[row] * self.mu[row];
                self.terms.push((slope, line as u32));
            }
            for row in 0..wiring.rows() {
                if let (Some(theta), true) = (wiring.threshold(row), base.live[row]) {
                    gradient[theta] += base.e_bar[row] * self.mu[row];
                }
            }
        }
        macs as u64
    }
}
