//! Unbiased online recurrent optimisation ([`Uoro`]).

use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::params::{Generator, Purpose, generator};
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use rand::RngExt;
use std::sync::Arc;

/// Unbiased online recurrent optimisation (UORO) for one stream. It estimates the influence matrix
/// by a random matrix of rank one.
///
/// # Equation
/// The influence is the expectation of an outer product, `S_t = E[s̃_t θ̃_tᵀ]`, with
///
/// `s̃ ← (I − B diag(e))⁻¹ (ρ₀ (diag(d) + A diag(e⁻)) s̃ + ρ₁ ν)`,  `θ̃ ← θ̃ / ρ₀ + νᵀ N / ρ₁`,
///
/// where `N = M̄ + A Ē⁻ + B Ē` is the immediate influence of the step. The gradient of a credit c̄
/// is
///
/// `Yᵀ c̄ = θ̃ (s̃ · e ⊙ c̄) + Ēᵀ c̄`.
///
/// The term of Ē, the influence of the thresholds on the current emissions, is exact. The factors
/// `ρ₀ = √(‖θ̃‖ / ‖J s̃‖)` and `ρ₁ = √(‖νᵀN‖ / ‖ν‖)` keep the variance small; J s̃ is the new s̃
/// without noise.
///
/// # Symbols
/// With h rows and p parameters: s̃ has length h, θ̃ has length p, and ν are h independent random
/// signs. N has shape h × p and is not formed. e⁻ and Ē⁻ are e and Ē of the previous step.
///
/// # Cost
/// MACs per step: 1 per entry of A, 2 per entry of B, 1 more per entry of A and B in the column of
/// a row with a threshold, and `2 p`. MACs per credit: p. Memory: `3 p + 5 h` numbers. Nothing is
/// skipped.
///
/// # Exactness
/// [`Claim::Unbiased`] for fixed weights. The variance grows with the number of units and with
/// time.
///
/// # References
/// C. Tallec & Y. Ollivier, *Unbiased online recurrent optimization*, ICLR 2018.
pub struct Uoro<T> {
    wiring: Arc<Wiring>,
    rng: Generator,
    s: Vec<T>,        // [h]: s̃
    s_next: Vec<T>,   // [h]: J s̃
    theta: Vec<T>,    // [p]: θ̃
    added: Vec<T>,    // [p]: νᵀN
    nu: Vec<T>,       // [h]: ν
    e: Vec<T>,        // [h]: e of the last step
    e_bar: Vec<T>,    // [h]: Ē of the last step
    gradient: Vec<T>, // [p]
}

impl<T: Real> Uoro<T> {
    /// Creates a rule for one stream. `seed` determines the random signs.
    pub fn new(wiring: Arc<Wiring>, seed: u64) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let (rows, p) = (wiring.rows(), wiring.parameters());
        Self {
            rng: generator(seed, Purpose::Noise),
            s: zeros(rows),
            s_next: zeros(rows),
            theta: zeros(p),
            added: zeros(p),
            nu: zeros(rows),
            e: zeros(rows),
            e_bar: zeros(rows),
            gradient: zeros(p),
            wiring,
        }
    }

    /// Computes `J s̃` into `s_next`. Returns the MACs.
    fn carry(&mut self, step: &Step<T>) -> u64 {
        let mut macs = 0;
        for row in 0..self.s.len() {
            let mut sum = step.d[row] * self.s[row];
            for (l, at) in self.wiring.previous().row(row) {
                sum += step.a[at] * self.e[l] * self.s[l];
                macs += 1;
            }
            for (j, at) in self.wiring.current().row(row) {
                sum += step.b[at] * step.e[j] * self.s_next[j];
                macs += 1;
            }
            self.s_next[row] = sum;
        }
        macs
    }

    /// Computes `νᵀN` into `added`, and `ν ← (I − B diag(e))⁻¹ ν`. Returns the MACs.
    fn add(&mut self, step: &Step<T>) -> u64 {
        let mut macs = 0;
        self.added.fill(T::zero());
        for row in 0..self.nu.len() {
            let nu = self.nu[row];
            for (l, at) in self.wiring.previous().row(row) {
                if let Some(theta) = self.wiring.threshold(l) {
                    self.added[theta] += nu * step.a[at] * self.e_bar[l];
                    macs += 1;
                }
            }
            for (j, at) in self.wiring.current().row(row) {
                if let Some(theta) = self.wiring.threshold(j) {
                    self.added[theta] += nu * step.b[at] * step.e_bar[j];
                    macs += 1;
                }
            }
        }
        for (pre, &row) in self.wiring.pre_rows().iter().enumerate() {
            let factor = self.nu[row] * step.gain[pre];
            for (source, column) in self.wiring.layout().weights().row(pre) {
                self.added[column] += factor * step.phi[source];
                macs += 1;
            }
        }
        for row in 0..self.nu.len() {
            for (j, at) in self.wiring.current().row(row) {
                let coupled = step.b[at] * step.e[j] * self.nu[j];
                self.nu[row] += coupled;
                macs += 1;
            }
        }
        macs
    }
}

