//! Numbers that are not finite: nothing is learned from them, and good ones can follow at once.

use super::*;

#[test]
fn bad_numbers_are_noticed_and_good_ones_can_follow_at_once() {
    for cell in ["egru", "event-rnn", "gru", "rnn"] {
        for rule in rule::registry::<f64>() {
            for bad in [f64::NAN, f64::INFINITY] {
                let mut spec = spec();
                spec.network.layers[0].cell = cell.into();
                spec.loss = Loss::SquaredError;
                spec.update = Update::Steps(1);
                spec.rule = rule.name.clone();
                let fresh = || SequenceLearner::<f64>::new(&spec, 1).unwrap();
                let mut learner = fresh();
                for t in 0..9 {
                    learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0]))).unwrap();
                }
                let before = learner.parameters().to_vec();
                let (good, ruined) = ([0.0, 1.0], [bad, 1.0]);
                let cases = [
                    ([1.0, bad], None, "input"),
                    ([bad, 1.0], Some(Target::Values(&good)), "input"),
                    ([1.0, 1.0], Some(Target::Values(&ruined)), "loss"),
                ];
                for (k, (x, target, expected)) in cases.into_iter().cycle().take(12).enumerate() {
                    // After some good steps, more or fewer of them, without a target.
                    for t in 0..k {
                        learner.step(&[0.5, t as f64], None).unwrap();
                    }
                    let said = learner.step(&x, target).unwrap_err();
                    assert!(
                        matches!(said, Error::NotFinite { what, .. } if what == expected),
                        "{cell}: {said}"
                    );
                    assert_eq!(learner.parameters(), before, "nothing was learned from it");
                }
                // And nothing of it is left: past the end of any block or window.
                for t in 0..20 {
                    let said = learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0])));
                    said.unwrap_or_else(|error| panic!("{cell} {}: {error}", rule.name));
                }
                assert_ne!(learner.parameters(), before, "{cell} {} goes on", rule.name);
                assert!(learner.parameters().iter().all(|w| w.is_finite()));
                learner.end_sequence().unwrap();
            }
        }
    }
}

/// What a bad number has left behind the steps of a block, a window or a tape is met at once if the next step has a target.
#[test]
fn a_target_right_after_a_bad_number_is_learned_from() {
    let rules = rule::registry::<f64>().into_iter().map(|rule| rule.name);
    for rule in rules.chain(["rtrl-blocked-17", "rtrl-blocked-33"].map(String::from)) {
        for (cell, mask) in [("egru", 0.0), ("egru", 0.8), ("event-rnn", 0.4), ("gru", 0.4), ("rnn", 0.0)] {
            for bad in [f64::NAN, f64::INFINITY] {
                let mut spec =
                    SequenceLearnerSpec { loss: Loss::SquaredError, update: Update::Steps(1), ..spec() };
                spec.network.layers[0].cell = cell.into();
                (spec.rule, spec.mask.sparsity) = (rule.clone(), mask);
                let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
                for k in (0..9).chain([15, 16, 17, 18]) {
                    for t in 0..k {
                        learner.step(&[0.5, t as f64], None).unwrap();
                    }
                    learner.step(&[bad, bad], None).unwrap_err();
                    for t in 0..3 {
                        let learned = learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0])));
                        learned.unwrap_or_else(|error| panic!("{rule} on {cell}, {k} steps, {bad}: {error}"));
                    }
                    assert!(learner.parameters().iter().all(|w| w.is_finite()));
                    learner.end_sequence().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_batch_with_a_bad_number_leaves_nothing_behind() {
    let bad = Sequence { inputs: vec![f64::NAN; 20], ..sequence(1, 10) };
    let good = sequence(2, 10);
    let mut learner = SequenceLearner::<f64>::new(&spec(), 1).unwrap();
    assert!(learner.train(&[&bad], LossAt::Last).is_err());
    let tally = learner.train(&[&good], LossAt::Last).unwrap();
    let mut untroubled = SequenceLearner::<f64>::new(&spec(), 1).unwrap();
    assert_eq!(tally, untroubled.train(&[&good], LossAt::Last).unwrap());
    assert_eq!(learner.parameters(), untroubled.parameters());
}
