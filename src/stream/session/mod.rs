//! A stream from its rows to predictions: what is read, what learns, how good it is, and how far it has come; saved and resumed as one.
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

/// How many standard deviations from the mean a prediction may lie (or how large a logit may be) before the learner counts as diverged.
pub const FURTHEST: f64 = 1e3;

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Whose target was learned from.
    pub learned: u64,
    /// That did not fit and were passed over.
    pub skipped: u64,
    /// Times the learner diverged and began again.
    pub diverged: u64,
}

/// Why a row was not learned from.
#[derive(Debug)]
pub enum RowError {
    /// It does not fit. Nothing has happened; it can be [passed over](Session::skip).
    Row(FieldError),
    /// The learner diverged at it, for this reason. The row counts as read; what was predicted for it is scored and [said](Session::report).
    Diverged(String),
}

/// What there is to say of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowReport<'a> {
    /// The stream it belongs to.
    pub stream: usize,
    /// The target that came with it.
    pub target: Option<TargetValue>,
    /// What had been predicted for that target before it was known: a value, or a probability of each class (of class 1 of two).
    pub predicted: Option<&'a [f64]>,
    /// With a horizon, what is predicted now for the target that comes so many rows later.
    pub next: Option<&'a [f64]>,
}

/// A stream and its learner.
pub struct Session<T: Real> {
    settings: Settings,
    splitter: Splitter,
    feed: RowReader,
    online: StreamLearner<T>,
    score: Score,
    position: Position,
    counts: Counts,
    /// The learner as it was at some row, to roll back to.
    good: Option<(u64, Vec<u8>)>,
    /// The learner as it was at first, if no seed gives it back.
    first: Option<Vec<u8>>,
    /// What was said last; empty where there was nothing to say.
    came: (usize, Option<TargetValue>),
    predicted: Vec<f64>,
    next: Vec<f64>,
}

impl<T: Real> Session<T> {
    /// At its first row, of these columns.
    ///
    /// # Errors
    /// If a setting is out of range, names a column that is not there, or asks for more than memory.
    pub fn begin(settings: &Settings, columns: Vec<String>) -> Result<Self> {
        Self::build(settings, columns, |spec| StreamLearner::new(spec, settings.seed))
    }

    /// The same with a learner made otherwise, which is kept as bytes to begin anew from.
    ///
    /// # Errors
    /// As there, and of `make`.
    pub fn with(
        settings: &Settings,
        columns: Vec<String>,
        make: impl FnOnce(&crate::learner::online::StreamLearnerSpec) -> Result<StreamLearner<T>>,
    ) -> Result<Self> {
        let mut session = Self::build(settings, columns, make)?;
        session.first = Some(saved::bytes(&mut session.online)?);
        Ok(session)
    }

    fn build(
        settings: &Settings,
        columns: Vec<String>,
        make: impl FnOnce(&crate::learner::online::StreamLearnerSpec) -> Result<StreamLearner<T>>,
    ) -> Result<Self> {
        let feed = RowReader::new(&settings.feed, &columns)?;
        let online = make(&settings.learner(&feed)?)?;
        let format = settings.input_format.unwrap_or(Format::Csv);
        Ok(Self {
            splitter: Splitter::new(format, settings.delimiter()?, columns),
            feed,
            online,
            score: Score::new(settings.window),
            position: Position::default(),
            counts: Counts::default(),
            good: None,
            first: None,
            came: (0, None),
            predicted: Vec::new(),
            next: Vec::new(),
            settings: settings.clone(),
        })
    }

