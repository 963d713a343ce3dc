//! Identity of files, so that no file is used for two purposes.

use crate::failure::{Failure, Outcome, USAGE};
use sparse_rtrl::file::lock::{beside, place};
use std::os::unix::fs::MetadataExt;
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

/// Refuses a file that is named for two purposes, also by a file that is written beside it (`.lock`, `.new`) or by a hard link. Devices, pipes and
/// `-` may be named twice.
pub fn check_distinct<'a>(named: impl IntoIterator<Item = Purpose<'a>>) -> Outcome {
    let files: Vec<PathBuf> = named.into_iter().flat_map(taken).collect();
    let same = |a: &PathBuf, b: &PathBuf| a == b || inode(a).is_some_and(|a| Some(a) == inode(b));
    match files.iter().enumerate().find(|(k, file)| files[..*k].iter().any(|other| same(file, other))) {
        Some((_, file)) => Err(Failure::new(
            USAGE,
            format!("{}: expected a file for each purpose, got it twice", file.display()),
        )),
        None => Ok(()),
    }
}

/// Device and inode of a file that exists: hard links share them.
fn inode(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|about| (about.dev(), about.ino()))
}

/// A file and those beside it that are used with it.
fn taken(named: Purpose<'_>) -> Vec<PathBuf> {
    let (path, endings): (_, &[&str]) = match named {
        Purpose::Read(path) => (path, &[]),
        Purpose::Write(path) => (path, &["lock"]),
        Purpose::Replace(path) => (path, &["lock", "new"]),
    };
    let is_device = path.metadata().is_ok_and(|about| !about.is_file());
    if path == Path::new("-") || is_device {
        return Vec::new();
    }
    let file = place(path);
    let beside = endings.iter().map(|ending| beside(&file, ending));
    beside.chain([file.clone()]).collect()
}
