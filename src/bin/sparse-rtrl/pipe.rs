//! The input of a stream: a file or standard input. A second thread reads it, so that a signal
//! interrupts a read that blocks.

use crate::failure::{Failure, IO, Outcome};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sparse_rtrl::stream::feed::{InterruptibleReader, LineReader, Stop};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The input of a stream.
pub struct Pipe {
    /// Lines of the input.
    pub lines: LineReader<InterruptibleReader>,
    /// Handle that stops the reader and holds the signal received.
    pub stop: Stop,
    /// Path of the file; `None` for standard input.
    pub file: Option<PathBuf>,
    /// Length in bytes, if known.
    pub length: Option<u64>,
}

impl Pipe {
    /// Opens a file, or standard input for `None` or `-`.
    pub fn open(path: Option<&Path>) -> Outcome<Self> {
        let path = path.filter(|path| *path != Path::new("-"));
        let (reader, length): (Box<dyn Read + Send>, _) = match path {
            None => (Box::new(std::io::stdin()), None),
            Some(path) => {
                let failed = |error| Failure::new(IO, format!("cannot read {}: {error}", path.display()));
                let file = File::open(path).map_err(failed)?;
                let about = file.metadata().map_err(failed)?;
                if about.is_dir() {
                    return Err(Failure::new(
                        IO,
                        format!("cannot read {}: it is a directory", path.display()),
                    ));
                }
                (Box::new(file), about.is_file().then_some(about.len()))
            }
        };
        let interruptible = InterruptibleReader::new(reader);
        let stop = interruptible.stop();
        handle_signals(stop.clone())?;
        Ok(Self { lines: LineReader::new(interruptible), stop, file: path.map(Into::into), length })
    }

    /// Converts an error of a read: success after a signal, else a failure.
    pub fn failure(&self, error: &std::io::Error) -> Outcome {
        let name = self.file.as_ref().map_or("standard input".into(), |path| path.display().to_string());
        match self.stop.signal() {
            Some(_) => Ok(()),
            None => Err(Failure::new(IO, format!("cannot read {name}: {error}"))),
        }
    }

    /// Returns the failure of a run that a signal ended before its first row.
    pub fn stopped(&self) -> Failure {
        Failure::new(128 + self.stop.signal().unwrap_or_default() as u8, "")
    }
}

/// Starts a thread that handles signals. The first signal ends the stream after the current row,
/// the second signal ends the program immediately.
fn handle_signals(stop: Stop) -> Outcome {
    let failed = |error| Failure::new(IO, format!("cannot handle signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if stop.signal().is_some() {
                std::process::exit(128 + signal);
            }
            stop.stop(signal);
        }
    });
    Ok(())
}
