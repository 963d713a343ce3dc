//! Curves as CSV. One row holds the means over [`BIN`] iterations of one run. The file contains
//! complete runs in a fixed order and is replaced atomically, so it is always valid.

use crate::study::{BIN, Key, Study};
use serde::{Deserialize, Serialize};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::record::Row;
use sparse_rtrl::file;
use std::path::Path;

/// One row: [`BIN`] iterations of one run. The columns are those of the CSV of the spiral example.
/// Shares are means over the iterations; running sums are those after the last iteration. All
/// values except counts are rounded to six significant digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub param_sparsity: f64,
    pub activity: bool,
    pub seed: u64,
    /// The last iteration of the row.
    pub iteration: usize,
    pub loss: f64,
    pub train_accuracy: f64,
    pub test_accuracy: Option<f64>,
    pub activity_sparsity: f64,
    pub backward_sparsity: f64,
    pub live_share: f64,
    pub influence_density: f64,
    pub influence_density_recurrent: f64,
    pub rows_without_derivative: f64,
    #[serde(alias = "columns_silent")]
    pub columns_inactive: f64,
    pub columns_masked: f64,
    pub compute_adjusted_iteration: f64,
    pub density_adjusted_iteration: f64,
    pub macs: u64,
    pub macs_dense: u64,
}

impl Point {
    /// Returns the run to which the point belongs.
    pub fn key(&self) -> Key {
        Key { omega: self.param_sparsity, activity: self.activity, seed: self.seed }
    }
}

/// Rounds to six significant digits.
fn short(x: f64) -> f64 {
    format!("{x:.5e}").parse().expect("the text is a number")
}

/// Returns the curve of a run: one point per [`BIN`] rows.
pub fn points(rows: &[Row], activity: bool) -> Vec<Point> {
    rows.chunks(BIN).map(|rows| point(rows, activity)).collect()
}

fn point(rows: &[Row], activity: bool) -> Point {
    let last = &rows[rows.len() - 1];
    let mean = |of: &dyn Fn(&Row) -> f64| short(rows.iter().map(of).sum::<f64>() / rows.len() as f64);
    // An exact rule has an influence matrix at every iteration.
    let part = |of: &dyn Fn(&Row) -> Option<f64>| mean(&|row| of(row).unwrap_or(f64::NAN));
    Point {
        param_sparsity: last.param_sparsity,
        activity,
        seed: last.seed,
        iteration: last.iteration,
        loss: mean(&|r| r.loss),
        train_accuracy: mean(&|r| r.train_accuracy),
        test_accuracy: rows.iter().rev().find_map(|r| r.test_accuracy).map(short),
        activity_sparsity: mean(&|r| r.activity_sparsity),
        backward_sparsity: mean(&|r| r.backward_sparsity),
        live_share: mean(&|r| r.live_share),
        influence_density: part(&|r| r.influence_density),
        influence_density_recurrent: part(&|r| r.influence_density_recurrent),
        rows_without_derivative: part(&|r| r.rows_without_derivative),
        columns_inactive: part(&|r| r.columns_inactive),
        columns_masked: part(&|r| r.columns_masked),
        compute_adjusted_iteration: short(last.compute_adjusted_iteration),
        density_adjusted_iteration: short(last.density_adjusted_iteration.unwrap_or(f64::NAN)),
        macs: last.macs,
        macs_dense: last.macs_dense,
    }
}

/// The curves of a study; runs may be missing.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    points: Vec<Point>,
}

impl Curves {
    /// Returns the points of a run; empty if the run is missing.
    pub fn run(&self, key: Key) -> &[Point] {
        let start = self.points.iter().position(|p| p.key() == key).unwrap_or(self.points.len());
        let end = self.points[start..].iter().position(|p| p.key() != key);
        &self.points[start..end.map_or(self.points.len(), |n| start + n)]
    }

    /// Adds a finished run, and keeps the runs in the order of the study.
    pub fn add(&mut self, study: &Study, run: Vec<Point>) {
        self.points.extend(run);
        let place = |p: &Point| study.runs().position(|(_, key)| key == p.key());
        self.points.sort_by_cached_key(|p| (place(p), p.iteration));
    }

    /// Writes the curves as CSV.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let rows = self.points.iter().try_for_each(|point| csv.serialize(point));
        rows.map_err(|why| Error::Csv { path: path.into(), source: why.into() })?;
        let text = csv.into_inner().expect("writing to memory does not fail");
        file::replace(path, std::str::from_utf8(&text).expect("CSV of numbers"))
    }

    /// Reads curves and checks that they are complete runs of `study`. If `complete`, no run may be
    /// missing.
    pub fn read(path: &Path, study: &Study, complete: bool) -> Result<Self> {
        let malformed = |why: String| Error::Format { path: path.into(), why };
        let file = std::fs::File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let mut points: Vec<Point> = Vec::new();
        for row in csv::Reader::from_reader(file).deserialize() {
            let point: Point = row.map_err(|why| malformed(why.to_string()))?;
            if !point.loss.is_finite() {
                let row = points.len() + 2;
                return Err(malformed(format!("line {row}: expected a finite loss, got {}", point.loss)));
            }
            points.push(point);
        }
        let curves = Self { points };
        let mut seen = 0;
        for (config, key) in study.runs() {
            let run = curves.run(key);
            let iterations = |k: usize| ((k + 1) * BIN).min(config.iterations);
            let whole = run.len() == study.rows()
                && run.iter().enumerate().all(|(k, point)| point.iteration == iterations(k));
            if !(whole || (run.is_empty() && !complete)) {
                return Err(malformed(format!(
                    "ω = {}, activity {}, seed {}: expected {} consecutive rows up to iteration {}; got {} up to {}",
                    key.omega,
                    key.activity,
                    key.seed,
                    study.rows(),
                    config.iterations,
                    run.len(),
                    run.last().map_or(0, |point| point.iteration)
                )));
            }
            seen += run.len();
        }
        match seen == curves.points.len() {
            true => Ok(curves),
            false => Err(malformed(format!(
                "expected the runs of {}, got {} rows that belong to none of them",
                study.name(),
                curves.points.len() - seen
            ))),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn point() -> Point {
        Point {
            param_sparsity: 0.0,
            activity: true,
            seed: 0,
            iteration: 10,
            loss: 1.0,
            train_accuracy: 0.5,
            test_accuracy: None,
            activity_sparsity: 0.5,
            backward_sparsity: 0.5,
            live_share: 0.5,
            influence_density: 0.5,
            influence_density_recurrent: 0.5,
            rows_without_derivative: 0.25,
            columns_inactive: 0.25,
            columns_masked: 0.0,
            compute_adjusted_iteration: 1.0,
            density_adjusted_iteration: 1.0,
            macs: 1,
            macs_dense: 1,
        }
    }

    #[test]
    fn short_of_a_number_keeps_six_significant_digits() {
        assert_eq!(short(0.123_456_789), 0.123_457);
        assert_eq!(short(1_234_567.8), 1_234_570.0);
        assert!(short(f64::NAN).is_nan());
    }
}
