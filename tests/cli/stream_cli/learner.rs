//! Divergence, export and import of weights, `train`, `completions` and help texts.

use super::NET;
use super::csv;
use super::fails;
use super::ok;
use crate::programs::{folder, run, text};
use std::fs;

#[test]
fn stream_divergence_stops_resets_or_rolls_back() {
    let folder = folder("diverged");
    let rows: String = (0..300).map(|t| format!("{},{}\n", t % 5, t % 3)).collect();
    let flags = format!(
        "--target y {NET} --readout trainer --trainer sgd --learning-rate 1e9 --decay 0 --checkpoint-every 10"
    );
    let input = format!("x,y\n{rows}");
    let stop = run(&folder, &format!("stream {flags} --checkpoint c"), input.as_bytes());
    fails(&stop, 5, "diverged at row");
    assert!(text(&stop.stderr).contains("the last checkpoint is unchanged"));
    let stderr = text(&stop.stderr);
    let at: u64 =
        stderr.split("diverged at row ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    let last: serde_json::Value = serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!(last["rows"], (at - 1) / 10 * 10, "the checkpoint before row {at}");
    // The changes which the error message proposes are accepted.
    let changed = "--learning-rate 1e-3 --error-clip 3 --outlier-limit off --decay 1e-4 --clip 1";
    ok(&run(&folder, &format!("stream --resume --replay --checkpoint c {changed}"), input.as_bytes()));
    let description: serde_json::Value =
        serde_json::from_str(&ok(&run(&folder, "inspect c --json", b""))).unwrap();
    assert_eq!(description["settings"]["learning-rate"], 1e-3);
    assert_eq!((&description["learned"], &description["diverged"]), (&300.into(), &0.into()));
    // A resumed run without `--on-divergence rollback` drops the saved rollback state.
    let rollback = "stream --target load --checkpoint m --checkpoint-every 10 --on-divergence rollback";
    ok(&run(&folder, &format!("{rollback} {NET}"), csv(15).as_bytes()));
    let before = fs::metadata(folder.join("m")).unwrap().len();
    ok(&run(&folder, "stream --resume --checkpoint m", b""));
    assert!(fs::metadata(folder.join("m")).unwrap().len() < before);
    for (how, message) in [("reset", "the learner was reset"), ("rollback", "was rolled back to row")] {
        let output = run(&folder, &format!("stream {flags} --on-divergence {how}"), input.as_bytes());
        assert_eq!(ok(&output).lines().count(), 301, "expected a line per row: {}", text(&output.stderr));
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains(message) && stderr.contains("diverged") && stderr.contains("300 rows"),
            "{stderr}"
        );
    }
}

#[test]
fn weights_exported_by_inspect_are_imported_by_stream() {
    let folder = folder("weights");
    fs::write(folder.join("in.csv"), csv(300)).unwrap();
    ok(&run(&folder, &format!("stream in.csv --target load {NET} --checkpoint c -o out.csv"), b""));
    for same in ["c", "./c"] {
        fails(&run(&folder, &format!("inspect c --export {same}"), b""), 2, "a file for each purpose");
    }
    let text = ok(&run(&folder, "inspect c --export w.safetensors", b""));
    for message in ["300 learned", "layer0.wu_y", "hour", "as drawn", "mae"] {
        assert!(text.contains(message), "expected {message} in {text}");
    }
    ok(&run(
        &folder,
        &format!("stream in.csv --target load {NET} --import w.safetensors --checkpoint d --seed 5"),
        b"",
    ));
    fails(
        &run(&folder, "stream in.csv --target load --units 7 --import w.safetensors", b""),
        4,
        "of shape [7, 1]",
    );
    fails(&run(&folder, "stream in.csv --target load --import none", b""), 1, "cannot read none");
    fails(
        &run(&folder, "stream in.csv --target load --import in.csv -q -o x", b""),
        2,
        "a file for each purpose",
    );
}

