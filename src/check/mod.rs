//! Checks of cells and rules, including those of other crates.
//!
//! [`check_cell`] compares the local derivatives of a cell with finite differences. [`check_rule`]
//! tests the [`Claim`](crate::rule::Claim) of a rule on random networks, and compares the MACs of a
//! rule of this crate with its cost model. The tests of this crate call these functions for every registered cell and rule.
//! `examples/own_cell_and_rule.rs` shows both.

mod cell;
mod rule;
mod trial;

pub use cell::check_cell;
pub use rule::{check_rule, check_rules};

#[doc(hidden)]
pub use cell::check_step;
#[doc(hidden)]
pub use trial::{Trial, normal, relative_error};

use std::fmt::Debug;

/// A failed check: the quantity, the network and step, the expected value and the actual value.
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
