//! Measurements: loss, accuracy, the sparsities α and β, the density of the influence matrix, and
//! MACs.

mod fidelity;
mod tally;
mod zeros;

pub use fidelity::Fidelity;
pub use tally::Tally;
#[doc(hidden)]
pub use zeros::{DenseSize, ReachedColumns, Zeros};
