//! The number type: `f64` for proof, `f32` for speed, one trait for both; and the least magnitude that is stored.
//!
//! # Numbers near zero
//!
//! Influence, adjoints, traces and moments decay geometrically. Left alone they end as subnormal numbers and stay there, since
//! `0.9 x` rounds back to `x` for the smallest ones. Some processors need over a hundred cycles for each operation on a subnormal
//! number. So whatever is stored from step to step is *flushed*: a number below [`Real::LEAST`] in magnitude is stored as zero,
//!
//! `flush(x) = x if |x| ≥ LEAST, else 0`,  `LEAST = 2⁻⁶³ ≈ 1e-19 (f32), 2⁻⁵¹¹ ≈ 1e-154 (f64)`.
//!
//! `LEAST` is the square root of the smallest normal number, so that *the product of two stored numbers is never subnormal*. A smaller bound
//! would not do: blocks of steps multiply influence by transitions, and both decay.
//!
//! *What this changes.* Each stored number changes by less than `LEAST` per step: δ_t in the influence of step t. What it changes later obeys the
//! recursion of influence itself, `δ_t ≤ LEAST + ‖J_t‖ δ_{t−1}`: a sum of at most `LEAST · Σ_k ‖J_t ⋯ J_k‖`, below `LEAST / (1 − ρ)` where
//! `‖J‖ ≤ ρ < 1`. In f32, `LEAST` is 2e-12 times the rounding error of a number of size one, which obeys the same recursion; relative to numbers
//! above 2e-12 (f32) or 1e-138 (f64) it is below the rounding error of the type. A NaN stays a NaN.
//!
//! Gradients, credit, second moments and statistics of inputs scale with the square or the unit of what a user gives. They are flushed where
//! they would be subnormal only ([`Real::normal`]). Adjoints, which `bptt`, `tbptt-K` and `rtrl-blocked-K` carry back, scale with credit and are
//! flushed below `LEAST` still. Those rules lose digits where credit is below 2e-12 in f32 (1e-138 in f64); the others do not.
//!
//! *Why not the processor's flush-to-zero mode.* Code compiled from Rust must run in the default floating-point mode. The modes also
//! differ: x86-64 decides that a result is subnormal after rounding, AArch64 before. A comparison and a selection give the same bits on
//! every processor and leave the caller's mode alone. In a caller's own flush-to-zero mode, only intermediate results below 2⁻¹²⁶ (f32)
//! or 2⁻¹⁰²² (f64) can differ.

use num_traits::{Float, NumAssign};
use std::any::{Any, TypeId};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A real number the engine computes with. Implemented for `f32` and `f64`, and for no other type.
pub trait Real:
    sealed::Sealed
    + Float
    + NumAssign
    + nalgebra::Scalar
    + std::iter::Sum
    + std::fmt::Display
    + Default
    + Send
    + Sync
    + serde::Serialize
    + serde::de::DeserializeOwned
{
    /// The least magnitude that is stored; smaller numbers are stored as zero (see the [module](self)).
    const LEAST: Self;

    /// The nearest representable value.
    fn of(x: f64) -> Self;

    /// The value in double precision.
    fn as_f64(self) -> f64;

    /// The value as it is stored: zero below [`LEAST`](Self::LEAST) in magnitude. A NaN stays a NaN.
    #[inline(always)]
    fn flushed(self) -> Self {
        if self.abs() < Self::LEAST { Self::zero() } else { self }
    }

    /// The value, or zero if it is subnormal. A NaN stays a NaN.
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

/// Whether `T` is `f32`.
pub(crate) fn is_single<T: Real>() -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>()
}

/// The result of `single` or of `double`, whichever is of type `R`.
///
/// Generic functions of this crate that hold much code end in this call. `single` and `double` are not generic and not inlined, so that
/// this crate compiles that code once for each type, instead of every crate that calls it.
///
/// # Panics
/// If neither result is of type `R`.
pub(crate) fn compiled_once<S: 'static, D: 'static, R: 'static>(
    single: impl FnOnce() -> S,
    double: impl FnOnce() -> D,
) -> R {
    let result: Box<dyn Any> =
        if TypeId::of::<R>() == TypeId::of::<S>() { Box::new(single()) } else { Box::new(double()) };
    *result.downcast::<R>().expect("the result of one of both")
}

/// Flushes every number of a slice: `x_k ← flush(x_k)`.
#[inline(always)] // into callers that are compiled for the machine's vector units
pub fn flush<T: Real>(values: &mut [T]) {
    values.iter_mut().for_each(|x| *x = x.flushed());
}

/// The logistic function `σ(x) = 1 / (1 + exp(−x))`, flushed; no subnormal number occurs in between.
#[inline]
pub fn sigmoid<T: Real>(x: T) -> T {
    // Beyond these bounds the result is 1 to the last bit, or below LEAST; exp would be subnormal.
    if x > T::of(80.0) {
        T::one()
    } else if x < T::LEAST.ln() {
        T::zero()
    } else {
        (T::one() + (-x).exp()).recip().flushed()
    }
}

/// `exp(x)` of `x ≤ 0`, flushed; no subnormal number occurs in between.
#[inline]
pub fn exp_flushed<T: Real>(x: T) -> T {
    if x < T::LEAST.ln() { T::zero() } else { x.exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flushed_at_the_bound<T: Real>(exponent: i32) {
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
        flushed_at_the_bound::<f32>(-63);
        flushed_at_the_bound::<f64>(-511);
        let mut values = [1.0f32, 1e-38, -1e-40, -2.0];
        flush(&mut values);
        assert_eq!(values, [1.0, 0.0, 0.0, -2.0]);
    }

    #[test]
    fn sigmoid_is_the_logistic_function_and_never_subnormal() {
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
