//! Where divergence begins, and what there is after it.

use super::*;
use crate::learner::online::{StreamLearner, StreamLearnerSpec};

/// A session whose first output is that number: all weights 0 but the bias of the readout.
fn saying(output: f32) -> Session<f32> {
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
fn output_beyond_a_thousand_deviations_is_divergence() {
    for (output, fine) in [(1000.0, true), (-1000.0, true), (1000.1, false), (-1000.1, false), (0.0, true)] {
        let mut session = saying(output);
        let row = text(0..1);
        let line = Lines::new(row.as_bytes()).next_line().unwrap().map(|line| line.text.to_vec()).unwrap();
        let outcome = session.row(Line { text: &line, number: 1, whole: true, ended: true }).map(|_| ());
        match (outcome, fine) {
            (Ok(()), true) => {}
            (Err(RowError::Diverged(why)), false) => {
                assert_eq!(why, format!("an output of {output:.3e}, beyond ±1e3"));
            }
            (outcome, _) => panic!("{outcome:?} at an output of {output}"),
        }
        assert_eq!((session.position().rows, session.counts().learned), (1, 1));
        assert_eq!(session.counts().diverged, 0, "it counts once something is done about it");
    }
}

/// A rate that no weight survives: the update fails, and with it the step, but not what was forecast before it.
#[test]
fn forecast_stays_said_and_scored_where_its_update_fails() {
    let mut session = session(|s| {
        (s.trainer, s.learning_rate, s.decay, s.feed.horizon) = ("sgd".into(), 1e300, 0.0, 1);
        s.readout = Some(ReadoutBy::Trainer);
    });
    let row = |t: usize| text(t..t + 1).trim_end().to_string();
    let line = |text: &'static str| Line { text: text.as_bytes(), number: 1, whole: true, ended: true };
    let rows: Vec<&'static str> = (0..2).map(|t| &*row(t).leak()).collect();
    let forecast = session.row(line(rows[0])).unwrap().next.unwrap().to_vec();
    let Err(RowError::Diverged(why)) = session.row(line(rows[1])) else { panic!("it cannot learn") };
    assert!(why.contains("not finite"), "{why}");
    let said = session.said();
    assert_eq!((said.predicted, said.next, said.target.is_some()), (Some(&forecast[..]), None, true));
    assert_eq!((session.score().count(), session.counts().learned), (1, 0));
    // Of the next row there is no forecast, since the stream began afresh.
    assert_eq!(session.row(line(rows[0])).unwrap().predicted, None);
}

/// The learner is what it was at the mark, its streams begin afresh; what was read, scored and measured since then stays.
#[test]
fn rolled_back_session_has_the_marked_weights_and_fresh_streams() {
    let mut session = session(|s| s.feed.horizon = 2);
    feed(&mut session, &text(0..30));
    session.mark().unwrap();
    let (weights, updates) = (session.learner().weights().to_vec(), session.learner().updates());
    feed(&mut session, &text(30..50));
    let (position, scored, learned) = (session.position(), session.score().count(), session.counts().learned);
    assert_eq!(session.roll_back().unwrap(), 30);
    assert_eq!((session.learner().weights(), session.learner().updates()), (&weights[..], updates));
    assert_eq!((session.position(), session.score().count()), (position, scored));
    assert_eq!((session.counts().learned, session.counts().diverged), (learned, 1));
    // Two rows whose targets were predicted by nobody.
    for (t, known) in [(50, false), (51, false), (52, true), (53, true)] {
        let said = feed(&mut session, &text(t..t + 1)).remove(0);
        assert_eq!(said.contains("predicted: Some"), known, "row {t}: {said}");
    }
    assert_eq!(session.counts().learned, learned + 2);
    assert!(session.is_marked(), "the mark stays for the next time");
    assert_eq!((session.roll_back().unwrap(), session.counts().diverged), (30, 2));
    session.unmark();
    assert!(!session.is_marked() && session.roll_back().is_err());
}

#[test]
fn rolled_back_session_has_all_streams_fresh() {
    let columns = vec!["who".to_string(), "y".into()];
    let mut settings = Settings::new("y");
    (settings.units, settings.feed.horizon) = (4, 1);
    (settings.feed.group, settings.feed.streams) = (Some("who".into()), 3);
    let mut session = Session::<f32>::begin(&settings.resolved(), columns).unwrap();
    let rows = |from: usize| (from..from + 12).map(|t| format!("{},{}\n", ["a", "b", "c"][t % 3], t % 5));
    feed(&mut session, &rows(0).collect::<String>());
    session.mark().unwrap();
    feed(&mut session, &rows(12).collect::<String>());
    session.roll_back().unwrap();
    let said = feed(&mut session, &rows(24).collect::<String>());
    let known: Vec<_> = said.iter().map(|said| said.contains("predicted: Some")).collect();
    assert_eq!(known[..3], [false; 3], "each stream begins afresh");
    assert_eq!(known[3..], [true; 9]);
}

/// A mark of the very row of the checkpoint is the learner itself; another one is kept beside it.
#[test]
fn mark_survives_a_restore_at_its_row_and_later() {
    for later in [0, 7] {
        let mut whole = session(|s| s.feed.horizon = 1);
        feed(&mut whole, &text(0..25));
        whole.mark().unwrap();
        feed(&mut whole, &text(25..25 + later));
        let bytes = saved(&mut whole);
        let mut again = resumed(bytes).unwrap();
        assert!(again.is_marked());
        let more = text(25 + later..60);
        assert_eq!(feed(&mut again, &more), feed(&mut whole, &more));
        assert_eq!((again.roll_back().unwrap(), whole.roll_back().unwrap()), (25, 25));
        assert_eq!(feed(&mut again, &text(60..90)), feed(&mut whole, &text(60..90)));
        assert!(saved(&mut again) == saved(&mut whole), "{later} rows after the mark");
    }
}

/// The learner begins anew right after the mark: what is saved at that row is no longer what was marked.
#[test]
fn mark_survives_a_reset_at_its_row() {
    let mut whole = session(|_| {});
    feed(&mut whole, &text(0..25));
    whole.mark().unwrap();
    let marked = whole.learner().weights().to_vec();
    whole.reset().unwrap();
    let mut again = resumed(saved(&mut whole)).unwrap();
    for session in [&mut whole, &mut again] {
        assert_ne!(session.learner().weights(), marked);
        session.roll_back().unwrap();
        assert_eq!(session.learner().weights(), marked);
    }
}

#[test]
fn mark_at_the_row_of_the_checkpoint_is_not_saved_twice() {
    let size = |marked_at: usize| {
        let mut session = session(|_| {});
        feed(&mut session, &text(0..marked_at));
        session.mark().unwrap();
        feed(&mut session, &text(marked_at..40));
        saved(&mut session).len()
    };
    assert!(size(39) > size(40) * 3 / 2, "{} and {}", size(39), size(40));
}

/// A forecast is due once as many rows wait as the horizon is long, and it is the oldest of them.
#[test]
fn forecast_is_due_after_as_many_rows_as_the_horizon() {
    let mut session = session(|s| s.feed.horizon = 3);
    let mut forecasts: Vec<Vec<f64>> = Vec::new();
    for t in 0..8 {
        let due = session.learner().due(0).map(<[f64]>::to_vec);
        assert_eq!(due, (t >= 3).then(|| forecasts[t - 3].clone()), "before row {t}");
        let row = text(t..t + 1);
        let mut lines = Lines::new(row.as_bytes());
        let said = session.row(lines.next_line().unwrap().unwrap()).unwrap();
        assert_eq!(said.predicted.map(<[f64]>::to_vec), due);
        forecasts.push(said.next.unwrap().to_vec());
    }
}

#[test]
fn reset_session_learns_as_a_new_one_on_what_was_measured() {
    let mut session = session(|s| s.feed.horizon = 1);
    feed(&mut session, &text(0..30));
    session.reset().unwrap();
    assert_eq!((session.learner().updates(), session.learner().macs().total()), (0, 0));
    assert_eq!((session.counts().diverged, session.counts().learned, session.position().rows), (1, 29, 30));
    let said = feed(&mut session, &text(30..32));
    assert!(!said[0].contains("predicted: Some") && said[1].contains("predicted: Some"));
}
