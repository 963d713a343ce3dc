//! Kalman filters: invariance under a common factor of the variances, and the limit of gradient
//! descent.

use super::*;
use approx::assert_relative_eq;

fn kalman_spec(
    grouping: Grouping,
    (variance, error, forgetting, noise): (f64, f64, f64, f64),
) -> StreamLearnerSpec {
    let trainer = Trainer::Kalman { grouping, variance, error_variance: error, forgetting, noise };
    let mut spec = StreamLearnerSpec::new(2, 5, 3);
    spec.model.mask.sparsity = 0.3;
    (spec.least_squares, spec.standardise_target, spec.trainer) = (None, false, trainer);
    spec
}

fn targets(t: usize) -> [f64; 3] {
    std::array::from_fn(|k| (0.3 * t as f64 + k as f64).sin() - 0.4 * k as f64)
}

fn trained_weights(spec: &StreamLearnerSpec, steps: usize) -> Vec<f64> {
    let mut learner = StreamLearner::<f64>::new(spec, 6).unwrap();
    for t in 0..steps {
        let target = match spec.model.loss {
            Loss::SquaredError => Target::Values(&targets(t)[..]),
            _ => Target::Class((t * t) % 3),
        };
        learner.learn(&input(t), Some(target)).unwrap();
    }
    learner.weights().to_vec()
}

/// The gain depends on ratios of P, r and q only.
#[test]
fn filter_with_doubled_variances_gives_equal_weights() {
    for grouping in [Grouping::Node, Grouping::Full] {
        let once = trained_weights(&kalman_spec(grouping, (0.5, 0.2, 0.98, 1e-3)), 120);
        let twice = trained_weights(&kalman_spec(grouping, (1.0, 0.4, 0.98, 2e-3)), 120);
        for (a, b) in once.iter().zip(&twice) {
            assert_relative_eq!(a, b, max_relative = 1e-7, epsilon = 1e-9);
        }
        let noisier = trained_weights(&kalman_spec(grouping, (1.0, 0.8, 0.98, 2e-3)), 120);
        assert!(
            once.iter().zip(&noisier).any(|(a, b)| (a - b).abs() > 1e-3),
            "expected r alone to change the weights"
        );
    }
}

/// For a small initial variance v, an update is `−(v / r) ∂L/∂w`: gradient descent.
#[test]
fn filter_with_small_variance_equals_gradient_descent() {
    for loss in [Loss::SquaredError, Loss::CrossEntropy] {
        for grouping in [Grouping::Node, Grouping::Full] {
            let (v, r) = (1e-7, 0.5);
            // r applies to the squared error only.
            let rate = if loss == Loss::SquaredError { v / r } else { v };
            let mut filter = kalman_spec(grouping, (v, r, 1.0, 0.0));
            filter.model.loss = loss;

            let trainer =
                Trainer::Gradient { optimiser: "sgd".into(), learning_rate: rate, decay: 0.0, clip: None };
            let descent = StreamLearnerSpec { trainer, ..filter.clone() };
            let start = StreamLearner::<f64>::new(&filter, 6).unwrap().weights().to_vec();
            let (by_filter, by_descent) = (trained_weights(&filter, 30), trained_weights(&descent, 30));
            let change = |w: &[f64]| w.iter().zip(&start).map(|(w, start)| w - start).collect::<Vec<_>>();
            let (found, expected) = (change(&by_filter), change(&by_descent));
            let size = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            assert!(size > v, "{loss:?}: {size}");
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4 * size, "{loss:?}, {grouping:?}: expected {b}, got {a}");
            }
            let biases = &expected[expected.len() - 3..];
            assert!(
                biases.iter().all(|b| b.abs() > 1e-3 * size),
                "expected changes of all biases, got {biases:?}"
            );
            assert!(biases[0] != biases[1] && biases[1] != biases[2]);
        }
    }
}
