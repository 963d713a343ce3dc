//! Adam. [`Adam`] has the equations.

use super::Optimiser;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// Adam with β₂ = 0.999, ε = 1e-8, and by default β₁ = 0.9.
///
/// # Equation
///
/// `m ← β₁ m + (1 − β₁) g`,  `v ← β₂ v + (1 − β₂) g²`,
///
/// `w ← w − η m̂ / (√v̂ + ε)` with `m̂ = m / (1 − β₁ᵗ)` and `v̂ = v / (1 − β₂ᵗ)`
///
/// at update t, counted from 1. m and w are flushed (see [`scalar`](crate::scalar)). v is set to
/// zero if it would be subnormal, and `g²` is replaced by zero if `|g| < LEAST^¾`. In f32 this
/// bound is 6e-15, and the relative change of `√v̂ + ε` is below 1e-6.
///
/// # References
///
/// D. P. Kingma & J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015, algorithm 1.
#[derive(Clone, Debug)]
pub struct Adam<T> {
    rate: f64,
    beta_1: f64,
    t: i32,
    m: Vec<T>,
    v: Vec<T>,
}

/// The default β₁.
pub(super) const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Factors of one update, shared by [`Adam`] and AMSGrad.
#[derive(Clone, Copy)]
pub(super) struct Factors<T> {
    betas: [T; 2],
    /// 1 − β₁ and 1 − β₂.
    rest: [T; 2],
    /// `η m̂ / (√v̂ + ε) = size · m / (√v + epsilon)`: bias corrections are outside the loop.
    size: T,
    epsilon: T,
    /// Bound of `|g|` below which g² is replaced by zero.
    least: T,
}

impl<T: Real> Factors<T> {
    /// Computes the factors of update `t`, counted from 1, with learning rate η.
    pub fn at(rate: f64, t: i32, beta_1: f64) -> Self {
        let correction = (1.0 - BETA_2.powi(t)).sqrt();
        Self {
            betas: [beta_1, BETA_2].map(T::of),
            rest: [1.0 - beta_1, 1.0 - BETA_2].map(T::of),
            size: T::of(rate * correction / (1.0 - beta_1.powi(t))),
            epsilon: T::of(EPSILON * correction),
            least: (T::LEAST * T::LEAST.sqrt()).sqrt(),
        }
    }

    /// Updates the moments: `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`.
    #[inline(always)] // so that callers compiled for the machine's vector units include it
    pub fn moments(&self, m: &mut T, v: &mut T, g: T) {
        *m = (self.betas[0] * *m + self.rest[0] * g).flushed();
        // The square of a smaller g, and its contribution to v, could be subnormal.
        let g = if g.abs() < self.least { T::zero() } else { g };
        *v = (self.betas[1] * *v + self.rest[1] * g * g).normal();
    }

    /// Returns `w − η m̂ / (√v̂ + ε)`.
    #[inline(always)]
    pub fn step(&self, w: T, m: T, v: T) -> T {
        (w - self.size * m / (v.sqrt() + self.epsilon)).flushed()
    }
}

impl<T: Real> Adam<T> {
    /// Creates an optimiser for `n` parameters with learning rate `rate`, η.
    pub fn new(n: usize, rate: f64) -> Self {
        Self::with_beta_1(n, rate, BETA_1)
    }

    /// Creates an optimiser with another β₁, in [0, 1).
    pub fn with_beta_1(n: usize, rate: f64, beta_1: f64) -> Self {
        Self { rate, beta_1, t: 0, m: vec![T::zero(); n], v: vec![T::zero(); n] }
    }
}

