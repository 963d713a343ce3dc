//! Learning curves as CSV: one row an iteration, flushed as it is written, so that whatever stops a run leaves the curve
//! so far on disk.

use crate::error::{Error, Result};
use crate::file::create_locked;
use crate::file::lock::Lock;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};

/// One iteration of a run. Shares are means over the iteration's steps and streams; sums run from the first iteration.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The seed of the run.
    pub seed: u64,
    /// The learning rule.
    pub rule: String,
    /// ω as asked for.
    pub param_sparsity: f64,
    /// From 1.
    pub iteration: usize,
    /// Mean loss a supervised step, before the update.
    pub loss: f64,
    /// Share of the batch that was classified rightly at its last step, before the update.
    pub train_accuracy: f64,
    /// Accuracy on the test set, after the update, of the weights that the run would end with now; where it was evaluated.
    pub test_accuracy: Option<f64>,
    /// α, the share of units with y = 0.
    pub activity_sparsity: f64,
    /// β, the share of units with zero pseudo-derivative.
    pub backward_sparsity: f64,
    /// The share of units with `e ≠ 0`: the sources an exact rule cannot skip.
    pub live_share: f64,
    /// Entries of Y that are not zero, relative to n × p without masks; empty without an influence matrix.
    pub influence_density: Option<f64>,
    /// The same of the columns of recurrent weights alone.
    pub influence_density_recurrent: Option<f64>,
    /// Zeros of Y in rows of units whose emission has no derivative, but for those in masked columns; relative to n × p without
    /// masks, as the next two.
    pub rows_without_derivative: Option<f64>,
    /// Zeros of Y in columns whose source has been silent since the reset, in the rows that are left.
    pub columns_inactive: Option<f64>,
    /// Entries of Y in columns of masked parameters. What is left to one are zeros no path has led to yet, or whose
    /// influence has faded away. (`rtrl-dense` and
    /// `rtrl-activity` hold these columns too: what is in them is part of their density, and shares add up to more.)
    pub columns_masked: Option<f64>,
    /// Entries of S that the rule holds, relative to n × p without masks; empty without an influence matrix.
    pub influence_held: Option<f64>,
    /// Cosine of the gradient to the exact one; empty without a reference rule.
    pub gradient_cosine: Option<f64>,
    /// Relative error of the gradient to the exact one; empty without a reference rule, or where the exact one vanishes and this does not.
    pub gradient_error: Option<f64>,
    /// Running sum of ω̃²β̃(t)β̃(t−1), the paper's measure; ω̃ as drawn, β̃ as measured.
    pub compute_adjusted_iteration: f64,
    /// Running sum of `influence_density`, the other measure that goes by the name of compute adjustment; empty without an
    /// influence matrix.
    pub density_adjusted_iteration: Option<f64>,
    /// Running sum of the MACs counted.
    pub macs: u64,
    /// Running sum of the MACs that dense RTRL without masks would have done on the same steps.
    pub macs_dense: u64,
}

/// A CSV file of rows, of one process at a time.
pub struct Recorder {
    path: PathBuf,
    _lock: Lock,
    csv: csv::Writer<File>,
}

impl Recorder {
    /// Creates the file, and the folder it lies in.
    ///
    /// # Errors
    /// If either cannot be written, or another process writes the file: it is as it was then.
    pub fn create(path: &Path) -> Result<Self> {
        let lock = Lock::take_where_possible(path)?;
        Ok(Self { path: path.into(), csv: csv::Writer::from_writer(create_locked(path)?), _lock: lock })
    }

    /// Writes a row, and the header before the first.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn write(&mut self, row: &Row) -> Result<()> {
        self.csv.serialize(row).map_err(|source| Error::Csv { path: self.path.clone(), source })?;
        self.csv.flush().map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests;
