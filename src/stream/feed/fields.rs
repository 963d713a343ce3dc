//! Splitting of a line into fields: text, in the order of the columns.

use super::field_error::{FieldError, quote};
use crate::error::{Error, Result};
use csv_core::ReadRecordResult;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// The file format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Fields between delimiters, quoted with `"` where necessary. The first line holds the names
    /// of the columns. A field contains no line end.
    Csv,
    /// One JSON object per line. The columns are the keys of the first object.
    Jsonl,
}

impl Format {
    /// Returns the format of a stream with this first line.
    pub fn of(line: &[u8]) -> Self {
        match line.trim_ascii_start().first() {
            Some(b'{') => Self::Jsonl,
            _ => Self::Csv,
        }
    }
}

/// The fields of one row, without surrounding spaces. A missing field is empty.
#[derive(Debug, Default)]
pub struct Fields {
    /// The text of all fields.
    text: Vec<u8>,
    /// Buffer of the CSV parser: the end of each field in `text`.
    ends: Vec<usize>,
    /// `[columns]`, the range of each field in `text`.
    places: Vec<Range<usize>>,
}

impl Fields {
    /// Returns the field of a column.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn get(&self, column: usize) -> &[u8] {
        self.text[self.places[column].clone()].trim_ascii()
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn clear(&mut self, columns: usize) {
        self.text.clear();
        self.places.clear();
        self.places.resize(columns, 0..0);
    }

    fn set(&mut self, column: usize, text: &str) {
        let from = self.text.len();
        self.text.extend(text.as_bytes());
        self.places[column] = from..self.text.len();
    }
}

/// Splits lines into fields. Its buffers are reused: after the first rows, only strings in JSON are
/// allocated.
pub struct Splitter {
    format: Format,
    columns: Vec<String>,
    csv: csv_core::Reader,
    fields: Fields,
}

impl Splitter {
    /// Creates a splitter for rows with these columns.
    pub fn new(format: Format, delimiter: u8, columns: Vec<String>) -> Self {
        let csv = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Self { format, columns, csv, fields: Fields::default() }
    }

    /// Returns the names of the columns in a first line.
    ///
    /// # Errors
    /// If the line is malformed, or a name is empty or a duplicate.
    pub fn header(format: Format, delimiter: u8, line: &[u8]) -> Result<Vec<String>> {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let wrong = |expected: &str, got: String| Error::setting("header", expected, got);
        let columns: Vec<String> = match format {
            Format::Jsonl => {
                let mut names = Names(Vec::new());
                let mut json = serde_json::Deserializer::from_slice(line);
                let read = json.deserialize_map(&mut names).and_then(|()| json.end());
                read.map_err(|why| wrong("a JSON object", format!("{} ({why})", quote(line))))?;
                names.0
            }
            Format::Csv => {
                let mut splitter = Self::new(format, delimiter, Vec::new());
                splitter
                    .take_apart(line)
                    .map_err(|field_error| wrong(&field_error.expected, field_error.got))?;
                let name = |place: &Range<usize>| {
                    let field = splitter.fields.text[place.clone()].trim_ascii();
                    std::str::from_utf8(field).map(String::from)
                };
                let names = splitter.fields.places.iter().map(name).collect::<std::result::Result<_, _>>();
                names.map_err(|_| wrong("names of columns in UTF-8", quote(line)))?
            }
        };
        Self::check_names("header", &columns)?;
        Ok(columns)
    }

    /// Checks that the names of columns are distinct and not empty.
    ///
    /// # Errors
    /// If a name is empty or a duplicate. The error names `setting`, the source of the names.
    pub fn check_names(setting: &str, columns: &[String]) -> Result<()> {
        for (k, name) in columns.iter().enumerate() {
            if name.is_empty() || columns[..k].contains(name) {
                let got = if name.is_empty() { "an empty name".into() } else { format!("'{name}' twice") };
                return Err(Error::setting(setting, "distinct names that are not empty", got));
            }
        }
        Ok(())
    }

    /// Returns the names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Splits a row into fields, one per column.
    ///
    /// # Errors
    /// If the number of fields differs from the number of columns, a quote is not closed, the row
    /// contains a line end, or it is not a JSON object.
    pub fn split(&mut self, line: &[u8]) -> std::result::Result<&Fields, FieldError> {
        match self.format {
            Format::Csv => {
                self.take_apart(line)?;
                let (expected, got) = (self.columns.len(), self.fields.len());
                match got == expected {
                    true => Ok(&self.fields),
                    false => Err(FieldError::row(
                        format!("{expected} fields"),
                        format!("{got} in {}", quote(line)),
                    )),
                }
            }
            Format::Jsonl => {
                self.fields.clear(self.columns.len());
                let mut json = serde_json::Deserializer::from_slice(line);
                let object = Object { columns: &self.columns, fields: &mut self.fields };
                let read = json.deserialize_map(object).and_then(|()| json.end());
                let wrong = |why| FieldError::row("a JSON object", format!("{} ({why})", quote(line)));
                read.map(|()| &self.fields).map_err(wrong)
            }
        }
    }

