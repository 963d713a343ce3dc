//! The specification of a row reader, as plain data.

use serde::{Deserialize, Serialize};

/// The kind of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TargetKind {
    /// A number.
    #[default]
    Regression,
    /// One of two classes.
    Binary,
    /// One of many.
    Classes,
}

/// Specification of the columns of a stream. The field names equal the flags of the command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowReaderSpec {
    /// The column to predict.
    pub target: String,
    /// h, the number of rows between the inputs and the target that is predicted from them. If it
    /// is at least 1, the value of the target column is an input.
    pub horizon: usize,
    /// The kind of the target.
    #[serde(alias = "task")]
    pub target_kind: TargetKind,
    /// Names of the classes, `a,b,c`, or their maximum number.
    pub classes: Option<String>,
    /// Columns that are inputs. `None`: all columns; the target only if `horizon` is at least 1.
    pub features: Option<Vec<String>>,
    /// Periodic columns, `COLUMN:PERIOD`: inputs are sine and cosine.
    pub cyclic: Vec<String>,
    /// One-hot columns: `COLUMN:N` for integers below N, `COLUMN:a,b,c` for these names,
    /// `COLUMN:seen-N` for the first N names that appear.
    pub one_hot: Vec<String>,
    /// Features that only the readout reads.
    pub direct: Vec<String>,
    /// Column with the name of a row's stream.
    pub group: Option<String>,
    /// Maximum number of streams.
    pub streams: usize,
    /// Outlier limit in running standard deviations from the running mean; `None`: no limit.
    #[serde(alias = "absurd")]
    pub outlier_limit: Option<f64>,
}

impl RowReaderSpec {
    /// Creates the specification of a numeric target that is predicted from all other columns.
    pub fn new(target: &str) -> Self {
        Self {
            target: target.into(),
            horizon: 0,
            target_kind: TargetKind::Regression,
            classes: None,
            features: None,
            cyclic: Vec::new(),
            one_hot: Vec::new(),
            direct: Vec::new(),
            group: None,
            streams: 1,
            outlier_limit: Some(1000.0),
        }
    }
}
