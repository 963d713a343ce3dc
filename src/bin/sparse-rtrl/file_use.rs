//! Identity of files, so that no file is used for two purposes.

use crate::failure::{Failure, Outcome, USAGE};
use sparse_rtrl::file::lock::{beside, place};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The purpose of a file.
#[derive(Clone, Copy)]
pub enum FileUse<'a> {
    /// The file is read.
    Read(&'a Path),
    /// The file is written in place and locked with a file beside it (`.lock`).
    Write(&'a Path),
    /// The file is replaced by a new file beside it (`.new`), and locked with a file beside it.
    Replace(&'a Path),
}

/// Checks that no file has two purposes. Lock files (`.lock`), new files (`.new`) and hard links
/// count. Devices, pipes and `-` may have several purposes.
pub fn check_distinct<'a>(named: impl IntoIterator<Item = FileUse<'a>>) -> Outcome {
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

/// Returns the device and inode of an existing file. Hard links share them.
fn inode(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|about| (about.dev(), about.ino()))
}

/// Returns the file and the files beside it that its purpose needs.
fn taken(named: FileUse<'_>) -> Vec<PathBuf> {
    let (path, endings): (_, &[&str]) = match named {
        FileUse::Read(path) => (path, &[]),
        FileUse::Write(path) => (path, &["lock"]),
        FileUse::Replace(path) => (path, &["lock", "new"]),
    };
    let is_device = path.metadata().is_ok_and(|about| !about.is_file());
    if path == Path::new("-") || is_device {
        return Vec::new();
    }
    let file = place(path);
    let beside = endings.iter().map(|ending| beside(&file, ending));
    beside.chain([file.clone()]).collect()
}
