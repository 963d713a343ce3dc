//! The number type: `f64` for proof, `f32` for speed, one trait for both.

use num_traits::{Float, NumAssign};

/// A real number the engine computes with. Implemented for `f32` and `f64`.
pub trait Real:
    Float
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
    /// The nearest representable value.
    fn of(x: f64) -> Self;

    /// The value in double precision.
    fn as_f64(self) -> f64;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn as_f64(self) -> f64 {
        self
    }
}
