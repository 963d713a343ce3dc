//! Failures of the program and their exit codes.

use sparse_rtrl::Error;

/// The table of exit codes in `--help`.
pub const EXIT_CODES: &str = "Exit codes:
  0    success (also if the reader of the output closed the pipe)
  1    a file cannot be read or written
  2    wrong usage: a flag, a setting, a missing column
  3    a row error, with --on-bad-row stop
  4    an unusable checkpoint or other saved file
  5    the learner diverged, with --on-divergence stop
  6    another process writes the checkpoint or the output
  130  stopped by SIGINT, state saved
  143  stopped by SIGTERM, state saved";

/// Exit code: a file cannot be read or written.
pub const IO: u8 = 1;
/// Exit code: wrong usage.
pub const USAGE: u8 = 2;
/// Exit code: a row error.
pub const BAD_ROW: u8 = 3;
/// Exit code: an unusable file.
pub const UNUSABLE: u8 = 4;
/// Exit code: the learner diverged.
pub const DIVERGED: u8 = 5;
/// Exit code: another process writes a file.
pub const IN_USE: u8 = 6;

/// A failure that ends the program.
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
    /// Creates a failure with an exit code and a message.
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
            _ => IO,
        };
        Self::new(code, error)
    }
}
