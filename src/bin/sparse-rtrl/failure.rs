//! Failures of the program and their exit codes.

use sparse_rtrl::Error;

/// Exit codes in `--help`.
pub const EXIT_CODES: &str = "Exit codes:
  0    done (also when whoever reads the output has closed it)
  1    something cannot be read or written
  2    wrong usage: a flag, a setting, a column that is not there
  3    a row that does not fit, with --on-bad-row stop
  4    a checkpoint (or other saved file) that cannot be used
  5    the learner diverged, with --on-divergence stop
  6    a file that another process writes: a checkpoint, an output
  130  stopped by SIGINT, state saved
  143  stopped by SIGTERM, state saved";

/// A file cannot be read or written.
pub const IO: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// A bad row.
pub const BAD_ROW: u8 = 3;
/// An unusable file.
pub const UNUSABLE: u8 = 4;
/// A learner that diverged.
pub const DIVERGED: u8 = 5;
/// A file that another process writes.
pub const IN_USE: u8 = 6;

/// An early end of the program.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// The message; empty if nothing is to be printed.
    pub message: String,
}

/// The result of a command.
pub type Outcome<V = ()> = Result<V, Failure>;

impl Failure {
    /// A failure with an exit code and a message.
    pub fn new(code: u8, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Setting { .. }
            | Error::Unknown { .. }
            | Error::TooLarge { .. }
            | Error::Threads { .. } => USAGE,
            Error::Read { .. } | Error::Write { .. } | Error::Csv { .. } | Error::NoLocks { .. } => IO,
            Error::InUse { .. } => IN_USE,
            Error::Format { .. } | Error::State { .. } => UNUSABLE,
            Error::NotFinite { .. } | Error::Diverged { .. } => DIVERGED,
        };
        Self::new(code, error)
    }
}
