use super::*;
use std::cell::Cell;
use std::os::unix::fs::symlink;

/// An empty folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sparse-rtrl-lock-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_in_use(taken: Result<Lock>) -> bool {
    matches!(taken, Err(Error::InUse { .. }))
}

#[test]
fn lock_while_held_refuses_a_second_and_removes_its_file_when_dropped() {
    let folder = Folder::new("held");
    let path = folder.file("deep/er/c");
    let lock = Lock::take(&path).unwrap();
    assert_eq!(lock.path(), path);
    assert!(is_in_use(Lock::take(&path)) && is_in_use(Lock::take_where_possible(&path)));
    assert!(folder.file("deep/er/c.lock").exists(), "a refusal does not remove it");
    drop(lock);
    assert!(!folder.file("deep/er/c.lock").exists());
    drop(Lock::take(&path).unwrap());
    assert_eq!(fs::read_dir(folder.file("deep/er")).unwrap().count(), 0, "no file was created");
}

#[test]
fn lock_by_several_names_of_a_file_is_one_lock() {
    let folder = Folder::new("names");
    fs::create_dir(folder.file("in")).unwrap();
    fs::write(folder.file("in/c"), "").unwrap();
    symlink("in", folder.file("same")).unwrap();
    symlink("in/c", folder.file("link")).unwrap();
    symlink("../in/new", folder.file("in/dangling")).unwrap();
    symlink("same/dangling", folder.file("twice")).unwrap();
    for names in
        [&["in/c", "in/../in/./c", "same/c", "link"][..], &["in/new", "same/new", "in/dangling", "twice"]]
    {
        for held in names {
            let lock = Lock::take(&folder.file(held)).unwrap();
            for other in names {
                assert!(is_in_use(Lock::take(&folder.file(other))), "{held} and {other}");
            }
            let end = Path::new(names[0]).file_name().unwrap();
            assert_eq!(
                lock.path().file_name().unwrap(),
                end,
                "{held}: the lock has the name of the file that a link points to"
            );
        }
    }
}

#[test]
fn lock_on_an_existing_lock_file_removes_it_only_if_empty() {
    let folder = Folder::new("left");
    fs::write(folder.file("c.lock"), "").unwrap();
    drop(Lock::take(&folder.file("c")).unwrap());
    assert!(!folder.file("c.lock").exists());
    fs::write(folder.file("c.lock"), "content").unwrap();
    let lock = Lock::take(&folder.file("c")).unwrap();
    assert!(is_in_use(Lock::take(&folder.file("c"))));
    drop(lock);
    assert_eq!(fs::read_to_string(folder.file("c.lock")).unwrap(), "content");
}

thread_local! {
    static OPENED: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn lock_file_removed_before_locking_is_opened_again() {
    let folder = Folder::new("race");
    let path = folder.file("c");
    // Another process removes the lock file after it is opened for the first time.
    let open: fn(&Path) -> io::Result<File> = |name| {
        let opened = (SYSTEM.open)(name);
        if OPENED.replace(OPENED.get() + 1) == 0 {
            fs::remove_file(name)?;
        }
        opened
    };
    let _lock = Lock::take_from(&path, &System { open, ..SYSTEM }).unwrap();
    assert_eq!(OPENED.get(), 2);
    assert!(is_in_use(Lock::take(&path)));
}

#[test]
fn drop_of_a_lock_with_a_replaced_file_removes_nothing() {
    let folder = Folder::new("others");
    let lock = Lock::take(&folder.file("c")).unwrap();
    fs::remove_file(folder.file("c.lock")).unwrap();
    fs::write(folder.file("c.lock"), "").unwrap();
    drop(lock);
    assert!(folder.file("c.lock").exists());
}

#[test]
fn lock_without_system_support_is_an_error_unless_optional() {
    let folder = Folder::new("none");
    let path = folder.file("c");
    symlink("c", folder.file("link")).unwrap();
    let try_lock: fn(&File) -> _ = |_| Err(TryLockError::Error(ErrorKind::Unsupported.into()));
    let system = System { try_lock, ..SYSTEM };
    assert!(matches!(Lock::take_from(&path, &system), Err(Error::NoLocks { .. })));
    let lock = Lock::take_where_possible_from(&folder.file("link"), &system).unwrap();
    assert_eq!(lock.path().file_name(), path.file_name());
    let system = System { try_lock: |_| Err(TryLockError::WouldBlock), ..SYSTEM };
    assert!(is_in_use(Lock::take_where_possible_from(&path, &system)));
}

#[test]
fn lock_where_no_file_can_be_created_succeeds_unless_another_is_held() {
    let folder = Folder::new("rights");
    let path = folder.file("c");
    for failing_open in [
        |_: &Path| Err(ErrorKind::PermissionDenied.into()),
        |_: &Path| Err(ErrorKind::ReadOnlyFilesystem.into()),
    ] {
        let system = System { open: failing_open, ..SYSTEM };
        assert!(Lock::take_from(&path, &system).is_ok());
        let _lock = Lock::take(&path).unwrap();
        assert!(is_in_use(Lock::take_from(&path, &system)));
    }
    let system = System { open: |_| Err(ErrorKind::StorageFull.into()), ..SYSTEM };
    assert!(matches!(Lock::take_from(&path, &system), Err(Error::Write { .. })));
}

#[test]
fn lock_of_a_device_or_a_folder_creates_no_lock_file() {
    let folder = Folder::new("devices");
    fs::create_dir(folder.file("folder")).unwrap();
    for path in [Path::new("/dev/null"), &folder.file("folder")] {
        let _first = Lock::take(path).unwrap();
        let _second = Lock::take(path).unwrap();
        assert!(!beside(path, "lock").exists());
    }
}

#[test]
fn in_place_lock_of_a_file_applies_to_all_its_names() {
    let folder = Folder::new("in-place");
    let (path, other) = (folder.file("o"), folder.file("hard"));
    fs::write(&path, "lines").unwrap();
    fs::hard_link(&path, &other).unwrap();
    let file = File::open(&path).unwrap();
    in_place(&file, &path).unwrap();
    let opened = File::open(&other).unwrap();
    assert!(matches!(in_place(&opened, &other), Err(Error::InUse { .. })));
    drop(file);
    in_place(&opened, &other).unwrap();
    in_place(&File::open("/dev/null").unwrap(), Path::new("/dev/null")).unwrap();
}
