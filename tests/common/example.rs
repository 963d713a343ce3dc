//! Runs of the examples.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// Returns a command that runs an example. Builds the examples first, since running a single test
/// does not build them.
pub fn example(name: &str) -> Command {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("the test must have a path");
    // <target>/<profile>/deps/<test>
    let profile_folder = test.parent().and_then(Path::parent).expect("the folder of the profile");
    let target = profile_folder.parent().expect("the test must be in a target folder");
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

/// Returns a path for files of a test.
pub fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Converts output to text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
