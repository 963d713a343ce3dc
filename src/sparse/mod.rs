//! Sparse structure and the hot loops over it: patterns know *where* entries are, kernels work on plain slices.

pub mod kernel;
pub mod lanes;
mod pattern;

pub use pattern::Pattern;
