//! Conversion of lines of CSV or JSON to the inputs and targets of a learner.
//!
//! ```
//! use sparse_rtrl::stream::feed::{RowReader, RowReaderSpec};
//!
//! let mut spec = RowReaderSpec::new("load");
//! spec.cyclic = vec!["hour:24".into()];
//! let reader = RowReader::new(&spec, &["hour".into(), "load".into()])?;
//! assert_eq!(reader.widths(), (2, 0)); // sine and cosine of the hour
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! A [`Session`](super::session::Session) passes the rows to a reader. A row is accepted or refused as a whole: a malformed field is a [`FieldError`], and its row does
//! not change the reader. Only the target may be missing. If the target is also an input (with a
//! horizon), the last value of its stream replaces a missing one.

mod checks;
mod encode;
mod field_error;
mod fields;
mod interruptible;
mod labels;
mod lines;
mod plausible;
mod position;
mod spec;

pub use field_error::FieldError;
pub use fields::Format;
pub use lines::{LineReader, TextLine};
pub use position::Position;
pub use spec::{RowReaderSpec, TargetKind};

#[doc(hidden)]
pub use encode::{Encoding, LARGEST};
#[doc(hidden)]
pub use fields::{Fields, Splitter};
#[doc(hidden)]
pub use interruptible::{InterruptibleReader, Stop};
#[doc(hidden)]
pub use labels::Labels;
#[doc(hidden)]
pub use lines::LONGEST;
#[doc(hidden)]
pub use plausible::WARM_UP;

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::stats::Moments;
use checks::{check_streams, classes, encodings};
use serde::{Deserialize, Serialize};

/// The value of a target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum TargetValue {
    /// A number.
    Value(f64),
    /// A class, from 0.
    Class(usize),
}

/// Inputs and target of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct Example<'a> {
    /// The stream of the row.
    pub stream: usize,
    /// Inputs of the network, followed by the inputs that only the readout reads.
    pub x: &'a [f64],
    /// The target, or `None` if it is missing.
    pub target: Option<TargetValue>,
}

/// A feature: one column, encoded as one or more inputs.
struct Feature {
    name: String,
    from: From,
    moments: Moments,
}

/// Source of a feature's inputs.
enum From {
    /// The index of a column, and its encoding.
    Column(usize, Encoding),
    /// The target of this row.
    Target,
}

/// Converts the fields of rows to inputs and targets.
pub struct RowReader {
    target: usize,
    spec: RowReaderSpec,
    classes: Option<Labels>,
    features: Vec<Feature>,
    /// Number of inputs of the network. Only the readout reads the others.
    inputs: usize,
    /// The index of the group column, and the names of the streams.
    group: Option<(usize, Labels)>,
    /// The stream of the last row, less than the number of streams.
    stream: usize,
    /// Mean and variance of the targets.
    moments: Moments,
    /// `[streams]`, the last target of each stream.
    last: Vec<Option<TargetValue>>,
    /// `[inputs + direct inputs]`, the inputs of the last row.
    x: Vec<f64>,
}

