//! What can go wrong with anything a user hands in: configurations, files, streams.
//!
//! Mistakes in *code* (a slice of the wrong length) panic with the relation in words; mistakes in *input* come
//! back as an [`Error`] that says what was expected and what came.

use std::path::PathBuf;

/// An error that a user can cause and fix.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting lies outside what it may be.
    #[error("{name}: expected {expected}, got {got}")]
    Setting {
        /// Which setting.
        name: String,
        /// What it may be.
        expected: String,
        /// What came.
        got: String,
    },
    /// A name that no registry knows.
    #[error("unknown {what} '{got}': expected one of {expected}")]
    Unknown {
        /// The kind of thing that was looked up: "rule", "cell", …
        what: &'static str,
        /// The names that exist.
        expected: String,
        /// The name that came.
        got: String,
    },
    /// A learner met a number that is not finite. The weights are as they were before; the streams begin afresh.
    #[error("{what} is not finite at update {update}, step {step}: {value}")]
    NotFinite {
        /// "input", "loss", "output", "gradient norm" or "weight".
        what: &'static str,
        /// The update it would have gone into, from 1.
        update: usize,
        /// Time step since the reset, from 0.
        step: usize,
        /// What it was.
        value: f64,
    },
    /// A run met a number that is not finite and stopped.
    #[error("{what} stopped being finite at iteration {iteration}, step {step}: {value}")]
    Diverged {
        /// What it was that stopped.
        what: &'static str,
        /// Iteration of the run, from 1.
        iteration: usize,
        /// Time step within the sequence, from 0.
        step: usize,
        /// What it became.
        value: f64,
    },
    /// Something asked for more memory than there is.
    #[error(
        "{what} would need about {gib:.1} GiB, and {limit:.1} GiB are available: choose fewer units, streams or layers"
    )]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its estimated size.
        gib: f64,
        /// What may be used.
        limit: f64,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: {why}", path = path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Where, what was expected and what came.
        why: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process writes a file.
    #[error("{path} is in use by another process: wait until it ends, or choose another file", path = path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// A file cannot be locked, so that another process could write it at the same time.
    #[error("cannot lock {path}: {source}", path = path.display())]
    NoLocks {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A CSV row could not be written.
    #[error("cannot write a row of {path}: {source}", path = path.display())]
    Csv {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// Saved state does not fit what it is to be read into.
    #[error("saved state does not fit: expected '{field}', found {found}")]
    State {
        /// What should have come.
        field: &'static str,
        /// What came.
        found: String,
    },
    /// The thread pool could not be started.
    #[error("cannot start {threads} threads: {why}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the operating system said.
        why: String,
    },
}

/// The result of anything that takes user input.
pub type Result<V> = std::result::Result<V, Error>;

impl Error {
    /// A setting outside what it may be.
    pub fn setting(name: &str, expected: &str, got: impl ToString) -> Self {
        Self::Setting { name: name.into(), expected: expected.into(), got: got.to_string() }
    }

    /// A name that is not among `known`.
    pub fn unknown<'a>(what: &'static str, got: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::Unknown { what, expected: known.collect::<Vec<_>>().join(", "), got: got.into() }
    }
}
