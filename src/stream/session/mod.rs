//! Sessions: training on a stream of rows. A session contains the row reader, the learner, the
//! metrics and the position in the stream. All of them are saved and resumed together.
//!
//! ```
//! use sparse_rtrl::stream::feed::LineReader;
//! use sparse_rtrl::stream::session::{Session, Settings};
//!
//! let mut settings = Settings::new("y").resolved();
//! settings.units = 8;
//! let mut session = Session::<f32>::begin(&settings, vec!["x".into(), "y".into()])?;
//! let mut lines = LineReader::new(&b"1,2\n2,4\n3,6\n"[..]);
//! while let Some(line) = lines.next_line().unwrap() {
//!     session.row(line).unwrap();
//! }
//! assert_eq!(session.counts().learned, 3);
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```

mod saved;
mod settings;

pub use saved::peek;
pub use settings::{Precision, ReadoutBy, Settings, TUNABLE};

use crate::error::{Error, Result};
use crate::learner::online::StreamLearner;
use crate::readout::Target;
use crate::scalar::Real;
use crate::stream::feed::{
    Example, FieldError, Format, Position, RowReader, Splitter, TargetValue, TextLine,
};
use crate::stream::score::Score;
use serde::{Deserialize, Serialize};

/// Maximum absolute value of an output, in standardised units or as a logit. A learner with a
/// larger output has diverged.
pub const FURTHEST: f64 = 1e3;

/// Numbers of events in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Rows whose target was used for a weight update.
    pub learned: u64,
    /// Rows with an error that were skipped.
    pub skipped: u64,
    /// Divergences after which the learner was reset or rolled back.
    pub diverged: u64,
}

/// An error at a row.
#[derive(Debug)]
#[non_exhaustive]
pub enum RowError {
    /// The row is invalid. The session is unchanged, and the row can be [skipped](Session::skip).
    Row(FieldError),
    /// The learner diverged at the row, with this reason. The row is counted as read. Its
    /// prediction, if any, is included in the metrics and in the [report](Session::report).
    Diverged(String),
}

/// The result of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowReport<'a> {
    /// Index of the stream of the row.
    pub stream: usize,
    /// The target in the row, or `None` if it is missing.
    pub target: Option<TargetValue>,
    /// The prediction of that target, made before it arrived: a value, or the probability of each
    /// class (for two classes, of class 1 only).
    pub predicted: Option<&'a [f64]>,
    /// The prediction of the target h rows later, h being the horizon. `None` if the horizon is 0
    /// or no prediction was made.
    pub next: Option<&'a [f64]>,
}

/// A row reader, a learner and metrics for one stream of rows.
pub struct Session<T: Real> {
    settings: Settings,
    splitter: Splitter,
    reader: RowReader,
    online: StreamLearner<T>,
    score: Score,
    position: Position,
    counts: Counts,
    /// Serialised learner to roll back to, and its row.
    rollback: Option<(u64, Vec<u8>)>,
    /// Serialised initial learner. `None`: the initial learner is drawn from the seed.
    initial: Option<Vec<u8>>,
    /// Stream and target of the last row.
    last_row: (usize, Option<TargetValue>),
    /// Prediction of the target of the last row; empty if there is none.
    predicted: Vec<f64>,
    /// Prediction for a later row; empty if there is none.
    next: Vec<f64>,
}

impl<T: Real> Session<T> {
    /// Creates a session at the first row of a stream with these columns.
    ///
    /// # Errors
    /// If a setting is out of range or names a missing column, or the learner does not fit into
    /// memory.
    pub fn begin(settings: &Settings, columns: Vec<String>) -> Result<Self> {
        Self::build(settings, columns, |spec| StreamLearner::new(spec, settings.seed))
    }

    /// Creates a session whose initial learner is built by `make`, for example with imported
    /// weights.
    ///
    /// [`reset`](Self::reset) restores this initial learner.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin) and of `make`.
    pub fn with(
        settings: &Settings,
        columns: Vec<String>,
        make: impl FnOnce(&crate::learner::online::StreamLearnerSpec) -> Result<StreamLearner<T>>,
    ) -> Result<Self> {
        let mut session = Self::build(settings, columns, make)?;
        session.initial = Some(saved::bytes(&mut session.online)?);
        Ok(session)
    }

    fn build(
        settings: &Settings,
        columns: Vec<String>,
        make: impl FnOnce(&crate::learner::online::StreamLearnerSpec) -> Result<StreamLearner<T>>,
    ) -> Result<Self> {
        let reader = RowReader::new(&settings.rows, &columns)?;
        let online = make(&settings.learner(&reader)?)?;
        let format = settings.input_format.unwrap_or(Format::Csv);
        Ok(Self {
            splitter: Splitter::new(format, settings.delimiter()?, columns),
            reader,
            online,
            score: Score::new(settings.window),
            position: Position::default(),
            counts: Counts::default(),
            rollback: None,
            initial: None,
            last_row: (0, None),
            predicted: Vec::new(),
            next: Vec::new(),
            settings: settings.clone(),
        })
    }

    /// Processes a row: computes predictions, updates the metrics, and updates the weights if a
    /// target is due.
    ///
    /// # Errors
    /// If the row is invalid or the learner diverges.
    pub fn row(&mut self, line: TextLine<'_>) -> std::result::Result<RowReport<'_>, RowError> {
        if !line.whole {
            let expected = format!("a line of at most {} bytes", crate::stream::feed::LONGEST);
            return Err(RowError::Row(FieldError::row(expected, "a longer one")));
        }
        let fields = self.splitter.split(line.text).map_err(RowError::Row)?;
        let example = self.reader.read(fields).map_err(RowError::Row)?;
        self.position.pass(line.text);
        self.predicted.clear();
        self.next.clear();
        let Some(Example { stream, x, target }) = example else {
            self.last_row = (self.reader.stream(), None);
            return Ok(self.report());
        };
        self.last_row = (stream, target);
        let value = match target {
            Some(TargetValue::Value(value)) => [value],
            _ => [0.0],
        };
        let learner_target = target.map(|target| match target {
            TargetValue::Value(_) => Target::Values(&value),
            TargetValue::Class(class) => Target::Class(class),
        });
        let failed = match self.online.step_in(stream, x, learner_target) {
            Ok(report) => {
                self.counts.learned += u64::from(report.loss.is_some());
                if self.settings.rows.horizon > 0 {
                    self.next.extend(report.prediction);
                }
                let diverged = self.online.output().iter().map(|o| o.as_f64()).find(|o| o.abs() > FURTHEST);
                diverged.map(|output| format!("an output of {output:.3e}, beyond ±{FURTHEST:e}"))
            }
            Err(error) => Some(error.to_string()),
        };
        self.predicted.extend(self.online.predicted().unwrap_or_default());
        match (target, &self.predicted[..]) {
            (_, []) | (None, _) => {}
            (Some(TargetValue::Value(target)), predicted) => self.score.value(target, predicted[0]),
            (Some(TargetValue::Class(target)), predicted) => self.score.class(target, predicted),
        }
        match failed {
            Some(why) => Err(RowError::Diverged(why)),
            None => Ok(self.report()),
        }
    }

    /// Returns the result of the last row.
    pub fn report(&self) -> RowReport<'_> {
        let (stream, target) = self.last_row;
        let nonempty = |values| Some(values).filter(|values: &&[f64]| !values.is_empty());
        RowReport { stream, target, predicted: nonempty(&self.predicted), next: nonempty(&self.next) }
    }

    /// Skips an invalid row.
    pub fn skip(&mut self, line: TextLine<'_>) {
        self.position.pass(line.text);
        self.counts.skipped += 1;
    }

    /// Stores the current learner for [`roll_back`](Self::roll_back).
    ///
    /// # Errors
    /// If the learner cannot be serialised.
    pub fn mark(&mut self) -> Result<()> {
        self.rollback = Some((self.position.rows, saved::bytes(&mut self.online)?));
        Ok(())
    }

    /// Discards the learner stored by [`mark`](Self::mark).
    pub fn unmark(&mut self) {
        self.rollback = None;
    }

    /// Returns whether a learner is stored for [`roll_back`](Self::roll_back).
    pub fn is_marked(&self) -> bool {
        self.rollback.is_some()
    }

    /// Restores the learner stored by [`mark`](Self::mark) and returns the row at which it was
    /// stored.
    ///
    /// All streams of the learner are reset. Metrics and the statistics of the row reader are kept.
    ///
    /// # Errors
    /// If no learner is stored.
    pub fn roll_back(&mut self) -> Result<u64> {
        let Some((row, bytes)) = &self.rollback else {
            return Err(Error::State { field: "mark", found: "no stored learner".into() });
        };
        self.online = saved::learner(bytes.clone(), self.online.spec())?;
        (0..self.settings.rows.streams).for_each(|stream| self.online.reset(stream));
        self.counts.diverged += 1;
        Ok(*row)
    }

    /// Resets the learner to its initial weights and state.
    ///
    /// # Errors
    /// If the learner does not fit into memory.
    pub fn reset(&mut self) -> Result<()> {
        self.online = match &self.initial {
            Some(bytes) => saved::learner(bytes.clone(), self.online.spec())?,
            None => StreamLearner::new(self.online.spec(), self.settings.seed)?,
        };
        self.counts.diverged += 1;
        Ok(())
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the names of the columns.
    pub fn columns(&self) -> &[String] {
        self.splitter.columns()
    }

    /// Returns the position in the stream.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns the numbers of events.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the metrics.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// Returns the row reader.
    pub fn reader(&self) -> &RowReader {
        &self.reader
    }

    /// Returns the learner.
    pub fn learner(&self) -> &StreamLearner<T> {
        &self.online
    }
}

#[cfg(test)]
mod tests;
