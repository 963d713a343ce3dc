use super::*;
use crate::archive::Archive;
use crate::stream::feed::Lines;

/// A row of a load that follows the hour.
fn text(rows: std::ops::Range<usize>) -> String {
    let load = |t: usize| 50.0 + 10.0 * (t as f64 * 0.26).sin();
    rows.map(|t| format!("{},{}\n", t % 24, load(t))).collect()
}

fn session(change: impl Fn(&mut Settings)) -> Session<f32> {
    let mut settings = Settings::new("load");
    (settings.units, settings.param_sparsity, settings.window) = (6, 0.5, 10);
    settings.feed.cyclic = vec!["hour:24".into()];
    change(&mut settings);
    Session::begin(&settings.resolved(), vec!["hour".into(), "load".into()]).unwrap()
}

fn feed(session: &mut Session<f32>, text: &str) -> Vec<String> {
    let mut lines = Lines::new(text.as_bytes());
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        said.push(format!("{:?}", session.row(line).unwrap()));
    }
    said
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
fn resumed_is_uninterrupted() {
    for horizon in [0, 3] {
        let mut whole = session(|s| s.feed.horizon = horizon);
        feed(&mut whole, &text(0..40));
        whole.mark().unwrap();
        feed(&mut whole, &text(40..70));
        let mut again = resumed(saved(&mut whole)).unwrap();
        assert_eq!(saved(&mut again), saved(&mut whole));
        assert_eq!(feed(&mut again, &text(70..150)), feed(&mut whole, &text(70..150)));
        assert_eq!(whole.roll_back().unwrap(), again.roll_back().unwrap());
        assert_eq!(feed(&mut again, &text(150..200)), feed(&mut whole, &text(150..200)));
        assert_eq!(saved(&mut again), saved(&mut whole));
    }
}

#[test]
fn a_row_that_does_not_fit_leaves_no_trace() {
    let (mut with, mut without) = (session(|s| s.feed.horizon = 2), session(|s| s.feed.horizon = 2));
    feed(&mut with, &text(0..20));
    feed(&mut without, &text(0..20));
    let before = saved(&mut with);
    for bad in ["1\n", "1,2,3\n", "x,1\n", ",1\n", "1,x\n", "1,inf\n", "NaN,1\n", "1,1e16\n", "\"1,2\n"] {
        let mut lines = Lines::new(bad.as_bytes());
        let trouble = with.row(lines.next_line().unwrap().unwrap()).unwrap_err();
        assert!(matches!(trouble, RowError::Row(_)), "{bad}: {trouble:?}");
        assert_eq!(saved(&mut with), before, "{bad}");
    }
    assert_eq!(feed(&mut with, &text(20..60)), feed(&mut without, &text(20..60)));
}

#[test]
fn a_missing_target_is_predicted_and_not_learned() {
    let mut session = session(|_| {});
    feed(&mut session, &text(0..20));
    let said = feed(&mut session, "5,\n");
    assert!(said[0].contains("target: None") && said[0].contains("predicted: Some"), "{}", said[0]);
    assert_eq!((session.counts().learned, session.position().rows, session.score().count()), (20, 21, 20));
}

