//! Actions on row errors and on divergence.

use clap::ValueEnum;

/// Action on a row error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnBadRow {
    Skip,
    Stop,
}

/// Action on divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDivergence {
    Stop,
    Reset,
    Rollback,
}
