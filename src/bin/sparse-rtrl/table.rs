//! Lines of output, as CSV or JSON: which columns there are, and what stands in them.

use serde::ser::{Serialize, SerializeMap, Serializer};
use sparse_rtrl::stream::feed::{Format, RowReader, TargetKind, Truth};
use sparse_rtrl::stream::score::{Score, most_probable};
use sparse_rtrl::stream::session::{RowReport, Settings};

/// What a line of JSON begins with.
pub const OBJECT: &[u8] = b"{\"row\":";

/// The columns of the output.
pub struct Table {
    settings: Settings,
    names: Vec<String>,
    cells: Vec<Cell>,
}

/// What stands in a column.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Nothing,
    Count(u64),
    Number(f64),
    Word(String),
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => to.serialize_none(),
            Self::Count(count) => to.serialize_u64(*count),
            Self::Number(number) => to.serialize_f64(*number),
            Self::Word(word) => to.serialize_str(word),
        }
    }
}

impl From<Option<f64>> for Cell {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

/// A line as an object.
struct Object<'a>(&'a Table);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.names.len()))?;
        for (name, cell) in self.0.names.iter().zip(&self.0.cells) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl Table {
    /// The columns these settings ask for.
    pub fn new(settings: &Settings) -> Self {
        let of_classes = settings.feed.target_kind != TargetKind::Regression;
        let mut names = vec!["row".to_string()];
        names.extend(settings.feed.group.is_some().then(|| "stream".to_string()));
        names.extend(["target", "predicted"].map(String::from));
        names.extend(of_classes.then(|| "probability".to_string()));
        if settings.feed.horizon > 0 {
            names.push("next".into());
            names.extend(of_classes.then(|| "next_probability".to_string()));
        }
        let metrics = || settings.metrics().iter().map(|metric| metric.name().replace('-', "_"));
        names.extend(metrics());
        if settings.window > 0 {
            names.extend(metrics().map(|name| format!("window_{name}")));
        }
        Self { settings: settings.clone(), names, cells: Vec::new() }
    }

    /// Writes the names, where the format has a line of them.
    pub fn head(&self, to: &mut Vec<u8>) {
        if self.settings.format == Format::Csv {
            write_csv(to, &self.names);
        }
    }

    /// Writes what is said of a row.
    pub fn line(
        &mut self,
        to: &mut Vec<u8>,
        row: u64,
        said: &RowReport<'_>,
        feed: &RowReader,
        score: &Score,
    ) {
        self.cells.clear();
        self.cells.push(Cell::Count(row));
        if self.settings.feed.group.is_some() {
            let name = feed.stream_name(said.stream);
            self.cells.push(name.map_or(Cell::Nothing, |name| Cell::Word(name.into())));
        }
        let class = |k: usize| feed.classes().map_or(Cell::Nothing, |labels| Cell::Word(labels.name(k)));
        self.cells.push(match said.target {
            None => Cell::Nothing,
            Some(Truth::Value(value)) => Cell::Number(value),
            Some(Truth::Class(k)) => class(k),
        });
        self.guess(said.predicted, class);
        if self.settings.feed.horizon > 0 {
            self.guess(said.next, class);
        }
        let metrics = self.settings.metrics();
        self.cells.extend(metrics.iter().map(|metric| Cell::from(score.overall(*metric))));
        if self.settings.window > 0 {
            self.cells.extend(metrics.iter().map(|metric| Cell::from(score.recent(*metric))));
        }
        match self.settings.format {
            Format::Csv => write_csv(to, &self.cells),
            Format::Jsonl => {
                serde_json::to_writer(&mut *to, &Object(self)).expect("numbers and words can be written");
                to.push(b'\n');
            }
        }
    }

    /// A value, or a class and its probability.
    fn guess(&mut self, guess: Option<&[f64]>, class: impl Fn(usize) -> Cell) {
        if self.settings.feed.target_kind == TargetKind::Regression {
            return self.cells.push(Cell::from(guess.map(|values| values[0])));
        }
        let (label, share) = match guess.map(most_probable) {
            Some((k, share)) => (class(k), Cell::Number(share)),
            None => (Cell::Nothing, Cell::Nothing),
        };
        self.cells.extend([label, share]);
    }
}

/// A line of CSV.
fn write_csv(to: &mut Vec<u8>, line: impl Serialize) {
    let mut csv = csv::WriterBuilder::new().has_headers(false).buffer_capacity(512).from_writer(to);
    csv.serialize(line).and_then(|()| csv.flush().map_err(Into::into)).expect("memory can be written to");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(change: impl Fn(&mut Settings), report: &RowReport<'_>) -> String {
        let mut settings = Settings::new("y");
        change(&mut settings);
        let settings = settings.resolved();
        let feed = RowReader::new(&settings.feed, &["y".into(), "x".into()]).unwrap();
        let mut table = Table::new(&settings);
        let mut to = Vec::new();
        table.head(&mut to);
        table.line(&mut to, 7, report, &feed, &Score::new(settings.window));
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn table_of_values_prints_each_column() {
        let report = RowReport {
            stream: 0,
            target: Some(Truth::Value(1.5)),
            predicted: Some(&[2.0]),
            next: Some(&[1e-9]),
        };
        let text = lines(|s| s.feed.horizon = 1, &report);
        assert_eq!(text, "row,target,predicted,next,mae,nrmse,window_mae,window_nrmse\n7,1.5,2.0,1e-9,,,,\n");
        let text = lines(|s| (s.format, s.window) = (Format::Jsonl, 0), &report);
        assert!(text.as_bytes().starts_with(OBJECT));
        assert_eq!(text, "{\"row\":7,\"target\":1.5,\"predicted\":2.0,\"mae\":null,\"nrmse\":null}\n");
    }

    #[test]
    fn table_of_classes_prints_their_names() {
        let report = RowReport {
            stream: 0,
            target: Some(Truth::Class(1)),
            predicted: Some(&[0.75, 0.25]),
            next: None,
        };
        let change = |s: &mut Settings| {
            (s.feed.target_kind, s.feed.classes, s.window) =
                (TargetKind::Classes, Some("a \"b\",c".into()), 0);
        };
        let text = lines(change, &report);
        assert_eq!(text, "row,target,predicted,probability,accuracy,log_loss\n7,c,\"a \"\"b\"\"\",0.75,,\n");
    }
}