#[test]
fn the_learner_rolls_back_and_begins_anew() {
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

/// Time has passed since the mark: what waited for its target then waits no longer.
#[test]
fn roll_back_with_a_horizon_begins_streams_afresh() {
    for streams in [1, 2] {
        let named = |rows: std::ops::Range<usize>| -> String {
            let names = ["a", "b"];
            rows.map(|t| format!("{},{},{}\n", names[t % streams], t % 24, 50.0 + t as f64)).collect()
        };
        let mut settings = Settings::new("load");
        (settings.units, settings.feed.horizon, settings.feed.streams) = (6, 1, streams);
        settings.feed.group = (streams > 1).then(|| "name".into());
        settings.feed.features = Some(vec!["hour".into()]);
        let columns = ["name", "hour", "load"].map(String::from).to_vec();
        let mut session = Session::<f32>::begin(&settings.resolved(), columns).unwrap();
        feed(&mut session, &named(0..30));
        session.mark().unwrap();
        let said = feed(&mut session, &named(30..40));
        assert!(said.iter().all(|said| said.contains("predicted: Some")), "{said:?}");
        session.roll_back().unwrap();
        let said = feed(&mut session, &named(40..44));
        for (row, said) in said.iter().enumerate() {
            let first = row < streams;
            assert_eq!(said.contains("predicted: None"), first, "{row}: {said}");
        }
    }
}

#[test]
fn a_learner_made_otherwise_begins_anew_as_it_was_made() {
    let settings = session(|_| {}).settings().clone();
    let make = |spec: &crate::learner::online::StreamLearnerSpec| StreamLearner::new(spec, 77);
    let mut made = Session::<f32>::with(&settings, vec!["hour".into(), "load".into()], make).unwrap();
    let weights = made.learner().weights().to_vec();
    feed(&mut made, &text(0..30));
    assert_ne!(made.learner().weights(), weights);
    let mut again = resumed(saved(&mut made)).unwrap();
    for session in [&mut made, &mut again] {
        session.reset().unwrap();
        assert_eq!(session.learner().weights(), weights);
    }
}

#[test]
fn a_wild_output_is_divergence() {
    let mut session = session(|s| {
        (s.trainer, s.learning_rate, s.decay) = ("sgd".into(), 1e6, 0.0);
        s.readout = Some(ReadoutBy::Trainer);
    });
    let text = text(0..50);
    let mut lines = Lines::new(text.as_bytes());
    let trouble = loop {
        let line = lines.next_line().unwrap().expect("it diverges");
        if let Err(trouble) = session.row(line) {
            break trouble;
        }
    };
    assert!(matches!(trouble, RowError::Diverged(_)), "{trouble:?}");
    let predicted = session.said().predicted.expect("it is said")[0];
    assert!((predicted - 50.0).abs() > 100.0, "as wild as it is: {predicted}");
    assert_eq!(session.score().count(), session.position().rows, "and scored");
}

#[test]
fn a_forecast_is_scored_even_where_learning_from_it_fails() {
    let mut session = session(|s| {
        (s.trainer, s.learning_rate, s.decay, s.feed.horizon) = ("sgd".into(), 1e38, 0.0, 1);
        s.readout = Some(ReadoutBy::Trainer);
    });
    let text = text(0..50);
    let mut lines = Lines::new(text.as_bytes());
    let mut forecast = None;
    while let Some(line) = lines.next_line().unwrap() {
        match session.row(line) {
            Ok(said) => forecast = said.next.map(<[f64]>::to_vec),
            Err(_) => break,
        }
    }
    assert!(session.position().rows < 50, "it diverges");
    assert_eq!(session.said().predicted, forecast.as_deref());
    assert_eq!(session.score().count(), session.position().rows - 1);
}

#[test]
fn settings_know_their_names() {
    let settings = Settings::new("load");
    let mut others = serde_json::Map::new();
    others.insert("units".into(), 7.into());
    others.insert("outlier-limit".into(), serde_json::Value::Null);
    let laid = settings.overlaid(&others).unwrap();
    assert_eq!((laid.units, laid.feed.outlier_limit), (7, None));
    assert!(laid.check_same(&others).is_ok());
    let said = settings.check_same(&others).unwrap_err().to_string();
    assert!(said.contains("as in the checkpoint"), "{said}");
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
fn nonsense_is_an_error() {
    let mut session = session(|s| s.feed.horizon = 1);
    feed(&mut session, &text(0..20));
    let bytes = saved(&mut session);
    for cut in 0..bytes.len() {
        assert!(resumed(bytes[..cut].to_vec()).is_err(), "cut at {cut}");
    }
}

#[test]
fn session_rolled_back_begins_its_streams_afresh() {
    let mut session = session(|s| s.feed.horizon = 1);
    feed(&mut session, &text(0..30));
    session.mark().unwrap();
    assert!(!feed(&mut session, &text(30..31))[0].contains("predicted: None"), "it was forecast");
    session.roll_back().unwrap();
    let said = feed(&mut session, &text(31..33));
    assert!(said[0].contains("predicted: None"), "the forecast of row 30 is not of this row: {}", said[0]);
    assert!(!said[1].contains("predicted: None"), "{}", said[1]);
}
mod differential;
mod divergence;
mod settings;