#[test]
fn train_completions_and_help_accept_valid_and_refuse_invalid_arguments() {
    let folder = folder("train");
    let default = ok(&run(&folder, "train --print-config", b""));
    fs::write(folder.join("c.toml"), default.replace("1700", "3").replace("units = 16", "units = 4"))
        .unwrap();
    let output = run(&folder, "train c.toml --seeds 2 --out curve.csv", b"");
    ok(&output);
    assert!(text(&output.stderr).contains("seed 1: test accuracy"));
    assert_eq!(fs::read_to_string(folder.join("curve.csv")).unwrap().lines().count(), 7);
    fs::write(folder.join("bad.toml"), "unit = 3").unwrap();
    fails(&run(&folder, "train bad.toml", b""), 2, "got 'unit'");
    fails(&run(&folder, "train none.toml", b""), 1, "cannot read none.toml");
    fails(&run(&folder, "train c.toml --out ./c.toml", b""), 2, "a file for each purpose");
    if std::path::Path::new("/dev/full").exists() {
        fails(&run(&folder, "train c.toml --out /dev/full", b""), 1, "/dev/full: No space left on device");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(&run(&folder, &format!("completions {shell}"), b"")).contains("checkpoint-every"));
    }
    let help = ok(&run(&folder, "stream --help", b"")).split_whitespace().collect::<Vec<_>>().join(" ");
    for message in
        ["Σ|error| / Σ|target|", "Skipped rows are not counted", "no line of output", "may be incomplete"]
    {
        assert!(help.contains(message), "expected {message} in the help");
    }
    for command in ["", "stream", "inspect", "train", "completions"] {
        let help = ok(&run(&folder, &format!("{command} --help"), b""));
        assert!(command.is_empty() || help.contains("Example"), "{help}");
        assert!(command == "completions" || help.contains("Exit codes"), "{help}");
    }
}

#[test]
fn rollback_after_resume_restores_last_due_checkpoint() {
    let folder = folder("rolled-back");
    let flags = format!(
        "--target y {NET} --readout trainer --trainer sgd --learning-rate 1e9 --decay 0 --checkpoint-every 10 --checkpoint c"
    );
    let row = |t: usize| format!("{},{}\n", t % 5, t % 3);
    let input = |to: usize| format!("x,y\n{}", (0..to).map(row).collect::<String>());
    let marks = |stderr: &[u8]| -> Vec<[u64; 2]> {
        let numbers = |line: &str| {
            let number = |word: &str| line.split(word).nth(1)?.split([':', ' ']).next()?.parse().ok();
            Some([number("diverged at row ")?, number("rolled back to row ")?])
        };
        text(stderr).lines().filter_map(numbers).collect()
    };
    let mut count = 0;
    // The first run saves at row 25, but a rollback must restore row 20.
    for (to, resume) in [(25, ""), (27, "--resume --replay"), (90, "--resume --replay")] {
        let begin = if resume.is_empty() { &flags[..] } else { "--checkpoint c --checkpoint-every 10" };
        let arguments = format!("stream {begin} {resume} --on-divergence rollback");
        let output = run(&folder, &arguments, input(to).as_bytes());
        ok(&output);
        for [at, mark] in marks(&output.stderr) {
            assert_eq!(mark, (at - 1) / 10 * 10, "diverged at row {at}");
            count += usize::from(resume.is_empty() || (26..30).contains(&at));
        }
    }
    assert!(count > 3, "expected divergence before and soon after a resume, got {count}");
    // A new stream without `rollback` has no state to restore: it resets the learner.
    fs::remove_file(folder.join("c")).unwrap();
    let reset = run(&folder, &format!("stream {flags} --on-divergence reset"), input(90).as_bytes());
    ok(&reset);
    assert!(marks(&reset.stderr).is_empty() && text(&reset.stderr).contains("was reset"));
}
