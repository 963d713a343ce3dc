//! A session that is saved and restored at any row continues as an uninterrupted one: the reports,
//! the scores and the final bytes are the same. Predictions, counts and scores are compared with
//! values computed from the rows.

use super::*;
use crate::params::{Generator, Purpose, generator};
use crate::stream::feed::{TargetKind, TargetValue};
use crate::stream::score::Metric;
use rand::RngExt;

/// The columns `who,y,a,b,c`.
fn columns() -> Vec<String> {
    ["who", "y", "a", "b", "c"].map(String::from).into()
}

fn settings(task: TargetKind, horizon: usize, change: impl Fn(&mut Settings)) -> Settings {
    let mut settings = Settings::new("y");
    (settings.units, settings.param_sparsity, settings.window) = (4, 0.5, 9);
    (settings.rows.target_kind, settings.rows.horizon) = (task, horizon);
    settings.rows.classes = (task == TargetKind::Classes).then(|| "3".into());
    (settings.rows.group, settings.rows.streams) = (Some("who".into()), 3);
    (settings.rows.one_hot, settings.rows.cyclic) = (vec!["b:seen-3".into()], vec!["c:24".into()]);
    (settings.rows.direct, settings.rows.outlier_limit) = (vec!["b".into()], Some(30.0));
    change(&mut settings);
    settings.resolved()
}

/// Rows with missing targets, bad rows, and names that first appear in later rows.
fn rows(task: TargetKind, n: usize, seed: u64) -> Vec<String> {
    let mut rng = generator(seed, Purpose::Data);
    let one = |of: &[&str], rng: &mut Generator| of[rng.random_range(0..of.len())].to_string();
    let row = |t: usize| {
        let known = (1 + t / 12).min(3);
        let who = one(&["k", "h", "m"][..known], &mut rng);
        let y = match (t % 9, task) {
            (4, _) => String::new(),
            (_, TargetKind::Regression) => format!("{:.3}", 20.0 + 5.0 * (0.7 * t as f64).sin()),
            (_, TargetKind::Binary) => one(&["0", "1"], &mut rng),
            (_, TargetKind::Classes) => one(&["r", "p", "q"][..known], &mut rng),
        };
        match t % 23 {
            7 => format!("{who},{y},x,u,1"),
            15 => format!("{who},{y}"),
            19 if t > 40 => format!("unheard of {t},{y},1,w,1"),
            _ => format!("{who},{y},{},{},{}", t % 5, one(&["w", "v", "u"][..known], &mut rng), t % 24),
        }
    };
    (0..n).map(row).collect()
}

fn line(text: &str) -> TextLine<'_> {
    TextLine { text: text.as_bytes(), number: 1, whole: true, ended: true }
}

/// The report of a row and the visible state after it. After divergence the session is rolled back
/// to its mark, or reset.
fn step(session: &mut Session<f32>, text: &str) -> String {
    let (report, error) = match session.row(line(text)) {
        Ok(report) => (format!("{report:?}"), None),
        Err(error) => (format!("{error:?}"), Some(error)),
    };
    match error {
        None => {}
        Some(RowError::Row(_)) => session.skip(line(text)),
        Some(RowError::Diverged(_)) if session.is_marked() => drop(session.roll_back().unwrap()),
        Some(RowError::Diverged(_)) => session.reset().unwrap(),
    }
    let scores = |metric: &Metric| (session.score().overall(*metric), session.score().recent(*metric));
    let scores: Vec<_> = session.settings().metrics().iter().map(scores).collect();
    let (counts, position) = (session.counts(), session.position());
    let learner = session.learner();
    format!("{report} {scores:?} {counts:?} {position:?} {} {}", learner.updates(), learner.macs().total())
}

