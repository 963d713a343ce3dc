//! Kalman filters as a whole: what must not change their updates, and what they become in limits.

use super::*;
use approx::assert_relative_eq;

fn filtered(
    grouping: Grouping,
    (variance, error, forgetting, noise): (f64, f64, f64, f64),
) -> StreamLearnerSpec {
    let trainer = Trainer::Kalman { grouping, variance, error, forgetting, noise };
    let mut spec = StreamLearnerSpec::new(2, 5, 3);
    spec.model.mask.sparsity = 0.3;
    (spec.least_squares, spec.standardise_target, spec.trainer) = (None, false, trainer);
    spec
}

fn targets(t: usize) -> [f64; 3] {
    std::array::from_fn(|k| (0.3 * t as f64 + k as f64).sin() - 0.4 * k as f64)
}

fn taught(spec: &StreamLearnerSpec, steps: usize) -> Vec<f64> {
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

/// P, r and q are variances in one unit: the gain knows only their ratios.
#[test]
fn filter_all_variances_doubled_is_the_same() {
    for grouping in [Grouping::Node, Grouping::Full] {
        let once = taught(&filtered(grouping, (0.5, 0.2, 0.98, 1e-3)), 120);
        let twice = taught(&filtered(grouping, (1.0, 0.4, 0.98, 2e-3)), 120);
        for (a, b) in once.iter().zip(&twice) {
            assert_relative_eq!(a, b, max_relative = 1e-7, epsilon = 1e-9);
        }
        let noisier = taught(&filtered(grouping, (1.0, 0.8, 0.98, 2e-3)), 120);
        assert!(once.iter().zip(&noisier).any(|(a, b)| (a - b).abs() > 1e-3), "r alone matters");
    }
}

/// With a variance so small that nothing is ever certain, an update is `−(v / r) ∂L/∂w`: gradient descent, for every weight and bias.
#[test]
fn filter_without_variance_is_gradient_descent() {
    for loss in [Loss::SquaredError, Loss::CrossEntropy] {
        for grouping in [Grouping::Node, Grouping::Full] {
            let (v, r) = (1e-7, 0.5);
            // r belongs to the squared error alone.
            let rate = if loss == Loss::SquaredError { v / r } else { v };
            let mut filter = filtered(grouping, (v, r, 1.0, 0.0));
            filter.model.loss = loss;

            let trainer = Trainer::Gradient { optimiser: "sgd".into(), rate, decay: 0.0, clip: None };
            let descent = StreamLearnerSpec { trainer, ..filter.clone() };
            let start = StreamLearner::<f64>::new(&filter, 6).unwrap().weights().to_vec();
            let (by_filter, by_descent) = (taught(&filter, 30), taught(&descent, 30));
            let moved = |w: &[f64]| w.iter().zip(&start).map(|(w, start)| w - start).collect::<Vec<_>>();
            let (found, expected) = (moved(&by_filter), moved(&by_descent));
            let size = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            assert!(size > v, "{loss:?}: {size}");
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4 * size, "{loss:?}, {grouping:?}: {a} for {b}");
            }
            let biases = &expected[expected.len() - 3..];
            assert!(biases.iter().all(|b| b.abs() > 1e-3 * size), "each bias moves: {biases:?}");
            assert!(biases[0] != biases[1] && biases[1] != biases[2]);
        }
    }
}
