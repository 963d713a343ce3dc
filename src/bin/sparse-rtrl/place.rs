//! Which file a path means, so that no file is taken for two things.

use crate::failure::{Failure, Outcome, USAGE};
use std::path::{Path, PathBuf};

/// Each of these files has a purpose of its own. Devices and `-` are no files.
pub fn check_distinct<'a>(named: impl IntoIterator<Item = &'a Path>) -> Outcome {
    let is_file = |path: &&Path| *path != Path::new("-") && !path.starts_with("/dev");
    let files: Vec<PathBuf> = named.into_iter().filter(is_file).map(place).collect();
    match files.iter().enumerate().find(|(k, file)| files[..*k].contains(file)) {
        Some((_, file)) => Err(Failure::new(
            USAGE,
            format!("{}: expected a file for each purpose, got it twice", file.display()),
        )),
        None => Ok(()),
    }
}

/// The file itself, without links on the way; of one that does not exist yet, its folder without them, and its name.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let folder = absolute.parent().and_then(|folder| folder.canonicalize().ok());
        match (folder, absolute.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => absolute,
        }
    })
}