    /// Predicts, scores and learns from a row.
    ///
    /// # Errors
    /// If it does not fit, or the learner diverges.
    pub fn row(&mut self, line: TextLine<'_>) -> std::result::Result<RowReport<'_>, RowError> {
        if !line.whole {
            let expected = format!("a line of at most {} bytes", crate::stream::feed::LONGEST);
            return Err(RowError::Row(FieldError::row(expected, "a longer one")));
        }
        let fields = self.splitter.split(line.text).map_err(RowError::Row)?;
        let example = self.feed.read(fields).map_err(RowError::Row)?;
        self.position.pass(line.text);
        self.predicted.clear();
        self.next.clear();
        let Some(Example { stream, x, target }) = example else {
            self.came = (self.feed.stream(), None);
            return Ok(self.report());
        };
        self.came = (stream, target);
        let value = match target {
            Some(TargetValue::Value(value)) => [value],
            _ => [0.0],
        };
        let trained = target.map(|truth| match truth {
            TargetValue::Value(_) => Target::Values(&value),
            TargetValue::Class(class) => Target::Class(class),
        });
        let failed = match self.online.step_in(stream, x, trained) {
            Ok(report) => {
                self.counts.learned += u64::from(report.loss.is_some());
                if self.settings.feed.horizon > 0 {
                    self.next.extend(report.prediction);
                }
                let far = self.online.output().iter().map(|o| o.as_f64()).find(|o| o.abs() > FURTHEST);
                far.map(|far| format!("an output of {far:.3e}, beyond ±{FURTHEST:e}"))
            }
            Err(error) => Some(error.to_string()),
        };
        self.predicted.extend(self.online.predicted().unwrap_or_default());
        match (target, &self.predicted[..]) {
            (_, []) | (None, _) => {}
            (Some(TargetValue::Value(came)), predicted) => self.score.value(came, predicted[0]),
            (Some(TargetValue::Class(came)), predicted) => self.score.class(came, predicted),
        }
        match failed {
            Some(why) => Err(RowError::Diverged(why)),
            None => Ok(self.report()),
        }
    }

    /// What there is to say of the row that came last.
    pub fn report(&self) -> RowReport<'_> {
        let (stream, target) = self.came;
        let known = |guess| Some(guess).filter(|guess: &&[f64]| !guess.is_empty());
        RowReport { stream, target, predicted: known(&self.predicted), next: known(&self.next) }
    }

    /// Passes over a row that does not fit.
    pub fn skip(&mut self, line: TextLine<'_>) {
        self.position.pass(line.text);
        self.counts.skipped += 1;
    }

    /// Remembers the learner as it is now, to roll back to.
    ///
    /// # Errors
    /// None that is known.
    pub fn mark(&mut self) -> Result<()> {
        self.good = Some((self.position.rows, saved::bytes(&mut self.online)?));
        Ok(())
    }

    /// Forgets what it was to roll back to.
    pub fn unmark(&mut self) {
        self.good = None;
    }

    /// Whether there is something to roll back to.
    pub fn is_marked(&self) -> bool {
        self.good.is_some()
    }

    /// The learner is as it was when it was marked; its streams begin afresh, as time has passed. Scores and scalers of other things go on.
    ///
    /// # Errors
    /// If it was never marked.
    pub fn roll_back(&mut self) -> Result<u64> {
        let Some((row, bytes)) = &self.good else {
            return Err(Error::State { field: "a mark", found: "none to roll back to".into() });
        };
        self.online = saved::learner(bytes.clone(), self.online.spec())?;
        (0..self.settings.feed.streams).for_each(|stream| self.online.reset(stream));
        self.counts.diverged += 1;
        Ok(*row)
    }

    /// The learner begins anew, as drawn from the seed or [made otherwise](Self::with).
    ///
    /// # Errors
    /// None, since there was one like it.
    pub fn reset(&mut self) -> Result<()> {
        self.online = match &self.first {
            Some(bytes) => saved::learner(bytes.clone(), self.online.spec())?,
            None => StreamLearner::new(self.online.spec(), self.settings.seed)?,
        };
        self.counts.diverged += 1;
        Ok(())
    }

    /// What it is made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The names of its columns.
    pub fn columns(&self) -> &[String] {
        self.splitter.columns()
    }

    /// How far it has come.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What became of rows.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How good its predictions were.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// What reads rows.
    pub fn feed(&self) -> &RowReader {
        &self.feed
    }

    /// What learns.
    pub fn learner(&self) -> &StreamLearner<T> {
        &self.online
    }
}

#[cfg(test)]
mod tests;
