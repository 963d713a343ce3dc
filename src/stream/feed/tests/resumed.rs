//! A row reader that is saved and restored reads later rows as an uninterrupted one.

use super::*;
use crate::params::{Generator, Purpose, generator};
use rand::RngExt;

fn saved(feed: &mut RowReader) -> Vec<u8> {
    let mut archive = Archive::writer();
    feed.archive(&mut archive).unwrap();
    archive.into_bytes()
}

fn restored(spec: &RowReaderSpec, names: &str, bytes: Vec<u8>) -> RowReader {
    let mut feed = RowReader::new(spec, &columns(names)).unwrap();
    let mut archive = Archive::reader(bytes);
    feed.archive(&mut archive).unwrap();
    archive.finish().unwrap();
    feed
}

/// The result of a row: stream, inputs and target, or the error.
fn result(feed: &mut RowReader, names: &str, line: &str) -> String {
    let mut splitter = Splitter::new(Format::Csv, b',', columns(names));
    let row = match feed.read(splitter.split(line.as_bytes()).unwrap()) {
        Ok(Some(row)) => format!("{row:?}"),
        Ok(None) => "nothing".into(),
        Err(field_error) => field_error.to_string(),
    };
    let labels = feed.classes().map(|labels| labels.known().to_vec());
    format!("{row} {} {:?} {labels:?}", feed.stream(), feed.stream_name(feed.stream()))
}

/// A row of `who,y,a,b,c` with invalid and missing fields and, if `late`, outliers.
fn line(task: TargetKind, late: bool, rng: &mut Generator) -> String {
    let mut pick = |of: &[&str]| of[rng.random_range(0..of.len())].to_string();
    let who = pick(&["s", "q", "r", "q", "s", "r", "p"]);
    let target = match task {
        TargetKind::Regression => pick(if late { &["1", "2", "", "90"] } else { &["1", "2", "", "3"] }),
        TargetKind::Binary => pick(&["no", "yes", "", "perhaps"]),
        TargetKind::Classes => pick(&["z", "x", "y", "w", ""]),
    };
    let (a, b) = (
        pick(if late { &["1", "2", "80"] } else { &["1", "2", "4"] }),
        pick(&["u", "v", "w", "u", "v", "w", "t"]),
    );
    let c = pick(&["0", "6", "12", "18", "3", "9", "x"]);
    format!("{who},{target},{a},{b},{c}")
}

#[test]
fn row_reader_restored_after_any_row_reads_as_uninterrupted() {
    const ROWS: usize = 330;
    let names = "who,y,a,b,c";
    for (task, classes) in [
        (TargetKind::Regression, None),
        (TargetKind::Binary, Some("no,yes")),
        (TargetKind::Classes, Some("3")),
    ] {
        let mut spec = RowReaderSpec::new("y");
        (spec.target_kind, spec.classes, spec.horizon) = (task, classes.map(String::from), 2);
        (spec.group, spec.streams, spec.outlier_limit) = (Some("who".into()), 3, Some(12.0));
        (spec.one_hot, spec.cyclic) = (vec!["b:seen-3".into()], vec!["c:24".into()]);
        spec.direct = vec!["b".into()];
        let mut rng = generator(5, Purpose::Data);
        let drawn = (1..ROWS).map(|t| line(task, t > 295, &mut rng));
        let lines: Vec<_> = std::iter::once("r,,1,w,0".to_string()).chain(drawn).collect();
        let mut uninterrupted = RowReader::new(&spec, &columns(names)).unwrap();
        let (mut marks, mut expected) = (Vec::new(), Vec::new());
        for line in &lines {
            marks.push((saved(&mut uninterrupted), uninterrupted.stream));
            expected.push(result(&mut uninterrupted, names, line));
        }
        for kind in ["Example", "nothing", "expected a value within 12", "one of 3"] {
            assert!(expected.iter().any(|message| message.contains(kind)), "{task:?}: no row is {kind}");
        }
        for (from, (bytes, stream)) in marks.into_iter().enumerate() {
            let mut resumed = restored(&spec, names, bytes.clone());
            assert_eq!(saved(&mut resumed), bytes);
            // The stream of the last row is not saved.
            resumed.stream = stream;
            for (line, expected) in lines[from..].iter().zip(&expected[from..]).take(40) {
                assert_eq!(
                    &result(&mut resumed, names, line),
                    expected,
                    "{task:?}, from row {from}, at {line}"
                );
            }
        }
    }
}

