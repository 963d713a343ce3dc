//! Test accuracy of a learner.

use super::*;

#[test]
fn test_of_sequences_counts_correct_classes_with_reset_per_sequence() {
    let mut learner = SequenceLearner::<f64>::new(&spec(), 3).unwrap();
    for k in 0..20 {
        learner.train(&[&sequence(k, 10)], LossAt::Every { burn_in: 0 }).unwrap();
    }
    let mut sequences: Vec<_> = (0..200).map(|k| sequence(k, 10)).collect();
    let (p, model) = (learner.model().network.wiring().parameters(), learner.model());
    let (w, w_out) = learner.weights().split_at(p);
    let mut correct = 0;
    for sequence in &mut sequences {
        let wiring = model.network.wiring();
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        let mut output = [0.0; 2];
        for t in 0..10 {
            model.network.forward(w, sequence.input(t), &state, &mut step);
            state.follow(&step);
        }
        model.readout.forward(w_out, &state.y[wiring.outputs()], &mut output);
        correct += usize::from(usize::from(output[1] > output[0]) == sequence.classes[9].unwrap());
    }
    assert!(
        (20..180).contains(&correct),
        "expected both correct and wrong predictions, got {correct} correct"
    );
    assert_eq!(learner.test(&sequences), correct as f64 / 200.0);
}

#[test]
fn test_of_continuous_learner_does_not_reset() {
    let sequences: Vec<_> = (0..200).map(|k| sequence(k, 3)).collect();
    let mut differs = false;
    for seed in 0..5 {
        let learner = |continuous| {
            SequenceLearner::<f64>::new(&SequenceLearnerSpec { continuous, ..spec() }, seed).unwrap()
        };
        let (with, without) = (learner(false).test(&sequences), learner(true).test(&sequences));
        // Tested alone, every sequence starts from a reset state in both modes.
        let alone = |s: &Sequence<f64>| learner(true).test(std::slice::from_ref(s));
        assert_eq!(sequences.iter().map(alone).sum::<f64>() / 200.0, with);
        differs |= with != without;
    }
    assert!(differs, "expected the previous sequence to change the accuracy");
}

/// `test_with` uses the given weights and does not change those of the learner.
#[test]
fn test_with_other_weights_equals_test_of_their_learner() {
    let sequences: Vec<_> = (0..200).map(|k| sequence(k, 10)).collect();
    let learner = |seed| SequenceLearner::<f64>::new(&spec(), seed).unwrap();
    // Equal seeds, and therefore equal masks: weights of one learner fit the other.
    let (mut trained, untrained) = (learner(3), learner(3));
    for k in 0..20 {
        trained.train(&[&sequence(k, 10)], LossAt::Every { burn_in: 0 }).unwrap();
    }
    assert_ne!(trained.test(&sequences), untrained.test(&sequences));
    assert_eq!(untrained.test_with(trained.weights(), &sequences), trained.test(&sequences));
    assert_eq!(untrained.weights(), learner(3).weights());
}

#[test]
#[should_panic(expected = "w must have p entries")]
fn test_with_too_few_weights_panics() {
    SequenceLearner::<f64>::new(&spec(), 3).unwrap().test_with(&[0.0], &[sequence(1, 10)]);
}
