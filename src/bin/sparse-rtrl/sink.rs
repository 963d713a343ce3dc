//! The output of a stream: a file that can be truncated and extended, or standard output.

mod saved;

pub use saved::{SavedOutput, holds_something};

use crate::failure::{Failure, IO, Outcome};
use sparse_rtrl::file;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Seek, SeekFrom, Write};
use std::path::Path;

/// Number of buffered bytes from which they are written to a file.
const ENOUGH: usize = 1 << 16;

/// A buffered output of lines.
pub struct Sink {
    to: To,
    /// Name in error messages.
    name: String,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
    /// Number of bytes that were written.
    written: u64,
    /// CRC-32 of the bytes that were written.
    sum: crc32fast::Hasher,
}

/// Target of the output.
enum To {
    /// A regular file.
    File(File),
    /// An output without a length: a pipe, a terminal or a device.
    Stream(Box<dyn Write + Send>),
}

/// State of the reader of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The output is open.
    Listens,
    /// The reader closed the pipe.
    Gone,
}

impl Sink {
    /// Creates an empty file, or opens standard output for `None` or `-`.
    pub fn create(path: Option<&Path>) -> Outcome<Self> {
        let Some(path) = Self::file(path) else { return Ok(Self::standard_output()) };
        let name = path.display().to_string();
        let failed = |error| Failure::new(IO, format!("cannot write {name}: {error}"));
        file::create_folder(path)?;
        let file = file::create_locked(path)?;
        let to = match file.metadata().map_err(failed)?.is_file() {
            true => To::File(file),
            false => To::Stream(Box::new(file)),
        };
        Ok(Self::new(to, name))
    }

    fn new(to: To, name: String) -> Self {
        Self { to, name, waiting: Vec::new(), written: 0, sum: crc32fast::Hasher::new() }
    }

    fn standard_output() -> Self {
        Self::new(To::Stream(Box::new(std::io::stdout())), "standard output".into())
    }

    /// Returns the path of the file, or `None` for standard output.
    fn file(path: Option<&Path>) -> Option<&Path> {
        path.filter(|path| *path != Path::new("-"))
    }

    /// Returns the buffer of lines that are not written yet.
    pub fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Ends a line. Writes the buffer if it is full or the output is not a file.
    pub fn line_ended(&mut self) -> Outcome<Reader> {
        match self.to {
            To::File(_) if self.waiting.len() < ENOUGH => Ok(Reader::Listens),
            _ => self.flush(),
        }
    }

    /// Writes the buffer.
    pub fn flush(&mut self) -> Outcome<Reader> {
        if self.waiting.is_empty() {
            return Ok(Reader::Listens);
        }
        let done = match &mut self.to {
            To::Stream(stream) => stream.write_all(&self.waiting).and_then(|()| stream.flush()),
            To::File(file) => {
                let done = file.write_all(&self.waiting);
                // After an error, a part of the buffer may be in the file: the part is removed, and
                // the buffer is kept.
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

    /// Writes the buffer and syncs the file to the disk.
    pub fn sync(&mut self) -> Outcome<Reader> {
        self.sync_by(File::sync_data)
    }

    /// Writes the buffer and calls `sync` on the file.
    fn sync_by(&mut self, sync: impl FnOnce(&File) -> std::io::Result<()>) -> Outcome<Reader> {
        let reader = self.flush()?;
        if let To::File(file) = &self.to {
            let failed = |error| Failure::new(IO, format!("cannot write {}: {error}", self.name));
            sync(file).map_err(failed)?;
        }
        Ok(reader)
    }

    /// Returns whether the output is standard output on a terminal.
    pub fn is_terminal(path: Option<&Path>) -> bool {
        Self::file(path).is_none() && std::io::stdout().is_terminal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::IN_USE;

    #[test]
    fn sink_sync_writes_all_lines_before_it_syncs_the_file() {
        let path = std::env::temp_dir().join(format!("sparse-rtrl-sink-{}", std::process::id()));
        let mut sink = Sink::create(Some(&path)).unwrap();
        sink.lines().extend(b"a line\n");
        assert_eq!(sink.line_ended().unwrap(), Reader::Listens);
        assert_eq!(path.metadata().unwrap().len(), 0, "lines are buffered");
        let mut synced = None;
        let note = |file: &File| {
            synced = Some(file.metadata()?.len());
            Ok(())
        };
        sink.sync_by(note).unwrap();
        assert_eq!(synced, Some(7));
        let failure = sink.sync_by(|_| Err(ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(failure.code, IO);
        // A full buffer is written without a sync.
        sink.lines().extend(vec![b'x'; ENOUGH]);
        sink.line_ended().unwrap();
        assert_eq!(path.metadata().unwrap().len(), 7 + ENOUGH as u64);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn sink_of_a_locked_file_is_an_error_and_keeps_its_content() {
        let path = std::env::temp_dir().join(format!("sparse-rtrl-sink-locked-{}", std::process::id()));
        std::fs::write(&path, "lines\nmore\n").unwrap();
        let held = File::open(&path).unwrap();
        sparse_rtrl::file::lock::in_place(&held, &path).unwrap();
        let kept = || SavedOutput::File { length: 6, crc: crc32fast::hash(b"lines\n"), waiting: Vec::new() };
        let code = |sink: Outcome<Sink>| sink.err().map(|failure| failure.code);
        assert_eq!(code(Sink::create(Some(&path))), Some(IN_USE));
        assert_eq!(code(Sink::resume(Some(&path), kept())), Some(IN_USE));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "lines\nmore\n");
        drop(held);
        let sink = Sink::resume(Some(&path), kept()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "lines\n");
        assert_eq!(code(Sink::create(Some(&path))), Some(IN_USE), "while it is open");
        drop(sink);
        std::fs::remove_file(path).unwrap();
    }
}
