use super::*;
use crate::file::lock::Lock;
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

/// Creates an empty folder and returns the path of a file in it.
fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-record-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder.join("file")
}

/// Returns the names in the folder of `path` and removes the folder.
fn remaining_names(path: &Path) -> Vec<String> {
    let folder = path.parent().unwrap();
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    fs::remove_dir_all(folder).unwrap();
    names
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-record-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn replace_of_a_file_writes_the_new_content_and_leaves_no_other_file() {
    let folder = folder("replaced");
    let path = folder.join("a/b.bin");
    for content in ["first, and longer", "second", ""] {
        replace(&path, content).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(path.parent().unwrap()), ["b.bin"]);
    }
    // A folder at the path of the temporary file makes the replacement fail; the old content is
    // kept.
    fs::create_dir(folder.join("a/b.bin.new")).unwrap();
    assert!(matches!(replace(&path, "third"), Err(Error::Write { .. })));
    assert!(check_replaceable(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn write_checks_of_existing_and_missing_files_change_no_content() {
    let folder = folder("checks");
    let (there, absent) = (folder.join("there"), folder.join("deeper/absent"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(&there, "content").unwrap();
    for check in [check_writable, check_replaceable] {
        check(&there).unwrap();
        check(&absent).unwrap();
        assert_eq!(fs::read_to_string(&there).unwrap(), "content");
        assert!(!absent.exists() && absent.parent().unwrap().is_dir());
        assert!(check(&folder).is_err(), "a folder is not a file");
        assert!(check(&there.join("x")).is_err(), "a file is not a folder");
        assert_eq!(names(&folder), ["deeper", "there"]);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn replace_of_a_file_syncs_the_new_content_before_it_removes_the_old() {
    let path = file("synced");
    replace(&path, "old").unwrap();
    let synced = Cell::new(false);
    let sync = |new: &File| {
        assert_eq!(new.metadata()?.len(), 7, "the whole content is written before the sync");
        assert_eq!(fs::read_to_string(&path)?, "old");
        synced.set(true);
        Ok(())
    };
    replace_synced_by(&path, b"content", sync).unwrap();
    assert!(synced.get());
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
    assert_eq!(remaining_names(&path), ["file"]);
}

#[test]
fn replace_after_a_failed_sync_keeps_the_old_content() {
    let path = file("failed");
    replace(&path, "old").unwrap();
    let full = |_: &File| Err(io::ErrorKind::StorageFull.into());
    assert!(matches!(replace_synced_by(&path, b"new", full), Err(Error::Write { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(remaining_names(&path), ["file"]);
}

#[test]
fn write_checks_of_a_path_create_no_file() {
    let path = file("checked");
    for check in [check_writable, check_replaceable] {
        check(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "content").unwrap();
        check(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(check(&path), Err(Error::Write { .. })), "a folder");
        fs::remove_dir(&path).unwrap();
    }
    assert!(remaining_names(&path).is_empty());
}

#[test]
fn lock_of_a_replaced_file_remains_held() {
    let path = file("locked");
    let lock = Lock::take(&path).unwrap();
    for content in ["first", "second"] {
        replace(&path, content).unwrap();
        assert!(matches!(Lock::take(&path), Err(Error::InUse { .. })));
    }
    drop(lock);
    assert_eq!(remaining_names(&path), ["file"]);
}

#[cfg(unix)]
#[test]
fn create_locked_of_a_file_locked_by_another_name_keeps_its_content() {
    let path = file("hard");
    fs::write(&path, "lines").unwrap();
    let other = path.with_file_name("other");
    fs::hard_link(&path, &other).unwrap();
    let held = create_locked(&other).unwrap();
    fs::write(&path, "lines").unwrap();
    assert!(matches!(create_locked(&path), Err(Error::InUse { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "lines");
    drop(held);
    assert_eq!(remaining_names(&path), ["file", "other"]);
}
