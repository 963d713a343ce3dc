//! AMSGrad. [`Amsgrad`] has the equations.

use super::Optimiser;
use super::adam::{BETA_1, Factors};
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// AMSGrad with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and the bias corrections of Adam.
///
/// # Equation
///
/// `m ← β₁ m + (1 − β₁) g`,  `v ← β₂ v + (1 − β₂) g²`,  `u ← max(u, v)`,
///
/// `w ← w − η m̂ / (√û + ε)` with `m̂ = m / (1 − β₁ᵗ)` and `û = u / (1 − β₂ᵗ)`
///
/// at update t, counted from 1. Values are flushed like those of [`Adam`](super::Adam).
///
/// # References
///
/// S. J. Reddi, S. Kale & S. Kumar, *On the convergence of Adam and beyond*, ICLR 2018,
/// algorithm 2.
#[derive(Clone, Debug)]
pub struct Amsgrad<T> {
    rate: f64,
    t: i32,
    m: Vec<T>,
    v: Vec<T>,
    u: Vec<T>,
}

impl<T: Real> Amsgrad<T> {
    /// Creates an optimiser for `n` parameters with learning rate `rate`, η.
    pub fn new(n: usize, rate: f64) -> Self {
        let zeros = || vec![T::zero(); n];
        Self { rate, t: 0, m: zeros(), v: zeros(), u: zeros() }
    }
}

impl<T: Real> Optimiser<T> for Amsgrad<T> {
    fn update(&mut self, w: &mut [T], gradient: &[T]) {
        let n = self.m.len();
        assert_eq!((w.len(), gradient.len()), (n, n), "w and g must have n entries");
        self.t = self.t.saturating_add(1);
        let factors = Factors::at(self.rate, self.t, BETA_1);
        let (ms, vs, us) = (&mut self.m[..], &mut self.v[..], &mut self.u[..]);
        pulp::Arch::new().dispatch(|| {
            for ((((w, &g), m), v), u) in w.iter_mut().zip(gradient).zip(ms).zip(vs).zip(us) {
                factors.moments(m, v, g);
                *u = if *v > *u { *v } else { *u };
                *w = factors.step(*w, *m, *u);
            }
        });
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("amsgrad.t", &mut self.t)?;
        archive.field("amsgrad.rate", &mut self.rate)?;
        archive.list("amsgrad.m", &mut self.m)?;
        archive.list("amsgrad.v", &mut self.v)?;
        archive.list("amsgrad.u", &mut self.u)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// For g = 2 and then g = 0, η = 0.1, by hand:
    ///
    /// m₁ = 0.2, v₁ = u₁ = 0.004: the first step is η · 2/2 = 0.1. m₂ = 0.18, v₂ = 0.003996 < u₂ =
    /// 0.004, m̂₂ = 0.18/0.19, û₂ = 0.004/0.001999.
    #[test]
    fn amsgrad_two_steps_equal_values_by_hand() {
        let mut w = [1.0f64];
        let mut amsgrad = Amsgrad::new(1, 0.1);
        amsgrad.update(&mut w, &[2.0]);
        assert_relative_eq!(w[0], 1.0 - 0.1 * 2.0 / (2.0 + 1e-8), epsilon = 1e-14);
        let before = w[0];
        amsgrad.update(&mut w, &[0.0]);
        let expected = 0.1 * (0.18 / 0.19) / ((0.004f64 / 0.001999).sqrt() + 1e-8);
        assert_relative_eq!(before - w[0], expected, epsilon = 1e-14);
    }
}
