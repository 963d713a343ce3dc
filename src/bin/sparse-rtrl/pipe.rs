//! Where rows come from: a file or standard input, read on a thread of its own so that a signal is heard while there is nothing to read.

use crate::failure::{Failure, IO, Outcome};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sparse_rtrl::stream::feed::{InterruptibleReader, Lines, Stop};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Rows to come.
pub struct Pipe {
    /// Lines of it.
    pub lines: Lines<InterruptibleReader>,
    /// Says whether a signal has come.
    pub stop: Stop,
    /// The file it is, if it is one.
    pub file: Option<PathBuf>,
    /// Its length in bytes, if that is known.
    pub length: Option<u64>,
}

impl Pipe {
    /// Opens a file; standard input, if there is none or it is called `-`.
    pub fn open(path: Option<&Path>) -> Outcome<Self> {
        let path = path.filter(|path| *path != Path::new("-"));
        let (reader, length): (Box<dyn Read + Send>, _) = match path {
            None => (Box::new(std::io::stdin()), None),
            Some(path) => {
                let failed = |error| Failure::new(IO, format!("cannot read {}: {error}", path.display()));
                let file = File::open(path).map_err(failed)?;
                let about = file.metadata().map_err(failed)?;
                if about.is_dir() {
                    return Err(Failure::new(IO, format!("cannot read {}: it is a folder", path.display())));
                }
                (Box::new(file), about.is_file().then_some(about.len()))
            }
        };
        let interruptible = InterruptibleReader::new(reader);
        let stop = interruptible.stop();
        listen(stop.clone())?;
        Ok(Self { lines: Lines::new(interruptible), stop, file: path.map(Into::into), length })
    }

    /// What an error of reading means: a stop, or a failure.
    pub fn failure(&self, error: &std::io::Error) -> Outcome {
        let name = self.file.as_ref().map_or("standard input".into(), |path| path.display().to_string());
        match self.stop.signal() {
            Some(_) => Ok(()),
            None => Err(Failure::new(IO, format!("cannot read {name}: {error}"))),
        }
    }

    /// The end that a signal leads to while there is nothing to save.
    pub fn stopped(&self) -> Failure {
        Failure::new(128 + self.stop.signal().unwrap_or_default() as u8, "")
    }
}

/// The first signal ends the stream after the row at hand; a second one ends the program at once.
fn listen(stop: Stop) -> Outcome {
    let failed = |error| Failure::new(IO, format!("cannot listen for signals: {error}"));
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
