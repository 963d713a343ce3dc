//! Lines of output in CSV or JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};
use sparse_rtrl::stream::feed::{Format, RowReader, TargetKind, TargetValue};
use sparse_rtrl::stream::score::{Score, most_probable};
use sparse_rtrl::stream::session::{RowReport, Settings};

/// The first bytes of every line of JSON.
pub const OBJECT: &[u8] = b"{\"row\":";

/// The table of the output.
pub struct Table {
    settings: Settings,
    /// `[columns]`, the names of the columns.
    names: Vec<String>,
    /// `[columns]`, the values of the last line.
    cells: Vec<Cell>,
}

/// The value of a column.
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

/// The last line as a JSON object.
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
    /// Creates a table with the columns of these settings.
    pub fn new(settings: &Settings) -> Self {
        let of_classes = settings.rows.target_kind != TargetKind::Regression;
        let mut names = vec!["row".to_string()];
        names.extend(settings.rows.group.is_some().then(|| "stream".to_string()));
        names.extend(["target", "predicted"].map(String::from));
        names.extend(of_classes.then(|| "probability".to_string()));
        if settings.rows.horizon > 0 {
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

    /// Writes the header of CSV. JSON has none.
    pub fn head(&self, to: &mut Vec<u8>) {
        if self.settings.format == Format::Csv {
            write_csv(to, &self.names);
        }
    }

    /// Writes the line of a row.
    pub fn line(
        &mut self,
        to: &mut Vec<u8>,
        row: u64,
        report: &RowReport<'_>,
        reader: &RowReader,
        score: &Score,
    ) {
        self.cells.clear();
        self.cells.push(Cell::Count(row));
        if self.settings.rows.group.is_some() {
            let name = reader.stream_name(report.stream);
            self.cells.push(name.map_or(Cell::Nothing, |name| Cell::Word(name.into())));
        }
        let class = |k: usize| reader.classes().map_or(Cell::Nothing, |labels| Cell::Word(labels.name(k)));
        self.cells.push(match report.target {
            None => Cell::Nothing,
            Some(TargetValue::Value(value)) => Cell::Number(value),
            Some(TargetValue::Class(k)) => class(k),
        });
        self.prediction(report.predicted, class);
        if self.settings.rows.horizon > 0 {
            self.prediction(report.next, class);
        }
        let metrics = self.settings.metrics();
        self.cells.extend(metrics.iter().map(|metric| Cell::from(score.overall(*metric))));
        if self.settings.window > 0 {
            self.cells.extend(metrics.iter().map(|metric| Cell::from(score.recent(*metric))));
        }
        match self.settings.format {
            Format::Csv => write_csv(to, &self.cells),
            Format::Jsonl => {
                serde_json::to_writer(&mut *to, &Object(self)).expect("serialization to memory must succeed");
                to.push(b'\n');
            }
        }
    }

    /// Appends a predicted value, or a predicted class and its probability.
    fn prediction(&mut self, outputs: Option<&[f64]>, class: impl Fn(usize) -> Cell) {
        if self.settings.rows.target_kind == TargetKind::Regression {
            return self.cells.push(Cell::from(outputs.map(|values| values[0])));
        }
        let (label, probability) = match outputs.map(most_probable) {
            Some((k, probability)) => (class(k), Cell::Number(probability)),
            None => (Cell::Nothing, Cell::Nothing),
        };
        self.cells.extend([label, probability]);
    }
}

/// Appends a line of CSV.
fn write_csv(to: &mut Vec<u8>, line: impl Serialize) {
    let mut csv = csv::WriterBuilder::new().has_headers(false).buffer_capacity(512).from_writer(to);
    csv.serialize(line)
        .and_then(|()| csv.flush().map_err(Into::into))
        .expect("writing to memory must succeed");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(change: impl Fn(&mut Settings), report: &RowReport<'_>) -> String {
        let mut settings = Settings::new("y");
        change(&mut settings);
        let settings = settings.resolved();
        let reader = RowReader::new(&settings.rows, &["y".into(), "x".into()]).unwrap();
        let mut table = Table::new(&settings);
        let mut to = Vec::new();
        table.head(&mut to);
        table.line(&mut to, 7, report, &reader, &Score::new(settings.window));
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn table_of_values_prints_each_column() {
        let report = RowReport {
            stream: 0,
            target: Some(TargetValue::Value(1.5)),
            predicted: Some(&[2.0]),
            next: Some(&[1e-9]),
        };
        let text = lines(|s| s.rows.horizon = 1, &report);
        assert_eq!(text, "row,target,predicted,next,mae,nrmse,window_mae,window_nrmse\n7,1.5,2.0,1e-9,,,,\n");
        let text = lines(|s| (s.format, s.window) = (Format::Jsonl, 0), &report);
        assert!(text.as_bytes().starts_with(OBJECT));
        assert_eq!(text, "{\"row\":7,\"target\":1.5,\"predicted\":2.0,\"mae\":null,\"nrmse\":null}\n");
    }

    #[test]
    fn table_of_classes_prints_their_names() {
        let report = RowReport {
            stream: 0,
            target: Some(TargetValue::Class(1)),
            predicted: Some(&[0.75, 0.25]),
            next: None,
        };
        let change = |s: &mut Settings| {
            (s.rows.target_kind, s.rows.classes, s.window) =
                (TargetKind::Classes, Some("a \"b\",c".into()), 0);
        };
        let text = lines(change, &report);
        assert_eq!(text, "row,target,predicted,probability,accuracy,log_loss\n7,c,\"a \"\"b\"\"\",0.75,,\n");
    }
}