/// Returns the Euclidean norm.
fn norm<T: Real>(v: &[T]) -> f64 {
    v.iter().map(|x| x.as_f64() * x.as_f64()).sum::<f64>().sqrt()
}

/// Returns `√(a/b)`, or 1 if a or b is zero. The estimate is unbiased for any positive factor.
fn balance(a: f64, b: f64) -> f64 {
    if a > 0.0 && b > 0.0 { (a / b).sqrt() } else { 1.0 }
}

impl<T: Real> Rule<T> for Uoro<T> {
    fn claim(&self) -> Claim {
        Claim::Unbiased
    }

    fn reset(&mut self) {
        self.s.fill(T::zero());
        self.theta.fill(T::zero());
        self.e_bar.fill(T::zero());
        // The next step multiplies e by a zero s̃: e must be finite.
        self.e.fill(T::zero());
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        for nu in &mut self.nu {
            *nu = if self.rng.random_bool(0.5) { T::one() } else { -T::one() };
        }
        macs.influence += self.carry(step) + self.add(step);
        let rho_0 = balance(norm(&self.theta), norm(&self.s_next));
        let rho_1 = balance(norm(&self.added), norm(&self.nu));
        let (r0, r1) = (T::of(rho_0), T::of(rho_1));
        for (s, (&next, &nu)) in self.s.iter_mut().zip(self.s_next.iter().zip(&self.nu)) {
            *s = (r0 * next + r1 * nu).flushed();
        }
        for (theta, &added) in self.theta.iter_mut().zip(&self.added) {
            *theta = (*theta / r0 + added / r1).flushed();
        }
        macs.influence += self.theta.len() as u64;
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        let rows = outputs.clone().zip(credit);
        let weight: T = rows.map(|(row, &c)| c * self.e[row] * self.s[row]).sum();
        self.gradient.iter_mut().zip(&self.theta).for_each(|(g, &theta)| *g = (*g + weight * theta).normal());
        macs.gradient += self.theta.len() as u64;
        for (row, &c) in outputs.zip(credit) {
            if let Some(theta) = self.wiring.threshold(row) {
                self.gradient[theta] = (self.gradient[theta] + c * self.e_bar[row]).normal();
            }
        }
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        super::drain_into(&mut self.gradient, gradient);
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("uoro.rng", &mut self.rng)?;
        archive.list("uoro.s", &mut self.s)?;
        archive.list("uoro.theta", &mut self.theta)?;
        archive.list("uoro.e", &mut self.e)?;
        archive.list("uoro.e_bar", &mut self.e_bar)?;
        archive.list("uoro.gradient", &mut self.gradient)
    }

    fn bytes(&self) -> usize {
        let rows = self.s.len() + self.s_next.len() + self.nu.len() + self.e.len() + self.e_bar.len();
        (rows + self.theta.len() + self.added.len() + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
