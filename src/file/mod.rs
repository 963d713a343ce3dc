//! Files that are replaced atomically and written by one process at a time.

pub mod lock;

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Checks that a file can be written. Does not change an existing file and leaves no new file.
///
/// # Errors
/// If the file cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let failed = |source| Error::Write { path: path.into(), source };
    create_folder(path)?;
    if path.exists() {
        return File::options().append(true).open(path).map(drop).map_err(failed);
    }
    // Not the file itself: another process may create it at this moment, and this one would remove
    // it.
    let probe = lock::beside(path, &format!("{}.new", std::process::id()));
    File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(failed)
}

/// Creates the folder of a file, with its parents.
///
/// # Errors
/// If the folder cannot be created.
pub fn create_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: path.into(), source })
}

/// Replaces the content of a file atomically.
///
/// The content is written to a new file `NAME.new`, synced, and renamed. An interruption leaves
/// either the complete old content or the complete new content.
///
/// # Errors
/// If the content cannot be written. The old file is then unchanged.
pub fn replace(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    replace_synced_by(path, content.as_ref(), File::sync_all)
}

/// [`replace`] with `sync` as the function that writes a file to disk.
fn replace_synced_by(path: &Path, content: &[u8], sync: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    create_folder(path)?;
    let new = lock::beside(path, "new");
    let failed = |source| Error::Write { path: path.into(), source };
    let mut file = File::create(&new).map_err(failed)?;
    let write = || {
        file.write_all(content)?;
        // If the rename reached the disk before the content, an interruption would lose both
        // contents.
        sync(&file)?;
        std::fs::rename(&new, path)
    };
    write().map_err(|source| {
        // The incomplete file must not stay.
        let _ = std::fs::remove_file(&new);
        failed(source)
    })
}

/// Checks that [`replace`] can write a file: creates `NAME.new` and removes it.
///
/// # Errors
/// If `NAME.new` cannot be created, or if the path is a folder.
pub fn check_replaceable(path: &Path) -> Result<()> {
    create_folder(path)?;
    let new = lock::beside(path, "new");
    let folder = || Err(io::Error::from(io::ErrorKind::IsADirectory));
    let done =
        if path.is_dir() { folder() } else { File::create(&new).and_then(|_| std::fs::remove_file(&new)) };
    done.map_err(|source| Error::Write { path: path.into(), source })
}

/// Opens a file for writing, locks it and empties it. Devices are not emptied.
///
/// # Errors
/// If the file cannot be written, or if another process has locked it.
pub fn create_locked(path: &Path) -> Result<File> {
    let failed = |source| Error::Write { path: path.into(), source };
    // Emptied after it is locked, since another process may be writing it.
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
    lock::in_place(&file, path)?;
    if file.metadata().map_err(failed)?.is_file() {
        file.set_len(0).map_err(failed)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
