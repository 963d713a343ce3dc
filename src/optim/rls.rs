//! Recursive least squares. [`Rls`] has the equations.

use super::covariance::Covariance;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// Recursive least squares over `d` features, shared by all outputs.
///
/// # Equation
///
/// `k = P φ / (λ + φᵀ P φ)`,  `W ← W − ∂L/∂o kᵀ`,  `P ← (P − k (P φ)ᵀ) / λ`
///
/// with `∂L/∂o = o − target`. P is the inverse of the weighted second moment of φ; its initial
/// value is `v I`. With λ = 1, W is the ridge regression on all rows so far, with penalty 1/v.
///
/// # Symbols
///
/// φ features, d; W outputs × d; P d × d, in double precision and exactly symmetric; λ forgetting
/// factor, in (0, 1]; v initial variance.
///
/// If φ stays orthogonal to a direction, division by λ would let P grow without bound. Instead,
/// `P ← D P D` with `D_ii² = min(1/λ, v / P_ii)`: no variance exceeds v, and P stays positive
/// definite.
///
/// # References
///
/// S. Haykin, *Adaptive filter theory*, table 10.1.
#[derive(Clone, Debug)]
pub struct Rls {
    forgetting: f64,
    covariance: Covariance,
    phi: Vec<f64>,
    spread: Vec<f64>,
}

impl Rls {
    /// Creates a trainer for `d` features with initial variance v and forgetting factor λ in (0,
    /// 1]. Memory: d² values in `f64`.
    pub fn new(d: usize, variance: f64, forgetting: f64) -> Self {
        Self { forgetting, covariance: Covariance::new(d, variance), phi: vec![0.0; d], spread: vec![0.0; d] }
    }

    /// Updates P for one step with the features `phi`, d values, and calls `update` with the gain
    /// k, d values.
    ///
    /// `update` must update the weights: `w[o][j] −= ∂L/∂o[o] · k[j]`, with ∂L/∂o of the squared
    /// error before the update. Returns the MACs on P, or `None` if an intermediate value is not
    /// finite; `update` is then not called, and P is unchanged.
    ///
    /// Cost: d MACs per nonzero entry of φ and of P φ, and d² if λ < 1; at most 3 d². The products
    /// with the gain in `update`, d per output, are not included.
    ///
    /// # Panics
    /// If `phi` does not have d entries.
    pub fn update<T: Real>(
        &mut self,
        phi: impl Iterator<Item = T>,
        update: impl FnOnce(&[f64]),
    ) -> Option<u64> {
        self.phi.clear();
        self.phi.extend(phi.map(T::as_f64));
        assert_eq!(self.phi.len(), self.covariance.size(), "φ must have d entries");
        let mut macs = self.covariance.times(&self.phi, &mut self.spread);
        let power: f64 = self.phi.iter().zip(&self.spread).map(|(phi, spread)| phi * spread).sum();
        let scale = 1.0 / (self.forgetting + power);
        if !(scale.is_finite() && scale > 0.0) {
            return None;
        }
        self.phi.iter_mut().zip(&self.spread).for_each(|(gain, spread)| *gain = scale * spread);
        update(&self.phi);
        macs += self.covariance.subtract(&self.spread, scale);
        macs += self.covariance.forget(self.forgetting, 0.0);
        Some(macs)
    }

    /// Writes P to an archive, or restores it.
    ///
    /// # Errors
    /// If the archive holds a matrix of another size.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.covariance.archive(archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use nalgebra::{DMatrix, DVector};

    /// Without forgetting, the weights are those of a ridge regression on all rows so far.
    #[test]
    fn rls_without_forgetting_equals_ridge_regression() {
        let (rows, d, variance) = (40, 5, 3.0);
        let x = DMatrix::from_fn(rows, d, |i, j| ((i * d + j) as f64 * 0.7).sin() + 0.1 * j as f64);
        let y = DVector::from_fn(rows, |i, _| (0.3 * i as f64).cos());
        let mut rls = Rls::new(d, variance, 1.0);
        let mut w = vec![0.0f64; d];
        for i in 0..rows {
            let slope = (0..d).map(|j| w[j] * x[(i, j)]).sum::<f64>() - y[i];
            let done = rls.update((0..d).map(|j| x[(i, j)]), |gain| {
                w.iter_mut().zip(gain).for_each(|(w, gain)| *w -= slope * gain);
            });
            assert!(done.is_some());
        }
        let gram = x.transpose() * &x + DMatrix::identity(d, d) / variance;
        let ridge = gram.lu().solve(&(x.transpose() * y)).unwrap();
        for j in 0..d {
            assert_relative_eq!(w[j], ridge[j], max_relative = 1e-9);
        }
    }

