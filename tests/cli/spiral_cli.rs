//! The main job as a user meets it: its output, its files, and what it says to wrong input.

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
fn a_short_run_ends_with_a_table_and_leaves_a_curve() {
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
        assert!(names.iter().any(|n| n == name), "{name} is a column");
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
fn it_learns() {
    let out = scratch("learns.csv");
    let output =
        run(&["--param-sparsity", "0.9", "--iterations", "500", "--quiet", "--out", out.to_str().unwrap()]);
    assert!(output.status.success());
    let mut csv = csv::Reader::from_path(out).unwrap();
    let at = csv.headers().unwrap().iter().position(|n| n == "test_accuracy").unwrap();
    let best = csv.records().filter_map(|row| row.unwrap()[at].parse::<f64>().ok()).fold(0.0, f64::max);
    assert!(best >= 0.99, "test accuracy {best} within 500 iterations");
}

#[test]
fn wrong_input_gets_one_clear_line_and_exit_code_2() {
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
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{flags:?}: one line, not\n{said}");
        for &word in expected {
            assert!(said.contains(word), "{flags:?}: {word} is not in\n{said}");
        }
        assert!(output.stdout.is_empty(), "{flags:?}: nothing on standard output");
    }
    assert!(!scratch("never.csv").exists(), "nothing is written before the input is known to be right");
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_curve() {
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
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped being finite at iteration") && said.contains("step"), "{said}");
    let rows = csv::Reader::from_path(&out).unwrap().records().count();
    assert!(rows > 0 && rows < 50, "{rows} rows");
    assert!(said.contains("diverges.csv"), "{said}");
}

#[test]
fn help_teaches() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let said = text(&output.stdout);
    for word in ["Examples:", "--param-sparsity", "[default: 16]", "paper: 0.003", "Exit status"] {
        assert!(said.contains(word), "{word}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
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
    assert!(table.exists(), "files are written before anything is printed");
}

#[test]
fn progress_is_told_without_a_terminal_too() {
    let out = scratch("progress.csv");
    let output = run(&["--iterations", "4", "--test-every", "2", "--out", out.to_str().unwrap()]);
    assert_eq!(text(&output.stderr).lines().filter(|l| l.contains("test accuracy")).count(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_run() {
    let output = run(&["--iterations", "4", "--quiet", "--out", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("No space left"), "{}", text(&output.stderr));
}

#[test]
fn the_iteration_of_a_failure_is_the_one_of_the_curve() {
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
    let said = text(&output.stderr);
    assert!(said.contains(&format!("at iteration {}, step", rows + 1)), "{rows} rows, but {said}");
}

#[test]
fn spiral_any_number_of_threads_writes_the_same_bytes_in_the_order_of_runs() {
    let csv = |threads: &str| {
        let out = scratch(&format!("threads-{threads}.csv"));
        let flags = ["--iterations", "12", "--param-sparsity", "0.9,0", "--seed", "5", "--seeds", "3"];
        let output = run(&[&flags[..], &["--threads", threads, "--out", out.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let told = text(&output.stderr).lines().filter(|l| l.contains("test accuracy")).count();
        assert_eq!(told, 6, "every run tells how it is doing");
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
