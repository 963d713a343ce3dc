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
    /// How many rows after the inputs it is predicted from it comes. From 1 on its own value is an input.
    pub horizon: usize,
    /// What it is.
    pub task: TargetKind,
    /// The names of classes, `a,b,c`, or how many there may be.
    pub classes: Option<String>,
    /// Columns to learn from; all, if nothing is said, the target's only with a horizon.
    pub features: Option<Vec<String>>,
    /// [`Encoding::cyclic`](super::Encoding::cyclic).
    pub cyclic: Vec<String>,
    /// [`Encoding::one_hot`](super::Encoding::one_hot).
    pub one_hot: Vec<String>,
    /// Features that only the readout reads.
    pub direct: Vec<String>,
    /// The column that says which of many streams a row belongs to.
    pub group: Option<String>,
    /// Streams there may be.
    pub streams: usize,
    /// Numbers further off than that many standard deviations are not believed.
    pub absurd: Option<f64>,
}

impl RowReaderSpec {
    /// A number to predict from all other columns.
    pub fn new(target: &str) -> Self {
        Self {
            target: target.into(),
            horizon: 0,
            task: TargetKind::Regression,
            classes: None,
            features: None,
            cyclic: Vec::new(),
            one_hot: Vec::new(),
            direct: Vec::new(),
            group: None,
            streams: 1,
            absurd: Some(1000.0),
        }
    }
}
