//! Parameters: their layout in one flat buffer, their masks and their initial values.
//!
//! The buffer holds the kept parameters only. Optimisers, influence matrices and files follow its
//! layout, so pruned parameters take no memory there either.

pub mod init;
mod layout;
mod mask;
mod rng;

pub use crate::sparse::Pattern;
pub use init::{BiasInit, Init, ThresholdInit};
pub use layout::{Kind, Layout, ParamBlock, ParamBlockSpec};
pub use mask::{MaskOn, MaskSharing, MaskSpec};
pub use rng::{Generator, Purpose, generator};
