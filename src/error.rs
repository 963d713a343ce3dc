//! Errors of user input: configurations, files, streams.
//!
//! An invalid argument in code, for example a slice of the wrong length, panics. Invalid user input
//! returns an [`Error`] whose message states what was expected and what was received.

use std::path::PathBuf;

/// An error in user input or in the environment of the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error("{name}: expected {expected}, got {got}")]
    Setting {
        /// Name of the setting.
        name: String,
        /// Valid values.
        expected: String,
        /// The value received.
        got: String,
    },
    /// A name is not in the registry.
    #[error("unknown {what} '{got}': expected one of {expected}")]
    Unknown {
        /// The kind of entry: "rule", "cell", …
        what: &'static str,
        /// Valid names, separated by commas.
        expected: String,
        /// The name received.
        got: String,
    },
    /// A value in a learner is NaN or infinite. Weights are unchanged and streams are reset.
    #[error("{what} is not finite at update {update}, step {step}: {value}")]
    NotFinite {
        /// The quantity: "input", "loss", "output", "gradient norm", "weight", …
        what: &'static str,
        /// Index of the next weight update, from 1.
        update: usize,
        /// Time step since the reset, from 0.
        step: usize,
        /// The value.
        value: f64,
    },
    /// A value in an experiment is NaN or infinite, and the run has ended.
    #[error("{what} is not finite at iteration {iteration}, step {step}: {value}")]
    Diverged {
        /// The quantity, as in [`NotFinite`](Self::NotFinite).
        what: &'static str,
        /// Iteration of the run, from 1.
        iteration: usize,
        /// Time step within the sequence, from 0.
        step: usize,
        /// The value.
        value: f64,
    },
    /// The memory needed exceeds the memory available.
    #[error(
        "{what} would need about {gib:.1} GiB, and {limit:.1} GiB are available: choose fewer units, streams or layers"
    )]
    TooLarge {
        /// The object that is too large.
        what: String,
        /// Its estimated size in GiB.
        gib: f64,
        /// The available memory in GiB.
        limit: f64,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The content of a file is invalid.
    #[error("{path}: {why}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The position, what was expected and what was received.
        why: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process has locked a file.
    #[error("{path} is in use by another process: wait until it ends, or choose another file", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be locked, for example because the file system has no locks.
    #[error("cannot lock {path}: {source}", path = path.display())]
    NoLocks {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A CSV row could not be written.
    #[error("cannot write a row of {path}: {source}", path = path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Saved state does not match the object to restore.
    #[error("saved state does not fit: expected '{field}', got {found}")]
    State {
        /// Name of the expected field.
        field: &'static str,
        /// Description of the content found.
        found: String,
    },
    /// The thread pool could not be started.
    #[error("cannot start {threads} threads: {why}")]
    Threads {
        /// Number of threads requested.
        threads: usize,
        /// Message of the thread pool.
        why: String,
    },
}

/// A result with an [`Error`].
pub type Result<V> = std::result::Result<V, Error>;

impl Error {
    /// Creates an [`Error::Setting`].
    pub fn setting(name: &str, expected: &str, got: impl ToString) -> Self {
        Self::Setting { name: name.into(), expected: expected.into(), got: got.to_string() }
    }

    /// Creates an [`Error::Unknown`] for the name `got`, with the valid names `known`.
    pub fn unknown<'a>(what: &'static str, got: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::Unknown { what, expected: known.collect::<Vec<_>>().join(", "), got: got.into() }
    }
}
