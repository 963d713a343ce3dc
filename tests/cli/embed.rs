//! The `embed` example, run as a program.

use crate::examples::{example, text};

#[test]
fn embed_example_predicts_better_than_no_change() {
    let output = example("embed").output().expect("the example runs");
    assert!(output.status.success());
    let rows: Vec<Vec<f64>> = text(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().map(|word| word.parse().ok()).collect())
        .collect();
    assert_eq!(rows.len(), 10);
    for row in &rows[1..] {
        assert!(row[1] < 0.8 * row[2], "expected an error below 0.8 times that of no change, got {row:?}");
    }
}
