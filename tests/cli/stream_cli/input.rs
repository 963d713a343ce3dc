//! Input: invalid rows, empty input and invalid arguments.

use super::NET;
use super::column;
use super::csv;
use super::fails;
use super::ok;
use super::rows;
use crate::programs::{folder, run, text};
use std::fs;

/// Each invalid row and the reason reported for it.
const INVALID_ROWS: [(&str, &str); 11] = [
    ("1", "expected 2 fields, got 1 in '1'"),
    ("1,2,3", "expected 2 fields, got 3 in '1,2,3'"),
    (",50", "column 'hour': expected a number, got an empty field"),
    ("x,50", "column 'hour': expected a number, got 'x'"),
    ("1,NaN", "column 'load': expected a finite number of at most 1e15, got 'NaN'"),
    ("inf,50", "column 'hour': expected a finite number of at most 1e15, got 'inf'"),
    ("1,1e300", "column 'load': expected a finite number of at most 1e15, got '1e300'"),
    ("1,-9999999", "column 'load': expected a value within 1000 standard deviations"),
    ("\"1,50", "expected a closing quote, got none in"),
    ("1,\"50", "expected a closing quote, got none in"),
    ("1,50\r2,51", "expected lines that end with"),
];

#[test]
fn stream_invalid_row_is_skipped_or_stops_with_state_saved() {
    let folder = folder("bad-rows");
    let flags = format!("--target load --horizon 1 {NET}");
    let clean = ok(&run(&folder, &format!("stream {flags} --quiet"), csv(240).as_bytes()));
    for (k, (invalid, message)) in INVALID_ROWS.iter().enumerate() {
        let (ckpt, out) = (format!("{k}.ckpt"), format!("{k}.csv"));
        let saved = format!("--checkpoint {ckpt} -o {out}");
        fs::write(folder.join("in.csv"), format!("{}{invalid}\n{}", csv(150), rows(150..240))).unwrap();
        let stopped = run(&folder, &format!("stream in.csv {flags} {saved}"), b"");
        fails(&stopped, 3, &format!("row 151 (line 152): {message}"));
        let skipped = run(&folder, &format!("stream in.csv {flags} --on-bad-row skip"), b"");
        let lines = ok(&skipped);
        assert_eq!(column(&lines, "row")[149..151], ["150", "152"]);
        assert_eq!(
            column(&lines, "next"),
            column(&clean, "next"),
            "expected the predictions of the input without the row"
        );
        assert!(text(&skipped.stderr).contains(&format!("skipped row 151 (line 152): {message}")));
        assert!(text(&skipped.stderr).contains("241 rows, 239 learned, 1 skipped"));
        // With the row removed, a resumed stream continues where it stopped.
        fs::write(folder.join("in.csv"), csv(240)).unwrap();
        ok(&run(&folder, &format!("stream in.csv --resume {saved}"), b""));
        assert_eq!(fs::read_to_string(folder.join(&out)).unwrap(), clean, "{invalid}");
    }
    let many: String = "x\n".repeat(20);
    let output =
        run(&folder, &format!("stream {flags} --on-bad-row skip"), format!("{}{many}", csv(9)).as_bytes());
    ok(&output);
    let message = text(&output.stderr);
    assert_eq!(message.matches("skipped row").count(), 5);
    assert!(
        message.contains("only counted") && message.contains("29 rows, 8 learned, 20 skipped"),
        "{message}"
    );
}

#[test]
fn stream_empty_input_fails_and_header_alone_is_accepted() {
    let folder = folder("empty");
    let arguments = format!("stream --target load {NET}");
    fails(&run(&folder, &arguments, b""), 1, "the input is empty: expected a line of column names");
    let named = format!("{arguments} --columns hour,load");
    fails(&run(&folder, &named, b"\n"), 1, "the input is empty: expected a row");
    let lines = ok(&run(&folder, &format!("{arguments} --checkpoint c"), b"hour,load\n"));
    assert_eq!(lines.lines().count(), 1);
    let output = run(&folder, "stream --resume --checkpoint c", b"");
    ok(&output);
    assert!(text(&output.stderr).contains("0 rows, 0 learned"));
    assert_eq!(ok(&run(&folder, "stream --resume --checkpoint c", csv(3).as_bytes())).lines().count(), 3);
}

#[test]
fn stream_invalid_arguments_exit_with_code_2_and_write_nothing() {
    let folder = folder("usage");
    fs::write(folder.join("in.csv"), csv(5)).unwrap();
    fs::write(folder.join("cr.csv"), csv(5).replace('\n', "\r")).unwrap();
    for (arguments, message) in [
        ("stream in.csv", "--target: expected the column to predict"),
        ("stream in.csv --target x", "target: expected one of the columns hour, load, got x"),
        ("stream in.csv --target load --features hour,x", "features: expected one of the columns"),
        ("stream in.csv --target load --cell x", "unknown cell 'x'"),
        ("stream in.csv --target load --rule bptt", "memory does not grow"),
        ("stream in.csv --target load --trainer x", "unknown optimiser 'x'"),
        ("stream in.csv --target load --metrics x", "metrics"),
        (
            "stream in.csv --target load --metrics accuracy",
            "metrics: expected some of mae, rmse, nrmse, mape",
        ),
        ("stream in.csv --target load --units 0", "units"),
        ("stream in.csv --target load --param-sparsity 1", "[0, 1)"),
        ("stream in.csv --target load --target-kind classes", "classes: expected a number of classes"),
        ("stream in.csv --target load --target-kind x", "invalid value 'x'"),
        ("stream in.csv --target load --units 100000", "choose fewer units"),
        ("stream in.csv --target load --every 0", "every: expected at least 1"),
        ("stream in.csv --target load --resume", "--checkpoint"),
        ("stream in.csv --target load -o in.csv", "a file for each purpose"),
        ("stream in.csv --target load --checkpoint ./out.csv", "a file for each purpose"),
        ("stream in.csv --target load --checkpoint c --checkpoint-every 0", "checkpoint-every"),
        ("stream in.csv --target load --delimiter xy", "one character"),
        ("stream in.csv --target load --columns hour,hour,load", "columns: expected distinct names"),
        ("stream cr.csv --target load", "header: expected lines that end with"),
        ("stream in.csv --target load --columns hour,load --input-format jsonl", "columns"),
        ("steam", "unrecognized subcommand"),
    ] {
        let output = run(
            &folder,
            &format!("{arguments} -o out.csv").replace("-o in.csv -o out.csv", "-o in.csv"),
            b"",
        );
        let arguments = if arguments == "steam" { "steam" } else { arguments };
        if arguments == "steam" {
            assert_eq!(output.status.code(), Some(2));
        } else {
            fails(&output, 2, message);
        }
        assert!(!folder.join("out.csv").exists(), "{arguments}");
    }
    // The output is not truncated if no checkpoint can be written.
    fs::write(folder.join("kept.csv"), "kept").unwrap();
    let without_folder = "stream in.csv --target load --checkpoint in.csv/c -o kept.csv";
    fails(&run(&folder, without_folder, b""), 1, "in.csv/c");
    assert_eq!(fs::read_to_string(folder.join("kept.csv")).unwrap(), "kept");
    fails(&run(&folder, "stream none.csv --target load", b""), 1, "cannot read none.csv");
    fails(&run(&folder, "stream . --target load", b""), 1, "it is a directory");
}
