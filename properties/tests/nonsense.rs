//! Property tests: any bytes given as rows, as a checkpoint or as weights are read or return an
//! error, and never panic. A release build takes about a minute. PROPTEST_CASES sets the number of
//! cases.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
use sparse_rtrl::stream::feed::{Format, LineReader, Splitter};
use sparse_rtrl::stream::session::{self, RowError, Session, Settings};
use sparse_rtrl::stream::{checkpoint, weights};
use std::cell::Cell;
use std::path::{Path, PathBuf};

/// A configuration of `n` cases, or of PROPTEST_CASES if it is set.
fn cases(n: u32) -> ProptestConfig {
    let requested = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: requested.unwrap_or(n), failure_persistence: None, ..ProptestConfig::default() }
}

fn session(format: Format) -> Session<f32> {
    let mut settings = Settings::new("y").resolved();
    (settings.units, settings.input_format, settings.rows.horizon) = (3, Some(format), 1);
    settings.rows.cyclic = vec!["a:24".into()];
    settings.rows.one_hot = vec!["b:seen-3".into()];
    (settings.rows.group, settings.rows.streams) = (Some("c".into()), 2);
    Session::begin(&settings, ["a", "b", "c", "y"].map(String::from).into()).unwrap()
}

/// Feeds bytes as rows and skips invalid ones, like the program. Returns the numbers of all and of
/// valid rows.
fn feed(session: &mut Session<f32>, text: &[u8]) -> Share {
    let mut lines = LineReader::new(text);
    while let Some(line) = lines.next_line().unwrap() {
        let rows = session.position().rows;
        match session.row(line) {
            Ok(report) => assert!(report.predicted.is_none_or(|p| p.iter().all(|p| p.is_finite()))),
            Err(RowError::Row(_)) => {
                assert_eq!(session.position().rows, rows);
                session.skip(line);
            }
            Err(RowError::Diverged(_)) => session.reset().unwrap(),
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(session.position().rows, rows + 1);
    }
    let rows = session.position().rows;
    Share { total: rows, valid: rows - session.counts().skipped, learned: session.counts().learned }
}

/// The numbers of all rows or files, of valid ones, and of rows from which the session learned.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    total: u64,
    valid: u64,
    learned: u64,
}

/// Runs `test` on `n` values and returns the sum of its results.
fn sum_over<S: Strategy>(n: u32, values: &S, test: impl Fn(S::Value) -> Share) -> Share {
    let sum = Cell::new(Share::default());
    let run = TestRunner::new(cases(n)).run(values, |value| {
        let (all, one) = (sum.get(), test(value));
        sum.set(Share {
            total: all.total + one.total,
            valid: all.valid + one.valid,
            learned: all.learned + one.learned,
        });
        Ok(())
    });
    run.unwrap_or_else(|why| panic!("{why}"));
    sum.get()
}

/// The fields of a row: valid in two of three cases, otherwise random.
fn row() -> impl Strategy<Value = Vec<String>> {
    let number = prop_oneof![
        4 => (-50i32..50).prop_map(|v| v.to_string()),
        1 => (-1e3f64..1e3).prop_map(|v| v.to_string()),
    ];
    let one = |of: &'static [&'static str]| prop::sample::select(of).prop_map(String::from);
    let valid = (
        number.clone(),
        one(&["u", "v", "w"]),
        one(&["p", "q"]),
        prop_oneof![5 => number, 1 => Just(String::new())],
    )
        .prop_map(|(a, b, c, y)| vec![a, b, c, y]);
    prop_oneof![4 => valid, 1 => prop::collection::vec(field(), 4), 1 => prop::collection::vec(field(), 3..6)]
}

/// A random field: a number, a name, text or a special value.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<f64>().prop_map(|v| v.to_string()),
        3 => (-1000i32..1000).prop_map(|v| v.to_string()),
        1 => "[a-c]",
        1 => "[ -~\\t\"',;{}\\[\\]\\\\]{0,8}",
        1 => Just(String::new()),
        1 => prop::sample::select(vec!["nan", "inf", "-inf", "1e999", "1e-320", "+5", ".", "\u{feff}", "٣", "\u{0}"])
            .prop_map(String::from),
    ]
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nonsense");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn saved_session() -> Vec<u8> {
    let mut session = session(Format::Csv);
    let rows: String = (0..40).map(|t| format!("{t},x{},{},{}\n", t % 3, t % 2, t % 7)).collect();
    feed(&mut session, rows.as_bytes());
    session.mark().unwrap();
    feed(&mut session, b"1,x1,0,5\n");
    let mut archive = Archive::writer();
    session.save(&mut archive).unwrap();
    archive.into_bytes()
}

/// Resumes a session from bytes, if its settings can be read.
fn resume(bytes: Vec<u8>) {
    let mut archive = Archive::reader(bytes);
    let Ok((settings, columns)) = session::peek(&mut archive) else { return };
    let _ = Session::<f32>::resume(&settings, columns, &mut archive);
}

proptest! {
    #![proptest_config(cases(6000))]

    #[test]
    fn session_given_random_bytes_as_csv_never_panics(text in prop::collection::vec(any::<u8>(), 0..400)) {
        feed(&mut session(Format::Csv), &text);
    }

    #[test]
    fn session_given_random_bytes_as_json_never_panics(text in prop::collection::vec(any::<u8>(), 0..400)) {
        feed(&mut session(Format::Jsonl), &text);
    }

    #[test]
    fn splitter_given_a_random_header_never_panics(line in prop::collection::vec(any::<u8>(), 0..200), delimiter in 1u8..127) {
        for format in [Format::Csv, Format::Jsonl, Format::of(&line)] {
            if let Ok(columns) = Splitter::header(format, delimiter, &line) {
                let _ = Splitter::new(format, delimiter, columns).split(&line);
            }
        }
    }
}

