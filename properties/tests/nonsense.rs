//! Whatever comes in as a row, as a checkpoint or as weights: it is read, or it is an error, and nothing panics. Property tests, for about a
//! minute in all when built for release; PROPTEST_CASES says how many cases instead.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
use sparse_rtrl::stream::feed::{Format, Lines, Splitter};
use sparse_rtrl::stream::session::{self, RowError, Session, Settings};
use sparse_rtrl::stream::{checkpoint, weights};
use std::cell::Cell;
use std::path::{Path, PathBuf};

/// That many cases, unless the environment says otherwise.
fn cases(n: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(n), failure_persistence: None, ..ProptestConfig::default() }
}

fn session(format: Format) -> Session<f32> {
    let mut settings = Settings::new("y").resolved();
    (settings.units, settings.input_format, settings.feed.horizon) = (3, Some(format), 1);
    settings.feed.cyclic = vec!["a:24".into()];
    settings.feed.one_hot = vec!["b:seen-3".into()];
    (settings.feed.group, settings.feed.streams) = (Some("c".into()), 2);
    Session::begin(&settings, ["a", "b", "c", "y"].map(String::from).into()).unwrap()
}

/// Feeds bytes as rows. What does not fit is passed over, as the program would. Returns how many rows there were, and how many fit.
fn feed(session: &mut Session<f32>, text: &[u8]) -> Share {
    let mut lines = Lines::new(text);
    while let Some(line) = lines.next_line().unwrap() {
        let rows = session.position().rows;
        match session.row(line) {
            Ok(said) => assert!(said.predicted.is_none_or(|p| p.iter().all(|p| p.is_finite()))),
            Err(RowError::Row(_)) => {
                assert_eq!(session.position().rows, rows);
                session.skip(line);
            }
            Err(RowError::Diverged(_)) => session.reset().unwrap(),
        }
        assert_eq!(session.position().rows, rows + 1);
    }
    let rows = session.position().rows;
    Share { of: rows, some: rows - session.counts().skipped, learned: session.counts().learned }
}

/// Rows or files, those of them that fit, and rows that were learned from.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    of: u64,
    some: u64,
    learned: u64,
}

/// Runs `test` on that many values, and adds up what it returns.
fn over<S: Strategy>(n: u32, values: &S, test: impl Fn(S::Value) -> Share) -> Share {
    let sum = Cell::new(Share::default());
    let run = TestRunner::new(cases(n)).run(values, |value| {
        let (all, one) = (sum.get(), test(value));
        sum.set(Share { of: all.of + one.of, some: all.some + one.some, learned: all.learned + one.learned });
        Ok(())
    });
    run.unwrap_or_else(|why| panic!("{why}"));
    sum.get()
}

/// The fields of a row that fits, four times in five; or of one that mostly does not.
fn row() -> impl Strategy<Value = Vec<String>> {
    let number = prop_oneof![
        4 => (-50i32..50).prop_map(|v| v.to_string()),
        1 => (-1e3f64..1e3).prop_map(|v| v.to_string()),
    ];
    let one = |of: &'static [&'static str]| prop::sample::select(of).prop_map(String::from);
    let fits = (
        number.clone(),
        one(&["u", "v", "w"]),
        one(&["p", "q"]),
        prop_oneof![5 => number, 1 => Just(String::new())],
    )
        .prop_map(|(a, b, c, y)| vec![a, b, c, y]);
    prop_oneof![4 => fits, 1 => prop::collection::vec(field(), 4), 1 => prop::collection::vec(field(), 3..6)]
}

/// Something that could stand in a field, or not.
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

fn saved() -> Vec<u8> {
    let mut session = session(Format::Csv);
    let rows: String = (0..40).map(|t| format!("{t},x{},{},{}\n", t % 3, t % 2, t % 7)).collect();
    feed(&mut session, rows.as_bytes());
    session.mark().unwrap();
    feed(&mut session, b"1,x1,0,5\n");
    let mut archive = Archive::writer();
    session.save(&mut archive).unwrap();
    archive.into_bytes()
}

/// Takes up a session from bytes, and lets it go on if that worked.
fn resume(bytes: Vec<u8>) {
    let mut archive = Archive::reader(bytes);
    let Ok((settings, columns)) = session::peek(&mut archive) else { return };
    let _ = Session::<f32>::resume(&settings, columns, &mut archive);
}

