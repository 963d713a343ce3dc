//! When weights are updated, by how much, and within which limits.

use super::*;

#[test]
fn loss_counts_when_it_says() {
    let counted = |at: LossAt| (0..6).filter(|&t| at.counts(t, 6)).collect::<Vec<_>>();
    assert_eq!(counted(LossAt::Every { burn_in: 4 }), [4, 5]);
    assert_eq!(counted(LossAt::Every { burn_in: 0 }), [0, 1, 2, 3, 4, 5]);
    assert_eq!(counted(LossAt::Last), [5]);
}

#[test]
fn an_update_is_the_rate_times_the_mean_gradient_over_all_losses_of_the_batch() {
    for (clip, at) in [(None, LossAt::Every { burn_in: 2 }), (Some(1e-3), LossAt::Last)] {
        let spec = SequenceLearnerSpec { streams: 3, clip, ..spec() };
        let mut learner = SequenceLearner::<f64>::new(&spec, 7).unwrap();
        let before = learner.parameters().to_vec();
        let sequences: Vec<_> = (0..3).map(|k| sequence(k, 10)).collect();
        learner.train(&sequences.iter().collect::<Vec<_>>(), at).unwrap();

        let (mut sum, mut losses) = (vec![0.0; before.len()], 0.0);
        for sequence in &sequences {
            let (gradient, n) = gradient(&spec, 7, &before, sequence, at);
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
            losses += n;
        }
        let norm = sum.iter().map(|g| g * g).sum::<f64>().sqrt() / losses;
        let scale = clip.map_or(1.0, |clip: f64| (clip / norm).min(1.0)) / losses;
        if clip.is_some() {
            assert!(scale < 0.5 / losses, "the clip bites");
        }
        for (k, (&after, &before)) in learner.parameters().iter().zip(&before).enumerate() {
            assert_relative_eq!(after, before - 0.1 * scale * sum[k], epsilon = 1e-12);
        }
    }
}

#[test]
fn updates_come_every_k_steps_and_at_the_end_of_a_sequence() {
    let changes = |update: Update| {
        let mut learner = SequenceLearner::<f64>::new(&SequenceLearnerSpec { update, ..spec() }, 1).unwrap();
        let mut changed = Vec::new();
        for t in 0..10 {
            let before = learner.parameters().to_vec();
            learner.step(&[0.3, -0.4], Some(Target::Class(t % 2))).unwrap();
            if before != learner.parameters() {
                changed.push(t);
            }
        }
        let before = learner.parameters().to_vec();
        learner.end_sequence().unwrap();
        (changed, before != learner.parameters())
    };
    assert_eq!(changes(Update::Steps(1)), ((0..10).collect(), false));
    assert_eq!(changes(Update::Steps(4)), (vec![3, 7], true));
    assert_eq!(changes(Update::Sequence), (vec![], true));

    // A batch: updates within the sequence change what comes after them.
    let trained = |update: Update| {
        let mut learner = SequenceLearner::<f64>::new(&SequenceLearnerSpec { update, ..spec() }, 1).unwrap();
        learner.train(&[&sequence(1, 10)], LossAt::Every { burn_in: 0 }).unwrap();
        learner.parameters().to_vec()
    };
    assert_ne!(trained(Update::Sequence), trained(Update::Steps(4)));
    assert_eq!(trained(Update::Sequence), trained(Update::Steps(10)));
    let mut steps =
        SequenceLearner::<f64>::new(&SequenceLearnerSpec { update: Update::Steps(4), ..spec() }, 1).unwrap();
    let data = sequence(1, 10);
    for t in 0..10 {
        steps.step(data.input(t), data.classes[t].map(Target::Class)).unwrap();
    }
    steps.end_sequence().unwrap();
    assert_eq!(steps.parameters(), trained(Update::Steps(4)), "steps and batch are the same learning");
}

#[test]
fn steps_to_the_next_update_are_counted_anew_after_a_bad_number_and_after_a_batch() {
    for batch in [false, true] {
        let mut learner =
            SequenceLearner::<f64>::new(&SequenceLearnerSpec { update: Update::Steps(4), ..spec() }, 1)
                .unwrap();
        for _ in 0..3 {
            learner.step(&[0.3, -0.4], Some(Target::Class(1))).unwrap();
        }
        if batch {
            learner.train(&[&sequence(1, 10)], LossAt::Last).unwrap();
        } else {
            learner.step(&[f64::NAN, 0.0], None).unwrap_err();
        }
        let mut changes = |t: &usize| {
            let before = learner.parameters().to_vec();
            learner.step(&[0.3, -0.4], Some(Target::Class(t % 2))).unwrap();
            before != learner.parameters()
        };
        assert_eq!((0..8).filter(|t| changes(t)).collect::<Vec<_>>(), [3, 7], "batch {batch}");
    }
}

/// Also those of upper layers, whatever the rate.
#[test]
fn thresholds_stay_in_zero_to_one() {
    let mut spec = SequenceLearnerSpec { learning_rate: 30.0, ..spec() };
    let layer = spec.network.layers[0].clone();
    spec.network.layers.push(layer);
    let mut learner = SequenceLearner::<f64>::new(&spec, 2).unwrap();
    let (mut low, mut high) = ([0; 2], [0; 2]);
    for k in 0..40 {
        learner.train(&[&sequence(k, 12)], LossAt::Every { burn_in: 0 }).unwrap();
        let layout = learner.model().network.wiring().layout();
        for block in layout.blocks().iter().filter(|b| b.spec.kind == Kind::Threshold) {
            for &place in &block.places {
                let theta = learner.parameters()[place];
                assert!((0.0..=1.0).contains(&theta), "layer {}: {theta}", block.spec.layer);
                low[block.spec.layer] += usize::from(theta == 0.0);
                high[block.spec.layer] += usize::from(theta == 1.0);
            }
        }
    }
    assert!(
        low.iter().chain(&high).all(|met| *met > 0),
        "both limits are met in both layers: {low:?}, {high:?}"
    );
}

#[test]
fn an_update_that_would_ruin_the_weights_is_taken_back() {
    let (loss, update) = (Loss::SquaredError, Update::Steps(1));
    let spec = SequenceLearnerSpec { learning_rate: 1e308, loss, update, ..spec() };
    let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
    let before = learner.parameters().to_vec();
    let said = learner.step(&[1.0, 1.0], Some(Target::Values(&[1e3, -1e3]))).unwrap_err();
    assert!(matches!(said, Error::NotFinite { what: "weight", .. }), "{said}");
    assert_eq!(learner.parameters(), before);
}
