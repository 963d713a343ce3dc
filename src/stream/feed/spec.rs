//! What is read from the rows of a stream, as plain data.

use serde::{Deserialize, Serialize};

/// What a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A number.
    #[default]
    Regression,
    /// One of two classes.
    Binary,
    /// One of many.
    Classes,
}

/// Which columns mean what. Field names are those of the command line's flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowReaderSpec {
    /// The column to predict.
    pub target: String,
    /// h, the number of rows between the inputs and the target that is predicted from them. From 1 on, the value of the target column is an input.
    pub horizon: usize,
    /// What kind of value the target is.
    #[serde(alias = "task")]
    pub target_kind: TargetKind,
    /// Names of classes, `a,b,c`, or their maximum number.
    pub classes: Option<String>,
    /// Columns that are inputs. `None`: all columns, the target only with a horizon.
    pub features: Option<Vec<String>>,
    /// [`Encoding::cyclic`](super::Encoding::cyclic).
    pub cyclic: Vec<String>,
    /// [`Encoding::one_hot`](super::Encoding::one_hot).
    pub one_hot: Vec<String>,
    /// Features that only the readout reads.
    pub direct: Vec<String>,
    /// Column with the name of the stream that a row belongs to.
    pub group: Option<String>,
    /// Maximum number of streams.
    pub streams: usize,
    /// Numbers further than this number of running standard deviations from the running mean are row errors.
    #[serde(alias = "absurd")]
    pub outlier_limit: Option<f64>,
}

impl RowReaderSpec {
    /// A number to predict from all other columns.
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
