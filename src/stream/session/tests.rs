use super::*;
use crate::archive::Archive;
use crate::stream::feed::LineReader;

/// Rows of a load that depends on the hour.
fn text(rows: std::ops::Range<usize>) -> String {
    let load = |t: usize| 50.0 + 10.0 * (t as f64 * 0.26).sin();
    rows.map(|t| format!("{},{}\n", t % 24, load(t))).collect()
}

fn session(change: impl Fn(&mut Settings)) -> Session<f32> {
    let mut settings = Settings::new("load");
    (settings.units, settings.param_sparsity, settings.window) = (6, 0.5, 10);
    settings.rows.cyclic = vec!["hour:24".into()];
    change(&mut settings);
    Session::begin(&settings.resolved(), vec!["hour".into(), "load".into()]).unwrap()
}

fn feed(session: &mut Session<f32>, text: &str) -> Vec<String> {
    let mut lines = LineReader::new(text.as_bytes());
    let mut reports = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        reports.push(format!("{:?}", session.row(line).unwrap()));
    }
    reports
}

fn saved(session: &mut Session<f32>) -> Vec<u8> {
    let mut archive = Archive::writer();
    session.save(&mut archive).unwrap();
    archive.into_bytes()
}

fn resumed(bytes: Vec<u8>) -> Result<Session<f32>> {
    let mut archive = Archive::reader(bytes);
    let (settings, columns) = peek(&mut archive)?;
    let session = Session::resume(&settings, columns, &mut archive)?;
    archive.finish()?;
    Ok(session)
}

#[test]
fn session_resumed_continues_as_uninterrupted() {
    for horizon in [0, 3] {
        let mut whole = session(|s| s.rows.horizon = horizon);
        feed(&mut whole, &text(0..40));
        whole.mark().unwrap();
        feed(&mut whole, &text(40..70));
        let mut restored = resumed(saved(&mut whole)).unwrap();
        assert_eq!(saved(&mut restored), saved(&mut whole));
        assert_eq!(feed(&mut restored, &text(70..150)), feed(&mut whole, &text(70..150)));
        assert_eq!(whole.roll_back().unwrap(), restored.roll_back().unwrap());
        assert_eq!(feed(&mut restored, &text(150..200)), feed(&mut whole, &text(150..200)));
        assert_eq!(saved(&mut restored), saved(&mut whole));
    }
}

#[test]
fn session_given_a_bad_row_keeps_its_state() {
    let (mut with, mut without) = (session(|s| s.rows.horizon = 2), session(|s| s.rows.horizon = 2));
    feed(&mut with, &text(0..20));
    feed(&mut without, &text(0..20));
    let before = saved(&mut with);
    for bad in ["1\n", "1,2,3\n", "x,1\n", ",1\n", "1,x\n", "1,inf\n", "NaN,1\n", "1,1e16\n", "\"1,2\n"] {
        let mut lines = LineReader::new(bad.as_bytes());
        let error = with.row(lines.next_line().unwrap().unwrap()).unwrap_err();
        assert!(matches!(error, RowError::Row(_)), "{bad}: {error:?}");
        assert_eq!(saved(&mut with), before, "{bad}");
    }
    assert_eq!(feed(&mut with, &text(20..60)), feed(&mut without, &text(20..60)));
}

#[test]
fn session_given_a_missing_target_predicts_without_learning() {
    let mut session = session(|_| {});
    feed(&mut session, &text(0..20));
    let reports = feed(&mut session, "5,\n");
    assert!(reports[0].contains("target: None") && reports[0].contains("predicted: Some"), "{}", reports[0]);
    assert_eq!((session.counts().learned, session.position().rows, session.score().count()), (20, 21, 20));
}

#[test]
fn session_roll_back_and_reset_restore_weights() {
    let mut session = session(|_| {});
    assert!(session.roll_back().is_err());
    let weights = session.learner().weights().to_vec();
    feed(&mut session, &text(0..30));
    session.mark().unwrap();
    let marked = session.learner().weights().to_vec();
    feed(&mut session, &text(30..60));
    assert_eq!(session.roll_back().unwrap(), 30);
    assert_eq!(session.learner().weights(), marked);
    session.reset().unwrap();
    assert_eq!(session.learner().weights(), weights);
    assert_eq!((session.counts().diverged, session.position().rows), (2, 60));
}

/// A rollback drops predictions whose targets are not yet known.
#[test]
fn session_rolled_back_with_a_horizon_resets_its_streams() {
    for streams in [1, 2] {
        let named = |rows: std::ops::Range<usize>| -> String {
            let names = ["a", "b"];
            rows.map(|t| format!("{},{},{}\n", names[t % streams], t % 24, 50.0 + t as f64)).collect()
        };
        let mut settings = Settings::new("load");
        (settings.units, settings.rows.horizon, settings.rows.streams) = (6, 1, streams);
        settings.rows.group = (streams > 1).then(|| "name".into());
        settings.rows.features = Some(vec!["hour".into()]);
        let columns = ["name", "hour", "load"].map(String::from).to_vec();
        let mut session = Session::<f32>::begin(&settings.resolved(), columns).unwrap();
        feed(&mut session, &named(0..30));
        session.mark().unwrap();
        let reports = feed(&mut session, &named(30..40));
        assert!(reports.iter().all(|report| report.contains("predicted: Some")), "{reports:?}");
        session.roll_back().unwrap();
        let reports = feed(&mut session, &named(40..44));
        for (row, report) in reports.iter().enumerate() {
            let first = row < streams;
            assert_eq!(report.contains("predicted: None"), first, "{row}: {report}");
        }
    }
}

