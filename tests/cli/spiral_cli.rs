//! The `spiral` example, run as a program: output, files and error messages.

use crate::examples::{example, scratch, text};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn spiral() -> Command {
    example("spiral")
}

fn run(flags: &[&str]) -> Output {
    spiral().args(flags).output().expect("the example runs")
}

#[test]
fn spiral_short_run_writes_table_curve_and_plot() {
    let (out, table, plot) =
        (scratch("short/curve.csv"), scratch("short/t/table.md"), scratch("short/p/curve.svg"));
    let path = |p: &PathBuf| p.to_str().unwrap().to_string();
    let output = run(&[
        "--param-sparsity",
        "0.9",
        "--iterations",
        "60",
        "--quiet",
        "--out",
        &path(&out),
        "--table",
        &path(&table),
        "--plot",
        &path(&plot),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("test acc."));
    let mut csv = csv::Reader::from_path(out).unwrap();
    let names: Vec<_> = csv.headers().unwrap().iter().map(String::from).collect();
    for name in [
        "seed",
        "rule",
        "param_sparsity",
        "iteration",
        "loss",
        "train_accuracy",
        "test_accuracy",
        "activity_sparsity",
        "backward_sparsity",
        "influence_density",
        "compute_adjusted_iteration",
        "macs",
        "macs_dense",
    ] {
        assert!(names.iter().any(|n| n == name), "expected a column {name}, got {names:?}");
    }
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 60);
    let column = |name: &str| names.iter().position(|n| n == name).unwrap();
    let number = |row: usize, name: &str| rows[row][column(name)].parse::<f64>().unwrap();
    assert!((0..60).all(|row| (0.01..2.0).contains(&number(row, "loss"))));
    assert!(number(59, "macs") < 0.2 * number(59, "macs_dense"));
    assert!(!rows[49][column("test_accuracy")].is_empty() && rows[48][column("test_accuracy")].is_empty());
    let markdown = std::fs::read_to_string(table).unwrap();
    assert!(markdown.contains("--example spiral -- --param-sparsity 0.9"), "{markdown}");
    assert!(std::fs::read_to_string(plot).unwrap().contains("<svg"));
}

#[test]
fn spiral_500_iterations_reach_99_percent_test_accuracy() {
    let out = scratch("learns.csv");
    let output =
        run(&["--param-sparsity", "0.9", "--iterations", "500", "--quiet", "--out", out.to_str().unwrap()]);
    assert!(output.status.success());
    let mut csv = csv::Reader::from_path(out).unwrap();
    let at = csv.headers().unwrap().iter().position(|n| n == "test_accuracy").unwrap();
    let best = csv.records().filter_map(|row| row.unwrap()[at].parse::<f64>().ok()).fold(0.0, f64::max);
    assert!(best >= 0.99, "expected a test accuracy of at least 0.99 within 500 iterations, got {best}");
}

