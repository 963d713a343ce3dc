//! `sparse-rtrl stream` as a user meets it: what it writes, what it saves, and what every bad day leads to.

mod beside;
mod broken;
mod files;
mod forms;
mod input;
mod inspect;
mod learner;
mod says;
mod signals;

use crate::programs::text;
use std::process::Output;

const NET: &str = "--units 6 --param-sparsity 0.5 --window 50";

/// `hour,load` with a load that follows the hour.
fn rows(range: std::ops::Range<usize>) -> String {
    range.map(|t| format!("{},{:.3}\n", t % 24, 50.0 + 10.0 * (t as f64 * 0.26).sin())).collect()
}

fn csv(n: usize) -> String {
    format!("hour,load\n{}", rows(0..n))
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn fails(output: &Output, code: i32, said: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(said), "expected '{said}' in: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().unwrap().iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name}"));
    reader.records().map(|row| row.unwrap()[at].to_string()).collect()
}

fn numbers(csv: &str, name: &str) -> Vec<Option<f64>> {
    column(csv, name).iter().map(|field| field.parse().ok()).collect()
}
