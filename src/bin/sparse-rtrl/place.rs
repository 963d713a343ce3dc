//! Which file a path means, so that no file is taken for two things.

use crate::failure::{Failure, Outcome, USAGE};
use sparse_rtrl::lock::{beside, place};
use std::path::{Path, PathBuf};

/// What a file is for.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// It is read.
    Read(&'a Path),
    /// It is written where it lies, locked by a file beside it.
    Write(&'a Path),
    /// It is replaced by one that is written beside it, and locked as well.
    Replace(&'a Path),
}

/// Each of these files, and what lies beside it, has a purpose of its own. Devices and `-` are no files.
pub fn check_distinct<'a>(named: impl IntoIterator<Item = Purpose<'a>>) -> Outcome {
    let files: Vec<PathBuf> = named.into_iter().flat_map(taken).collect();
    match files.iter().enumerate().find(|(k, file)| files[..*k].contains(file)) {
        Some((_, file)) => Err(Failure::new(
            USAGE,
            format!("{}: expected a file for each purpose, got it twice", file.display()),
        )),
        None => Ok(()),
    }
}

/// A file and those beside it that are used with it.
fn taken(named: Purpose<'_>) -> Vec<PathBuf> {
    let (path, endings): (_, &[&str]) = match named {
        Purpose::Read(path) => (path, &[]),
        Purpose::Write(path) => (path, &["lock"]),
        Purpose::Replace(path) => (path, &["lock", "new"]),
    };
    if path == Path::new("-") || path.starts_with("/dev") {
        return Vec::new();
    }
    let file = place(path);
    let beside = endings.iter().map(|ending| beside(&file, ending));
    beside.chain([file.clone()]).collect()
}