impl<T: Real> Optimiser<T> for Adam<T> {
    fn update(&mut self, w: &mut [T], gradient: &[T]) {
        let n = self.m.len();
        assert_eq!((w.len(), gradient.len()), (n, n), "w and g must have n entries");
        self.t = self.t.saturating_add(1);
        let factors = Factors::at(self.rate, self.t, self.beta_1);
        let (ms, vs) = (&mut self.m[..], &mut self.v[..]);
        // A vector instruction for roots or quotients takes about as long as a scalar one.
        pulp::Arch::new().dispatch(|| {
            for (((w, &g), m), v) in w.iter_mut().zip(gradient).zip(ms).zip(vs) {
                factors.moments(m, v, g);
                *w = factors.step(*w, *m, *v);
            }
        });
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("adam.t", &mut self.t)?;
        archive.field("adam.rate", &mut self.rate)?;
        archive.list("adam.m", &mut self.m)?;
        archive.list("adam.v", &mut self.v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Two steps by hand, for g = 2 and then g = −1, η = 0.1:
    ///
    /// m₁ = 0.2, v₁ = 0.004, m̂₁ = 2, v̂₁ = 4: the first step is η · 2/2 = 0.1 for any size of the
    /// gradient. m₂ = 0.9 · 0.2 − 0.1 = 0.08, v₂ = 0.999 · 0.004 + 0.001 = 0.004996, m̂₂ =
    /// 0.08/0.19, v̂₂ = 0.004996/0.001999.
    #[test]
    fn adam_two_steps_equal_values_by_hand() {
        let mut w = [1.0f64];
        let mut adam = Adam::new(1, 0.1);
        adam.update(&mut w, &[2.0]);
        assert_relative_eq!(w[0], 1.0 - 0.1 * 2.0 / (2.0 + 1e-8), epsilon = 1e-14);
        let before = w[0];
        adam.update(&mut w, &[-1.0]);
        let expected = 0.1 * (0.08 / 0.19) / ((0.004996f64 / 0.001999).sqrt() + 1e-8);
        assert_relative_eq!(before - w[0], expected, epsilon = 1e-14);
    }

    /// The published algorithm with m̂ and v̂, for several weights, tiny and zero gradients, and
    /// changing rates.
    #[test]
    fn adam_over_many_steps_equals_the_published_algorithm() {
        let n = 11;
        let gradient = |k: usize, t: usize| match k {
            0 => 0.0,
            1 => 1e-9 * (t as f64).cos(),
            2 if !t.is_multiple_of(7) => 0.0,
            _ => ((3 * t + k) as f64).sin() * 10f64.powi(k as i32 % 4 - 2),
        };
        let mut w: Vec<f64> = (0..n).map(|k| k as f64 - 5.0).collect();
        let mut expected = w.clone();
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        let mut adam = Adam::new(n, 0.03);
        for t in 1..=300 {
            // After the restores at steps 50, 150 and 250 the rate is that of steps 40, 120 and
            // 240.
            let rate = if t < 40 { 0.03 } else { 0.05 / (t / 40) as f64 };
            if t % 40 == 0 {
                adam.set_rate(rate);
            }
            let g: Vec<f64> = (0..n).map(|k| gradient(k, t)).collect();
            adam.update(&mut w, &g);
            for k in 0..n {
                m[k] = 0.9 * m[k] + 0.1 * g[k];
                v[k] = 0.999 * v[k] + 0.001 * g[k] * g[k];
                let (m, v) = (m[k] / (1.0 - 0.9f64.powi(t as i32)), v[k] / (1.0 - 0.999f64.powi(t as i32)));
                expected[k] -= rate * m / (v.sqrt() + 1e-8);
                assert_relative_eq!(w[k], expected[k], max_relative = 1e-12, epsilon = 1e-15);
            }
            if t % 100 == 50 {
                let mut writer = Archive::writer();
                Optimiser::<f64>::archive(&mut adam, &mut writer).unwrap();
                adam = Adam::new(n, 7.0);
                adam.archive(&mut Archive::reader(writer.into_bytes())).unwrap();
            }
        }
        let mut single = [1.0f32];
        Adam::new(1, 0.1).update(&mut single, &[2.0]);
        assert_relative_eq!(single[0], 0.9, max_relative = 1e-6);
    }

    #[test]
    fn adam_restore_of_another_size_is_an_error() {
        let mut writer = Archive::writer();
        Adam::<f64>::new(3, 0.1).archive(&mut writer).unwrap();
        assert!(Adam::<f64>::new(2, 0.1).archive(&mut Archive::reader(writer.into_bytes())).is_err());
    }

    #[test]
    #[should_panic(expected = "n entries")]
    fn adam_with_another_number_of_weights_panics() {
        Adam::new(2, 0.1).update(&mut [1.0, 2.0], &[1.0]);
    }
}
