//! What the programs of this package share: where a result comes from, and learners compared on a stream.

pub mod contest;
#[path = "../../examples/origin/mod.rs"]
pub mod origin;
