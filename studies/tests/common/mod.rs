//! The programs of this package, as a user runs them.

use std::path::PathBuf;
use std::process::Command;

/// Returns the command of a program of this package.
///
/// # Panics
/// If there is none of that name.
pub fn program(name: &str) -> Command {
    let path = match name {
        "compare" => env!("CARGO_BIN_EXE_compare"),
        "figure3" => env!("CARGO_BIN_EXE_figure3"),
        "santa_fe" => env!("CARGO_BIN_EXE_santa_fe"),
        "speed" => env!("CARGO_BIN_EXE_speed"),
        "table1" => env!("CARGO_BIN_EXE_table1"),
        "taxi" => env!("CARGO_BIN_EXE_taxi"),
        "text" => env!("CARGO_BIN_EXE_text"),
        other => panic!("no program named {other}"),
    };
    Command::new(path)
}

/// A path below the folder that tests may write to.
pub fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
