//! Non-finite inputs and targets are errors without effect on the weights.

use super::*;

#[test]
fn learner_non_finite_value_is_an_error_and_next_steps_learn() {
    for cell in ["egru", "event-rnn", "gru", "rnn"] {
        for rule in rule::registry::<f64>() {
            for value in [f64::NAN, f64::INFINITY] {
                let mut spec = spec();
                spec.model.network.layers[0].cell = cell.into();
                spec.model.loss = Loss::SquaredError;
                spec.update = Update::Steps(1);
                spec.model.rule = rule.name.clone();
                let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
                for t in 0..9 {
                    learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0]))).unwrap();
                }
                let before = learner.weights().to_vec();
                let (finite, non_finite) = ([0.0, 1.0], [value, 1.0]);
                let cases = [
                    ([1.0, value], None, "input"),
                    ([value, 1.0], Some(Target::Values(&finite)), "input"),
                    ([1.0, 1.0], Some(Target::Values(&non_finite)), "loss"),
                ];
                for (k, (x, target, expected)) in cases.into_iter().cycle().take(12).enumerate() {
                    // After k finite steps without a target.
                    for t in 0..k {
                        learner.step(&[0.5, t as f64], None).unwrap();
                    }
                    let error = learner.step(&x, target).unwrap_err();
                    assert!(
                        matches!(error, Error::NotFinite { what, .. } if what == expected),
                        "{cell}: {error}"
                    );
                    assert_eq!(learner.weights(), before, "a non-finite value changed the weights");
                }
                // No later step fails, beyond the length of any block or window.
                for t in 0..20 {
                    let result = learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0])));
                    result.unwrap_or_else(|error| panic!("{cell} {}: {error}", rule.name));
                }
                assert_ne!(
                    learner.weights(),
                    before,
                    "{cell} {}: expected weight updates after the error",
                    rule.name
                );
                assert!(learner.weights().iter().all(|w| w.is_finite()));
                learner.end_sequence().unwrap();
            }
        }
    }
}

/// The next step after a non-finite value has a target, so that its gradient reads the steps of a
/// block, a window or a tape at once.
#[test]
fn learner_target_after_non_finite_value_is_learned() {
    let rules = rule::registry::<f64>().into_iter().map(|rule| rule.name);
    for rule in rules.chain(["rtrl-blocked-17", "rtrl-blocked-33"].map(String::from)) {
        for (cell, mask) in [("egru", 0.0), ("egru", 0.8), ("event-rnn", 0.4), ("gru", 0.4), ("rnn", 0.0)] {
            for value in [f64::NAN, f64::INFINITY] {
                let mut spec = SequenceLearnerSpec { update: Update::Steps(1), ..spec() };
                spec.model.loss = Loss::SquaredError;

                spec.model.network.layers[0].cell = cell.into();
                (spec.model.rule, spec.model.mask.sparsity) = (rule.clone(), mask);
                let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
                for k in (0..9).chain([15, 16, 17, 18]) {
                    for t in 0..k {
                        learner.step(&[0.5, t as f64], None).unwrap();
                    }
                    learner.step(&[value, value], None).unwrap_err();
                    for t in 0..3 {
                        let result = learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0])));
                        result
                            .unwrap_or_else(|error| panic!("{rule} on {cell}, {k} steps, {value}: {error}"));
                    }
                    assert!(learner.weights().iter().all(|w| w.is_finite()));
                    learner.end_sequence().unwrap();
                }
            }
        }
    }
}

#[test]
fn batch_with_non_finite_value_does_not_affect_next_batch() {
    let non_finite = Sequence { inputs: vec![f64::NAN; 20], ..sequence(1, 10) };
    let finite = sequence(2, 10);
    let mut learner = SequenceLearner::<f64>::new(&spec(), 1).unwrap();
    assert!(learner.train(&[&non_finite], LossAt::Last).is_err());
    let tally = learner.train(&[&finite], LossAt::Last).unwrap();
    let mut other = SequenceLearner::<f64>::new(&spec(), 1).unwrap();
    assert_eq!(tally, other.train(&[&finite], LossAt::Last).unwrap());
    assert_eq!(learner.weights(), other.weights());
}