impl RowReader {
    /// Creates a reader for rows with these columns.
    ///
    /// # Errors
    /// If the specification names a column that does not exist, or two settings are incompatible.
    pub fn new(spec: &RowReaderSpec, columns: &[String]) -> Result<Self> {
        let find = |setting: &str, name: &str| {
            let expected = || format!("one of the columns {}", columns.join(", "));
            let found = columns.iter().position(|column| column == name);
            found.ok_or_else(|| Error::setting(setting, &expected(), name))
        };
        let target = find("target", &spec.target)?;
        let group = spec.group.as_ref().map(|name| find("group", name)).transpose()?;
        let (streams, group) = check_streams(spec, group)?;
        let mut encodings = encodings(spec)?;
        let every = || {
            let others = columns.iter().filter(|name| Some(*name) != spec.group.as_ref());
            others.filter(|name| **name != spec.target || spec.horizon > 0).cloned().collect()
        };
        let wanted: Vec<String> = spec.features.clone().unwrap_or_else(every);
        let (mut own, mut direct) = (Vec::new(), Vec::new());
        for name in wanted {
            let column = find("features", &name)?;
            let encoding = encodings.iter().position(|(of, _)| *of == name).map(|k| encodings.remove(k).1);
            let from = match encoding {
                None if column == target => From::Target,
                encoding => From::Column(column, encoding.unwrap_or(Encoding::Number)),
            };
            if column == target && spec.horizon == 0 {
                return Err(Error::setting("features", "not the target, with a horizon of 0", name));
            }
            let of = if spec.direct.contains(&name) { &mut direct } else { &mut own };
            of.push(Feature { name, from, moments: Moments::default() });
        }
        if let Some((name, _)) = encodings.first() {
            return Err(Error::setting("cyclic, one-hot", "a column among the features", name));
        }
        if let Some(name) = spec.direct.iter().find(|name| !direct.iter().any(|f| f.name == **name)) {
            return Err(Error::setting("direct", "a column among the features", name));
        }
        if own.is_empty() {
            return Err(Error::setting("features", "a column for the network to learn from", "none"));
        }
        let mut reader = Self {
            target,
            classes: classes(spec)?,
            inputs: 0,
            features: own,
            group,
            stream: 0,
            moments: Moments::default(),
            last: vec![None; streams],
            x: Vec::new(),
            spec: spec.clone(),
        };
        reader.inputs = reader.names().len();
        reader.features.extend(direct);
        reader.x.resize(reader.names().len(), 0.0);
        Ok(reader)
    }

    /// Returns the number of inputs of the network and the number of inputs that only the readout
    /// reads.
    pub fn widths(&self) -> (usize, usize) {
        (self.inputs, self.x.len() - self.inputs)
    }

    /// Returns the names of the inputs.
    pub fn names(&self) -> Vec<String> {
        let of = |feature: &Feature| match (&feature.from, &self.classes) {
            (From::Column(_, encoding), _) => encoding.names(&feature.name),
            (From::Target, Some(labels)) if self.spec.target_kind == TargetKind::Classes => {
                Encoding::Name(labels.clone()).names(&feature.name)
            }
            (From::Target, _) => vec![feature.name.clone()],
        };
        self.features.iter().flat_map(of).collect()
    }

    /// Returns, for each input, whether it is a number that is standardised.
    pub fn standardise(&self) -> Vec<bool> {
        let of = |feature: &Feature| match &feature.from {
            From::Column(_, encoding) => vec![*encoding == Encoding::Number; encoding.width()],
            From::Target => vec![self.spec.target_kind != TargetKind::Classes; self.target_width()],
        };
        self.features.iter().flat_map(of).collect()
    }

    /// Returns the names of the classes, or `None` if the target is a number.
    #[doc(hidden)]
    pub fn classes(&self) -> Option<&Labels> {
        self.classes.as_ref()
    }

    /// Returns the name of a stream, or `None` if there is no group column or no such stream.
    pub fn stream_name(&self, stream: usize) -> Option<&str> {
        let (_, labels) = self.group.as_ref()?;
        labels.known().get(stream).map(String::as_str)
    }

    /// Returns the stream of the last row.
    pub fn stream(&self) -> usize {
        self.stream
    }

