//! Accuracy on sequences: what is judged, and where it begins.

use super::*;

#[test]
fn testing_counts_right_decisions_and_starts_every_sequence_afresh() {
    let mut learner = SequenceLearner::<f64>::new(&spec(), 3).unwrap();
    for k in 0..20 {
        learner.train(&[&sequence(k, 10)], LossAt::Every { burn_in: 0 }).unwrap();
    }
    let mut sequences: Vec<_> = (0..200).map(|k| sequence(k, 10)).collect();
    let (p, model) = (learner.model().network.wiring().parameters(), learner.model());
    let (w, w_out) = learner.parameters().split_at(p);
    let mut right = 0;
    for sequence in &mut sequences {
        let wiring = model.network.wiring();
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        let mut output = [0.0; 2];
        for t in 0..10 {
            model.network.forward(w, sequence.input(t), &state, &mut step);
            state.follow(&step);
        }
        model.readout.forward(w_out, &state.y[wiring.outputs()], &mut output);
        right += usize::from(usize::from(output[1] > output[0]) == sequence.classes[9].unwrap());
    }
    assert!((20..180).contains(&right), "some right, some wrong: {right}");
    assert_eq!(learner.test(&sequences), right as f64 / 200.0);
}

#[test]
fn a_continuous_learner_is_tested_without_resets_too() {
    let sequences: Vec<_> = (0..200).map(|k| sequence(k, 3)).collect();
    let mut noticed = false;
    for seed in 0..5 {
        let learner = |continuous| {
            SequenceLearner::<f64>::new(&SequenceLearnerSpec { continuous, ..spec() }, seed).unwrap()
        };
        let (with, without) = (learner(false).test(&sequences), learner(true).test(&sequences));
        // One by one, every sequence begins afresh either way.
        let alone = |s: &Sequence<f64>| learner(true).test(std::slice::from_ref(s));
        assert_eq!(sequences.iter().map(alone).sum::<f64>() / 200.0, with);
        noticed |= with != without;
    }
    assert!(noticed, "what came before a sequence changes some decision");
}

/// Weights given are tested in place of the learner's, which stay as they are.
#[test]
fn test_with_other_weights_gives_the_accuracy_of_a_learner_that_has_them() {
    let sequences: Vec<_> = (0..200).map(|k| sequence(k, 10)).collect();
    let learner = |seed| SequenceLearner::<f64>::new(&spec(), seed).unwrap();
    // One mask, so that weights of one learner fit the other.
    let (mut taught, untaught) = (learner(3), learner(3));
    for k in 0..20 {
        taught.train(&[&sequence(k, 10)], LossAt::Every { burn_in: 0 }).unwrap();
    }
    assert_ne!(taught.test(&sequences), untaught.test(&sequences));
    assert_eq!(untaught.test_with(taught.parameters(), &sequences), taught.test(&sequences));
    assert_eq!(untaught.parameters(), learner(3).parameters());
}

#[test]
#[should_panic(expected = "w must have p entries")]
fn test_with_too_few_weights_panics() {
    SequenceLearner::<f64>::new(&spec(), 3).unwrap().test_with(&[0.0], &[sequence(1, 10)]);
}
