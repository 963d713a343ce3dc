//! Weight updates: times, size and limits.

use super::*;

#[test]
fn loss_at_selects_steps_after_burn_in_or_last_step() {
    let counted = |at: LossAt| (0..6).filter(|&t| at.counts(t, 6)).collect::<Vec<_>>();
    assert_eq!(counted(LossAt::Every { burn_in: 4 }), [4, 5]);
    assert_eq!(counted(LossAt::Every { burn_in: 0 }), [0, 1, 2, 3, 4, 5]);
    assert_eq!(counted(LossAt::Last), [5]);
}

#[test]
fn weight_update_of_batch_equals_rate_times_mean_gradient() {
    for (clip, at) in [(None, LossAt::Every { burn_in: 2 }), (Some(1e-3), LossAt::Last)] {
        let spec = SequenceLearnerSpec { streams: 3, clip, ..spec() };
        let mut learner = SequenceLearner::<f64>::new(&spec, 7).unwrap();
        let before = learner.weights().to_vec();
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
            assert!(scale < 0.5 / losses, "expected the clip to limit the gradient");
        }
        for (k, (&after, &before)) in learner.weights().iter().zip(&before).enumerate() {
            assert_relative_eq!(after, before - 0.1 * scale * sum[k], epsilon = 1e-12);
        }
    }
}

#[test]
fn weight_updates_occur_every_k_steps_and_at_end_of_sequence() {
    let changes = |update: Update| {
        let mut learner = SequenceLearner::<f64>::new(&SequenceLearnerSpec { update, ..spec() }, 1).unwrap();
        let mut changed = Vec::new();
        for t in 0..10 {
            let before = learner.weights().to_vec();
            learner.step(&[0.3, -0.4], Some(Target::Class(t % 2))).unwrap();
            if before != learner.weights() {
                changed.push(t);
            }
        }
        let before = learner.weights().to_vec();
        learner.end_sequence().unwrap();
        (changed, before != learner.weights())
    };
    assert_eq!(changes(Update::Steps(1)), ((0..10).collect(), false));
    assert_eq!(changes(Update::Steps(4)), (vec![3, 7], true));
    assert_eq!(changes(Update::Sequence), (vec![], true));

    // Updates within a sequence change the gradients of later steps.
    let trained = |update: Update| {
        let mut learner = SequenceLearner::<f64>::new(&SequenceLearnerSpec { update, ..spec() }, 1).unwrap();
        learner.train(&[&sequence(1, 10)], LossAt::Every { burn_in: 0 }).unwrap();
        learner.weights().to_vec()
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
    assert_eq!(
        steps.weights(),
        trained(Update::Steps(4)),
        "expected equal weights from steps and from a batch"
    );
}

#[test]
fn steps_to_next_update_restart_after_error_and_after_batch() {
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
            let before = learner.weights().to_vec();
            learner.step(&[0.3, -0.4], Some(Target::Class(t % 2))).unwrap();
            before != learner.weights()
        };
        assert_eq!((0..8).filter(|t| changes(t)).collect::<Vec<_>>(), [3, 7], "batch {batch}");
    }
}

/// Thresholds of all layers, at a high learning rate.
#[test]
fn thresholds_at_high_rate_stay_in_zero_to_one() {
    let mut spec = SequenceLearnerSpec { learning_rate: 30.0, ..spec() };
    let layer = spec.model.network.layers[0].clone();
    spec.model.network.layers.push(layer);
    let mut learner = SequenceLearner::<f64>::new(&spec, 2).unwrap();
    let (mut low, mut high) = ([0; 2], [0; 2]);
    for k in 0..40 {
        learner.train(&[&sequence(k, 12)], LossAt::Every { burn_in: 0 }).unwrap();
        let layout = learner.model().network.wiring().layout();
        for block in layout.blocks().iter().filter(|b| b.spec.kind == Kind::Threshold) {
            for &place in &block.places {
                let theta = learner.weights()[place];
                assert!((0.0..=1.0).contains(&theta), "layer {}: {theta}", block.spec.layer);
                low[block.spec.layer] += usize::from(theta == 0.0);
                high[block.spec.layer] += usize::from(theta == 1.0);
            }
        }
    }
    assert!(
        low.iter().chain(&high).all(|count| *count > 0),
        "expected both limits in both layers, got {low:?}, {high:?}"
    );
}

#[test]
fn weight_update_that_is_not_finite_is_reverted() {
    let (loss, update) = (Loss::SquaredError, Update::Steps(1));
    let mut spec = SequenceLearnerSpec { learning_rate: 1e308, update, ..spec() };
    spec.model.loss = loss;

    let mut learner = SequenceLearner::<f64>::new(&spec, 1).unwrap();
    let before = learner.weights().to_vec();
    let error = learner.step(&[1.0, 1.0], Some(Target::Values(&[1e3, -1e3]))).unwrap_err();
    assert!(matches!(error, Error::NotFinite { what: "weight", .. }), "{error}");
    assert_eq!(learner.weights(), before);
}
