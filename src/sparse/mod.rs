//! Sparse matrices: patterns ([`Pattern`]) hold the positions of entries, kernels compute on slices
//! of values.

mod index_run;
pub mod kernel;
pub mod lanes;
mod pattern;

pub(crate) use index_run::{IndexRun, extend_runs, index_runs};
pub use pattern::Pattern;
