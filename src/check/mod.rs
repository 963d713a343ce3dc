//! Checks for cells and rules, also for those of your own crate.
//!
//! [`check_cell`] compares the local derivatives of a cell with finite differences. [`check_rule`] holds a rule to its
//! [`Claim`](crate::rule::Claim) on random networks and compares its MACs with its cost model. The tests of this crate
//! call the same functions for every registered cell and rule. `examples/own_cell_and_rule.rs` shows both.

mod cell;
mod rule;
mod trial;

pub use cell::{check_cell, check_step};
pub use rule::{check_rule, check_rules};
pub use trial::{Trial, normal, relative_error};

use std::fmt::Debug;

/// A check that failed: what differed, where, and by how much.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} on {place}: expected {expected}, got {got}")]
#[non_exhaustive]
pub struct Mismatch {
    /// The quantity that differs.
    pub what: String,
    /// The network, and the step if there is one.
    pub place: String,
    /// The expected value.
    pub expected: String,
    /// The value of the cell or rule under test.
    pub got: String,
}

impl Mismatch {
    fn new(what: impl Into<String>, place: &str, expected: impl ToString, got: impl ToString) -> Self {
        let (expected, got) = (expected.to_string(), got.to_string());
        Self { what: what.into(), place: place.into(), expected, got }
    }
}

/// Checks that two values are equal.
fn check_equal<V: PartialEq + Debug>(
    what: impl Into<String>,
    place: &str,
    expected: V,
    got: V,
) -> Result<(), Mismatch> {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch::new(what, place, format!("{expected:?}"), format!("{got:?}")))
}