/// Rows, most of them valid, as CSV and as JSON.
#[test]
fn session_given_random_fields_learns_from_valid_rows() {
    let rows = prop::collection::vec(row(), 1..40);
    let share = sum_over(3000, &rows, |rows| {
        let text: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        feed(&mut session(Format::Csv), text.join("\n").as_bytes())
    });
    check_share_of_valid_rows(share);
    let share = sum_over(3000, &rows, |rows| {
        let quoted = |value: &String| match value.parse::<f64>() {
            Ok(number) if number.is_finite() && !value.starts_with('+') => value.clone(),
            _ => serde_json::to_string(value).unwrap(),
        };
        let object = |row: &Vec<String>| {
            let pairs = ["a", "b", "c", "y", "z"]
                .iter()
                .zip(row)
                .map(|(key, value)| format!("\"{key}\":{}", quoted(value)));
            format!("{{{}}}\n", pairs.collect::<Vec<_>>().join(","))
        };
        feed(&mut session(Format::Jsonl), rows.iter().map(object).collect::<String>().as_bytes())
    });
    check_share_of_valid_rows(share);
}

/// Checks that enough rows are valid and learned from, and enough are invalid.
fn check_share_of_valid_rows(share: Share) {
    let part = |of: u64| of as f64 / share.total as f64;
    assert!((0.4..0.95).contains(&part(share.valid)) && part(share.learned) > 0.3, "{share:?}");
}

thread_local! {
    static SAVED: Vec<u8> = saved_session();
}

/// The beginning of a checkpoint followed by any bytes, under a correct header and checksum, so
/// that they are decoded.
#[test]
fn resume_of_random_content_under_a_valid_header_never_panics() {
    let path = folder().join("bytes");
    let values = (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..200));
    let share = sum_over(400, &values, |(at, bytes)| {
        let mut content = SAVED.with(|saved| saved[..at.index(saved.len())].to_vec());
        content.extend(&bytes);
        checkpoint::write(&path, Archive::reader(content.clone())).unwrap();
        let read = checkpoint::read(&path).unwrap().into_bytes();
        assert!(read == content);
        let mut archive = Archive::reader(content.clone());
        let decoded = session::peek(&mut archive).is_ok();
        resume(content);
        // The same content after an invalid header.
        let mut file = std::fs::read(&path).unwrap();
        file[16 + usize::from(bytes.len() as u8 % 16)] ^= 1 << (bytes.len() % 8);
        std::fs::write(&path, file).unwrap();
        assert!(checkpoint::read(&path).is_err());
        Share { total: 1, valid: u64::from(decoded), learned: 0 }
    });
    assert!(share.valid * 2 > share.total, "expected readable settings and columns in most cases: {share:?}");
}

/// Any bytes as the weights and masks of a file with a valid header: they are read if all weights
/// are finite.
#[test]
fn import_of_random_weights_succeeds_or_returns_an_error() {
    let spec = StreamLearnerSpec::new(2, 3, 1);
    let path = folder().join("random-weights");
    weights::export(&StreamLearner::<f32>::new(&spec, 0).unwrap(), &path).unwrap();
    let file = std::fs::read(&path).unwrap();
    let data = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let values = prop::collection::vec(any::<u8>(), file.len() - data);
    let share = sum_over(800, &values, |bytes| {
        std::fs::write(&path, [&file[..data], &bytes[..]].concat()).unwrap();
        let read = weights::import::<f32>(&spec, 0, &path);
        let message = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(read.is_ok() || message.contains("finite numbers"), "{message}");
        std::fs::write(&path, &bytes).unwrap();
        assert!(weights::import::<f32>(&spec, 0, &path).is_err(), "expected an error without a header");
        Share { total: 1, valid: u64::from(read.is_ok()), learned: 0 }
    });
    assert!(share.valid * 3 > share.total && share.valid < share.total, "{share:?}");
}

proptest! {
    #![proptest_config(cases(12_000))]

    /// A saved session with bytes changed, inserted or removed.
    #[test]
    fn resume_of_an_altered_session_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut bytes = SAVED.with(Clone::clone);
        for (at, byte, how) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                0 | 1 => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        resume(bytes);
    }
}

#[test]
fn resume_of_an_unaltered_session_succeeds() {
    let mut archive = Archive::reader(saved_session());
    let (settings, columns) = session::peek(&mut archive).unwrap();
    Session::<f32>::resume(&settings, columns, &mut archive).unwrap();
    archive.finish().unwrap();
}

#[test]
fn import_of_weights_with_any_byte_altered_never_panics() {
    let spec = StreamLearnerSpec::new(2, 3, 1);
    let path = folder().join("weights");
    weights::export(&StreamLearner::<f32>::new(&spec, 0).unwrap(), &path).unwrap();
    let file = std::fs::read(&path).unwrap();
    for at in 0..file.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = file.clone();
            bytes[at] ^= change;
            std::fs::write(&path, &bytes).unwrap();
            let _ = weights::import::<f32>(&spec, 0, &path);
        }
    }
}
