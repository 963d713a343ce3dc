//! The examples as programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// An example, built if it is not: running a test alone does not build examples.
pub fn example(name: &str) -> Command {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("the path of this test");
    // <target>/<profile>/deps/<test>
    let profile_folder = test.parent().and_then(Path::parent).expect("the folder of the profile");
    let target = profile_folder.parent().expect("the target folder");
    BUILT.call_once(|| {
        // The profile of this test, so that the library is not built again.
        let profile = if cfg!(debug_assertions) { "test" } else { "bench" };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "sparse-rtrl", "--examples", "--profile", profile]);
        cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().expect("cargo must run").success(), "the examples must build");
    });
    Command::new(profile_folder.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// A place for what a test writes.
pub fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
