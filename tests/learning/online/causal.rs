//! Nothing of the future is used, and late targets teach what timely ones do.

use super::*;

#[test]
fn no_prediction_knows_the_future() {
    for trainer in trainers() {
        for horizon in [0, 1, 5] {
            let spec = StreamLearnerSpec { horizon, ..spec(trainer.clone()) };
            let said = |disturbed_from: usize| -> Vec<u64> {
                let mut learner = StreamLearner::<f64>::new(&spec, 1).unwrap();
                let row = |t: usize| {
                    let wild = if t >= disturbed_from { 37.0 * (1.7 * t as f64).sin() } else { 0.0 };
                    let [a, b] = input(t);
                    // Without a horizon the target belongs to the row itself, and is no input.
                    ([a + wild, b], [signal(t) + wild])
                };
                let mut predict = |t| {
                    let (x, target) = row(t);
                    learner.step(&x, Some(Target::Values(&target))).unwrap().prediction[0].to_bits()
                };
                (0..120).map(&mut predict).collect()
            };
            let (calm, wild) = (said(usize::MAX), said(80));
            assert_eq!(calm[..80], wild[..80], "{trainer:?}, horizon {horizon}");
            assert_ne!(calm[80..], wild[80..], "the disturbance is real");
        }
    }
}

/// Without a horizon, the target of a row is not known to the prediction it is held against.
#[test]
fn no_prediction_knows_its_own_target() {
    for trainer in trainers() {
        let said = |last: f64| {
            let mut learner = StreamLearner::<f64>::new(&spec(trainer.clone()), 1).unwrap();
            run(&mut learner, 0..50, 1);
            learner.step(&input(50), Some(Target::Values(&[last]))).unwrap().prediction[0]
        };
        assert_eq!(said(50.0).to_bits(), said(1000.0).to_bits(), "{trainer:?}");
    }
}

/// A learner whose targets arrive h steps late learns the same as one whose targets arrive at once.
#[test]
fn a_late_target_teaches_the_same() {
    for trainer in trainers() {
        let still = StreamLearnerSpec {
            standardise: vec![false; 2],
            standardise_target: false,
            ..spec(trainer.clone())
        };
        let (late, at_once) = (StreamLearnerSpec { horizon: 6, ..still.clone() }, still);
        let (mut late, mut at_once) =
            (StreamLearner::<f64>::new(&late, 2).unwrap(), StreamLearner::<f64>::new(&at_once, 2).unwrap());
        let x = |t: usize| [0.1 * signal(t) - 5.0, 0.2 * (t % 7) as f64];
        let target = |t: usize| [0.1 * signal(t + 3) - 5.0];
        for t in 0..100 {
            let predicted = at_once.predict(&x(t)).unwrap()[0];
            let answer = at_once.step(&x(t), Some(Target::Values(&target(t)))).unwrap();
            assert_eq!(
                answer.prediction[0].to_bits(),
                predicted.to_bits(),
                "looking ahead is the step itself"
            );
        }
        for t in 0..106usize {
            let before = target(t.saturating_sub(6));
            late.learn(&x(t), (t >= 6).then_some(Target::Values(&before))).unwrap();
        }
        assert_eq!(late.weights(), at_once.weights(), "{trainer:?}");
        assert_eq!(late.updates(), 100);
    }
}

#[test]
fn predicting_changes_nothing_and_a_missing_target_teaches_nothing() {
    for trainer in trainers() {
        let mut learner = StreamLearner::<f64>::new(&spec(trainer), 5).unwrap();
        run(&mut learner, 0..30, 0);
        // Work is counted, the rest is as it was.
        let weights = learner.weights().to_vec();
        let first = learner.predict(&input(30)).unwrap()[0];
        assert_eq!(learner.predict(&input(30)).unwrap()[0].to_bits(), first.to_bits());
        assert_eq!(learner.learn(&input(30), None).unwrap(), None);
        assert_eq!(learner.weights(), weights);
        assert_eq!(learner.updates(), 30);
    }
}

/// Targets that come before a step waits for them still say what targets are like.
#[test]
fn early_targets_are_measured() {
    for horizon in [0, 1, 4] {
        let mut learner =
            StreamLearner::<f64>::new(&StreamLearnerSpec { horizon, ..spec(Trainer::default()) }, 5).unwrap();
        for t in 0..9u64 {
            let target = (t != 2).then_some([signal(t as usize)]);
            learner.learn(&input(t as usize), target.as_ref().map(|t| Target::Values(&t[..]))).unwrap();
            let came = t + 1 - u64::from(t >= 2);
            let (inputs, targets) = learner.scalers();
            assert_eq!((targets.moments()[0].count(), inputs.moments()[0].count()), (came, t + 1));
        }
        assert_eq!(learner.updates(), [8, 7, 5][[0, 1, 4].iter().position(|h| *h == horizon).unwrap()]);
    }
}

/// With a horizon of three, `predicted` is what was said three rows before, and after a reset only of rows since.
#[test]
fn predicted_after_a_reset_is_the_forecast_of_three_rows_before() {
    let mut learner =
        StreamLearner::<f64>::new(&StreamLearnerSpec { horizon: 3, ..spec(Trainer::default()) }, 5).unwrap();
    let mut row = 0;
    for part in [2usize, 5, 3, 20] {
        let mut forecasts = Vec::new();
        for t in 0..part {
            let due = learner.due(0).map(<[f64]>::to_vec);
            let answer = learner.step(&input(row), Some(Target::Values(&[signal(row)]))).unwrap();
            let expected = t.checked_sub(3).map(|t| &forecasts[t]);
            assert_eq!(answer.predicted.map(<[f64]>::to_vec).as_ref(), expected, "row {row}");
            assert_eq!(due.as_ref(), expected, "row {row}");
            assert_eq!(answer.loss.is_some(), t >= 3, "row {row}");
            forecasts.push(answer.prediction.to_vec());
            row += 1;
        }
        learner.reset(0);
        let mut writer = Archive::writer();
        learner.save(&mut writer).unwrap();
        StreamLearner::<f64>::restore(&mut Archive::reader(writer.into_bytes())).unwrap();
    }
}

/// What is not standardised is passed on as it is, and not measured.
#[test]
fn moments_are_taken_of_what_is_standardised_only() {
    let mut spec = spec(Trainer::default());
    (spec.direct, spec.standardise) = (1, vec![false, true, false]);
    for (standardise_target, expected) in [(true, 6), (false, 0)] {
        spec.standardise_target = standardise_target;
        let mut learner = StreamLearner::<f64>::new(&spec, 5).unwrap();
        for t in 0..6 {
            learner.learn(&[signal(t), t as f64, 0.5], Some(Target::Values(&[signal(t)]))).unwrap();
        }
        let (inputs, targets) = learner.scalers();
        let counts = inputs.moments().iter().map(|m| m.count()).collect::<Vec<_>>();
        assert_eq!((counts, targets.moments()[0].count()), (vec![0, 6, 0], expected));
    }
}
