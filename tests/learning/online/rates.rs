//! Size of weight updates: learning rate, decay, clip, `error_clip`, and `retune`.

use super::*;
use approx::assert_relative_eq;
use sparse_rtrl::cell::Surrogate;
use sparse_rtrl::params::{Kind, ThresholdInit};

fn descent(rate: f64, decay: f64, clip: Option<f64>) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(2, 6, 2);
    // A cell without thresholds, which are clamped.
    spec.model.network.layers[0].cell = "gru".into();
    spec.trainer = Trainer::Gradient { optimiser: "sgd".into(), learning_rate: rate, decay, clip };
    (spec.least_squares, spec.standardise_target) = (None, false);
    spec
}

/// Learns a row with a large error and returns the norm of the weight update.
fn update_norm(learner: &mut StreamLearner<f64>, t: usize) -> f64 {
    let before = learner.weights().to_vec();
    learner.learn(&input(t), Some(Target::Values(&[30.0 + t as f64, -20.0]))).unwrap();
    before.iter().zip(learner.weights()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn sgd_with_clip_has_update_norm_of_formula() {
    let (rate, decay, clip) = (0.2, 0.25, 0.01);
    let mut learner = StreamLearner::<f64>::new(&descent(rate, decay, Some(clip)), 1).unwrap();
    for t in 0..20 {
        let expected = rate * clip / (1.0 + decay * t as f64);
        assert_relative_eq!(update_norm(&mut learner, t), expected, max_relative = 1e-9);
    }
}

#[test]
fn sgd_after_retune_has_update_norm_of_new_settings() {
    let mut learner = StreamLearner::<f64>::new(&descent(0.2, 0.0, Some(0.01)), 1).unwrap();
    (0..10).for_each(|t| assert_relative_eq!(update_norm(&mut learner, t), 0.002, max_relative = 1e-9));
    let mut updates = 10.0;
    for (rate, decay, clip) in [(0.2, 0.5, 0.01), (0.1, 0.5, 0.01), (0.1, 0.5, 0.03), (0.3, 0.0, 0.02)] {
        learner.retune(&descent(rate, decay, Some(clip)));
        let expected = rate * clip / (1.0 + decay * updates);
        assert_relative_eq!(update_norm(&mut learner, updates as usize), expected, max_relative = 1e-9);
        updates += 1.0;
    }
    learner.retune(&descent(0.3, 0.0, None));
    assert!(update_norm(&mut learner, 14) > 1.0, "expected the whole gradient without a clip");
}

#[test]
fn retune_to_other_trainer_changes_nothing() {
    let mut learner = StreamLearner::<f64>::new(&descent(0.2, 0.0, Some(0.01)), 1).unwrap();
    let mut other = descent(0.2, 0.0, Some(0.01));
    other.trainer = kalman(Grouping::Node);
    other.model.outputs = 7;
    learner.retune(&other);
    assert_eq!(*learner.spec(), descent(0.2, 0.0, Some(0.01)));
    assert_relative_eq!(update_norm(&mut learner, 0), 0.002, max_relative = 1e-9);
}

/// With every trainer, errors beyond the clip act like the clip itself, with their sign.
#[test]
fn error_clip_makes_large_errors_equal_to_clip() {
    for trainer in trainers() {
        let least = spec(trainer.clone()).least_squares;
        for least in [None, least] {
            let mut spec = StreamLearnerSpec {
                trainer: trainer.clone(),
                least_squares: least,
                ..descent(0.1, 0.0, None)
            };
            spec.error_clip = Some(0.5);
            if spec.check().is_err() {
                continue;
            }
            let learned = |targets: [f64; 2]| {
                let mut learner = StreamLearner::<f64>::new(&spec, 2).unwrap();
                for t in 0..5 {
                    learner.learn(&input(t), Some(Target::Values(&targets))).unwrap();
                }
                learner.weights().to_vec()
            };
            assert_eq!(learned([1e6, -1e6]), learned([1e7, -1e8]), "{trainer:?}");
            assert_ne!(learned([1e6, -1e6]), learned([1e6, 1e6]), "{trainer:?}: expected the sign to matter");
            // Compared with credits of exactly ± the clip.
            let mut by_credit = StreamLearner::<f64>::new(&spec, 2).unwrap();
            for t in 0..5 {
                by_credit.observe(&input(t)).unwrap();
                by_credit.credit(&[-0.5, 0.5]).unwrap();
            }
            assert_eq!(by_credit.weights(), learned([1e6, -1e6]), "{trainer:?}");
        }
    }
}

/// Thresholds of every layer are clamped to [0, 1]. A high learning rate and credits of alternating
/// sign drive them to both limits.
#[test]
fn thresholds_of_all_layers_stay_in_zero_to_one() {
    let trainer =
        Trainer::Gradient { optimiser: "sgd".into(), learning_rate: 3.0, decay: 0.0, clip: Some(1.0) };
    let mut spec = StreamLearnerSpec { least_squares: None, ..spec(trainer) };
    spec.model.init.threshold = ThresholdInit::Beta { mean: 0.5 };
    spec.model.network.layers[0].config.surrogate = Surrogate::new(5.0, 2.0);
    spec.model.network.layers = vec![spec.model.network.layers[0].clone(); 2];
    let mut counts = [[0, 0]; 2];
    for seed in 0..6 {
        let mut learner = StreamLearner::<f64>::new(&spec, seed).unwrap();
        for t in 0..150 {
            learner.observe(&input(t)).unwrap();
            learner.credit(&[if t % 20 < 10 { 1.0 } else { -1.0 }]).unwrap();
            for block in learner.network().wiring().layout().blocks() {
                if block.spec.kind == Kind::Threshold {
                    for &place in &block.places {
                        let theta = learner.weights()[place];
                        assert!((0.0..=1.0).contains(&theta), "layer {}: {theta}", block.spec.layer);
                        counts[block.spec.layer][0] += usize::from(theta == 0.0);
                        counts[block.spec.layer][1] += usize::from(theta == 1.0);
                    }
                }
            }
        }
    }
    assert!(
        counts.as_flattened().iter().all(|n| *n > 0),
        "expected both limits in both layers, got {counts:?}"
    );
}