    /// With forgetting and a very wide prior, the weights minimise `Σ λ^(T−t) (wᵀφ_t − y_t)²`.
    #[test]
    fn rls_with_forgetting_equals_weighted_least_squares() {
        let (rows, d, forgetting) = (40, 3, 0.9f64);
        let x = DMatrix::from_fn(rows, d, |i, j| ((i * d + j) as f64 * 0.7).sin() + 0.3 * j as f64);
        let y = DVector::from_fn(rows, |i, _| (0.3 * i as f64).cos());
        let mut rls = Rls::new(d, 1e9, forgetting);
        let mut w = vec![0.0f64; d];
        for t in 0..rows {
            let slope = (0..d).map(|j| w[j] * x[(t, j)]).sum::<f64>() - y[t];
            let macs = rls.update((0..d).map(|j| x[(t, j)]), |gain| {
                w.iter_mut().zip(gain).for_each(|(w, gain)| *w -= slope * gain);
            });
            // P φ, s sᵀ and D P D; only the first feature of the first row is zero.
            let zero = u64::from(x[(t, 0)] == 0.0) * d as u64;
            assert_eq!(macs, Some(3 * (d * d) as u64 - 2 * zero));
            if t < d {
                continue;
            }
            let weights =
                DMatrix::from_diagonal(&DVector::from_fn(t + 1, |i, _| forgetting.powi((t - i) as i32)));
            let (inputs, targets) = (x.rows(0, t + 1), y.rows(0, t + 1));
            let gram = inputs.transpose() * &weights * inputs;
            let expected = gram.lu().solve(&(inputs.transpose() * weights * targets)).unwrap();
            for j in 0..d {
                assert_relative_eq!(w[j], expected[j], max_relative = 1e-5, epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn rls_restored_continues_bit_for_bit() {
        let step = |rls: &mut Rls, t: usize| {
            let mut gain = Vec::new();
            let phi = [(t as f64).sin(), 1.0].into_iter();
            rls.update(phi, |k| gain = k.to_vec()).unwrap();
            gain
        };
        let mut rls = Rls::new(2, 3.0, 0.95);
        (0..10).for_each(|t| drop(step(&mut rls, t)));
        let mut writer = Archive::writer();
        rls.archive(&mut writer).unwrap();
        let bytes = writer.into_bytes();
        let mut restored = Rls::new(2, 3.0, 0.95);
        restored.archive(&mut Archive::reader(bytes.clone())).unwrap();
        (10..20).for_each(|t| assert_eq!(step(&mut restored, t), step(&mut rls, t)));
        assert!(Rls::new(3, 3.0, 0.95).archive(&mut Archive::reader(bytes)).is_err());
    }

    /// A feature that is zero at every step keeps its initial variance; the variance of the other
    /// feature stays positive.
    #[test]
    fn rls_with_a_zero_input_keeps_its_variance() {
        let mut rls = Rls::new(2, 10.0, 0.99);
        for t in 0..100_000 {
            assert!(rls.update([(t as f64).sin(), 0.0].into_iter(), |_| {}).is_some());
        }
        assert_relative_eq!(rls.covariance.variance(1), 10.0, max_relative = 1e-9);
        assert!(rls.covariance.variance(0) < 0.1 && rls.covariance.variance(0) > 0.0);
    }

    #[test]
    fn rls_with_non_finite_input_keeps_its_covariance() {
        let mut rls = Rls::new(2, 10.0, 0.99);
        rls.update([1.0, 0.5].into_iter(), |_| {});
        let before = rls.covariance.clone();
        assert!(rls.update([f64::NAN, 0.5].into_iter(), |_| panic!("must not update")).is_none());
        assert_eq!(rls.covariance, before);
    }

    /// `φᵀ P φ` overflows although φ and P φ do not.
    #[test]
    fn rls_with_overflowing_power_keeps_its_covariance() {
        let mut rls = Rls::new(2, 10.0, 0.99);
        let before = rls.covariance.clone();
        assert!(rls.update([1e200, 0.5].into_iter(), |_| panic!("must not update")).is_none());
        assert_eq!(rls.covariance, before);
    }
}
