//! Causality, and the equality of late and immediate targets.

use super::*;

#[test]
fn prediction_does_not_depend_on_later_rows() {
    for trainer in trainers() {
        for horizon in [0, 1, 5] {
            let spec = StreamLearnerSpec { horizon, ..spec(trainer.clone()) };
            let predictions = |disturbed_from: usize| -> Vec<u64> {
                let mut learner = StreamLearner::<f64>::new(&spec, 1).unwrap();
                let row = |t: usize| {
                    let disturbance = if t >= disturbed_from { 37.0 * (1.7 * t as f64).sin() } else { 0.0 };
                    let [a, b] = input(t);
                    // Without a horizon the target belongs to this row and is not an input.
                    ([a + disturbance, b], [signal(t) + disturbance])
                };
                let mut predict = |t| {
                    let (x, target) = row(t);
                    learner.step(&x, Some(Target::Values(&target))).unwrap().prediction[0].to_bits()
                };
                (0..120).map(&mut predict).collect()
            };
            let (undisturbed, disturbed) = (predictions(usize::MAX), predictions(80));
            assert_eq!(undisturbed[..80], disturbed[..80], "{trainer:?}, horizon {horizon}");
            assert_ne!(undisturbed[80..], disturbed[80..], "expected the disturbance to change predictions");
        }
    }
}

/// Without a horizon, the prediction for a row does not depend on the target of that row.
#[test]
fn prediction_does_not_depend_on_its_own_target() {
    for trainer in trainers() {
        let prediction_given = |last: f64| {
            let mut learner = StreamLearner::<f64>::new(&spec(trainer.clone()), 1).unwrap();
            run(&mut learner, 0..50, 1);
            learner.step(&input(50), Some(Target::Values(&[last]))).unwrap().prediction[0]
        };
        assert_eq!(prediction_given(50.0).to_bits(), prediction_given(1000.0).to_bits(), "{trainer:?}");
    }
}

/// Targets that arrive h steps late give the same weights as targets that arrive at once.
#[test]
fn learner_with_late_targets_equals_learner_with_immediate_targets() {
    for trainer in trainers() {
        let unscaled = StreamLearnerSpec {
            standardise: vec![false; 2],
            standardise_target: false,
            ..spec(trainer.clone())
        };
        let (late, at_once) = (StreamLearnerSpec { horizon: 6, ..unscaled.clone() }, unscaled);
        let (mut late, mut at_once) =
            (StreamLearner::<f64>::new(&late, 2).unwrap(), StreamLearner::<f64>::new(&at_once, 2).unwrap());
        let x = |t: usize| [0.1 * signal(t) - 5.0, 0.2 * (t % 7) as f64];
        let target = |t: usize| [0.1 * signal(t + 3) - 5.0];
        for t in 0..100 {
            let predicted = at_once.predict(&x(t)).unwrap()[0];
            let result = at_once.step(&x(t), Some(Target::Values(&target(t)))).unwrap();
            assert_eq!(
                result.prediction[0].to_bits(),
                predicted.to_bits(),
                "expected predict to equal the prediction of the step"
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
fn predict_and_missing_target_change_no_weights() {
    for trainer in trainers() {
        let mut learner = StreamLearner::<f64>::new(&spec(trainer), 5).unwrap();
        run(&mut learner, 0..30, 0);
        // `predict` changes the MACs only.
        let weights = learner.weights().to_vec();
        let first = learner.predict(&input(30)).unwrap()[0];
        assert_eq!(learner.predict(&input(30)).unwrap()[0].to_bits(), first.to_bits());
        assert_eq!(learner.learn(&input(30), None).unwrap(), None);
        assert_eq!(learner.weights(), weights);
        assert_eq!(learner.updates(), 30);
    }
}

/// Targets that arrive before the first step is due are included in the statistics of targets.
#[test]
fn target_before_first_due_step_is_in_statistics() {
    for horizon in [0, 1, 4] {
        let mut learner =
            StreamLearner::<f64>::new(&StreamLearnerSpec { horizon, ..spec(Trainer::default()) }, 5).unwrap();
        for t in 0..9u64 {
            let target = (t != 2).then_some([signal(t as usize)]);
            learner.learn(&input(t as usize), target.as_ref().map(|t| Target::Values(&t[..]))).unwrap();
            let arrived = t + 1 - u64::from(t >= 2);
            let (inputs, targets) = learner.scalers();
            assert_eq!((targets.moments()[0].count(), inputs.moments()[0].count()), (arrived, t + 1));
        }
        assert_eq!(learner.updates(), [8, 7, 5][[0, 1, 4].iter().position(|h| *h == horizon).unwrap()]);
    }
}

/// With a horizon of 3, `predicted` is the forecast of three rows before, since the last reset.
#[test]
fn predicted_after_reset_is_forecast_of_three_rows_before() {
    let mut learner =
        StreamLearner::<f64>::new(&StreamLearnerSpec { horizon: 3, ..spec(Trainer::default()) }, 5).unwrap();
    let mut row = 0;
    for part in [2usize, 5, 3, 20] {
        let mut forecasts = Vec::new();
        for t in 0..part {
            let due = learner.due(0).map(<[f64]>::to_vec);
            let result = learner.step(&input(row), Some(Target::Values(&[signal(row)]))).unwrap();
            let expected = t.checked_sub(3).map(|t| &forecasts[t]);
            assert_eq!(result.predicted.map(<[f64]>::to_vec).as_ref(), expected, "row {row}");
            assert_eq!(due.as_ref(), expected, "row {row}");
            assert_eq!(result.loss.is_some(), t >= 3, "row {row}");
            forecasts.push(result.prediction.to_vec());
            row += 1;
        }
        learner.reset(0);
        let mut writer = Archive::writer();
        learner.save(&mut writer).unwrap();
        StreamLearner::<f64>::restore(&mut Archive::reader(writer.into_bytes())).unwrap();
    }
}

/// Inputs and targets that are not standardised have no statistics.
#[test]
fn moments_of_values_not_standardised_are_empty() {
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
