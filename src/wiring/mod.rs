//! Structure: which rows, sources and parameters a network has, and the [`Step`] that carries its local derivatives.
//!
//! A learning rule imports this module and no cell.

mod plan;
mod step;
mod structure;

pub use plan::{Plan, Source};
pub use step::{State, Step};
pub use structure::Wiring;

use std::ops::Range;

/// Where a layer's input comes from: sources on the plan, and the rows behind them unless they are external.
#[derive(Clone, Debug)]
pub struct LayerInput {
    /// The sources to read.
    pub sources: Range<usize>,
    /// The lower layer's rows; `None` for external inputs, which the network itself reads.
    pub rows: Option<Range<usize>>,
}
