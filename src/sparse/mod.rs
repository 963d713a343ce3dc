//! Sparse structure and the hot loops over it: patterns know *where* entries are, kernels work on plain slices.

pub mod block;
pub mod kernel;
mod pattern;

pub use pattern::Pattern;
