//! One process at a time for a file: an advisory lock of the operating system. It ends with its process, however that ends.
//!
//! A checkpoint is replaced by rename, and a lock on the file itself would not hold across a save. What is locked is an empty file beside it,
//! `NAME.lock`. Its holder removes it at the end; a killed process leaves it behind, without a lock, and the next one takes it over. Another
//! process may remove it between opening and locking. So after locking, the file of that name is compared with the locked one; if they differ,
//! it is opened and locked again.
//! A file of that name with something in it is locked, never changed and never removed.
//!
//! Links are followed, so that all names of a file lead to one lock. Hard links are not: a file that is replaced is no longer the same as its
//! hard links after the first save, and one that is written where it lies is locked itself as well ([`in_place`]).

use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Links in a row that are followed.
const MOST_LINKS: usize = 40;
/// Times that a lock file is opened again because another was put in its place. More mean that the file system does not tell files apart.
const MOST_TRIES: usize = 1000;

/// The lock on a file, until it is dropped or the process ends.
#[derive(Debug)]
#[must_use]
pub struct Lock {
    path: PathBuf,
    /// What is locked, and its name; nothing for a device, or where nothing can be locked.
    held: Option<(PathBuf, File)>,
}

/// What is asked of the operating system.
struct System {
    open: fn(&Path) -> io::Result<File>,
    try_lock: fn(&File) -> std::result::Result<(), TryLockError>,
}

const SYSTEM: System = System {
    open: |path| File::options().read(true).write(true).create(true).truncate(false).open(path),
    try_lock: File::try_lock,
};

impl Lock {
    /// Takes it, or says at once that another process has it. The folder of the file is created. Devices and pipes need no lock.
    ///
    /// # Errors
    /// [`Error::InUse`] if it is taken, [`Error::NoLocks`] if the file system has no locks, [`Error::Write`] if `NAME.lock` cannot be made.
    pub fn take(path: &Path) -> Result<Self> {
        Self::take_from(path, &SYSTEM)
    }

    /// As [`take`](Self::take), but where the file system has no locks, nothing is locked.
    ///
    /// # Errors
    /// [`Error::InUse`] if it is taken, [`Error::Write`] if `NAME.lock` cannot be made.
    pub fn take_where_possible(path: &Path) -> Result<Self> {
        Self::take_where_possible_from(path, &SYSTEM)
    }

    /// The file: where a link leads to, or the path as it was given. It is this path that is to be replaced, since a rename would replace the link.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn take_where_possible_from(path: &Path, system: &System) -> Result<Self> {
        match Self::take_from(path, system) {
            Err(Error::NoLocks { .. }) => Ok(Self { path: followed(path), held: None }),
            taken => taken,
        }
    }

    fn take_from(path: &Path, system: &System) -> Result<Self> {
        let cannot_write = |path: &Path, source| Error::Write { path: path.into(), source };
        if path.exists() && !path.is_file() {
            return Ok(Self { path: path.into(), held: None });
        }
        let file = followed(path);
        let folder = file.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(|source| cannot_write(path, source))?;
        let name = beside(&place(&file), "lock");
        for _ in 0..MOST_TRIES {
            let lock = match (system.open)(&name) {
                Err(why)
                    if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&why.kind()) =>
                {
                    match File::open(&name) {
                        // The folder is read-only for this user. A file in it that can be written is locked itself (`in_place`).
                        Err(why) if why.kind() == ErrorKind::NotFound => {
                            return Ok(Self { path: file, held: None });
                        }
                        opened => opened,
                    }
                }
                opened => opened,
            };
            let lock = lock.map_err(|source| cannot_write(&name, source))?;
            match (system.try_lock)(&lock) {
                Ok(()) if is_named(&lock, &name) => return Ok(Self { path: file, held: Some((name, lock)) }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: path.into() }),
                Err(TryLockError::Error(source)) => return Err(Error::NoLocks { path: path.into(), source }),
            }
        }
        let source = io::Error::other(format!("{} is never the file that was locked", name.display()));
        Err(Error::NoLocks { path: path.into(), source })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some((name, lock)) = &self.held else { return };
        // In this order: once it is free, it may be another's.
        let is_ours = name.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() == 0);
        if cfg!(unix) && is_ours && is_named(lock, name) {
            let _ = fs::remove_file(name);
        }
        let _ = lock.unlock();
    }
}

/// Locks a file that is written where it lies, until it is closed. Where locks keep others from reading, or do not exist, nothing is done.
///
/// # Errors
/// [`Error::InUse`] if another process has it.
pub fn in_place(file: &File, path: &Path) -> Result<()> {
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    match cfg!(unix) && is_file && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        true => Err(Error::InUse { path: path.into() }),
        false => Ok(()),
    }
}

/// The file itself, without links on the way; of one that does not exist yet, its folder without them, and its name.
pub fn place(path: &Path) -> PathBuf {
    let mut file = std::path::absolute(path).unwrap_or_else(|_| path.into());
    for _ in 0..MOST_LINKS {
        if let Ok(there) = file.canonicalize() {
            return there;
        }
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { break };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
        let next = folder.join(name);
        match fs::read_link(&next) {
            Ok(target) => file = folder.join(target),
            Err(_) => return next,
        }
    }
    file
}

/// A file in the same folder, with an ending more.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{ending}"));
    path.with_file_name(name)
}

/// Where a link leads to; anything else as it is.
fn followed(path: &Path) -> PathBuf {
    if path.is_symlink() { place(path) } else { path.into() }
}

/// Whether an open file is the one that a name means.
#[cfg(unix)]
fn is_named(file: &File, name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), name.metadata()) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Nothing is removed here, and a name means what it meant.
#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests;