#[test]
fn spiral_invalid_flags_exit_with_code_2_and_one_line() {
    let folder = scratch("a-folder");
    std::fs::create_dir_all(&folder).unwrap();
    let file = scratch("a-file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = file.join("curve.csv");
    let _ = std::fs::remove_file(scratch("never.csv"));
    let cases: &[(&[&str], &[&str])] = &[
        (&["--param-sparsity", "1.0"], &["param-sparsity", "[0, 1)", "got 1"]),
        (&["--param-sparsity", "-0.1"], &["param-sparsity", "[0, 1)"]),
        (&["--param-sparsity", "NaN"], &["param-sparsity", "[0, 1)"]),
        (&["--param-sparsity", "much"], &["param-sparsity", "much"]),
        (&["--units", "0"], &["units", "at least 1"]),
        (&["--units", "-3"], &["units", "-3"]),
        (&["--rule", "magic"], &["rule", "magic", "rtrl-dense"]),
        (&["--cell", "lstm"], &["cell", "lstm", "egru"]),
        (&["--iterations", "0"], &["iterations", "at least 1"]),
        (&["--seeds", "0"], &["seeds", "at least 1"]),
        (&["--learning-rate", "0"], &["learning-rate", "above 0"]),
        (&["--epsilon", "0"], &["epsilon", "above 0"]),
        (&["--threshold-mean", "1.5"], &["threshold-mean", "(0, 1)"]),
        (&["--update-every", "0"], &["update-every", "at least 1"]),
        (&["--layers", "0"], &["layers", "at least 1"]),
        (&["--layers", "100000000"], &["layers", "at most"]),
        (&["--batch", "100000000"], &["batch", "at most"]),
        (&["--units", "100000"], &["100000 units", "GiB"]),
        (&["--reference-rule", "uoro"], &["reference-rule", "an exact rule", "uoro"]),
        (&["--clip", "0"], &["clip", "above 0"]),
        (&["--seed", "18446744073709551615", "--seeds", "2"], &["seeds", "2^64"]),
        (&["--out", "same.csv", "--table", "same.csv"], &["different files", "same.csv"]),
        (&["--no-such-flag"], &["no-such-flag"]),
        (&["--table", folder.to_str().unwrap()], &["cannot write", "a-folder"]),
        (&["--plot", below_a_file.to_str().unwrap()], &["cannot write", "a-file"]),
        (&["--out", folder.to_str().unwrap()], &["cannot write", "a-folder"]),
        (&["--out", below_a_file.to_str().unwrap()], &["cannot write", "a-file"]),
    ];
    for &(flags, expected) in cases {
        let default = scratch("never.csv");
        let mut all = flags.to_vec();
        if !flags.contains(&"--out") {
            all.extend(["--out", default.to_str().unwrap()]);
        }
        let output = run(&all);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{flags:?}: expected one line, got\n{message}");
        for &word in expected {
            assert!(message.contains(word), "{flags:?}: expected {word} in\n{message}");
        }
        assert!(output.stdout.is_empty(), "{flags:?}: expected no standard output");
    }
    assert!(!scratch("never.csv").exists(), "a file was written in spite of invalid flags");
}

#[test]
fn spiral_non_finite_loss_exits_with_code_1_and_keeps_curve() {
    let out = scratch("diverges.csv");
    let output = run(&[
        "--learning-rate",
        "1e38",
        "--clip",
        "off",
        "--optimiser",
        "sgd",
        "--no-activity-sparsity",
        "--iterations",
        "50",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("is not finite at iteration") && message.contains("step"), "{message}");
    let rows = csv::Reader::from_path(&out).unwrap().records().count();
    assert!(rows > 0 && rows < 50, "{rows} rows");
    assert!(message.contains("diverges.csv"), "{message}");
}

#[test]
fn spiral_help_lists_examples_defaults_and_exit_status() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for word in ["Examples:", "--param-sparsity", "[default: 16]", "paper: 0.003", "Exit status"] {
        assert!(help.contains(word), "expected {word} in the help");
    }
}

#[test]
fn spiral_closed_output_exits_successfully() {
    let (out, table) = (scratch("pipe.csv"), scratch("pipe.md"));
    for flags in [
        vec!["--help"],
        vec!["--iterations", "2", "--out", out.to_str().unwrap(), "--table", table.to_str().unwrap()],
    ] {
        let mut child = spiral().args(&flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{flags:?}: {}", text(&output.stderr));
    }
    assert!(table.exists(), "the table was not written");
}

#[test]
fn spiral_progress_without_terminal_is_printed() {
    let out = scratch("progress.csv");
    let output = run(&["--iterations", "4", "--test-every", "2", "--out", out.to_str().unwrap()]);
    assert_eq!(text(&output.stderr).lines().filter(|l| l.contains("test accuracy")).count(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn spiral_full_disk_exits_with_code_1() {
    let output = run(&["--iterations", "4", "--quiet", "--out", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("No space left"), "{}", text(&output.stderr));
}

#[test]
fn spiral_failed_iteration_follows_last_row_of_curve() {
    let out = scratch("update-every.csv");
    let output = run(&[
        "--update-every",
        "4",
        "--clip",
        "off",
        "--optimiser",
        "sgd",
        "--learning-rate",
        "1e30",
        "--no-activity-sparsity",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let rows = csv::Reader::from_path(&out).unwrap().records().count();
    let message = text(&output.stderr);
    assert!(
        message.contains(&format!("at iteration {}, step", rows + 1)),
        "{rows} rows in the curve, but {message}"
    );
}

#[test]
fn spiral_any_number_of_threads_writes_same_bytes_in_order_of_runs() {
    let csv = |threads: &str| {
        let out = scratch(&format!("threads-{threads}.csv"));
        let flags = ["--iterations", "12", "--param-sparsity", "0.9,0", "--seed", "5", "--seeds", "3"];
        let output = run(&[&flags[..], &["--threads", threads, "--out", out.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines = text(&output.stderr).lines().filter(|l| l.contains("test accuracy")).count();
        assert_eq!(lines, 6, "expected one line per run");
        std::fs::read(out).unwrap()
    };
    let one = csv("1");
    let mut rows = csv::Reader::from_reader(&one[..]);
    let keys: Vec<_> = rows
        .records()
        .map(Result::unwrap)
        .map(|r| (r[2].to_string(), r[0].to_string(), r[3].to_string()))
        .collect();
    let expected: Vec<_> = ["0.9", "0.0"]
        .iter()
        .flat_map(|omega| {
            (5..8).flat_map(move |seed| {
                (1..=12).map(move |k| (omega.to_string(), seed.to_string(), k.to_string()))
            })
        })
        .collect();
    assert_eq!(keys, expected);
    assert!(one == csv("2") && one == csv("7"));
}
