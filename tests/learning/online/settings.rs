//! Settings: valid ranges, errors and defaults.

use super::*;
use sparse_rtrl::learner::online::LeastSquares;
use sparse_rtrl::params::ThresholdInit;

#[test]
fn settings_incompatible_or_too_large_are_named_in_error() {
    let message = |change: &dyn Fn(&mut StreamLearnerSpec)| {
        let mut spec = spec(Trainer::default());
        change(&mut spec);
        StreamLearner::<f64>::new(&spec, 0).err().expect("an error").to_string()
    };
    assert!(message(&|s| s.model.rule = "bptt".into()).contains("does not grow"));
    assert!(message(&|s| s.model.loss = Loss::CrossEntropy).contains("least squares"));
    assert!(message(&|s| s.standardise = vec![true]).contains("each of 2 inputs"));
    assert!(message(&|s| s.model.outputs = 0).contains("outputs"));
    assert!(message(&|s| (s.trainer, s.least_squares) = (Trainer::Untrained, None)).contains("trainer"));
    assert!(message(&|s| s.error_clip = Some(f64::NAN)).contains("error-clip"));
    assert!(message(&|s| s.model.network.layers[0].units = 900_000).contains("GiB"));
    let classes = |s: &mut StreamLearnerSpec, trainer: &Trainer| {
        (s.model.outputs, s.model.loss, s.least_squares, s.trainer) =
            (50_000, Loss::CrossEntropy, None, trainer.clone());
    };
    assert!(message(&|s| classes(s, &kalman(Grouping::Node))).contains("GiB"));
    let mut many = spec(Trainer::default());
    classes(&mut many, &Trainer::default());
    many.check_size::<f64>().unwrap();
    let full = Trainer::Kalman {
        grouping: Grouping::Full,
        variance: 1.0,
        error_variance: 1.0,
        forgetting: 1.0,
        noise: 0.0,
    };
    assert!(
        message(&|s| (s.model.network.layers[0].units, s.trainer) = (2000, full.clone())).contains("GiB")
    );
}

type Change<'a> = &'a dyn Fn(&mut StreamLearnerSpec);

fn checked(change: Change<'_>) -> Result<(), String> {
    let mut spec = spec(Trainer::default());
    change(&mut spec);
    spec.check().map_err(|error| error.to_string())
}

fn refused(name: &str, change: Change<'_>) {
    let message = checked(change).unwrap_err();
    assert!(message.contains(name), "{name}: {message}");
}

fn gradient(spec: &mut StreamLearnerSpec, rate: f64, decay: f64, clip: Option<f64>) {
    spec.trainer = Trainer::Gradient { optimiser: "sgd".into(), learning_rate: rate, decay, clip };
}

fn filter(spec: &mut StreamLearnerSpec, [variance, error, forgetting, noise]: [f64; 4]) {
    spec.trainer =
        Trainer::Kalman { grouping: Grouping::Node, variance, error_variance: error, forgetting, noise };
}

#[test]
fn sizes_up_to_their_limits_are_accepted() {
    checked(&|s| (s.model.outputs, s.streams, s.horizon, s.direct) = (1, 1, 0, 0)).unwrap();
    checked(&|s| (s.model.outputs, s.streams) = (100_000, 1_000_000)).unwrap();
    checked(&|s| (s.horizon, s.direct) = (1_000_000, 1_000_000)).unwrap();
    refused("outputs", &|s| s.model.outputs = 0);
    refused("outputs", &|s| s.model.outputs = 100_001);
    refused("streams", &|s| s.streams = 0);
    refused("streams", &|s| s.streams = 1_000_001);
    refused("horizon", &|s| s.horizon = 1_000_001);
    refused("direct", &|s| s.direct = 1_000_001);
    refused("inputs", &|s| s.model.network.inputs = 0);
    refused("param-sparsity", &|s| s.model.mask.sparsity = 1.0);
    refused("threshold-mean", &|s| s.model.init.threshold = ThresholdInit::Beta { mean: 0.0 });
    checked(&|s| (s.direct, s.standardise) = (2, vec![true; 4])).unwrap();
    refused("each of 4 inputs", &|s| (s.direct, s.standardise) = (2, vec![true; 2]));
    refused("standardise", &|s| s.standardise = vec![true; 3]);
}

