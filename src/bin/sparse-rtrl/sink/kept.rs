//! Going on with an output: what a checkpoint knows of its file, and what is held against that before anything is cut off.

use super::{ENOUGH, Sink, To};
use crate::failure::{Failure, IO, Outcome, UNUSABLE, USAGE};
use crate::table::OBJECT;
use serde::{Deserialize, Serialize};
use sparse_rtrl::file::lock;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

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

impl Sink {
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
        // Lines that waited were the next to come, if any came. Of JSON nothing waits before the first row, but its lines begin alike.
        let expected = if length == 0 && waiting.is_empty() { OBJECT } else { &waiting };
        let mut next = Vec::new();
        (&file).take(expected.len() as u64).read_to_end(&mut next).map_err(failed)?;
        if !expected.starts_with(&next) {
            return other("the lines".into(), "others".into());
        }
        file.set_len(length).and_then(|()| (&file).seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(Self { to: To::File(file), waiting, written: length, ..sink })
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