    /// Converts the fields of a row. Returns `None` if the target is an input and neither this row
    /// nor an earlier row of its stream has one; [`RowReader::stream`] is the stream of the row
    /// also then.
    ///
    /// # Errors
    /// If a field is malformed. The reader is then unchanged.
    #[doc(hidden)]
    pub fn read(&mut self, fields: &Fields) -> std::result::Result<Option<Example<'_>>, FieldError> {
        let limit = self.spec.outlier_limit;
        let stream = match &self.group {
            None => 0,
            Some((column, labels)) => {
                let (column, field) = (self.spec.group.as_deref().unwrap_or_default(), fields.get(*column));
                let found = labels.index(encode::name(column, field)?);
                found.ok_or_else(|| {
                    FieldError::field(column, format!("one of {} streams (--streams)", labels.most()), field)
                })?
            }
        };
        let field = fields.get(self.target);
        let target = (!field.is_empty()).then(|| self.truth(field)).transpose()?;
        if let Some(TargetValue::Value(value)) = target {
            plausible::check(&self.spec.target, field, value, &self.moments, limit)?;
        }
        let known = target.or(self.last[stream]);
        let mut at = 0;
        for feature in &self.features {
            match (&feature.from, known) {
                (From::Column(column, encoding), _) => {
                    let (field, to) = (fields.get(*column), &mut self.x[at..at + encoding.width()]);
                    encoding.encode(&feature.name, field, to)?;
                    if *encoding == Encoding::Number {
                        plausible::check(&feature.name, field, to[0], &feature.moments, limit)?;
                    }
                    at += encoding.width();
                }
                (From::Target, None) => {
                    self.remember_stream(stream, fields);
                    return Ok(None);
                }
                (From::Target, Some(TargetValue::Class(class)))
                    if self.spec.target_kind == TargetKind::Classes =>
                {
                    let width = self.classes.as_ref().map_or(1, Labels::most);
                    encode::unit(&mut self.x[at..at + width], class);
                    at += width;
                }
                (From::Target, Some(truth)) => {
                    self.x[at] = match truth {
                        TargetValue::Value(value) => value,
                        TargetValue::Class(class) => class as f64,
                    };
                    at += 1;
                }
            }
        }
        self.remember(stream, fields, target);
        Ok(Some(Example { stream, x: &self.x, target }))
    }

    /// Updates moments, names and the last target with an accepted row.
    fn remember(&mut self, stream: usize, fields: &Fields, target: Option<TargetValue>) {
        self.remember_stream(stream, fields);
        if let Some(truth) = target {
            self.last[stream] = target;
            match (truth, &mut self.classes) {
                (TargetValue::Value(value), _) => self.moments.observe(value),
                (_, Some(labels)) => {
                    labels.learn(std::str::from_utf8(fields.get(self.target)).unwrap_or_default());
                }
                _ => {}
            }
        }
        let mut at = 0;
        for feature in &mut self.features {
            at += match &mut feature.from {
                From::Column(_, Encoding::Number) => {
                    feature.moments.observe(self.x[at]);
                    1
                }
                From::Column(column, encoding) => {
                    encoding.learn(fields.get(*column));
                    encoding.width()
                }
                From::Target => match (self.spec.target_kind, &self.classes) {
                    (TargetKind::Classes, Some(labels)) => labels.most(),
                    _ => 1,
                },
            };
        }
    }

    fn remember_stream(&mut self, stream: usize, fields: &Fields) {
        self.stream = stream;
        if let Some((column, labels)) = &mut self.group {
            labels.learn(std::str::from_utf8(fields.get(*column)).unwrap_or_default());
        }
    }

    fn truth(&self, field: &[u8]) -> std::result::Result<TargetValue, FieldError> {
        let column = &self.spec.target;
        match &self.classes {
            None => encode::number(column, field).map(TargetValue::Value),
            Some(labels) => {
                let class = labels.index(encode::name(column, field)?);
                class
                    .map(TargetValue::Class)
                    .ok_or_else(|| FieldError::field(column, labels.expected(), field))
            }
        }
    }

    /// Returns the number of inputs that the target takes.
    fn target_width(&self) -> usize {
        match &self.classes {
            Some(labels) if self.spec.target_kind == TargetKind::Classes => labels.most(),
            _ => 1,
        }
    }

    /// Writes the state to an archive, or reads it from one.
    ///
    /// # Errors
    /// If the archive does not hold the state of a reader with the same columns.
    #[doc(hidden)]
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("target moments", &mut self.moments)?;
        archive.list("last targets", &mut self.last)?;
        let most = self.target_width();
        if self
            .last
            .iter()
            .flatten()
            .any(|truth| matches!(truth, TargetValue::Class(class) if *class >= most.max(2)))
        {
            return Err(Error::State { field: "last targets", found: "a class out of range".into() });
        }
        self.classes.as_mut().map_or(Ok(()), |labels| labels.archive(archive))?;
        self.group.as_mut().map_or(Ok(()), |(_, labels)| labels.archive(archive))?;
        for feature in &mut self.features {
            archive.field("feature moments", &mut feature.moments)?;
            if let From::Column(_, encoding) = &mut feature.from {
                encoding.archive(archive)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