/// Runs all rows and saves the session before each. Then resumes from each saved state and compares
/// the reports.
fn check_resumed(settings: &Settings, lines: &[String], marks: impl Fn(usize) -> bool) -> Vec<String> {
    let mut uninterrupted = Session::<f32>::begin(settings, columns()).unwrap();
    let (mut states, mut expected) = (Vec::new(), Vec::new());
    for (t, line) in lines.iter().enumerate() {
        if marks(t) {
            uninterrupted.mark().unwrap();
        }
        states.push(saved(&mut uninterrupted));
        expected.push(step(&mut uninterrupted, line));
    }
    let last = saved(&mut uninterrupted);
    // Up to eight rows from every state, and all remaining rows from some.
    for (from, state) in states.iter().enumerate() {
        let to = if from % 17 == 3 { lines.len() } else { lines.len().min(from + 8) };
        let mut restored = resumed(state.clone()).unwrap();
        assert!(
            saved(&mut restored) == *state,
            "the session restored after {from} rows saves the same bytes"
        );
        for t in from..to {
            if marks(t) && t > from {
                restored.mark().unwrap();
            }
            assert_eq!(step(&mut restored, &lines[t]), expected[t], "from row {from}, at {t}: {}", lines[t]);
        }
        assert!(to < lines.len() || saved(&mut restored) == last, "from row {from}");
    }
    // A session that is restored before every row.
    let mut restored = Session::<f32>::begin(settings, columns()).unwrap();
    for (t, line) in lines.iter().enumerate() {
        if marks(t) {
            restored.mark().unwrap();
        }
        restored = resumed(saved(&mut restored)).unwrap();
        assert_eq!(step(&mut restored, line), expected[t], "restored before each row, at {t}");
    }
    assert!(saved(&mut restored) == last);
    expected
}

#[test]
fn session_restored_at_any_row_continues_as_uninterrupted() {
    for (k, (task, horizon)) in [
        (TargetKind::Regression, 0),
        (TargetKind::Regression, 3),
        (TargetKind::Binary, 1),
        (TargetKind::Classes, 0),
        (TargetKind::Classes, 2),
    ]
    .into_iter()
    .enumerate()
    {
        let expected =
            check_resumed(&settings(task, horizon, |_| {}), &rows(task, 90, k as u64), |t| t % 31 == 20);
        assert!(
            expected.iter().any(|report| report.contains("predicted: Some")),
            "{task:?}, horizon {horizon}"
        );
        assert!(expected.iter().filter(|report| report.starts_with("Row(")).count() >= 9);
    }
}

#[test]
fn session_that_diverges_continues_as_uninterrupted_after_a_restore() {
    for (rate, marked) in [(40.0, true), (40.0, false), (1e30, true)] {
        let settings = settings(TargetKind::Regression, 1, |s| {
            (s.trainer, s.learning_rate, s.decay) = ("sgd".into(), rate, 0.0);
            s.readout = Some(ReadoutBy::Trainer);
        });
        let expected =
            check_resumed(&settings, &rows(TargetKind::Regression, 70, 9), |t| marked && t % 13 == 6);
        let diverged = expected.iter().filter(|report| report.starts_with("Diverged")).count();
        assert!((3..60).contains(&diverged), "{diverged} times at a rate of {rate}");
    }
}

/// Targets per stream, horizons, counts and scores are computed independently of the session.
#[test]
fn session_predictions_counts_and_scores_equal_those_of_the_rows() {
    for (task, horizon) in [
        (TargetKind::Regression, 0),
        (TargetKind::Regression, 2),
        (TargetKind::Classes, 0),
        (TargetKind::Classes, 3),
    ] {
        check_scores(task, horizon);
    }
}

