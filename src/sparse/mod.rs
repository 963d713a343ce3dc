//! Sparse structure and the hot loops over it: patterns know *where* entries are, kernels work on plain slices.

mod index_run;
pub mod kernel;
pub mod lanes;
mod pattern;

pub(crate) use index_run::{IndexRun, extend_runs, index_runs};
pub use pattern::Pattern;
