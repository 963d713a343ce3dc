//! The outlier limit. A value v is accepted within N running standard deviations σ of the running
//! mean μ,
//!
//! `|v − μ| ≤ N σ`.
//!
//! The first [`WARM_UP`] values are always accepted. A refused value does not change μ and σ.

use super::field_error::{FieldError, quote};
use crate::stats::Moments;

/// Number of values before the outlier limit applies.
pub const WARM_UP: u64 = 100;

/// Checks a value against the outlier limit. The limit applies after [`WARM_UP`] values that are
/// not all equal.
///
/// # Errors
/// If the distance of `value` from the mean exceeds `limit` standard deviations.
pub fn check(
    column: &str,
    field: &[u8],
    value: f64,
    moments: &Moments,
    limit: Option<f64>,
) -> Result<(), FieldError> {
    let Some(limit) = limit.filter(|_| moments.count() >= WARM_UP && moments.varied()) else { return Ok(()) };
    let (mean, deviation) = (moments.mean(), moments.deviation());
    match (value - mean).abs() <= limit * deviation {
        true => Ok(()),
        false => Err(FieldError {
            column: Some(column.into()),
            expected: format!("a value within {limit} standard deviations ({deviation:.3e}) of {mean:.6}"),
            got: quote(field),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_of_first_values_or_constants_accepts_any_value() {
        let mut moments = Moments::default();
        let check = |moments: &Moments, value, limit| check("c", b"x", value, moments, limit).is_ok();
        (0..WARM_UP).for_each(|_| moments.observe(1.0));
        assert!(check(&moments, 1e9, Some(10.0)), "all values so far are equal");
        (0..WARM_UP).for_each(|k| moments.observe(f64::from(k as u32 % 2)));
        assert!(check(&moments, 4.0, Some(10.0)));
        assert!(!check(&moments, 40.0, Some(10.0)));
        assert!(check(&moments, 40.0, None));
    }

    #[test]
    fn check_with_a_limit_counts_deviations_from_the_mean() {
        assert_eq!(WARM_UP, 100);
        let mut moments = Moments::default();
        (0..100).for_each(|k| moments.observe([10.0, 14.0][k % 2]));
        assert_eq!((moments.mean(), moments.deviation()), (12.0, 2.0));
        for (value, accepted) in [(17.0, true), (17.01, false), (7.0, true), (6.99, false), (12.0, true)] {
            assert_eq!(check("c", b"x", value, &moments, Some(2.5)).is_ok(), accepted, "{value}");
        }
        let message = check("c", b"x", 99.0, &moments, Some(2.5)).unwrap_err().to_string();
        assert_eq!(
            message,
            "column 'c': expected a value within 2.5 standard deviations (2.000e0) of 12.000000, got 'x'"
        );
    }
}
