//! The figure3 program: equal curves for any number of threads and after interruptions, and
//! pictures drawn again from the curves.

mod common;

use common::{program, scratch, text};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const FEW: [&str; 6] = ["--iterations", "20", "--seeds", "2", "--param-sparsity", "0.9,0"];

fn run(out: &Path, flags: &[&str]) -> Output {
    program("figure3").args(flags).arg("--out").arg(out).output().expect("the program runs")
}

/// Returns the path of a folder that does not exist.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const STUDIES: [&str; 4] = ["default-spirals", "default-stream", "paper-spirals", "paper-stream"];

#[test]
fn figure3_with_any_number_of_threads_writes_the_same_files() {
    let (one, two) = (folder("figure3-one"), folder("figure3-two"));
    let output = run(&one, &[&FEW[..], &["--threads", "1"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("24 of 24 runs"), "{}", text(&output.stderr));
    assert!(run(&two, &[&FEW[..], &["--threads", "2"]].concat()).status.success());
    for study in STUDIES {
        let csv = read(one.join(format!("{study}.csv")));
        assert_eq!(csv, read(two.join(format!("{study}.csv"))), "{study}");
        // Two rows of ten iterations per run: two sparsities and two seeds, and twice as many runs
        // for spirals.
        let runs = if study.ends_with("spirals") { 8 } else { 4 };
        assert_eq!(csv.lines().count(), 1 + 2 * runs, "{study}");
        let svg = read(one.join(format!("{study}.svg")));
        assert_eq!(svg, read(two.join(format!("{study}.svg"))));
        for words in ["n = 2 seeds", "ω = 0.9", "multiply-accumulates counted", "H: entries of"] {
            assert!(svg.contains(words), "{study}: {words}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf,") && !svg.contains(",inf"), "{study}");
        let png = std::fs::read(one.join(format!("{study}.png"))).unwrap();
        assert_eq!(&png[1..4], b"PNG");
        let json: serde_json::Value = serde_json::from_str(&read(one.join(format!("{study}.json")))).unwrap();
        assert!(json["command"].as_str().unwrap().contains("cargo study figure3 -- --iterations 20"));
        assert_eq!(json["settings"][0]["mask"]["sparsity"], 0.0);
    }
    let readme = read(one.join("README.md"));
    for words in
        ["| ω = 0 with activity sparsity", "recurrent columns only", "every spiral", "default-stream.svg"]
    {
        assert!(readme.contains(words), "{words}:\n{readme}");
    }
    assert!(
        !std::fs::read_dir(&one).unwrap().any(|f| f.unwrap().path().to_string_lossy().contains("unfinished"))
    );

    // From the curves alone, the program draws the same pictures and the same page.
    let before: Vec<_> = STUDIES.iter().map(|s| read(one.join(format!("{s}.svg")))).collect();
    for study in STUDIES {
        std::fs::remove_file(one.join(format!("{study}.svg"))).unwrap();
        std::fs::remove_file(one.join(format!("{study}.png"))).unwrap();
    }
    std::fs::remove_file(one.join("README.md")).unwrap();
    assert!(run(&one, &["--plot-only"]).status.success());
    let after: Vec<_> = STUDIES.iter().map(|s| read(one.join(format!("{s}.svg")))).collect();
    assert_eq!(before, after);
    assert_eq!(readme, read(one.join("README.md")));

    // Altered curves.
    let csv = one.join("paper-stream.csv");
    let whole = read(csv.clone());
    let lines: Vec<&str> = whole.lines().collect();
    let cases = [
        (
            lines[..lines.len() - 1].join("\n"),
            "expected 2 consecutive rows up to iteration 20; got 1 up to 10",
        ),
        (whole.replacen("true", "maybe", 1), "(line: 2"),
        (whole.replacen("loss", "lost", 1), "lost"),
        (whole.replace("0.9,", "0.7,"), "got 0 up to 0"),
        (format!("{whole}{}\n", lines[1].replacen("0.0,", "0.7,", 1)), "belong to none"),
        (lines[0].to_string(), "got 0 up to 0"),
    ];
    for (altered, expected) in cases {
        std::fs::write(&csv, altered).unwrap();
        let output = run(&one, &["--plot-only"]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected) && message.contains("paper-stream.csv"), "{expected}: {message}");
    }
}

#[test]
fn figure3_after_an_interruption_runs_only_missing_runs() {
    let (whole, interrupted) = (folder("figure3-whole"), folder("figure3-broken"));
    let flags = [&FEW[..], &["--preset", "default", "--experiment", "spirals", "--threads", "1"]].concat();
    assert!(run(&whole, &flags).status.success());

    let mut child = program("figure3");
    let child = child.args(&flags).arg("--out").arg(&interrupted).stderr(Stdio::null());
    let mut child = child.spawn().expect("the program runs");
    let curves = interrupted.join("default-spirals.unfinished.csv");
    let started = Instant::now();
    while !curves.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "the first run did not end within a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(curves.exists() && !interrupted.join("default-spirals.csv").exists());

    let unfinished = read(curves.clone());
    let other = run(&interrupted, &[&flags[..], &["--units", "5"]].concat());
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("other settings"), "{}", text(&other.stderr));
    assert_eq!(read(curves.clone()), unfinished);
    let output = run(&interrupted, &flags);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("resuming:"), "{}", text(&output.stderr));
    assert_eq!(read(interrupted.join("default-spirals.csv")), read(whole.join("default-spirals.csv")));

    // Unfinished curves without settings, or with --fresh, are not used.
    for with_settings in [false, true] {
        std::fs::write(&curves, &unfinished).unwrap();
        let settings = interrupted.join("default-spirals.unfinished.json");
        if with_settings {
            std::fs::write(&settings, "{}").unwrap();
        }
        let fresh: &[&str] = if with_settings { &["--fresh"] } else { &[] };
        let output = run(&interrupted, &[&flags[..], fresh, &["--units", "5"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("resuming:"), "{}", text(&output.stderr));
        assert!(!curves.exists() && !settings.exists());
    }
}

#[test]
fn figure3_with_invalid_input_exits_with_code_2() {
    let cases: &[(&[&str], &str)] = &[
        (&["--param-sparsity", "1"], "[0, 1)"),
        (&["--param-sparsity", "-0.5"], "[0, 1)"),
        (&["--param-sparsity", "0,0.1,0.2,0.3,0.4"], "one to four"),
        (&["--seeds", "0"], "seeds"),
        (&["--iterations", "0"], "iterations"),
        (&["--units", "0"], "units"),
        (&["--preset", "ours"], "possible values"),
        (&["--experiment", "x"], "possible values"),
        (&["--plot-only"], "got none"),
    ];
    for (flags, expected) in cases {
        let out = folder("figure3-wrong");
        let output = run(&out, flags);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {message}");
        assert!(message.contains(expected), "{flags:?}: {message}");
    }
}