#[test]
fn session_with_a_given_learner_resets_to_its_first_weights() {
    let settings = session(|_| {}).settings().clone();
    let make = |spec: &crate::learner::online::StreamLearnerSpec| StreamLearner::new(spec, 77);
    let mut made = Session::<f32>::with(&settings, vec!["hour".into(), "load".into()], make).unwrap();
    let weights = made.learner().weights().to_vec();
    feed(&mut made, &text(0..30));
    assert_ne!(made.learner().weights(), weights);
    let mut restored = resumed(saved(&mut made)).unwrap();
    for session in [&mut made, &mut restored] {
        session.reset().unwrap();
        assert_eq!(session.learner().weights(), weights);
    }
}

#[test]
fn session_with_a_large_output_reports_divergence() {
    let mut session = session(|s| {
        (s.trainer, s.learning_rate, s.decay) = ("sgd".into(), 1e6, 0.0);
        s.readout = Some(ReadoutBy::Trainer);
    });
    let text = text(0..50);
    let mut lines = LineReader::new(text.as_bytes());
    let error = loop {
        let line = lines.next_line().unwrap().expect("the session diverges");
        if let Err(error) = session.row(line) {
            break error;
        }
    };
    assert!(matches!(error, RowError::Diverged(_)), "{error:?}");
    let predicted = session.report().predicted.expect("the prediction is reported")[0];
    assert!((predicted - 50.0).abs() > 100.0, "expected a large error, got {predicted}");
    assert_eq!(session.score().count(), session.position().rows, "the prediction is scored");
}

#[test]
fn session_with_a_failing_update_scores_its_prediction() {
    let mut session = session(|s| {
        (s.trainer, s.learning_rate, s.decay, s.rows.horizon) = ("sgd".into(), 1e38, 0.0, 1);
        s.readout = Some(ReadoutBy::Trainer);
    });
    let text = text(0..50);
    let mut lines = LineReader::new(text.as_bytes());
    let mut forecast = None;
    while let Some(line) = lines.next_line().unwrap() {
        match session.row(line) {
            Ok(report) => forecast = report.next.map(<[f64]>::to_vec),
            Err(_) => break,
        }
    }
    assert!(session.position().rows < 50, "expected divergence");
    assert_eq!(session.report().predicted, forecast.as_deref());
    assert_eq!(session.score().count(), session.position().rows - 1);
}

#[test]
fn settings_overlaid_by_name_change_or_return_an_error() {
    let settings = Settings::new("load");
    let mut others = serde_json::Map::new();
    others.insert("units".into(), 7.into());
    others.insert("outlier-limit".into(), serde_json::Value::Null);
    let overlaid = settings.overlaid(&others).unwrap();
    assert_eq!((overlaid.units, overlaid.rows.outlier_limit), (7, None));
    assert!(overlaid.check_same(&others).is_ok());
    let message = settings.check_same(&others).unwrap_err().to_string();
    assert!(message.contains("as in the checkpoint"), "{message}");
    others.insert("unit".into(), 7.into());
    assert!(settings.overlaid(&others).is_err());
    for (name, value) in [("target-kind", "x"), ("precision", "f16"), ("format", "xml"), ("metrics", "mae")] {
        let others = [(name.to_string(), value.into())].into_iter().collect();
        assert!(settings.overlaid(&others).is_err(), "{name}");
    }
    let text = serde_json::to_string(&settings.as_map()).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

#[test]
fn session_resume_of_cut_bytes_is_an_error() {
    let mut session = session(|s| s.rows.horizon = 1);
    feed(&mut session, &text(0..20));
    let bytes = saved(&mut session);
    for cut in 0..bytes.len() {
        assert!(resumed(bytes[..cut].to_vec()).is_err(), "cut at {cut}");
    }
}

#[test]
fn session_rolled_back_makes_no_prediction_for_the_next_row() {
    let mut session = session(|s| s.rows.horizon = 1);
    feed(&mut session, &text(0..30));
    session.mark().unwrap();
    assert!(!feed(&mut session, &text(30..31))[0].contains("predicted: None"), "expected a prediction");
    session.roll_back().unwrap();
    let reports = feed(&mut session, &text(31..33));
    assert!(
        reports[0].contains("predicted: None"),
        "the prediction made at row 30 is dropped: {}",
        reports[0]
    );
    assert!(!reports[1].contains("predicted: None"), "{}", reports[1]);
}
mod differential;
mod divergence;
mod settings;
