//! Shared modules of the study programs: provenance of results, and comparisons of models on a
//! stream.

pub mod comparison;
#[path = "../../examples/origin/mod.rs"]
pub mod origin;