proptest! {
    #![proptest_config(cases(6000))]

    #[test]
    fn bytes_as_csv(text in prop::collection::vec(any::<u8>(), 0..400)) {
        feed(&mut session(Format::Csv), &text);
    }

    #[test]
    fn bytes_as_json(text in prop::collection::vec(any::<u8>(), 0..400)) {
        feed(&mut session(Format::Jsonl), &text);
    }

    #[test]
    fn first_lines(line in prop::collection::vec(any::<u8>(), 0..200), delimiter in 1u8..127) {
        for format in [Format::Csv, Format::Jsonl, Format::of(&line)] {
            if let Ok(columns) = Splitter::header(format, delimiter, &line) {
                let _ = Splitter::new(format, delimiter, columns).split(&line);
            }
        }
    }
}

/// Rows of which most fit, as CSV and as JSON.
#[test]
fn fields_as_rows() {
    let rows = prop::collection::vec(row(), 1..40);
    let share = over(3000, &rows, |rows| {
        let text: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        feed(&mut session(Format::Csv), text.join("\n").as_bytes())
    });
    mostly_fit(share);
    let share = over(3000, &rows, |rows| {
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
    mostly_fit(share);
}

/// Enough rows get to the learner, and enough do not.
fn mostly_fit(share: Share) {
    let part = |of: u64| of as f64 / share.of as f64;
    assert!((0.4..0.95).contains(&part(share.some)) && part(share.learned) > 0.3, "{share:?}");
}

thread_local! {
    static SAVED: Vec<u8> = saved();
}

/// The beginning of a checkpoint, and any bytes behind it, under a correct header and checksum: they reach what decodes them.
#[test]
fn bytes_behind_a_sound_header() {
    let path = folder().join("bytes");
    let values = (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..200));
    let share = over(400, &values, |(at, bytes)| {
        let mut content = SAVED.with(|saved| saved[..at.index(saved.len())].to_vec());
        content.extend(&bytes);
        checkpoint::write(&path, Archive::reader(content.clone())).unwrap();
        let read = checkpoint::read(&path).unwrap().into_bytes();
        assert!(read == content);
        let mut archive = Archive::reader(content.clone());
        let deep = session::peek(&mut archive).is_ok();
        resume(content);
        // And a header that is not sound, before the same content.
        let mut file = std::fs::read(&path).unwrap();
        file[16 + usize::from(bytes.len() as u8 % 16)] ^= 1 << (bytes.len() % 8);
        std::fs::write(&path, file).unwrap();
        assert!(checkpoint::read(&path).is_err());
        Share { of: 1, some: u64::from(deep), learned: 0 }
    });
    assert!(share.some * 2 > share.of, "settings and columns were read: {share:?}");
}

/// Any bytes as the weights and masks of a file whose header is sound: they are read, unless one of them is no number.
#[test]
fn bytes_as_weights() {
    let spec = StreamLearnerSpec::new(2, 3, 1);
    let path = folder().join("random-weights");
    weights::export(&StreamLearner::<f32>::new(&spec, 0).unwrap(), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let data = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let values = prop::collection::vec(any::<u8>(), whole.len() - data);
    let share = over(800, &values, |bytes| {
        std::fs::write(&path, [&whole[..data], &bytes[..]].concat()).unwrap();
        let read = weights::import::<f32>(&spec, 0, &path);
        let said = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(read.is_ok() || said.contains("finite numbers"), "{said}");
        std::fs::write(&path, &bytes).unwrap();
        assert!(weights::import::<f32>(&spec, 0, &path).is_err(), "without a header");
        Share { of: 1, some: u64::from(read.is_ok()), learned: 0 }
    });
    assert!(share.some * 3 > share.of && share.some < share.of, "{share:?}");
}

proptest! {
    #![proptest_config(cases(12_000))]

    /// A checkpoint with bytes changed, put in or taken out behind its checksum.
    #[test]
    fn altered_sessions(
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
fn what_was_not_altered_is_read() {
    let mut archive = Archive::reader(saved());
    let (settings, columns) = session::peek(&mut archive).unwrap();
    Session::<f32>::resume(&settings, columns, &mut archive).unwrap();
    archive.finish().unwrap();
}

#[test]
fn weights_with_any_byte_altered_are_read_or_an_error() {
    let spec = StreamLearnerSpec::new(2, 3, 1);
    let path = folder().join("weights");
    weights::export(&StreamLearner::<f32>::new(&spec, 0).unwrap(), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            std::fs::write(&path, &bytes).unwrap();
            let _ = weights::import::<f32>(&spec, 0, &path);
        }
    }
}