#[test]
fn trainer_settings_within_their_ranges_are_accepted() {
    let tiny = f64::MIN_POSITIVE;
    let bad = [0.0, -1.0, f64::NAN, f64::INFINITY];
    for bad in bad {
        refused("readout-variance", &|s| {
            s.least_squares = Some(LeastSquares { variance: bad, forgetting: 1.0 })
        });
        refused("error-clip", &|s| s.error_clip = Some(bad));
        refused("learning-rate", &|s| gradient(s, bad, 0.0, None));
        refused("clip", &|s| gradient(s, 0.1, 0.0, Some(bad)));
        refused("variance", &|s| filter(s, [bad, 1.0, 1.0, 0.0]));
        refused("error-variance", &|s| filter(s, [1.0, bad, 1.0, 0.0]));
    }
    for bad in [0.0, -0.5, 1.0 + f64::EPSILON, f64::NAN] {
        refused("readout-forgetting", &|s| {
            s.least_squares = Some(LeastSquares { variance: 1.0, forgetting: bad })
        });
        refused("forgetting", &|s| filter(s, [1.0, 1.0, bad, 0.0]));
    }
    for bad in [-tiny, f64::NAN, f64::INFINITY] {
        refused("decay", &|s| gradient(s, 0.1, bad, None));
        refused("noise", &|s| filter(s, [1.0, 1.0, 1.0, bad]));
    }
    checked(&|s| s.least_squares = Some(LeastSquares { variance: tiny, forgetting: tiny })).unwrap();
    checked(&|s| s.least_squares = Some(LeastSquares { variance: 1e300, forgetting: 1.0 })).unwrap();
    checked(&|s| gradient(s, tiny, 0.0, Some(tiny))).unwrap();
    checked(&|s| filter(s, [tiny, tiny, tiny, 0.0])).unwrap();
    checked(&|s| filter(s, [1e300, 1e300, 1.0, 1e300])).unwrap();
    refused("optimiser", &|s| {
        s.trainer = Trainer::Gradient { optimiser: "sdg".into(), learning_rate: 0.1, decay: 0.0, clip: None };
    });
}

#[test]
fn losses_and_trainers_incompatible_are_refused() {
    for loss in [Loss::CrossEntropy, Loss::BinaryCrossEntropy] {
        refused("squared-error for least squares", &|s| s.model.loss = loss);
        checked(&|s| (s.model.loss, s.least_squares) = (loss, None)).unwrap();
    }
    refused("binary", &|s| {
        (s.model.loss, s.least_squares, s.model.outputs) = (Loss::BinaryCrossEntropy, None, 2)
    });
    refused("frozen", &|s| s.frozen = true);
    refused("frozen", &|s| (s.frozen, s.least_squares, s.trainer) = (true, None, kalman(Grouping::Full)));
    refused("frozen", &|s| (s.frozen, s.trainer) = (true, Trainer::Untrained));
    checked(&|s| (s.frozen, s.least_squares) = (true, None)).unwrap();
    refused("untrained", &|s| (s.least_squares, s.trainer) = (None, Trainer::Untrained));
    checked(&|s| s.trainer = Trainer::Untrained).unwrap();
    refused("rule", &|s| s.model.rule = "bptt".into());
    refused("rule", &|s| s.model.rule = "rtlr".into());
}

/// The defaults in the documentation.
#[test]
fn defaults_of_spec_are_as_documented() {
    let spec = StreamLearnerSpec::new(3, 8, 2);
    assert_eq!((spec.model.network.inputs, spec.model.outputs, spec.direct, spec.width()), (3, 2, 0, 3));
    assert_eq!((spec.model.network.layers.len(), spec.model.network.layers[0].units), (1, 8));
    assert_eq!((spec.model.network.layers[0].cell.as_str(), spec.model.rule.as_str()), ("egru", "rtrl"));
    assert_eq!(spec.least_squares, Some(LeastSquares { variance: 1.0, forgetting: 0.9998 }));
    let adam = Trainer::Gradient { optimiser: "adam".into(), learning_rate: 0.01, decay: 0.001, clip: None };
    assert_eq!((spec.trainer, spec.model.loss), (adam, Loss::SquaredError));
    assert!(spec.echo && spec.standardise_target && !spec.frozen && spec.standardise.is_empty());
    assert_eq!((spec.horizon, spec.streams, spec.error_clip, spec.model.network.trace), (0, 1, None, None));
}
