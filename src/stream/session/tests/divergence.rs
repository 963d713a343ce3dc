//! When a row counts as divergence, and the state after it.

use super::*;
use crate::learner::online::{StreamLearner, StreamLearnerSpec};

/// A session whose first output is `output`: all weights are 0 except the bias of the readout.
fn session_with_output(output: f32) -> Session<f32> {
    let settings = session(|_| {}).settings().clone();
    let make = |spec: &StreamLearnerSpec| {
        let drawn = StreamLearner::<f32>::new(spec, 1)?;
        let masks = drawn.network().wiring().layout().blocks().iter().map(|b| b.kept.clone()).collect();
        let mut weights = vec![0.0; drawn.weights().len()];
        *weights.last_mut().unwrap() = output;
        StreamLearner::with_weights(spec, 1, |_| Ok(masks), |_| Ok(weights))
    };
    Session::with(&settings, vec!["hour".into(), "load".into()], make).unwrap()
}

#[test]
fn session_with_an_output_beyond_1000_deviations_diverges() {
    for (output, valid) in [(1000.0, true), (-1000.0, true), (1000.1, false), (-1000.1, false), (0.0, true)] {
        let mut session = session_with_output(output);
        let row = text(0..1);
        let line =
            LineReader::new(row.as_bytes()).next_line().unwrap().map(|line| line.text.to_vec()).unwrap();
        let outcome = session.row(TextLine { text: &line, number: 1, whole: true, ended: true }).map(|_| ());
        match (outcome, valid) {
            (Ok(()), true) => {}
            (Err(RowError::Diverged(why)), false) => {
                assert_eq!(why, format!("an output of {output:.3e}, beyond ±1e3"));
            }
            (outcome, _) => panic!("{outcome:?} at an output of {output}"),
        }
        assert_eq!((session.position().rows, session.counts().learned), (1, 1));
        assert_eq!(session.counts().diverged, 0, "divergence is counted at the rollback or reset");
    }
}

/// The learning rate makes the weight update fail. The step is an error, but the earlier prediction
/// is reported and scored.
#[test]
fn session_with_a_failing_update_reports_and_scores_its_prediction() {
    let mut session = session(|s| {
        (s.trainer, s.learning_rate, s.decay, s.rows.horizon) = ("sgd".into(), 1e300, 0.0, 1);
        s.readout = Some(ReadoutBy::Trainer);
    });
    let row = |t: usize| text(t..t + 1).trim_end().to_string();
    let line = |text: &'static str| TextLine { text: text.as_bytes(), number: 1, whole: true, ended: true };
    let rows: Vec<&'static str> = (0..2).map(|t| &*row(t).leak()).collect();
    let forecast = session.row(line(rows[0])).unwrap().next.unwrap().to_vec();
    let Err(RowError::Diverged(why)) = session.row(line(rows[1])) else { panic!("expected divergence") };
    assert!(why.contains("not finite"), "{why}");
    let report = session.report();
    assert_eq!((report.predicted, report.next, report.target.is_some()), (Some(&forecast[..]), None, true));
    assert_eq!((session.score().count(), session.counts().learned), (1, 0));
    // The stream was reset, so there is no prediction for the next row.
    assert_eq!(session.row(line(rows[0])).unwrap().predicted, None);
}

/// A rollback restores the learner of the mark and resets the streams. Position, scores and moments
/// are kept.
#[test]
fn session_rolled_back_has_the_marked_weights_and_reset_streams() {
    let mut session = session(|s| s.rows.horizon = 2);
    feed(&mut session, &text(0..30));
    session.mark().unwrap();
    let (weights, updates) = (session.learner().weights().to_vec(), session.learner().updates());
    feed(&mut session, &text(30..50));
    let (position, scored, learned) = (session.position(), session.score().count(), session.counts().learned);
    assert_eq!(session.roll_back().unwrap(), 30);
    assert_eq!((session.learner().weights(), session.learner().updates()), (&weights[..], updates));
    assert_eq!((session.position(), session.score().count()), (position, scored));
    assert_eq!((session.counts().learned, session.counts().diverged), (learned, 1));
    // There is no prediction for the targets of two rows.
    for (t, known) in [(50, false), (51, false), (52, true), (53, true)] {
        let report = feed(&mut session, &text(t..t + 1)).remove(0);
        assert_eq!(report.contains("predicted: Some"), known, "row {t}: {report}");
    }
    assert_eq!(session.counts().learned, learned + 2);
    assert!(session.is_marked(), "the mark is kept");
    assert_eq!((session.roll_back().unwrap(), session.counts().diverged), (30, 2));
    session.unmark();
    assert!(!session.is_marked() && session.roll_back().is_err());
}

