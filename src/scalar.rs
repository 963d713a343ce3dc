//! The scalar types `f32` and `f64` behind one trait, and the smallest magnitude that is stored.
//!
//! # Numbers near zero
//!
//! Influence, adjoints, traces and moments decay geometrically. They would become subnormal and
//! then stop decaying, since `0.9 x` rounds to `x` for the smallest numbers. On some processors an
//! operation on a subnormal number takes over a hundred cycles. Every value that is stored between
//! steps is therefore *flushed*: a magnitude below [`Real::LEAST`] is stored as zero,
//!
//! `flush(x) = x if |x| ≥ LEAST, else 0`,  `LEAST = 2⁻⁶³ ≈ 1e-19 (f32), 2⁻⁵¹¹ ≈ 1e-154 (f64)`.
//!
//! `LEAST` is the square root of the smallest normal number, so that *the product of two stored
//! numbers is never subnormal*. A smaller bound would not suffice: `rtrl-blocked-K` multiplies
//! influence by transitions, and both decay.
//!
//! *Error.* Flushing changes each stored value by less than `LEAST` per step. The error δ_t of the
//! influence at step t follows the recursion of the influence, `δ_t ≤ LEAST + ‖J_t‖ δ_{t−1}`. Its
//! sum is at most `LEAST · Σ_k ‖J_t ⋯ J_k‖`, and below `LEAST / (1 − ρ)` if `‖J‖ ≤ ρ < 1`. Rounding
//! errors follow the same recursion: in f32, `LEAST` is 2e-12 times the rounding error of 1. For
//! values above 2e-12 (f32) or 1e-138 (f64), `LEAST` is below the rounding error. NaN stays NaN.
//!
//! Gradients, credit, second moments and statistics of inputs depend on the unit of the user's data
//! or on its square. They are set to zero only if they would be subnormal ([`Real::normal`]). The
//! adjoints of `bptt`, `tbptt-K` and `rtrl-blocked-K` scale with credit, but are flushed below
//! `LEAST`. These rules lose digits if credit is below 2e-12 in f32 (1e-138 in f64); the other
//! rules do not.
//!
//! *The processor's flush-to-zero mode* is not used: code compiled from Rust must run in the
//! default floating-point mode. The modes also differ: x86-64 detects subnormal results after
//! rounding, AArch64 before. A comparison and a selection give the same bits on every processor and
//! do not change the caller's mode. If the caller has set a flush-to-zero mode, only intermediate
//! results below 2⁻¹²⁶ (f32) or 2⁻¹⁰²² (f64) can differ.

use num_traits::{Float, NumAssign};
use std::any::{Any, TypeId};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A scalar type: `f32` or `f64`. The trait is sealed.
///
/// Its supertraits, among them those of `num-traits` and `serde`, are part of the interface: generic
/// code can use their methods.
pub trait Real:
    sealed::Sealed
    + Float
    + NumAssign
    + std::fmt::Debug
    + std::iter::Sum
    + 'static
    + std::fmt::Display
    + Default
    + Send
    + Sync
    + serde::Serialize
    + serde::de::DeserializeOwned
{
    /// Smallest magnitude that is stored: 2⁻⁶³ (f32), 2⁻⁵¹¹ (f64). Smaller values are stored as
    /// zero (see the [module](self)).
    const LEAST: Self;

    /// Returns the nearest representable value.
    fn of(x: f64) -> Self;

    /// Returns the value in double precision.
    fn as_f64(self) -> f64;

    /// Returns the value, or zero if its magnitude is below [`LEAST`](Self::LEAST). NaN stays NaN.
    #[inline(always)]
    fn flushed(self) -> Self {
        if self.abs() < Self::LEAST { Self::zero() } else { self }
    }

    /// Returns the value, or zero if it is subnormal. NaN stays NaN.
    #[inline(always)]
    fn normal(self) -> Self {
        if self.abs() < Self::min_positive_value() { Self::zero() } else { self }
    }
}

impl Real for f32 {
    const LEAST: Self = f32::from_bits((127 - 63) << 23);

    fn of(x: f64) -> Self {
        x as f32
    }
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const LEAST: Self = f64::from_bits((1023 - 511) << 52);

    fn of(x: f64) -> Self {
        x
    }
    fn as_f64(self) -> f64 {
        self
    }
}

/// Returns whether `T` is `f32`.
#[cfg(feature = "experiment")]
pub(crate) fn is_single<T: Real>() -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>()
}

