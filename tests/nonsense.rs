//! Whatever comes in as a row, as a checkpoint or as weights: it is read, or it is an error, and nothing panics. Property tests, for about a
//! minute in all when built for release; PROPTEST_CASES says how many cases instead.

use proptest::prelude::*;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::feed::{Format, Lines, Splitter};
use sparse_rtrl::online::{Online, OnlineSpec};
use sparse_rtrl::session::{self, Session, Settings, Trouble};
use sparse_rtrl::{checkpoint, exchange};
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

/// Feeds bytes as rows. What does not fit is passed over, as the program would.
fn feed(session: &mut Session<f32>, text: &[u8]) {
    let mut lines = Lines::new(text);
    while let Some(line) = lines.next_line().unwrap() {
        let rows = session.position().rows;
        match session.row(line) {
            Ok(said) => assert!(said.predicted.is_none_or(|p| p.iter().all(|p| p.is_finite()))),
            Err(Trouble::Row(_)) => {
                assert_eq!(session.position().rows, rows);
                session.skip(line);
            }
            Err(Trouble::Diverged(_)) => session.reset().unwrap(),
        }
        assert_eq!(session.position().rows, rows + 1);
    }
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
    fn fields_as_csv(rows in prop::collection::vec(prop::collection::vec(field(), 3..6), 1..40)) {
        let text: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        feed(&mut session(Format::Csv), text.join("\n").as_bytes());
    }

    #[test]
    fn fields_as_json(rows in prop::collection::vec(prop::collection::vec(field(), 4), 1..40)) {
        let object = |row: &Vec<String>| {
            let pairs = ["a", "b", "c", "y"].iter().zip(row).map(|(key, value)| format!("\"{key}\":{value}"));
            format!("{{{}}}\n", pairs.collect::<Vec<_>>().join(","))
        };
        feed(&mut session(Format::Jsonl), rows.iter().map(object).collect::<String>().as_bytes());
    }

    #[test]
    fn first_lines(line in prop::collection::vec(any::<u8>(), 0..200), delimiter in 1u8..127) {
        for format in [Format::Csv, Format::Jsonl, Format::of(&line)] {
            if let Ok(columns) = Splitter::header(format, delimiter, &line) {
                let _ = Splitter::new(format, delimiter, columns).split(&line);
            }
        }
    }

    #[test]
    fn bytes_as_archive_and_as_weights(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        resume(bytes.clone());
        let path = folder().join("bytes");
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(checkpoint::read(&path).is_err());
        prop_assert!(exchange::import::<f32>(&OnlineSpec::new(2, 3, 1), 0, &path).is_err());
    }
}

proptest! {
    #![proptest_config(cases(12_000))]

    /// A checkpoint with bytes changed, put in or taken out behind its checksum.
    #[test]
    fn altered_sessions(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        thread_local! {
            static SAVED: Vec<u8> = saved();
        }
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
    let spec = OnlineSpec::new(2, 3, 1);
    let path = folder().join("weights");
    exchange::export(&Online::<f32>::new(&spec, 0).unwrap(), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            std::fs::write(&path, &bytes).unwrap();
            let _ = exchange::import::<f32>(&spec, 0, &path);
        }
    }
}
