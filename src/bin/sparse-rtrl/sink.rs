//! Where lines go: a file that can be cut back and appended to, or standard output.

use crate::failure::{Failure, IO, Outcome, UNUSABLE, USAGE};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IsTerminal, Read, Seek, SeekFrom, Write};
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
    /// Their CRC-32.
    sum: crc32fast::Hasher,
}

enum To {
    /// A file on a disk.
    File(File),
    /// Something that has no length: a pipe, a terminal, a device.
    Stream(Box<dyn Write + Send>),
}

/// What a checkpoint knows of the output: enough to tell its file from any other, and to go on with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub enum Kept {
    /// It went where nothing can be cut back.
    #[default]
    Stream,
    /// It is a file.
    File {
        /// Bytes that were in it.
        length: u64,
        /// Their CRC-32.
        crc: u32,
        /// What was to follow them, and could not be written.
        waiting: Vec<u8>,
    },
}

/// Whether anybody still reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Listens,
    Gone,
}

impl Sink {
    /// Opens a file, empty; or standard output, if there is none or it is called `-`.
    pub fn create(path: Option<&Path>) -> Outcome<Self> {
        let Some(path) = Self::file(path) else { return Ok(Self::standard_output()) };
        let name = path.display().to_string();
        let failed = |error| Failure::new(IO, format!("cannot write {name}: {error}"));
        sparse_rtrl::record::create_folder(path)?;
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path).map_err(failed)?;
        let to = match file.metadata().map_err(failed)?.is_file() {
            true => To::File(file),
            false => To::Stream(Box::new(file)),
        };
        Ok(Self::new(to, name))
    }

    /// Goes on where a checkpoint was made. What the file holds beyond that moment is cut off, but only if what comes before it is what
    /// was written then: any other file is left alone.
    pub fn resume(path: Option<&Path>, kept: Kept) -> Outcome<Self> {
        let (length, crc, waiting) = match (kept, path) {
            (Kept::File { .. }, None) => {
                let said =
                    "output: expected the file that the checkpoint's lines went to, or - for standard output";
                return Err(Failure::new(USAGE, format!("{said}, got nothing")));
            }
            (Kept::Stream, Some(path)) if Self::file(Some(path)).is_some_and(holds_something) => {
                let said = "it holds something, and the checkpoint's lines went elsewhere: move it away";
                return Err(Failure::new(USAGE, format!("{}: {said}", path.display())));
            }
            (Kept::Stream, path) => return Self::create(path),
            (Kept::File { length, crc, waiting }, _) => (length, crc, waiting),
        };
        let Some(path) = Self::file(path).filter(|path| !path.exists() || path.is_file()) else {
            return Self::create(path);
        };
        let name = path.display().to_string();
        let failed = |error| Failure::new(IO, format!("cannot write {name}: {error}"));
        let other = |expected: String, found: String| {
            let moment = "when the checkpoint was made";
            Err(Failure::new(
                UNUSABLE,
                format!("{name}: expected {expected} written {moment}, found {found}; nothing was touched"),
            ))
        };
        if length > 0 && !path.exists() {
            return other(format!("the {length} bytes"), "no such file".into());
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found < length {
            return other(format!("at least the {length} bytes"), found.to_string());
        }
        let mut sink = Self::new(To::Stream(Box::new(std::io::sink())), name.clone());
        sum(&file, length, &mut sink.sum).map_err(failed)?;
        let is = sink.sum.clone().finalize();
        if is != crc {
            return other(format!("the {length} bytes (checksum {crc:08x})"), format!("{is:08x}"));
        }
        // Lines that waited were the next to come, if any came.
        let mut next = Vec::new();
        (&file).take(waiting.len() as u64).read_to_end(&mut next).map_err(failed)?;
        if !waiting.starts_with(&next) {
            return other("the lines".into(), "others".into());
        }
        file.set_len(length).and_then(|()| (&file).seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(Self { to: To::File(file), waiting, written: length, ..sink })
    }

    fn new(to: To, name: String) -> Self {
        Self { to, name, waiting: Vec::new(), written: 0, sum: crc32fast::Hasher::new() }
    }

    fn standard_output() -> Self {
        Self::new(To::Stream(Box::new(std::io::stdout())), "standard output".into())
    }

    /// The file, if it is one.
    fn file(path: Option<&Path>) -> Option<&Path> {
        path.filter(|path| *path != Path::new("-"))
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
                self.sum.update(&self.waiting);
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

    /// What a checkpoint is to know of it.
    pub fn kept(&self) -> Kept {
        match self.to {
            To::Stream(_) => Kept::Stream,
            To::File(_) => Kept::File {
                length: self.written,
                crc: self.sum.clone().finalize(),
                waiting: self.waiting.clone(),
            },
        }
    }

    /// Whether lines appear where the progress would.
    pub fn is_terminal(path: Option<&Path>) -> bool {
        Self::file(path).is_none() && std::io::stdout().is_terminal()
    }
}

/// Whether that is a file with something in it.
pub fn holds_something(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.len() > 0)
}

/// Takes in the first bytes of a file.
fn sum(file: &File, length: u64, into: &mut crc32fast::Hasher) -> std::io::Result<()> {
    let (mut rest, mut chunk) = (file.take(length), vec![0; ENOUGH]);
    loop {
        match rest.read(&mut chunk)? {
            0 => return Ok(()),
            n => into.update(&chunk[..n]),
        }
    }
}
