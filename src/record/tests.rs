mod content;

use super::*;
use std::cell::Cell;
use std::fs;

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

#[test]
fn recorder_row_is_on_the_disk_as_soon_as_it_is_written() {
    let path = file("rows");
    fs::write(&path, "earlier\n".repeat(1000)).unwrap();
    let mut recorder = Recorder::create(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "it is begun anew");
    let row = row();
    for lines in 2..4 {
        recorder.write(&row).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), lines);
    }
    assert!(matches!(Recorder::create(&path), Err(Error::InUse { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3, "it is as it was");
    drop(recorder);
    assert_eq!(left(&path), ["file"]);
}

fn row() -> Row {
    Row {
        seed: 1,
        rule: "rtrl".into(),
        param_sparsity: 0.5,
        iteration: 1,
        loss: 0.1,
        train_accuracy: 0.5,
        test_accuracy: None,
        activity_sparsity: 0.5,
        backward_sparsity: 0.5,
        live_share: 0.5,
        influence_density: None,
        influence_density_recurrent: None,
        rows_without_derivative: None,
        columns_silent: None,
        columns_masked: None,
        influence_held: None,
        gradient_cosine: None,
        gradient_error: None,
        compute_adjusted_iteration: 1.0,
        density_adjusted_iteration: None,
        macs: 1,
        macs_dense: 1,
    }
}
