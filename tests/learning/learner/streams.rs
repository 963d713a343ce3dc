//! What belongs to one stream or one sequence, and what a reference rule measures.

use super::*;

#[test]
fn a_sequence_that_has_ended_is_forgotten() {
    let mut learner =
        SequenceLearner::<f64>::new(&SequenceLearnerSpec { learning_rate: 1e-300, ..spec() }, 1).unwrap();
    let mut said = || {
        for t in 0..6 {
            learner.step(&[t as f64, 1.0], Some(Target::Class(0))).unwrap();
        }
        let output = learner.output().to_vec();
        learner.end_sequence().unwrap();
        output
    };
    assert_eq!(said(), said());
}

#[test]
fn what_steps_have_gathered_does_not_leak_into_a_batch() {
    let fresh = |steps: usize| {
        let mut learner = SequenceLearner::<f64>::new(&spec(), 1).unwrap();
        for _ in 0..steps {
            learner.step(&[1.0, 2.0], Some(Target::Class(1))).unwrap();
        }
        let tally = learner.train(&[&sequence(1, 10)], LossAt::Last).unwrap();
        (tally.steps, learner.parameters().to_vec())
    };
    assert_eq!(fresh(0), fresh(5));
}

/// The mean over streams averages noise out only if each stream draws its own.
#[test]
fn streams_draw_noise_of_their_own() {
    let trained = |rule: &str, streams: usize| {
        let spec = SequenceLearnerSpec { rule: rule.into(), streams, ..spec() };
        let mut learner = SequenceLearner::<f64>::new(&spec, 5).unwrap();
        let data = sequence(1, 10);
        learner.train(&vec![&data; streams], LossAt::Every { burn_in: 0 }).unwrap();
        learner.parameters().to_vec()
    };
    // The mean of two equal gradients is the gradient.
    assert_eq!(trained("rtrl", 1), trained("rtrl", 2));
    let (one, two, four) = (trained("uoro", 1), trained("uoro", 2), trained("uoro", 4));
    assert!(one != two && two != four);
}

#[test]
fn a_shadow_tells_exact_rules_from_others_and_changes_nothing() {
    let run = |rule: &str, reference_rule: Option<&str>| {
        let spec = SequenceLearnerSpec {
            rule: rule.into(),
            reference_rule: reference_rule.map(String::from),
            ..spec()
        };
        let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
        let tally = learner.train(&[&sequence(1, 10)], LossAt::Every { burn_in: 0 }).unwrap();
        (tally, learner.parameters().to_vec())
    };
    for entry in rule::registry::<f64>() {
        let (plain, shadowed) = (run(&entry.name, None), run(&entry.name, Some("bptt")));
        assert_eq!(plain.1, shadowed.1, "{}", entry.name);
        assert_eq!(plain.0.macs, shadowed.0.macs, "a reference_rule's work is not counted");
        let (cosine, error) = (shadowed.0.gradient_cosine(), shadowed.0.gradient_error());
        if entry.claim == rule::Claim::Exact {
            assert!((cosine - 1.0).abs() < 1e-12 && error < 1e-10, "{}: {cosine}, {error}", entry.name);
        } else {
            assert!(cosine < 1.0 - 1e-6 && error > 1e-3, "{}: {cosine}, {error}", entry.name);
        }
    }
}

#[test]
fn a_continuous_stream_goes_on_where_the_last_sequence_ended() {
    // The first half has no target, so that nothing is learned before the end of the second.
    let whole = sequence(2, 21);
    let part = |from: usize, to: usize| Sequence {
        inputs: whole.inputs[2 * from..2 * to].to_vec(),
        width: 2,
        classes: (from..to).map(|t| whole.classes[t].filter(|_| t == 20)).collect(),
        judged_from: to - from,
    };
    for name in ["rtrl", "rtrl-dense", "snap-2", "tbptt-8", "rflo"] {
        let learned = |parts: &[(usize, usize)], continuous| {
            let spec = SequenceLearnerSpec { rule: name.into(), continuous, ..spec() };
            let mut learner = SequenceLearner::<f64>::new(&spec, 7).unwrap();
            for &(from, to) in parts {
                learner.train(&[&part(from, to)], LossAt::Last).unwrap();
            }
            learner.parameters().to_vec()
        };
        let at_once = learned(&[(0, 21)], false);
        assert_eq!(learned(&[(0, 11), (11, 21)], true), at_once, "{name}");
        assert_ne!(learned(&[(0, 11), (11, 21)], false), at_once, "{name}: a reset is noticed");
    }
}

#[test]
fn a_rule_that_grows_is_refused_on_an_endless_stream() {
    for spec in [
        SequenceLearnerSpec { rule: "bptt".into(), continuous: true, ..spec() },
        SequenceLearnerSpec { reference_rule: Some("bptt".into()), continuous: true, ..spec() },
    ] {
        let said = spec.check().unwrap_err().to_string();
        assert!(said.contains("does not grow") && said.contains("bptt"), "{said}");
    }
}
