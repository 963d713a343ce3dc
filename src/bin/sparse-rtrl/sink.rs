//! Where lines go: a file that can be cut back and appended to, or standard output.

use crate::failure::{Failure, IO, Outcome, UNUSABLE};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IsTerminal, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes that wait before they are written to a file.
const ENOUGH: usize = 1 << 16;

/// A place for lines.
pub struct Sink {
    to: To,
    /// What it is called.
    name: String,
    /// Lines that were not written yet.
    waiting: Vec<u8>,
    /// Bytes that are in the file.
    written: u64,
}

enum To {
    /// A file on a disk.
    File(File),
    /// Something that has no length: a pipe, a terminal, a device.
    Stream(Box<dyn Write + Send>),
}

/// Whether anybody still reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Listens,
    Gone,
}

impl Sink {
    /// Opens a file, empty; or standard output.
    pub fn create(path: Option<&Path>) -> Outcome<Self> {
        Self::open(path, 0, &[])
    }

    /// Opens a file to go on after its first `length` bytes with `waiting`; what lies beyond is cut off.
    pub fn open(path: Option<&Path>, length: u64, waiting: &[u8]) -> Outcome<Self> {
        let Some(path) = path else {
            let to = To::Stream(Box::new(std::io::stdout()));
            return Ok(Self { to, name: "standard output".into(), waiting: Vec::new(), written: 0 });
        };
        let name = path.display().to_string();
        let failed = |error| Failure::new(IO, format!("cannot write {name}: {error}"));
        sparse_rtrl::record::create_folder(path)?;
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(false).open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            return Ok(Self { to: To::Stream(Box::new(file)), name, waiting: Vec::new(), written: 0 });
        }
        if about.len() < length {
            let said = format!(
                "{name}: expected at least the {length} bytes written when the checkpoint was made, found {}",
                about.len()
            );
            return Err(Failure::new(UNUSABLE, said));
        }
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { to: To::File(file), name, waiting: waiting.to_vec(), written: length })
    }

    /// The lines that wait, to be added to.
    pub fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// A line was added: it is written if somebody watches, or if enough wait.
    pub fn line_ended(&mut self) -> Outcome<Reader> {
        match self.to {
            To::File(_) if self.waiting.len() < ENOUGH => Ok(Reader::Listens),
            _ => self.flush(),
        }
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Outcome<Reader> {
        if self.waiting.is_empty() {
            return Ok(Reader::Listens);
        }
        let done = match &mut self.to {
            To::Stream(stream) => stream.write_all(&self.waiting).and_then(|()| stream.flush()),
            To::File(file) => {
                let done = file.write_all(&self.waiting);
                // Half a line is worse than none: what was not written whole still waits.
                if done.is_err() {
                    let _ = file.set_len(self.written).and_then(|()| file.seek(SeekFrom::End(0)));
                }
                done
            }
        };
        match done {
            Ok(()) => {
                self.written += self.waiting.len() as u64;
                self.waiting.clear();
                Ok(Reader::Listens)
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.waiting.clear();
                Ok(Reader::Gone)
            }
            Err(error) => Err(Failure::new(IO, format!("cannot write {}: {error}", self.name))),
        }
    }

    /// Writes what waits so that it outlasts a crash of the machine.
    pub fn sync(&mut self) -> Outcome<Reader> {
        let reader = self.flush()?;
        if let To::File(file) = &self.to {
            let failed = |error| Failure::new(IO, format!("cannot write {}: {error}", self.name));
            file.sync_data().map_err(failed)?;
        }
        Ok(reader)
    }

    /// Bytes that are in the file, and what could not be written.
    pub fn state(&self) -> (u64, &[u8]) {
        match self.to {
            To::File(_) => (self.written, &self.waiting),
            To::Stream(_) => (0, &[]),
        }
    }

    /// Whether lines appear where the progress would.
    pub fn is_terminal(path: Option<&Path>) -> bool {
        path.is_none() && std::io::stdout().is_terminal()
    }
}
