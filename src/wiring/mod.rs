//! The structure of a network ([`Wiring`]: rows, sources and parameters) and the local derivatives
//! of one step ([`Step`]).
//!
//! A learning rule imports this module and no cell.

mod plan;
mod step;
mod structure;

pub use plan::{Plan, Source};
pub use step::{State, Step};
pub use structure::Wiring;

use std::ops::Range;

/// Input of a layer: its sources on the plan, and the rows whose emissions they read.
#[derive(Clone, Debug)]
pub struct LayerInput {
    /// Sources that the layer reads.
    pub sources: Range<usize>,
    /// Rows of the layer below; `None` for external inputs, which the network adds itself.
    pub rows: Option<Range<usize>>,
}
