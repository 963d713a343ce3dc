//! Learners that exceed the memory limit are refused before construction. Sizes come from formulas.

use super::*;
use sparse_rtrl::learner::online::LeastSquares;

/// The number of values in all covariances equals the formula for the sizes of the groups.
#[test]
fn covariances_above_limit_are_counted_per_group() {
    let units = 2000.0f64;
    let node = |grouping, forgetting| Trainer::Kalman {
        grouping,
        variance: 1.0,
        error_variance: 1.0,
        forgetting,
        noise: 0.0,
    };
    let covariance_values = |trainer: Trainer, least: bool, sparsity: f64, direct: usize, outputs: usize| {
        let mut spec = StreamLearnerSpec::new(3, units as usize, outputs);
        (spec.model.rule, spec.trainer, spec.direct, spec.model.mask.sparsity) =
            ("rflo".into(), trainer, direct, sparsity);
        spec.least_squares = least.then(LeastSquares::default);
        match spec.check_size::<f64>() {
            Err(sparse_rtrl::Error::TooLarge { what, gib, .. }) => {
                assert!(what.contains("covariances"), "{what}");
                gib * f64::from(1 << 30) / 8.0
            }
            other => panic!("{other:?}"),
        }
    };
    // An EGRU unit has three gates, with weights of inputs, emissions and the constant, and a threshold.
    let unit = |kept: f64| 3.0 * (3.0 + kept * units + 1.0) + 1.0;
    let p = units * unit(1.0);
    let close = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-3, "expected {expected}, got {found}");
    };
    // Sources of the readout: 2,000 emissions, 3 inputs and the constant.
    let sources = 2004.0;
    close(covariance_values(node(Grouping::Full, 1.0), true, 0.0, 0, 1), p * p);
    close(covariance_values(node(Grouping::Full, 1.0), false, 0.0, 0, 5), (p + 5.0 * sources).powi(2));
    close(covariance_values(node(Grouping::Node, 0.9), true, 0.0, 0, 1), units * unit(1.0).powi(2));
    close(covariance_values(node(Grouping::Node, 0.9), true, 0.5, 0, 1), units * unit(0.5).powi(2));
    let many = 200_000.0;
    let nodes = units * unit(1.0).powi(2);
    close(
        covariance_values(node(Grouping::Node, 0.9), true, 0.0, 200_000, 1),
        nodes + (many + sources).powi(2) + p,
    );
    let rows = 30.0 * (p + 30.0 * (many + sources));
    close(
        covariance_values(node(Grouping::Node, 0.9), false, 0.0, 200_000, 30),
        nodes + 30.0 * (many + sources).powi(2) + rows,
    );
    close(covariance_values(Trainer::Untrained, true, 0.0, 900_000, 1), (900_000.0 + sources).powi(2));
    close(covariance_values(Trainer::default(), true, 0.0, 900_000, 1), (900_000.0 + sources).powi(2));
    // H has a row of all weights for each output.
    close(
        covariance_values(node(Grouping::Node, 0.9), true, 0.0, 0, 60_000),
        nodes + 6e4 * (p + 6e4 * sources) + 36e8,
    );
}

/// An untrained network stores no influence matrix, which would take 400 GB here.
#[test]
fn untrained_network_needs_no_memory_for_influence() {
    let mut spec = StreamLearnerSpec::new(1, 2000, 1);
    spec.trainer = Trainer::Untrained;
    spec.check_size::<f64>().unwrap();
    spec.trainer = Trainer::default();
    let message = spec.check_size::<f64>().unwrap_err().to_string();
    assert!(message.contains("rtrl with 2000 units"), "{message}");
}

/// The influence matrix is counted for kept parameters only: 2 GB of 200 GB.
#[test]
fn masked_network_needs_memory_for_kept_parameters_only() {
    let mut spec = StreamLearnerSpec::new(1, 2000, 1);
    spec.model.mask.sparsity = 0.99;
    spec.check_size::<f32>().unwrap();
    spec.model.mask.sparsity = 0.0;
    assert!(spec.check_size::<f32>().is_err());
}

/// Each stream has its own influence matrix: 50 MB times a million.
#[test]
fn streams_need_memory_for_each() {
    let mut spec = StreamLearnerSpec::new(2, 100, 1);
    spec.check_size::<f64>().unwrap();
    spec.streams = 1_000_000;
    assert!(spec.check_size::<f64>().is_err());
}
