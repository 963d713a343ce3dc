//! Settings by name: the learner that they yield, those that may change on resume, and their
//! ranges.

use super::*;
use crate::cell::ResetGate;
use crate::learner::online::{Grouping, LeastSquares, StreamLearnerSpec, Trainer};
use crate::params::MaskOn;
use crate::readout::Loss;
use crate::stream::feed::TargetKind;
use crate::stream::score::Metric;
use serde_json::{Map, Value, json};

fn columns() -> Vec<String> {
    ["hour", "load", "who"].map(String::from).into()
}

fn learner(change: impl Fn(&mut Settings)) -> Result<StreamLearnerSpec> {
    let mut settings = Settings::new("load");
    settings.rows.features = Some(vec!["hour".into()]);
    change(&mut settings);
    let settings = settings.resolved();
    settings.learner(&RowReader::new(&settings.rows, &columns())?)
}

fn message(change: impl Fn(&mut Settings)) -> String {
    learner(change).unwrap_err().to_string()
}

#[test]
fn settings_by_default_equal_those_of_the_manual() {
    let map = Settings::new("load").as_map();
    let expected: Value = serde_json::from_str(
        r#"{
        "target": "load", "horizon": 0, "target-kind": "regression", "classes": null, "features": null, "cyclic": [],
        "one-hot": [], "direct": [], "group": null, "streams": 1, "outlier-limit": 1000.0, "input-format": null,
        "delimiter": ",", "columns": null, "skip-lines": 0, "cell": "egru", "units": 32, "layers": 1,
        "reset-gate": "before", "gamma": 0.7, "epsilon": 0.5, "param-sparsity": 0.9, "mask": "recurrent", "rule": "rtrl", "trainer": "adam",
        "learning-rate": 0.01, "decay": 0.001, "clip": null, "variance": 1.0, "error-variance": 1.0,
        "forgetting": 0.9999, "noise": 0.0, "readout": null, "readout-variance": 1.0,
        "readout-forgetting": 0.9998, "error-clip": null, "precision": "f32", "seed": 0, "metrics": null,
        "window": 1000, "every": 1, "format": "csv"
    }"#,
    )
    .unwrap();
    assert_eq!(Value::Object(map), expected);
}

#[test]
fn settings_of_each_target_kind_have_matching_readout_loss_and_metrics() {
    let of = |task| {
        let mut settings = Settings::new("load");
        settings.rows.target_kind = task;
        let settings = settings.resolved();
        (settings.readout, settings.metrics().to_vec())
    };
    assert_eq!(of(TargetKind::Regression), (Some(ReadoutBy::Rls), vec![Metric::Mae, Metric::Nrmse]));
    let classes = (Some(ReadoutBy::Trainer), vec![Metric::Accuracy, Metric::LogLoss]);
    assert_eq!((of(TargetKind::Binary), of(TargetKind::Classes)), (classes.clone(), classes));
    let spec = learner(|_| {}).unwrap();
    assert_eq!((spec.model.loss, spec.model.outputs), (Loss::SquaredError, 1));
    assert_eq!(spec.least_squares, Some(LeastSquares { variance: 1.0, forgetting: 0.9998 }));
    let spec = learner(|s| s.rows.target_kind = TargetKind::Binary).unwrap();
    assert_eq!(
        (spec.model.loss, spec.model.outputs, spec.least_squares),
        (Loss::BinaryCrossEntropy, 1, None)
    );
    let spec =
        learner(|s| (s.rows.target_kind, s.rows.classes) = (TargetKind::Classes, Some("5".into()))).unwrap();
    assert_eq!((spec.model.loss, spec.model.outputs, spec.least_squares), (Loss::CrossEntropy, 5, None));
    // Given values are kept.
    let mut settings = Settings::new("load");
    (settings.readout, settings.metrics) = (Some(ReadoutBy::Trainer), Some(vec![Metric::Mape]));
    let settings = settings.resolved();
    assert_eq!((settings.readout, settings.metrics()), (Some(ReadoutBy::Trainer), &[Metric::Mape][..]));
}

