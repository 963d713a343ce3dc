//! Measurements of a running network: loss, accuracy, the sparsities α and β, the influence matrix, and the work done.

mod fidelity;
mod tally;
mod zeros;

pub use fidelity::Fidelity;
pub use tally::Tally;
pub use zeros::{DenseSize, ReachedColumns, Zeros};
