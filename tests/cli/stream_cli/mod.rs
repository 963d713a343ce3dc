//! `sparse-rtrl stream`, run as a program: output, checkpoints and errors.

mod corrupt;
mod files;
mod forms;
mod input;
mod inspect;
mod learner;
mod locks;
mod predictions;
mod signals;

use crate::programs::text;
use std::process::Output;

const NET: &str = "--units 6 --param-sparsity 0.5 --window 50";

/// Rows of `hour,load`, without a header. The load is a sine of the time.
fn rows(range: std::ops::Range<usize>) -> String {
    range.map(|t| format!("{},{:.3}\n", t % 24, 50.0 + 10.0 * (t as f64 * 0.26).sin())).collect()
}

/// The first `n` rows, with a header.
fn csv(n: usize) -> String {
    format!("hour,load\n{}", rows(0..n))
}

/// Asserts success and returns the standard output.
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Asserts an exit code and a part of the error message.
fn fails(output: &Output, code: i32, message: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(message), "expected '{message}' in: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// The fields of a column.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().unwrap().iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name}"));
    reader.records().map(|row| row.unwrap()[at].to_string()).collect()
}

/// The numbers of a column; `None` for an empty field.
fn numbers(csv: &str, name: &str) -> Vec<Option<f64>> {
    column(csv, name).iter().map(|field| field.parse().ok()).collect()
}
