//! The house stays in order: imports point up the list only, so that a reader can take the files one after another.

use std::fs;
use std::path::{Path, PathBuf};

/// From what everything stands on to what stands on everything (ARCHITECTURE.md).
const FLOORS: [&str; 20] = [
    "error",
    "scalar",
    "archive",
    "macs",
    "stats",
    "file",
    "sparse",
    "params",
    "wiring",
    "cell",
    "network",
    "readout",
    "optim",
    "rule",
    "metrics",
    "learner",
    "stream",
    "experiment",
    "lib",
    "bin",
];

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|f| *f == name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The modules a file imports from the crate root, tests aside.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    for part in code.split("crate::").skip(1) {
        let names = part.trim_start_matches('{');
        let list = if part.starts_with('{') { names.split('}').next().unwrap() } else { names };
        let end = |c: char| !(c.is_alphanumeric() || c == '_');
        let take = if part.starts_with('{') { usize::MAX } else { 1 };
        for name in list.split(',').take(take) {
            found.push(name.trim().split(end).next().unwrap().to_string());
        }
    }
    found
}

#[test]
fn imports_point_up_the_list_only() {
    let src = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for file in files(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let own = floor(module).unwrap_or_else(|| panic!("{module} has no floor in the house"));
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let Some(other) = floor(&import) else { continue };
            assert!(other <= own, "{} must not import from {import}", relative.display());
            checked += usize::from(other < own);
        }
    }
    assert!(checked > 40, "imports were found: {checked}");
}

#[test]
fn rules_never_meet_a_concrete_cell() {
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/rule");
    for file in files(&rules) {
        let text = fs::read_to_string(&file).unwrap();
        // Code, not documentation: an example may show where steps come from.
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let text = text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
        for name in ["egru::", "event_rnn::", "trace::", "network::", "Network"] {
            assert!(!text.contains(name), "{} mentions {name}", file.display());
        }
    }
}