/// The moments are part of the saved state; otherwise a restored reader would accept outliers for
/// 100 rows.
#[test]
fn row_reader_restored_keeps_moments_of_targets_and_features() {
    let mut spec = RowReaderSpec::new("y");
    spec.outlier_limit = Some(20.0);
    let names = "y,a,b";
    let mut uninterrupted = RowReader::new(&spec, &columns(names)).unwrap();
    for k in 0..150 {
        read(&mut uninterrupted, names, &format!("{},{},{}", k % 7, k % 5, 1000 + k % 3)).unwrap();
    }
    let mut resumed = restored(&spec, names, saved(&mut uninterrupted));
    for (line, column) in [("200,1,1001", "y"), ("1,200,1001", "a"), ("1,1,1200", "b"), ("-99,1,1001", "y")] {
        for feed in [&mut uninterrupted, &mut resumed] {
            let message = read(feed, names, line).unwrap_err();
            assert!(
                message.starts_with(&format!("column '{column}': expected a value within 20")),
                "{message}"
            );
        }
    }
    let ordinary = "3,2,1002";
    assert_eq!(read(&mut resumed, names, ordinary), read(&mut uninterrupted, names, ordinary));
    assert_eq!(saved(&mut resumed), saved(&mut uninterrupted));
}

/// The order of first appearance is not the sorted order.
#[test]
fn row_reader_restored_keeps_stream_names() {
    let mut spec = RowReaderSpec::new("y");
    (spec.group, spec.streams, spec.horizon) = (Some("who".into()), 3, 1);
    let names = "who,y";
    let mut uninterrupted = RowReader::new(&spec, &columns(names)).unwrap();
    for line in ["c,1", "a,2"] {
        read(&mut uninterrupted, names, line).unwrap();
    }
    let mut resumed = restored(&spec, names, saved(&mut uninterrupted));
    assert_eq!(resumed.stream_name(0), Some("c"));
    for line in ["a,", "b,", "c,", "d,1", "b,7"] {
        assert_eq!(result(&mut resumed, names, line), result(&mut uninterrupted, names, line), "{line}");
    }
    assert_eq!(
        (resumed.stream_name(1), resumed.stream_name(2), resumed.stream_name(3)),
        (Some("a"), Some("b"), None)
    );
}

#[test]
fn row_reader_restore_of_an_unknown_last_class_is_an_error() {
    let state = |task, classes: Option<&str>, class: usize| {
        let mut spec = RowReaderSpec::new("y");
        (spec.target_kind, spec.classes, spec.horizon) = (task, classes.map(String::from), 1);
        let mut feed = RowReader::new(&spec, &columns("y,a")).unwrap();
        feed.last[0] = Some(TargetValue::Class(class));
        let bytes = saved_unchecked(&mut feed);
        let mut other = RowReader::new(&spec, &columns("y,a")).unwrap();
        other.archive(&mut Archive::reader(bytes)).is_ok()
    };
    assert!(state(TargetKind::Classes, Some("3"), 2) && !state(TargetKind::Classes, Some("3"), 3));
    assert!(state(TargetKind::Binary, None, 1) && !state(TargetKind::Binary, None, 2));
}

/// Writes the fields in order, without checks.
fn saved_unchecked(feed: &mut RowReader) -> Vec<u8> {
    let mut archive = Archive::writer();
    archive.field("target moments", &mut feed.moments).unwrap();
    archive.list("last targets", &mut feed.last).unwrap();
    feed.classes.as_mut().unwrap().archive(&mut archive).unwrap();
    for feature in &mut feed.features {
        archive.field("feature moments", &mut feature.moments).unwrap();
    }
    archive.into_bytes()
}
