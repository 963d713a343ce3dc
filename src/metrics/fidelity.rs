//! Comparison of a gradient with the exact gradient.

use crate::scalar::Real;

/// Cosine and relative error of a gradient `g` with respect to the exact gradient `g*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// `g · g* / (‖g‖ ‖g*‖)`; 1 if both are zero, 0 if only one is zero.
    pub cosine: f64,
    /// `‖g − g*‖ / ‖g*‖`; 0 if both are zero, infinite if only `g*` is zero.
    pub error: f64,
}

impl Fidelity {
    /// Compares a gradient with the exact gradient.
    ///
    /// # Panics
    /// If their lengths differ.
    pub fn between<T: Real>(gradient: &[T], exact: &[T]) -> Self {
        assert_eq!(gradient.len(), exact.len(), "both gradients must have the same length");
        let sum = |f: &dyn Fn(f64, f64) -> f64| {
            gradient.iter().zip(exact).map(|(g, x)| f(g.as_f64(), x.as_f64())).sum::<f64>()
        };
        let (own, other) = (sum(&|g, _| g * g).sqrt(), sum(&|_, x| x * x).sqrt());
        let off = sum(&|g, x| (g - x) * (g - x)).sqrt();
        match (own == 0.0, other == 0.0) {
            (true, true) => Self { cosine: 1.0, error: 0.0 },
            (false, true) => Self { cosine: 0.0, error: f64::INFINITY },
            (true, false) => Self { cosine: 0.0, error: 1.0 },
            (false, false) => Self { cosine: sum(&|g, x| g * x) / (own * other), error: off / other },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn fidelity_of_small_gradients_equals_values_by_hand() {
        let f = Fidelity::between(&[3.0, 4.0], &[3.0, 0.0]);
        assert_relative_eq!(f.cosine, 0.6);
        assert_relative_eq!(f.error, 4.0 / 3.0);
        assert_eq!(Fidelity::between(&[0.0], &[0.0]), Fidelity { cosine: 1.0, error: 0.0 });
        assert_eq!(Fidelity::between(&[0.0], &[2.0]), Fidelity { cosine: 0.0, error: 1.0 });
        assert_eq!(Fidelity::between(&[1.0], &[0.0]).error, f64::INFINITY);
        assert_relative_eq!(Fidelity::between(&[-2.0f32], &[1.0]).cosine, -1.0);
    }

    #[test]
    fn fidelity_of_oblique_gradients_is_their_angle_and_distance() {
        let f = Fidelity::between(&[1.0, 2.0, -2.0], &[4.0, 0.0, 3.0]);
        assert_relative_eq!(f.cosine, -2.0 / 15.0, max_relative = 1e-14);
        assert_relative_eq!(f.error, 38f64.sqrt() / 5.0, max_relative = 1e-14);
    }
}