/// Every setting of the learner differs from its default.
#[test]
fn settings_away_from_defaults_yield_the_expected_learner() {
    let spec = learner(|s| {
        (s.units, s.layers, s.cell, s.reset_gate) = (7, 2, "egru".into(), ResetGate::After);
        (s.gamma, s.epsilon) = (0.25, 0.75);
        (s.param_sparsity, s.mask, s.rule) = (0.25, MaskOn::All, "snap-2".into());
        (s.learning_rate, s.decay, s.clip, s.trainer) = (0.5, 0.25, Some(2.0), "sgd".into());
        (s.readout_variance, s.readout_forgetting, s.error_clip) = (4.0, 0.75, Some(3.0));
        (s.rows.horizon, s.rows.group, s.rows.streams) = (3, Some("who".into()), 5);
        (s.rows.features, s.rows.cyclic) = (None, vec!["hour:24".into()]);
        s.rows.direct = vec!["hour".into()];
    })
    .unwrap();
    let layers: Vec<_> = spec
        .model
        .network
        .layers
        .iter()
        .map(|l| (l.cell.as_str(), l.units, l.config.reset_gate, l.mask))
        .collect();
    assert_eq!(layers, [("egru", 7, ResetGate::After, None); 2]);
    let surrogate = spec.model.network.layers[0].config.surrogate;
    assert_eq!((surrogate.gamma, surrogate.epsilon), (0.25, 0.75));
    assert_eq!((spec.model.network.inputs, spec.direct, spec.model.network.trace), (1, 2, None));
    assert!(spec.echo && !spec.frozen && spec.standardise_target, "the readout reads inputs, and is trained");
    assert_eq!(
        (spec.model.mask.sparsity, spec.model.mask.on, spec.model.rule.as_str()),
        (0.25, MaskOn::All, "snap-2")
    );
    let trainer =
        Trainer::Gradient { optimiser: "sgd".into(), learning_rate: 0.5, decay: 0.25, clip: Some(2.0) };
    assert_eq!((spec.trainer, spec.error_clip), (trainer, Some(3.0)));
    assert_eq!(spec.least_squares, Some(LeastSquares { variance: 4.0, forgetting: 0.75 }));
    assert_eq!((spec.horizon, spec.streams, spec.standardise), (3, 5, vec![true, false, false]));
    assert!(learner(|s| s.readout = Some(ReadoutBy::Trainer)).unwrap().least_squares.is_none());
}

#[test]
fn settings_trainer_by_name_is_a_filter_or_none() {
    let of = |name: &str| {
        learner(|s| {
            s.trainer = name.into();
            (s.variance, s.error_variance, s.forgetting, s.noise) = (0.5, 0.25, 0.75, 0.125);
        })
        .map(|spec| spec.trainer)
    };
    let kalman = |grouping| Trainer::Kalman {
        grouping,
        variance: 0.5,
        error_variance: 0.25,
        forgetting: 0.75,
        noise: 0.125,
    };
    assert_eq!(of("kalman-node").unwrap(), kalman(Grouping::Node));
    assert_eq!(of("kalman-full").unwrap(), kalman(Grouping::Full));
    assert_eq!(of("none").unwrap(), Trainer::Untrained);
    assert!(of("kalman").is_err());
}

#[test]
fn settings_out_of_range_are_errors() {
    assert!(learner(|s| (s.window, s.every, s.layers) = (10_000_000, u64::MAX, 3)).is_ok());
    assert!(learner(|s| (s.window, s.every) = (0, 1)).is_ok());
    assert_eq!(message(|s| s.window = 10_000_001), "window: expected at most 10000000, got 10000001");
    assert!(message(|s| s.every = 0).starts_with("every: expected at least 1"));
    assert_eq!(message(|s| s.layers = 0), "layers: expected at least 1, got 0");
    assert_eq!(message(|s| s.layers = 1001), "layers: expected at most 1000, got 1001");
    assert_eq!(
        message(|s| s.metrics = Some(vec![Metric::Mae, Metric::LogLoss])),
        "metrics: expected some of mae, rmse, nrmse, mape, for this kind of target, got log-loss"
    );
    let binary =
        |s: &mut Settings| (s.rows.target_kind, s.metrics) = (TargetKind::Binary, Some(vec![Metric::Rmse]));
    assert_eq!(
        message(binary),
        "metrics: expected some of accuracy, log-loss, for this kind of target, got rmse"
    );
    for wrong in ['"', '\n', '\r', 'é', '…'] {
        assert!(message(|s| s.delimiter = wrong).starts_with("delimiter: expected one ASCII character"));
    }
    for (delimiter, byte) in [(';', b';'), ('\t', b'\t'), (' ', b' ')] {
        assert_eq!(Settings { delimiter, ..Settings::new("y") }.delimiter().unwrap(), byte);
    }
}

