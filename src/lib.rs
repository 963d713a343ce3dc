//! Exact real-time recurrent learning that skips what activity and parameter sparsity make zero.
#![warn(missing_docs)]

pub mod cell;
pub mod error;
pub mod experiment;
pub mod learner;
pub mod macs;
pub mod metrics;
pub mod optim;
pub mod params;
pub mod readout;
pub mod record;
pub mod rule;
pub mod scalar;
pub mod sparse;
pub mod task;

pub use error::{Error, Result};
pub use scalar::Real;
