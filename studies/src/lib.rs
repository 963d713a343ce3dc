//! Shared by the programs of this package: provenance of results, and comparisons of models on a stream.

pub mod comparison;
#[path = "../../examples/origin/mod.rs"]
pub mod origin;
