use super::*;
use crate::file::lock::Lock;
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

/// An empty folder; the path of a file in it.
fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-record-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder.join("file")
}

/// Names in the folder, which is removed.
fn left(path: &Path) -> Vec<String> {
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
fn replaced_file_holds_the_new_content_and_leaves_nothing_beside() {
    let folder = folder("replaced");
    let path = folder.join("a/b.bin");
    for content in ["first, and longer", "second", ""] {
        replace(&path, content).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(path.parent().unwrap()), ["b.bin"]);
    }
    // It goes through the file beside it: a folder there is in the way, and the old content stays.
    fs::create_dir(folder.join("a/b.bin.new")).unwrap();
    assert!(matches!(replace(&path, "third"), Err(Error::Write { .. })));
    assert!(check_replaceable(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn checks_touch_nothing() {
    let folder = folder("checks");
    let (there, absent) = (folder.join("there"), folder.join("deeper/absent"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(&there, "precious").unwrap();
    for check in [check_writable, check_replaceable] {
        check(&there).unwrap();
        check(&absent).unwrap();
        assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
        assert!(!absent.exists() && absent.parent().unwrap().is_dir());
        assert!(check(&folder).is_err(), "a folder is no file");
        assert!(check(&there.join("x")).is_err(), "nor is a file a folder");
        assert_eq!(names(&folder), ["deeper", "there"]);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn replace_syncs_the_whole_content_before_the_old_one_goes() {
    let path = file("synced");
    replace(&path, "old").unwrap();
    let synced = Cell::new(false);
    let sync = |new: &File| {
        assert_eq!(new.metadata()?.len(), 7, "all is written");
        assert_eq!(fs::read_to_string(&path)?, "old");
        synced.set(true);
        Ok(())
    };
    replace_synced_by(&path, b"content", sync).unwrap();
    assert!(synced.get());
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
    assert_eq!(left(&path), ["file"]);
}

#[test]
fn replace_that_fails_leaves_the_old_content_and_nothing_else() {
    let path = file("failed");
    replace(&path, "old").unwrap();
    let full = |_: &File| Err(io::ErrorKind::StorageFull.into());
    assert!(matches!(replace_synced_by(&path, b"new", full), Err(Error::Write { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(left(&path), ["file"]);
}

#[test]
fn checks_of_what_can_be_written_leave_no_trace() {
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
    assert!(left(&path).is_empty());
}

#[test]
fn lock_of_a_file_that_is_replaced_holds() {
    let path = file("locked");
    let lock = Lock::take(&path).unwrap();
    for content in ["first", "second"] {
        replace(&path, content).unwrap();
        assert!(matches!(Lock::take(&path), Err(Error::InUse { .. })));
    }
    drop(lock);
    assert_eq!(left(&path), ["file"]);
}

#[cfg(unix)]
#[test]
fn file_locked_by_another_name_is_not_emptied() {
    let path = file("hard");
    fs::write(&path, "lines").unwrap();
    let other = path.with_file_name("other");
    fs::hard_link(&path, &other).unwrap();
    let held = create_locked(&other).unwrap();
    fs::write(&path, "lines").unwrap();
    assert!(matches!(create_locked(&path), Err(Error::InUse { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "lines");
    drop(held);
    assert_eq!(left(&path), ["file", "other"]);
}