    /// Splits a line of CSV into any number of fields.
    fn take_apart(&mut self, line: &[u8]) -> std::result::Result<(), FieldError> {
        // Some programs end a line with several carriage returns.
        let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
        let line = &line[..end];
        // The parser would end the record at such a byte and drop the rest of the line.
        if line.iter().any(|byte| b"\r\n".contains(byte)) {
            let got = format!("a lone carriage return in {}", quote(line));
            return Err(FieldError::row("lines that end with \\n or \\r\\n", got));
        }
        let fields = &mut self.fields;
        fields.text.resize(line.len() + 1, 0);
        // The number of fields is at most the number of delimiters + 1.
        fields.ends.resize(line.len() + 2, 0);
        self.csv.reset();
        let (_, _, written, count) = self.csv.read_record(line, &mut fields.text, &mut fields.ends);
        // A line end completes the record, unless a quote is open.
        let (text, ends) = (&mut fields.text[written..], &mut fields.ends[count..]);
        let (result, _, more, last) = self.csv.read_record(b"\n", text, ends);
        if !line.is_empty() && result != ReadRecordResult::Record {
            return Err(FieldError::row("a closing quote", format!("none in {}", quote(line))));
        }
        let (written, count) = (written + more, count + last);
        fields.text.truncate(written);
        fields.places.clear();
        let starts = std::iter::once(0).chain(fields.ends.iter().copied());
        fields.places.extend(starts.zip(&fields.ends).take(count).map(|(from, &to)| from..to));
        Ok(())
    }
}

/// Visitor that collects the keys of a JSON object.
struct Names(Vec<String>);

impl<'de> Visitor<'de> for &mut Names {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
            self.0.push(name);
        }
        Ok(())
    }
}

/// Visitor that copies the values of a JSON object to fields.
struct Object<'a> {
    columns: &'a [String],
    fields: &'a mut Fields,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut guess = 0;
        while let Some(found) = map.next_key_seed(Key { columns: self.columns, guess })? {
            let Some(column) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            guess = column + 1;
            let raw: &RawValue = map.next_value()?;
            match raw.get() {
                "null" => self.fields.set(column, ""),
                text if text.starts_with('"') => {
                    let text: String = serde_json::from_str(text).map_err(serde::de::Error::custom)?;
                    self.fields.set(column, &text);
                }
                text => self.fields.set(column, text),
            }
        }
        Ok(())
    }
}