/// Returns the result of `single` or of `double`, whichever has type `R`.
///
/// Large generic functions of this crate end in this call. `single` and `double` are not generic
/// and not inlined, so their code is compiled once per type in this crate, and not in every crate
/// that calls them.
///
/// # Panics
/// If neither result is of type `R`.
pub(crate) fn compiled_once<S: 'static, D: 'static, R: 'static>(
    single: impl FnOnce() -> S,
    double: impl FnOnce() -> D,
) -> R {
    let result: Box<dyn Any> =
        if TypeId::of::<R>() == TypeId::of::<S>() { Box::new(single()) } else { Box::new(double()) };
    *result.downcast::<R>().expect("R is the type of one of both results")
}

/// Flushes every value of a slice: `x_k ← flush(x_k)`.
#[inline(always)] // so that callers compiled for the machine's vector units include it
pub fn flush<T: Real>(values: &mut [T]) {
    values.iter_mut().for_each(|x| *x = x.flushed());
}

/// Returns the logistic function `σ(x) = 1 / (1 + exp(−x))`, flushed. No intermediate result is
/// subnormal.
#[inline]
pub fn sigmoid<T: Real>(x: T) -> T {
    // Beyond these bounds the result rounds to 1 or is below LEAST, and exp would be subnormal.
    if x > T::of(80.0) {
        T::one()
    } else if x < T::LEAST.ln() {
        T::zero()
    } else {
        (T::one() + (-x).exp()).recip().flushed()
    }
}

/// Returns `exp(x)` for `x ≤ 0`, flushed. No intermediate result is subnormal.
#[inline]
pub fn exp_flushed<T: Real>(x: T) -> T {
    if x < T::LEAST.ln() { T::zero() } else { x.exp() }
}

/// Writes `softmax(o)_k = exp(o_k − max o) / Σ_j exp(o_j − max o)` into `shares`, one per output,
/// and returns `log Σ_j exp(o_j)`.
///
/// # Panics
/// If the lengths differ.
pub fn softmax<O: Real, T: Real>(output: &[O], shares: &mut [T]) -> T {
    assert_eq!(output.len(), shares.len(), "softmax needs one share per output");
    let o = |o: &O| T::of(o.as_f64());
    let top = output.iter().map(o).fold(T::neg_infinity(), T::max);
    shares.iter_mut().zip(output).for_each(|(share, k)| *share = exp_flushed(o(k) - top));
    let sum: T = shares.iter().copied().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    sum.ln() + top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_flushed_at_the_bound<T: Real>(exponent: i32) {
        let two = T::of(2.0);
        assert_eq!(T::LEAST, two.powi(exponent));
        assert_eq!(
            T::LEAST * T::LEAST,
            T::min_positive_value(),
            "the product of two stored numbers is normal"
        );
        let below = T::LEAST * (T::one() - T::epsilon());
        for sign in [T::one(), -T::one()] {
            assert_eq!((sign * T::LEAST).flushed(), sign * T::LEAST);
            assert_eq!((sign * below).flushed(), T::zero());
            assert_eq!((sign * T::min_positive_value() / two).flushed(), T::zero());
        }
        assert_eq!(T::min_positive_value().normal(), T::min_positive_value());
        assert_eq!((-T::min_positive_value() / two).normal(), T::zero());
        assert!(T::nan().flushed().is_nan() && T::nan().normal().is_nan());
        assert_eq!(T::infinity().flushed(), T::infinity());
    }

    #[test]
    fn flushed_below_least_is_zero_and_otherwise_unchanged() {
        check_flushed_at_the_bound::<f32>(-63);
        check_flushed_at_the_bound::<f64>(-511);
        let mut values = [1.0f32, 1e-38, -1e-40, -2.0];
        flush(&mut values);
        assert_eq!(values, [1.0, 0.0, 0.0, -2.0]);
    }

    #[test]
    fn sigmoid_of_any_input_is_logistic_and_never_subnormal() {
        for k in -4000..=4000 {
            let x = 0.05 * f64::from(k);
            let expected = 1.0 / (1.0 + (-x).exp());
            assert!((sigmoid(x) - expected).abs() <= 1e-15 * expected, "at {x}");
            let single = sigmoid(x as f32);
            assert!(single == 0.0 || single >= f32::LEAST, "at {x}");
            assert!((f64::from(single) - expected).abs() <= 1e-5 * expected + 2e-19, "at {x}");
        }
        assert_eq!((exp_flushed(-50.0f32), exp_flushed(-400.0f64)), (0.0, 0.0));
        assert_eq!((exp_flushed(-40.0f32), exp_flushed(-300.0f64)), ((-40.0f32).exp(), (-300.0f64).exp()));
        assert!(exp_flushed(f32::NAN).is_nan());
        assert!(sigmoid(f64::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        assert_eq!((sigmoid(f64::INFINITY), sigmoid(f64::NEG_INFINITY)), (1.0, 0.0));
    }
}
