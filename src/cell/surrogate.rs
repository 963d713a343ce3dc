//! The event function and its pseudo-derivative. [`Surrogate`] has the equations.

use crate::error::Result;
use crate::range::{not_negative, positive};
use crate::scalar::Real;
use serde::{Deserialize, Serialize};

/// The event function of a cell and its pseudo-derivative.
///
/// # Equation
///
/// `H(v) = 1 if v > 0 else 0`, and in every derivative `H'(v) = γ max(0, 1 − |v|/ε)`
///
/// (RTRL paper, section 4 and figure 1; LM paper, section 3). γ is the height and ε
/// the *half*-width: H' is zero outside ±ε. This follows the text of the RTRL paper; its formula
/// has 2ε in the denominator. `H(0) = 0`.
///
/// A step function cannot be checked by finite differences. With `smooth`, H is replaced by the
/// primitive of H', `G(v) = ∫ H'`, which rises from 0 at −ε to γε at +ε. The equations of the cells
/// are the same with H and with G.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surrogate {
    /// γ, the height of the pseudo-derivative, at least 0.
    pub gamma: f64,
    /// ε, the half-width of the pseudo-derivative, above 0.
    pub epsilon: f64,
    /// Uses the smooth primitive G instead of the step H. For checks of derivatives only.
    #[serde(default)]
    pub smooth: bool,
}

impl Default for Surrogate {
    fn default() -> Self {
        Self { gamma: 0.7, epsilon: 0.5, smooth: false }
    }
}

impl Surrogate {
    /// Creates an event function H with a pseudo-derivative of height `gamma` and half-width
    /// `epsilon`.
    pub fn new(gamma: f64, epsilon: f64) -> Self {
        Self { gamma, epsilon, smooth: false }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// If γ is not finite or is below 0, or if ε is not finite or is not above 0.
    pub fn check(&self) -> Result<()> {
        not_negative("gamma", self.gamma)?;
        positive("epsilon", self.epsilon)
    }

    /// Returns H(v), or G(v) if `smooth`. NaN gives NaN.
    #[inline]
    pub fn event<T: Real>(&self, v: T) -> T {
        if self.smooth {
            let x = (v / T::of(self.epsilon)).max(-T::one()).min(T::one());
            let half = T::of(0.5);
            T::of(self.gamma * self.epsilon) * (half + x - half * x * x.abs())
        } else if v > T::zero() {
            T::one()
        } else if v.is_nan() {
            v // propagates NaN; a comparison would give 0
        } else {
            T::zero()
        }
    }

    /// Returns H'(v) = γ max(0, 1 − |v|/ε).
    #[inline]
    pub fn slope<T: Real>(&self, v: T) -> T {
        T::of(self.gamma) * (T::one() - v.abs() / T::of(self.epsilon)).max(T::zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn surrogate_smooth_event_has_the_pseudo_derivative_as_slope() {
        let smooth = Surrogate { smooth: true, ..Surrogate::new(0.7, 0.4) };
        let h = 1e-6;
        for k in -20..=20 {
            let v = 0.031 * f64::from(k) + 0.0007;
            let slope = (smooth.event(v + h) - smooth.event(v - h)) / (2.0 * h);
            assert_abs_diff_eq!(slope, smooth.slope(v), epsilon = 1e-8);
        }
        assert_eq!(smooth.event(-1.0), 0.0);
        assert_abs_diff_eq!(smooth.event(1.0), 0.7 * 0.4, epsilon = 1e-15);
    }

    #[test]
    fn surrogate_event_is_zero_at_threshold_and_slope_is_zero_at_epsilon() {
        let hard = Surrogate::new(0.7, 0.4);
        assert_eq!([hard.event(-1e-9), hard.event(0.0), hard.event(1e-9)], [0.0, 0.0, 1.0]);
        assert_eq!([hard.slope(0.4), hard.slope(-0.4), hard.slope(0.0)], [0.0, 0.0, 0.7]);
        assert!(hard.slope(0.39) > 0.0);
        assert!(hard.event(f64::NAN).is_nan(), "NaN is propagated");
    }
}
