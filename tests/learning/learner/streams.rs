//! Streams and sequences: reset, separate state, reference rules.

use super::*;
use sparse_rtrl::ModelSpec;

#[test]
fn learner_after_end_of_sequence_repeats_its_outputs() {
    let mut learner =
        SequenceLearner::<f64>::new(&SequenceLearnerSpec { learning_rate: 1e-300, ..spec() }, 1).unwrap();
    let mut outputs = || {
        for t in 0..6 {
            learner.step(&[t as f64, 1.0], Some(Target::Class(0))).unwrap();
        }
        let output = learner.output().to_vec();
        learner.end_sequence().unwrap();
        output
    };
    assert_eq!(outputs(), outputs());
}

#[test]
fn batch_after_steps_equals_batch_of_new_learner() {
    let trained = |steps: usize| {
        let mut learner = SequenceLearner::<f64>::new(&spec(), 1).unwrap();
        for _ in 0..steps {
            learner.step(&[1.0, 2.0], Some(Target::Class(1))).unwrap();
        }
        let tally = learner.train(&[&sequence(1, 10)], LossAt::Last).unwrap();
        (tally.steps, learner.weights().to_vec())
    };
    assert_eq!(trained(0), trained(5));
}

/// A mean over streams reduces noise only if their random numbers differ.
#[test]
fn streams_of_random_rule_draw_different_noise() {
    let trained = |rule: &str, streams: usize| {
        let mut spec = SequenceLearnerSpec { streams, ..spec() };
        spec.model.rule = rule.into();

        let mut learner = SequenceLearner::<f64>::new(&spec, 5).unwrap();
        let data = sequence(1, 10);
        learner.train(&vec![&data; streams], LossAt::Every { burn_in: 0 }).unwrap();
        learner.weights().to_vec()
    };
    // The mean of two equal gradients is the gradient.
    assert_eq!(trained("rtrl", 1), trained("rtrl", 2));
    let (one, two, four) = (trained("uoro", 1), trained("uoro", 2), trained("uoro", 4));
    assert!(one != two && two != four);
}

#[test]
fn reference_rule_separates_exact_rules_and_changes_no_weights() {
    let run = |rule: &str, reference_rule: Option<&str>| {
        let mut spec = SequenceLearnerSpec { reference_rule: reference_rule.map(String::from), ..spec() };
        spec.model.rule = rule.into();

        let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
        let tally = learner.train(&[&sequence(1, 10)], LossAt::Every { burn_in: 0 }).unwrap();
        (tally, learner.weights().to_vec())
    };
    for entry in rule::registry::<f64>() {
        let (plain, with_reference) = (run(&entry.name, None), run(&entry.name, Some("bptt")));
        assert_eq!(plain.1, with_reference.1, "{}", entry.name);
        assert_eq!(plain.0.macs, with_reference.0.macs, "MACs of the reference rule must not be counted");
        let (cosine, error) = (with_reference.0.gradient_cosine(), with_reference.0.gradient_error());
        if entry.claim == rule::Claim::Exact {
            assert!((cosine - 1.0).abs() < 1e-12 && error < 1e-10, "{}: {cosine}, {error}", entry.name);
        } else {
            assert!(cosine < 1.0 - 1e-6 && error > 1e-3, "{}: {cosine}, {error}", entry.name);
        }
    }
}

#[test]
fn continuous_stream_in_two_parts_equals_one_sequence() {
    // The first part has no target, so that there is no weight update before the end of the second.
    let whole = sequence(2, 21);
    let part = |from: usize, to: usize| Sequence {
        inputs: whole.inputs[2 * from..2 * to].to_vec(),
        width: 2,
        classes: (from..to).map(|t| whole.classes[t].filter(|_| t == 20)).collect(),
        judged_from: to - from,
    };
    for name in ["rtrl", "rtrl-dense", "snap-2", "tbptt-8", "rflo"] {
        let learned = |parts: &[(usize, usize)], continuous| {
            let mut spec = SequenceLearnerSpec { continuous, ..spec() };
            spec.model.rule = name.into();

            let mut learner = SequenceLearner::<f64>::new(&spec, 7).unwrap();
            for &(from, to) in parts {
                learner.train(&[&part(from, to)], LossAt::Last).unwrap();
            }
            learner.weights().to_vec()
        };
        let at_once = learned(&[(0, 21)], false);
        assert_eq!(learned(&[(0, 11), (11, 21)], true), at_once, "{name}");
        assert_ne!(
            learned(&[(0, 11), (11, 21)], false),
            at_once,
            "{name}: expected a reset to change the weights"
        );
    }
}

#[test]
fn continuous_stream_with_growing_rule_is_refused() {
    for spec in [
        SequenceLearnerSpec {
            model: ModelSpec { rule: "bptt".into(), ..spec().model },
            continuous: true,
            ..spec()
        },
        SequenceLearnerSpec { reference_rule: Some("bptt".into()), continuous: true, ..spec() },
    ] {
        let message = spec.check().unwrap_err().to_string();
        assert!(message.contains("does not grow") && message.contains("bptt"), "{message}");
    }
}