/// Tunable settings may change when a session is resumed; all others are refused.
#[test]
fn settings_retuned_accept_tunable_names_only() {
    assert_eq!(TUNABLE, ["outlier-limit", "learning-rate", "decay", "clip", "error-clip"]);
    let settings = session(|s| s.trainer = "sgd".into()).settings().clone();
    let one = |name: &str, value: Value| Map::from_iter([(name.to_string(), value)]);
    let mut changed = Map::new();
    for (name, value) in [
        ("outlier-limit", 5.0),
        ("learning-rate", 0.125),
        ("decay", 0.5),
        ("clip", 0.25),
        ("error-clip", 1.5),
    ] {
        changed.insert(name.into(), json!(value));
        assert_eq!(settings.retuned(&one(name, json!(value))).unwrap().as_map()[name], json!(value));
    }
    let names: Vec<String> = settings.as_map().keys().cloned().collect();
    let others = names.iter().filter(|name| !TUNABLE.contains(&name.as_str()));
    for name in others {
        let error = settings.retuned(&one(name, json!("another"))).unwrap_err().to_string();
        assert!(error.contains(name.as_str()) && error.contains("as in the checkpoint"), "{error}");
        assert!(settings.retuned(&one(name, settings.as_map()[name].clone())).is_ok(), "{name} unchanged");
    }
    assert!(
        settings.retuned(&one("units", json!(6.0))).is_ok(),
        "an integer may be written with a decimal point"
    );
    assert!(settings.retuned(&one("unit", json!(6))).is_err());

    check_resumed_session_uses_retuned_settings(&settings, &settings.retuned(&changed).unwrap());
}

/// A session that is saved with `settings` and resumed with `retuned` uses the new values, also
/// after a rollback and a reset.
fn check_resumed_session_uses_retuned_settings(settings: &Settings, retuned: &Settings) {
    let mut uninterrupted = session(|s| s.trainer = "sgd".into());
    feed(&mut uninterrupted, &text(0..120));
    uninterrupted.mark().unwrap();
    feed(&mut uninterrupted, &text(120..130));
    let bytes = saved(&mut uninterrupted);
    let resume = |settings: &Settings| {
        let mut archive = Archive::reader(bytes.clone());
        let (_, columns) = peek(&mut archive).unwrap();
        Session::<f32>::resume(settings, columns, &mut archive)
    };
    let mut restored = resume(retuned).unwrap();
    assert_eq!(restored.settings(), retuned);
    let expected =
        Trainer::Gradient { optimiser: "sgd".into(), learning_rate: 0.125, decay: 0.5, clip: Some(0.25) };
    let tuned = |session: &Session<f32>| {
        assert_eq!(session.learner().spec().trainer, expected);
        assert_eq!(session.learner().spec().error_clip, Some(1.5));
    };
    tuned(&restored);
    // A load beyond the new outlier limit of five deviations.
    let mut lines = LineReader::new(&b"1,95\n"[..]);
    let error = restored.row(lines.next_line().unwrap().unwrap()).unwrap_err();
    assert!(matches!(error, RowError::Row(_)), "{error:?}");
    // The learner after a rollback and the one after a reset use the new values as well.
    restored.roll_back().unwrap();
    tuned(&restored);
    restored.reset().unwrap();
    tuned(&restored);
    for wrong in [
        Settings { units: 7, ..settings.clone() },
        Settings { window: 9, ..settings.clone() },
        Settings { cell: "gru".into(), ..settings.clone() },
        Settings { variance: 2.0, trainer: "kalman-node".into(), ..settings.clone() },
    ] {
        assert!(resume(&wrong).is_err());
    }
}

#[test]
fn session_resumed_has_its_columns_and_format() {
    let mut settings = Settings::new("load");
    (settings.units, settings.delimiter, settings.input_format) = (3, ';', Some(Format::Jsonl));
    let json = Session::<f32>::begin(&settings.clone().resolved(), columns());
    assert!(json.is_ok());
    settings.input_format = Some(Format::Csv);
    settings.rows.features = Some(vec!["hour".into()]);
    let mut session = Session::<f32>::begin(&settings.resolved(), columns()).unwrap();
    feed(&mut session, "1;50;x\n2;51;y\n");
    let mut archive = Archive::reader(saved(&mut session));
    let (settings, columns) = peek(&mut archive).unwrap();
    assert_eq!((&settings, &columns[..]), (session.settings(), session.columns()));
    assert_eq!(columns, self::columns());
    let mut restored = Session::<f32>::resume(&settings, columns, &mut archive).unwrap();
    assert_eq!(restored.position().rows, 2);
    assert_eq!(feed(&mut restored, "3;52;z\n"), feed(&mut session, "3;52;z\n"));
}