/// Finds the column of a key. `guess` is the next column after the column of the previous key: most
/// objects have their keys in the order of the columns.
#[derive(Clone, Copy)]
struct Key<'a> {
    columns: &'a [String],
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Self::Value, E> {
        match self.columns.get(self.guess) {
            Some(column) if column == name => Ok(Some(self.guess)),
            _ => Ok(self.columns.iter().position(|column| column == name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(format: Format, columns: &[&str], line: &str) -> std::result::Result<Vec<String>, String> {
        let columns = columns.iter().map(|name| name.to_string()).collect();
        let mut splitter = Splitter::new(format, b',', columns);
        let fields = splitter.split(line.as_bytes()).map_err(|field_error| field_error.to_string())?;
        Ok((0..fields.len()).map(|k| String::from_utf8_lossy(fields.get(k)).into_owned()).collect())
    }

    #[test]
    fn splitter_of_csv_returns_fields_or_an_error() {
        let csv = |line| split(Format::Csv, &["a", "b", "c"], line);
        assert_eq!(csv("1, 2 ,3").unwrap(), ["1", "2", "3"]);
        assert_eq!(csv(r#"1,"x, ""y""",3"#).unwrap(), ["1", "x, \"y\"", "3"]);
        assert_eq!(csv("1,,").unwrap(), ["1", "", ""]);
        assert_eq!(csv(",,").unwrap(), ["", "", ""]);
        assert_eq!(csv("1,2").unwrap_err(), "expected 3 fields, got 2 in '1,2'");
        assert_eq!(csv("1,2,3,4").unwrap_err(), "expected 3 fields, got 4 in '1,2,3,4'");
        assert_eq!(csv("1,\"2,3").unwrap_err(), "expected a closing quote, got none in '1,\\\"2,3'");
        assert!(csv("1,2,\"3").unwrap_err().contains("closing quote"), "in the last field as well");
        assert_eq!(csv("1,2,\"3\"").unwrap(), ["1", "2", "3"]);
        for lost in ["1,2,3\r4", "1,2,3\r4,5,6", "\r1,2,3", "1,2,\"3\r\""] {
            assert!(csv(lost).unwrap_err().contains("a lone carriage return"), "{lost:?}");
        }
        assert_eq!(csv("1,2,3\r").unwrap(), ["1", "2", "3"]);
        assert_eq!(split(Format::Csv, &["a"], "7").unwrap(), ["7"]);
    }

    #[test]
    fn splitter_of_json_returns_fields_or_an_error() {
        let json = |line| split(Format::Jsonl, &["a", "b"], line);
        assert_eq!(json(r#"{"a": 1.5e3, "b": "x\n"}"#).unwrap(), ["1.5e3", "x"]);
        assert_eq!(json(r#"{"b": null, "other": [1, {}], "a": true}"#).unwrap(), ["true", ""]);
        assert_eq!(json("{}").unwrap(), ["", ""]);
        for bad in ["", "[1]", "{\"a\": 1", "{\"a\": 1} x", "{\"a\": NaN}", "\u{1}"] {
            let message = json(bad).unwrap_err();
            assert!(message.starts_with("expected a JSON object, got"), "{bad}: {message}");
        }
    }

    #[test]
    fn splitter_header_returns_column_names_or_an_error() {
        let csv = |line: &str| Splitter::header(Format::Csv, b';', line.as_bytes());
        assert_eq!(csv("\u{feff}time; value").unwrap(), ["time", "value"]);
        assert!(csv("a;a").unwrap_err().to_string().contains("'a' twice"));
        assert!(csv("a;").unwrap_err().to_string().contains("an empty name"));
        assert!(csv("a;\"b").unwrap_err().to_string().contains("a closing quote"));
        assert!(csv("a;b\r1;2").unwrap_err().to_string().contains("a lone carriage return"));
        let json = |line: &str| Splitter::header(Format::Jsonl, b',', line.as_bytes());
        assert_eq!(json(r#"{"b": [1, 2], "a": {"x": 1}}"#).unwrap(), ["b", "a"]);
        assert!(json("[]").is_err());
        assert_eq!((Format::of(b" {\"a\""), Format::of(b"a,b")), (Format::Jsonl, Format::Csv));
    }

    /// One splitter reads all rows: no field of a row remains in the next.
    #[test]
    fn splitter_on_several_rows_returns_the_fields_of_each_row() {
        let all = |splitter: &mut Splitter, line: &str| {
            let fields = splitter.split(line.as_bytes()).map_err(|field_error| field_error.to_string())?;
            assert!(!fields.is_empty());
            Ok::<_, String>(
                (0..fields.len()).map(|k| String::from_utf8_lossy(fields.get(k)).into()).collect(),
            )
        };
        let columns = || vec!["a".to_string(), "b".into(), "c".into()];
        let row = |fields: [&str; 3]| Ok(fields.map(String::from).to_vec());
        let mut csv = Splitter::new(Format::Csv, b';', columns());
        assert_eq!(all(&mut csv, "a long one;2;3"), row(["a long one", "2", "3"]));
        assert!(all(&mut csv, "1;\"2;3").is_err());
        assert_eq!(all(&mut csv, "1;;,"), row(["1", "", ","]));
        assert!(all(&mut csv, "1;2").is_err());
        assert_eq!(all(&mut csv, " 1;\t2 ;\"3;4\"\r\r"), row(["1", "2", "3;4"]));
        assert_eq!(csv.columns(), columns());
        let mut json = Splitter::new(Format::Jsonl, b',', columns());
        assert_eq!(all(&mut json, r#"{"a": 1, "b": " x ", "c": "\u00e9"}"#), row(["1", "x", "é"]));
        assert_eq!(all(&mut json, r#"{"c": 3}"#), row(["", "", "3"]), "a missing key is an empty field");
        assert_eq!(all(&mut json, r#"{"b": 2, "b": 5, "c": null, "a": -1}"#), row(["-1", "5", ""]));
        assert_eq!(all(&mut json, r#"{"x": 9, "c": "null", "b": false}"#), row(["", "false", "null"]));
    }

    #[test]
    fn splitter_header_with_mark_or_quotes_returns_plain_names() {
        let csv = |line: &[u8]| Splitter::header(Format::Csv, b',', line);
        assert_eq!(csv(b"\"a,b\", c \r").unwrap(), ["a,b", "c"]);
        assert!(csv(b"a,b,a").unwrap_err().to_string().contains("'a' twice"));
        assert!(csv(b"a,\xff").unwrap_err().to_string().contains("names of columns in UTF-8"));
        let json = |line: &str| Splitter::header(Format::Jsonl, b',', line.as_bytes());
        assert_eq!(json("\u{feff}{\"a\": 1}").unwrap(), ["a"]);
        for (wrong, message) in [
            (r#"{"a": 1} 2"#, "a JSON object"),
            (r#"{"a": 1, "a": 2}"#, "'a' twice"),
            (r#"{"": 1}"#, "an empty name"),
        ] {
            let error = json(wrong).unwrap_err().to_string();
            assert!(error.starts_with("header: expected ") && error.contains(message), "{error}");
        }
        assert_eq!(
            (Format::of(b""), Format::of(b"\t{"), Format::of(b"a{")),
            (Format::Csv, Format::Jsonl, Format::Csv)
        );
    }
}
