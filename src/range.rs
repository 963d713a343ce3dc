//! Range checks of settings, with one wording for all.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Checks that a count lies in `range`.
///
/// # Errors
/// If it does not.
pub fn within<N: PartialOrd + Display>(name: &str, got: N, range: RangeInclusive<N>) -> Result<()> {
    if got < *range.start() {
        return Err(Error::setting(name, &format!("at least {}", range.start()), got));
    }
    if got > *range.end() {
        return Err(Error::setting(name, &format!("at most {}", range.end()), got));
    }
    Ok(())
}

/// Checks that a number is finite and above 0.
///
/// # Errors
/// If it is not.
pub fn positive(name: &str, got: f64) -> Result<()> {
    if got.is_finite() && got > 0.0 {
        return Ok(());
    }
    Err(Error::setting(name, "a finite number above 0", got))
}

/// Checks that a number is finite and at least 0.
///
/// # Errors
/// If it is not.
pub fn not_negative(name: &str, got: f64) -> Result<()> {
    if got.is_finite() && got >= 0.0 {
        return Ok(());
    }
    Err(Error::setting(name, "a finite number of at least 0", got))
}

/// Checks that a number is finite.
///
/// # Errors
/// If it is not.
pub fn finite(name: &str, got: f64) -> Result<()> {
    if got.is_finite() {
        return Ok(());
    }
    Err(Error::setting(name, "a finite number", got))
}

/// Checks that a number lies in (0, 1).
///
/// # Errors
/// If it does not.
pub fn open_unit(name: &str, got: f64) -> Result<()> {
    if got > 0.0 && got < 1.0 {
        return Ok(());
    }
    Err(Error::setting(name, "a number in (0, 1)", got))
}

/// Checks that a number lies in (0, 1].
///
/// # Errors
/// If it does not.
pub fn share(name: &str, got: f64) -> Result<()> {
    if got > 0.0 && got <= 1.0 {
        return Ok(());
    }
    Err(Error::setting(name, "a number in (0, 1]", got))
}

/// Checks that a number lies in [0, 1).
///
/// # Errors
/// If it does not.
pub fn below_one(name: &str, got: f64) -> Result<()> {
    if (0.0..1.0).contains(&got) {
        return Ok(());
    }
    Err(Error::setting(name, "a number in [0, 1)", got))
}
