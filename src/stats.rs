//! Running mean and standard deviation,
//!
//! `μ_t = μ_{t−1} + (x_t − μ_{t−1}) / t`, `M_t = M_{t−1} + (x_t − μ_{t−1}) (x_t − μ_t)`,
//! `σ² = M_t / t`
//!
//! (B. P. Welford, *Note on a method for calculating corrected sums of squares and products*,
//! Technometrics 4(3), 1962).

use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// Bound of standardised values, in standard deviations. Standardised values are clipped to
/// [−10, 10], so that an outlier has a bounded influence on a network.
pub const WIDEST: f64 = 10.0;

/// Running mean μ and standard deviation σ of one quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Adds a value.
    pub fn observe(&mut self, x: f64) {
        self.count += 1;
        let before = x - self.mean;
        self.mean = (self.mean + before / self.count as f64).normal();
        self.squares = (self.squares + before * (x - self.mean)).normal();
    }

    /// Returns the moments of the values of both (T. F. Chan, G. H. Golub & R. J.
    /// LeVeque, *Algorithms for computing the sample variance*, The American Statistician 37(3),
    /// 1983).
    pub fn merged(&self, other: &Self) -> Self {
        let count = self.count + other.count;
        let (share, apart) = (other.count as f64 / count.max(1) as f64, other.mean - self.mean);
        Self {
            count,
            mean: self.mean + share * apart,
            squares: self.squares + other.squares + share * apart * apart * self.count as f64,
        }
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns μ; 0 before the first value.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns σ; 1 if all values so far are equal.
    pub fn deviation(&self) -> f64 {
        self.spread().unwrap_or(1.0)
    }

    /// Returns whether the values differ by more than rounding errors.
    pub fn varied(&self) -> bool {
        self.spread().is_some()
    }

    /// Returns σ, or `None` if it is zero or within the rounding error of a constant.
    fn spread(&self) -> Option<f64> {
        let deviation = (self.squares / self.count.max(1) as f64).sqrt();
        Some(deviation).filter(|d| *d > 1e-12 * self.mean.abs() && *d > f64::MIN_POSITIVE)
    }

    /// Returns `(x − μ) / σ`, clipped to ±[`WIDEST`].
    pub fn standardise(&self, x: f64) -> f64 {
        ((x - self.mean) / self.deviation()).clamp(-WIDEST, WIDEST)
    }

    /// Returns `μ + σ z`, the inverse of [`standardise`](Self::standardise) without clipping.
    pub fn restore(&self, z: f64) -> f64 {
        self.mean + self.deviation() * z
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn moments_of_few_values_equal_values_by_hand() {
        let mut moments = Moments::default();
        assert_eq!((moments.mean(), moments.deviation()), (0.0, 1.0));
        [1e9 + 1.0, 1e9 + 2.0, 1e9 + 6.0].into_iter().for_each(|x| moments.observe(x));
        assert_relative_eq!(moments.mean(), 1e9 + 3.0);
        assert_relative_eq!(moments.deviation(), (14.0f64 / 3.0).sqrt(), max_relative = 1e-12);
        assert_relative_eq!(moments.restore(moments.standardise(1e9 + 4.0)), 1e9 + 4.0);
        assert_eq!(moments.standardise(1e12), WIDEST);
        let mut more = Moments::default();
        [1e9 + 1.0, 1e9 + 9.0].into_iter().for_each(|x| more.observe(x));
        let merged = moments.merged(&more);
        [1e9 + 1.0, 1e9 + 9.0].into_iter().for_each(|x| moments.observe(x));
        assert_relative_eq!(merged.mean(), moments.mean());
        assert_relative_eq!(merged.deviation(), moments.deviation(), max_relative = 1e-8);
        assert_eq!(Moments::default().merged(&moments).merged(&Moments::default()), moments);
    }

    #[test]
    fn moments_of_a_constant_have_deviation_one() {
        let mut moments = Moments::default();
        (0..100).for_each(|_| moments.observe(0.1));
        assert_eq!(moments.deviation(), 1.0);
        assert!(moments.standardise(0.1).abs() < 1e-12);
    }
}