#[test]
fn session_rolled_back_resets_all_streams() {
    let columns = vec!["who".to_string(), "y".into()];
    let mut settings = Settings::new("y");
    (settings.units, settings.rows.horizon) = (4, 1);
    (settings.rows.group, settings.rows.streams) = (Some("who".into()), 3);
    let mut session = Session::<f32>::begin(&settings.resolved(), columns).unwrap();
    let rows = |from: usize| (from..from + 12).map(|t| format!("{},{}\n", ["a", "b", "c"][t % 3], t % 5));
    feed(&mut session, &rows(0).collect::<String>());
    session.mark().unwrap();
    feed(&mut session, &rows(12).collect::<String>());
    session.roll_back().unwrap();
    let reports = feed(&mut session, &rows(24).collect::<String>());
    let known: Vec<_> = reports.iter().map(|report| report.contains("predicted: Some")).collect();
    assert_eq!(known[..3], [false; 3], "each stream is reset");
    assert_eq!(known[3..], [true; 9]);
}

/// A mark at the row of the checkpoint is the saved learner itself; an earlier mark is saved in
/// addition.
#[test]
fn session_resumed_at_or_after_a_mark_keeps_it() {
    for later in [0, 7] {
        let mut whole = session(|s| s.rows.horizon = 1);
        feed(&mut whole, &text(0..25));
        whole.mark().unwrap();
        feed(&mut whole, &text(25..25 + later));
        let bytes = saved(&mut whole);
        let mut restored = resumed(bytes).unwrap();
        assert!(restored.is_marked());
        let more = text(25 + later..60);
        assert_eq!(feed(&mut restored, &more), feed(&mut whole, &more));
        assert_eq!((restored.roll_back().unwrap(), whole.roll_back().unwrap()), (25, 25));
        assert_eq!(feed(&mut restored, &text(60..90)), feed(&mut whole, &text(60..90)));
        assert!(saved(&mut restored) == saved(&mut whole), "{later} rows after the mark");
    }
}

/// After a reset at the row of the mark, the saved learner is not the marked one.
#[test]
fn session_reset_at_the_row_of_the_mark_keeps_it() {
    let mut whole = session(|_| {});
    feed(&mut whole, &text(0..25));
    whole.mark().unwrap();
    let marked = whole.learner().weights().to_vec();
    whole.reset().unwrap();
    let mut restored = resumed(saved(&mut whole)).unwrap();
    for session in [&mut whole, &mut restored] {
        assert_ne!(session.learner().weights(), marked);
        session.roll_back().unwrap();
        assert_eq!(session.learner().weights(), marked);
    }
}

#[test]
fn session_saved_at_the_row_of_the_mark_stores_one_learner() {
    let size = |marked_at: usize| {
        let mut session = session(|_| {});
        feed(&mut session, &text(0..marked_at));
        session.mark().unwrap();
        feed(&mut session, &text(marked_at..40));
        saved(&mut session).len()
    };
    assert!(size(39) > size(40) * 3 / 2, "{} and {}", size(39), size(40));
}

/// A prediction is due when the number of pending predictions equals the horizon. The oldest one is
/// due first.
#[test]
fn session_with_a_horizon_reports_each_prediction_that_many_rows_later() {
    let mut session = session(|s| s.rows.horizon = 3);
    let mut forecasts: Vec<Vec<f64>> = Vec::new();
    for t in 0..8 {
        let due = session.learner().due(0).map(<[f64]>::to_vec);
        assert_eq!(due, (t >= 3).then(|| forecasts[t - 3].clone()), "before row {t}");
        let row = text(t..t + 1);
        let mut lines = LineReader::new(row.as_bytes());
        let report = session.row(lines.next_line().unwrap().unwrap()).unwrap();
        assert_eq!(report.predicted.map(<[f64]>::to_vec), due);
        forecasts.push(report.next.unwrap().to_vec());
    }
}

#[test]
fn session_reset_has_a_new_learner_and_keeps_its_counts() {
    let mut session = session(|s| s.rows.horizon = 1);
    feed(&mut session, &text(0..30));
    session.reset().unwrap();
    assert_eq!((session.learner().updates(), session.learner().macs().total()), (0, 0));
    assert_eq!((session.counts().diverged, session.counts().learned, session.position().rows), (1, 29, 30));
    let reports = feed(&mut session, &text(30..32));
    assert!(!reports[0].contains("predicted: Some") && reports[1].contains("predicted: Some"));
}
