//! Files: written whole or not at all, by one process at a time.

pub mod lock;

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Makes sure that a file can be written later on, without touching what is in it or leaving one behind.
///
/// # Errors
/// If it cannot.
pub fn check_writable(path: &Path) -> Result<()> {
    let failed = |source| Error::Write { path: path.into(), source };
    create_folder(path)?;
    if path.exists() {
        return File::options().append(true).open(path).map(drop).map_err(failed);
    }
    // Not the file itself: another process may create it at this moment, and must not lose it.
    let probe = lock::beside(path, &format!("{}.new", std::process::id()));
    File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(failed)
}

/// Creates the folder a file is to lie in.
///
/// # Errors
/// If it cannot be created.
pub fn create_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: path.into(), source })
}

/// Puts new content in the place of a file: written beside it, synced, and renamed, so that whatever stops the program leaves the
/// old content or the new one, whole.
///
/// # Errors
/// If it cannot be written; the old file is as it was then.
pub fn replace(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    replace_synced_by(path, content.as_ref(), File::sync_all)
}

/// The same with a way to bring a file to the disk.
fn replace_synced_by(path: &Path, content: &[u8], sync: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    create_folder(path)?;
    let new = lock::beside(path, "new");
    let failed = |source| Error::Write { path: path.into(), source };
    let mut file = File::create(&new).map_err(failed)?;
    let write = || {
        file.write_all(content)?;
        // A rename that reaches the disk before the content would leave neither the old nor the new.
        sync(&file)?;
        std::fs::rename(&new, path)
    };
    write().map_err(|source| {
        // An incomplete file is of no use.
        let _ = std::fs::remove_file(&new);
        failed(source)
    })
}

/// Whether content could be put there: the file beside it is created, and removed.
///
/// # Errors
/// If it cannot be created, or there is a folder in the file's place.
pub fn check_replaceable(path: &Path) -> Result<()> {
    create_folder(path)?;
    let new = lock::beside(path, "new");
    let folder = || Err(io::Error::from(io::ErrorKind::IsADirectory));
    let done =
        if path.is_dir() { folder() } else { File::create(&new).and_then(|_| std::fs::remove_file(&new)) };
    done.map_err(|source| Error::Write { path: path.into(), source })
}

/// Opens a file and empties it, unless another process writes it. Devices are opened as they are.
///
/// # Errors
/// If it cannot be written, or another process writes it.
pub fn create_locked(path: &Path) -> Result<File> {
    let failed = |source| Error::Write { path: path.into(), source };
    // Emptied only once it is locked.
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
    lock::in_place(&file, path)?;
    if file.metadata().map_err(failed)?.is_file() {
        file.set_len(0).map_err(failed)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