fn check_scores(task: TargetKind, horizon: usize) {
    let mut session = Session::<f32>::begin(&settings(task, horizon, |_| {}), columns()).unwrap();
    let (mut classes, mut names) = (Vec::<String>::new(), Vec::<String>::new());
    let mut forecasts: Vec<Vec<Vec<f64>>> = vec![Vec::new(); 3];
    let (mut scored, mut learned, mut skipped) = (Vec::new(), 0, 0);
    let mut known = [false; 3];
    for text in rows(task, 120, 4) {
        let fields: Vec<_> = text.split(',').map(String::from).collect();
        let Ok(report) = session.row(line(&text)) else {
            session.skip(line(&text));
            skipped += 1;
            continue;
        };
        let place = |known: &mut Vec<String>, name: &String| {
            known.iter().position(|other| other == name).unwrap_or_else(|| {
                known.push(name.clone());
                known.len() - 1
            })
        };
        let stream = place(&mut names, &fields[0]);
        let target = match (fields[1].as_str(), task) {
            ("", _) => None,
            (text, TargetKind::Regression) => Some(TargetValue::Value(text.parse().unwrap())),
            _ => Some(TargetValue::Class(place(&mut classes, &fields[1]))),
        };
        assert_eq!((report.stream, report.target), (stream, target), "{text}");
        known[stream] |= target.is_some();
        if horizon > 0 && !known[stream] {
            assert_eq!((report.predicted, report.next), (None, None), "no prediction without a known target");
            continue;
        }
        let pending = &mut forecasts[stream];
        let predicted = match horizon {
            0 => report.predicted.map(<[f64]>::to_vec),
            h => (pending.len() >= h).then(|| pending[pending.len() - h].clone()),
        };
        assert_eq!(report.predicted.map(<[f64]>::to_vec), predicted, "{text}");
        assert_eq!(report.next.is_some(), horizon > 0);
        pending.push(report.next.unwrap_or_default().to_vec());
        if let (Some(target), Some(predicted)) = (target, predicted) {
            learned += 1;
            scored.push((target, predicted));
        }
    }
    let counts = session.counts();
    assert_eq!((counts.learned, counts.skipped, counts.diverged), (learned, skipped, 0));
    assert_eq!((session.position().rows, session.score().count()), (120, learned));
    assert!(skipped > 10 && learned > 50, "{skipped}, {learned}");
    // Not symmetric in target and prediction, over all rows and over the window of 9.
    for samples in [&scored[..], &scored[scored.len() - 9..]] {
        let of = |metric| match samples.len() {
            9 => session.score().recent(metric).unwrap(),
            _ => session.score().overall(metric).unwrap(),
        };
        check_metrics(task, samples, of);
    }
}

/// The first two metrics of a task by their formulas.
fn check_metrics(task: TargetKind, samples: &[(TargetValue, Vec<f64>)], found: impl Fn(Metric) -> f64) {
    let n = samples.len() as f64;
    let mean = |of: &dyn Fn(f64, &[f64]) -> f64| {
        let each = samples.iter().map(|(target, predicted)| match *target {
            TargetValue::Value(y) => of(y, predicted),
            TargetValue::Class(class) => of(class as f64, predicted),
        });
        each.sum::<f64>() / n
    };
    let same = |metric, expected| approx::assert_relative_eq!(found(metric), expected, max_relative = 1e-9);
    if task == TargetKind::Regression {
        same(Metric::Mae, mean(&|y, p| (y - p[0]).abs()));
        let center = mean(&|y, _| y);
        let (squared, variance) = (mean(&|y, p| (y - p[0]).powi(2)), mean(&|y, _| (y - center).powi(2)));
        same(Metric::Nrmse, (squared / variance).sqrt());
    } else {
        same(Metric::Accuracy, mean(&|k, p| f64::from(u8::from(p.iter().all(|p_k| *p_k <= p[k as usize])))));
        same(Metric::LogLoss, mean(&|k, p| -p[k as usize].ln()));
    }
}

/// A cut line is a bad row, for any content.
#[test]
fn session_given_a_cut_line_returns_a_row_error() {
    let mut session = session(|_| {});
    let cut = TextLine { text: b"1,50", number: 1, whole: false, ended: true };
    let RowError::Row(field_error) = session.row(cut).unwrap_err() else { panic!("expected a row error") };
    assert_eq!(field_error.to_string(), "expected a line of at most 1048576 bytes, got a longer one");
    assert_eq!(session.position().rows, 0);
    session.skip(cut);
    assert_eq!((session.position().rows, session.counts().skipped, session.counts().learned), (1, 1, 0));
    assert_eq!(session.position().crc, crc32fast::hash(b"1,50\n"));
}
