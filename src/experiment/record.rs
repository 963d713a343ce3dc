//! Learning curves as CSV files. Each row is flushed when written, so that an interrupted run
//! leaves all completed iterations on disk.

use crate::error::{Error, Result};
use crate::file::create_locked;
use crate::file::lock::Lock;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};

/// One iteration of a run. Shares are means over the steps and streams of the iteration. Running
/// sums start at the first iteration.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Seed of the run.
    pub seed: u64,
    /// Name of the learning rule.
    pub rule: String,
    /// ω as configured.
    pub param_sparsity: f64,
    /// Index of the iteration, from 1.
    pub iteration: usize,
    /// Mean loss per step with a target, before the update.
    pub loss: f64,
    /// Share of correct classifications in the batch, before the update.
    pub train_accuracy: f64,
    /// Accuracy on the test set of the weights selected by [`Keep`](super::Keep), after the update;
    /// empty if not evaluated.
    pub test_accuracy: Option<f64>,
    /// α, the share of units with y = 0.
    pub activity_sparsity: f64,
    /// β, the share of units with zero pseudo-derivative.
    pub backward_sparsity: f64,
    /// Share of units with `e ≠ 0`, which an exact rule cannot skip as sources.
    pub live_share: f64,
    /// Nonzero entries of Y, relative to n × p without masks; empty without an influence matrix.
    pub influence_density: Option<f64>,
    /// Nonzero entries of Y in columns of recurrent weights, relative to n × the number of
    /// recurrent weights without masks; empty without an influence matrix.
    pub influence_density_recurrent: Option<f64>,
    /// Zeros of Y in rows that are not live, without columns of pruned parameters; relative to n ×
    /// p without masks.
    pub rows_without_derivative: Option<f64>,
    /// Zeros of Y in live rows and inactive columns, relative to n × p without masks.
    pub columns_inactive: Option<f64>,
    /// Entries of Y in columns of pruned parameters, relative to n × p without masks.
    ///
    /// The density and the three shares of zeros add up to less than 1: other zeros have no
    /// influence yet, or an influence that has decayed to zero. For `rtrl-dense` and
    /// `rtrl-activity` the sum can exceed 1, since these rules also store the columns of pruned
    /// parameters.
    pub columns_masked: Option<f64>,
    /// Stored entries of S, relative to n × p without masks; empty without an influence matrix.
    pub influence_held: Option<f64>,
    /// Cosine of the gradient with the exact gradient; empty without a reference rule.
    pub gradient_cosine: Option<f64>,
    /// Relative error of the gradient; empty without a reference rule, or if the exact gradient is
    /// zero and the gradient is not.
    pub gradient_error: Option<f64>,
    /// Running sum of ω̃²β̃(t)β̃(t−1), the measure of the RTRL paper, with ω̃ as drawn and β̃ as
    /// measured.
    pub compute_adjusted_iteration: f64,
    /// Running sum of `influence_density`, an alternative compute adjustment; empty without an
    /// influence matrix.
    pub density_adjusted_iteration: Option<f64>,
    /// Running sum of MACs.
    pub macs: u64,
    /// Running sum of the MACs of dense RTRL without masks on the same steps.
    pub macs_dense: u64,
}

/// Writes rows to a CSV file, which is locked by this process.
pub struct Recorder {
    path: PathBuf,
    _lock: Lock,
    csv: csv::Writer<File>,
}

impl Recorder {
    /// Creates the file and its folder. An existing file is emptied.
    ///
    /// # Errors
    /// If the file cannot be written, or if another process has locked it. The file is then
    /// unchanged.
    pub fn create(path: &Path) -> Result<Self> {
        let lock = Lock::take_where_possible(path)?;
        Ok(Self { path: path.into(), csv: csv::Writer::from_writer(create_locked(path)?), _lock: lock })
    }

    /// Writes a row, and the header before the first row.
    ///
    /// # Errors
    /// If the file cannot be written, for example because the disk is full.
    pub fn write(&mut self, row: &Row) -> Result<()> {
        let written = self.csv.serialize(row).map_err(std::io::Error::from);
        written.map_err(|source| Error::Csv { path: self.path.clone(), source })?;
        self.csv.flush().map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests;
