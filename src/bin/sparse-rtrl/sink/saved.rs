//! Resuming an output file: its record in a checkpoint, and the checks before it is truncated.

use super::{ENOUGH, Sink, To};
use crate::failure::{Failure, IO, Outcome, UNUSABLE, USAGE};
use crate::table::OBJECT;
use serde::{Deserialize, Serialize};
use sparse_rtrl::file::lock;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The record of the output in a checkpoint. A resumed run identifies and continues the file with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub enum SavedOutput {
    /// The output was not a file.
    #[default]
    Stream,
    /// The output was a file.
    File {
        /// Its length in bytes.
        length: u64,
        /// CRC-32 of its content.
        crc: u32,
        /// Lines after that content that are not written yet.
        waiting: Vec<u8>,
    },
}

impl Sink {
    /// Continues the output of a checkpoint. The file is truncated to its length at the checkpoint
    /// if its content up to that length is unchanged. Otherwise this is a failure and the file is
    /// not changed.
    pub fn resume(path: Option<&Path>, kept: SavedOutput) -> Outcome<Self> {
        let (length, crc, waiting) = match (kept, path) {
            (SavedOutput::File { .. }, None) => {
                let message = "expected the output file of the checkpoint, or - for standard output";
                return Err(Failure::new(USAGE, format!("output: {message}, got nothing")));
            }
            (SavedOutput::Stream, Some(path)) if Self::file(Some(path)).is_some_and(holds_something) => {
                let message =
                    "expected an empty or no file, since the output of the checkpoint was not a file";
                return Err(Failure::new(USAGE, format!("{}: {message}", path.display())));
            }
            (SavedOutput::Stream, path) => return Self::create(path),
            (SavedOutput::File { length, crc, waiting }, _) => (length, crc, waiting),
        };
        let Some(path) = Self::file(path).filter(|path| !path.exists() || path.is_file()) else {
            return Self::create(path);
        };
        let name = path.display().to_string();
        let failed = |error| Failure::new(IO, format!("cannot write {name}: {error}"));
        let other = |expected: String, found: String| {
            let message = format!("expected {expected} of the checkpoint, got {found}");
            Err(Failure::new(UNUSABLE, format!("{name}: {message}; the file was not changed")))
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
        lock::in_place(&file, path)?;
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
        // The content that follows, if any, starts with the buffered lines of the checkpoint.
        // Before the first row of JSON the buffer is empty, but every line starts with the same
        // bytes.
        let expected = if length == 0 && waiting.is_empty() { OBJECT } else { &waiting };
        let mut next = Vec::new();
        (&file).take(expected.len() as u64).read_to_end(&mut next).map_err(failed)?;
        if !expected.starts_with(&next) {
            return other("the lines".into(), "other lines".into());
        }
        file.set_len(length).and_then(|()| (&file).seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(Self { to: To::File(file), waiting, written: length, ..sink })
    }

    /// Returns the record for a checkpoint.
    pub fn kept(&self) -> SavedOutput {
        match self.to {
            To::Stream(_) => SavedOutput::Stream,
            To::File(_) => SavedOutput::File {
                length: self.written,
                crc: self.sum.clone().finalize(),
                waiting: self.waiting.clone(),
            },
        }
    }
}

/// Returns whether the path is a file that is not empty.
pub fn holds_something(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.len() > 0)
}

/// Updates a checksum with the first `length` bytes of a file.
fn sum(file: &File, length: u64, into: &mut crc32fast::Hasher) -> std::io::Result<()> {
    let (mut rest, mut chunk) = (file.take(length), vec![0; ENOUGH]);
    loop {
        match rest.read(&mut chunk)? {
            0 => return Ok(()),
            n => into.update(&chunk[..n]),
        }
    }
}
