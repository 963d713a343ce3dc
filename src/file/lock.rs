//! Locks on files: advisory locks of the operating system. A lock ends with its process, also if
//! the process is killed.
//!
//! A checkpoint is replaced by rename, so a lock on the file itself would be lost at each save. The
//! lock is therefore on an empty file `NAME.lock` in the same folder. The process removes this file
//! at the end. After a killed process the file remains without a lock, and the next process locks
//! it. Another process may remove the file between opening and locking. After locking, the open
//! file is therefore compared with the file of that name; if they differ, it is opened and locked
//! again. A file `NAME.lock` that is not empty is locked, but never changed or removed.
//!
//! Symbolic links are resolved, so that all names of a file have one lock. Hard links are not
//! resolved: a file that is replaced differs from its hard links after the first save, and a file
//! that is written in place is also locked itself ([`in_place`]).

use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Limit of symbolic links that are resolved in a chain.
const MOST_LINKS: usize = 40;
/// Limit of attempts to lock a lock file that another process replaces. More attempts mean that the
/// file system does not identify files by device and inode.
const MOST_TRIES: usize = 1000;

/// A lock on a file. It ends when it is dropped or when the process ends.
#[derive(Debug)]
#[must_use]
pub struct Lock {
    path: PathBuf,
    /// The locked file and its path; `None` for a device, or if no lock is possible.
    held: Option<(PathBuf, File)>,
}

/// Functions of the operating system; tests replace them.
struct System {
    open: fn(&Path) -> io::Result<File>,
    try_lock: fn(&File) -> std::result::Result<(), TryLockError>,
}

const SYSTEM: System = System {
    open: |path| File::options().read(true).write(true).create(true).truncate(false).open(path),
    try_lock: File::try_lock,
};

impl Lock {
    /// Locks a file without blocking, and creates its folder. Devices and pipes are not locked.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has the lock, [`Error::NoLocks`] if the file system has
    /// no locks, [`Error::Write`] if `NAME.lock` cannot be created.
    pub fn take(path: &Path) -> Result<Self> {
        Self::take_from(path, &SYSTEM)
    }

    /// Locks a file like [`take`](Self::take), or returns without a lock if the file system has no
    /// locks.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has the lock, [`Error::Write`] if `NAME.lock` cannot be
    /// created.
    pub fn take_where_possible(path: &Path) -> Result<Self> {
        Self::take_where_possible_from(path, &SYSTEM)
    }

    /// Returns the path of the file, with a symbolic link resolved. Pass this path to
    /// [`replace`](super::replace): a rename to the original path would replace the link.
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
                        // The folder is read-only for this user. A writable file in it is locked
                        // itself (`in_place`).
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
        let source =
            io::Error::other(format!("{} was replaced after every attempt to lock it", name.display()));
        Err(Error::NoLocks { path: path.into(), source })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some((name, lock)) = &self.held else { return };
        // Removed before unlocking: after that, another process may have locked it.
        let is_ours = name.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() == 0);
        if cfg!(unix) && is_ours && is_named(lock, name) {
            let _ = fs::remove_file(name);
        }
        let _ = lock.unlock();
    }
}

/// Locks a file that is written in place, until it is closed. Does nothing on systems whose locks
/// also block readers, or on file systems without locks.
///
/// # Errors
/// [`Error::InUse`] if another process has the lock.
pub fn in_place(file: &File, path: &Path) -> Result<()> {
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    match cfg!(unix) && is_file && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        true => Err(Error::InUse { path: path.into() }),
        false => Ok(()),
    }
}

/// Returns the absolute path of a file with all symbolic links resolved. The file need not exist.
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

/// Returns the path of `NAME.ending` in the folder of `NAME`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{ending}"));
    path.with_file_name(name)
}

/// Resolves a symbolic link; returns any other path unchanged.
fn followed(path: &Path) -> PathBuf {
    if path.is_symlink() { place(path) } else { path.into() }
}

/// Returns whether `name` is the path of the open file.
#[cfg(unix)]
fn is_named(file: &File, name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), name.metadata()) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Returns true: lock files are removed on Unix only, so the path always belongs to the open file.
#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests;
