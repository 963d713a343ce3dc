//! Non-finite values: error, weights and stream state.

use super::*;
use sparse_rtrl::error::Error;
use sparse_rtrl::params::{ParamBlockSpec, Pattern};

#[test]
fn stream_learner_non_finite_row_changes_nothing_and_later_rows_learn() {
    for trainer in trainers() {
        for horizon in [0, 3] {
            let spec = StreamLearnerSpec { horizon, ..spec(trainer.clone()) };
            let mut learner = StreamLearner::<f64>::new(&spec, 6).unwrap();
            run(&mut learner, 0..40, 0);
            let before = bytes(&mut learner);
            for (x, target) in [([f64::NAN, 1.0], 1.0), ([1.0, f64::INFINITY], 1.0), ([1.0, 1.0], f64::NAN)] {
                let message = learner.step(&x, Some(Target::Values(&[target]))).unwrap_err().to_string();
                assert!(message.contains("is not finite"), "{message}");
                assert!(bytes(&mut learner) == before, "a refused row changed the state");
            }
            run(&mut learner, 40..80, 0);
        }
    }
}

/// Quantity, update, step and value of a `NotFinite` error.
fn parts(error: Error) -> (&'static str, usize, usize, f64) {
    match error {
        Error::NotFinite { what, update, step, value } => (what, update, step, value),
        other => panic!("{other}"),
    }
}

#[test]
fn not_finite_error_names_update_step_and_value() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 6).unwrap();
    run(&mut learner, 0..4, 1);
    learner.learn(&input(4), None).unwrap();
    let error = learner.learn(&[1.0, f64::INFINITY], None).unwrap_err();
    assert_eq!(parts(error), ("input", 5, 5, f64::INFINITY));
    let error = learner.predict(&[f64::NEG_INFINITY, 1.0]).unwrap_err();
    assert_eq!(parts(error), ("input", 5, 5, f64::NEG_INFINITY));
    let bad = [f64::NEG_INFINITY];
    let error = learner.learn(&input(5), Some(Target::Values(&bad))).unwrap_err();
    assert_eq!(parts(error), ("target", 5, 5, f64::NEG_INFINITY));
    learner.reset(0);
    let error = learner.observe(&[f64::INFINITY, 0.0]).unwrap_err();
    assert_eq!(parts(error), ("input", 5, 0, f64::INFINITY));
}

/// The value is finite in double precision, but not in single precision.
#[test]
fn value_beyond_single_precision_is_refused() {
    let mut single = StreamLearner::<f32>::new(&spec(Trainer::default()), 6).unwrap();
    assert_eq!(parts(single.learn(&[1.0, 1e39], None).unwrap_err()).0, "input");
    let error = single.learn(&[1.0, 1.0], Some(Target::Values(&[-1e39]))).unwrap_err();
    assert_eq!(parts(error).0, "target");
    assert_eq!(single.scalers().0.moments()[0].count(), 0);
    StreamLearner::<f64>::new(&spec(Trainer::default()), 6).unwrap().learn(&[1.0, 1e39], None).unwrap();
}

/// An error in a weight update leaves the weights unchanged and resets its stream. Other streams
/// keep their state.
#[test]
fn weight_update_error_keeps_weights_and_resets_its_stream() {
    for trainer in trainers() {
        let least = spec(trainer.clone()).least_squares;
        for least in [None, least] {
            let spec = StreamLearnerSpec { least_squares: least, streams: 2, ..spec(trainer.clone()) };
            if spec.check().is_err() {
                continue;
            }
            let mut learner = StreamLearner::<f64>::new(&spec, 6).unwrap();
            run(&mut learner, 0..20, 1);
            learner.step_in(1, &input(3), None).unwrap();
            learner.observe(&input(20)).unwrap();
            let other = learner.predict_in(1, &input(4)).unwrap().to_vec();
            let before = learner.weights().to_vec();
            let (what, update, step, _) = parts(learner.credit(&[f64::INFINITY]).unwrap_err());
            assert_eq!((update, step), (21, 21));
            let expected = match trainer {
                Trainer::Untrained => "weight",
                Trainer::Gradient { .. } => "gradient norm",
                Trainer::Kalman { .. } => "Kalman gain",
                _ => unreachable!("{trainer:?}"),
            };
            assert_eq!(what, expected);
            assert_eq!((learner.weights(), learner.updates()), (&before[..], 20));
            assert_eq!(learner.predict_in(1, &input(4)).unwrap(), other);
            let state = bytes(&mut learner);
            learner.reset(0);
            assert!(bytes(&mut learner) == state, "{trainer:?}: expected a reset");
            let error = learner.observe(&[f64::NAN, 0.0]).unwrap_err();
            assert_eq!(parts(error).2, 0);
            run(&mut learner, 21..40, 1);
            assert_eq!(learner.updates(), 39);
            assert_ne!(learner.weights(), before);
        }
    }
}

/// A non-finite weight update of the network or of the readout is reverted.
#[test]
fn weight_update_that_is_not_finite_is_reverted() {
    for frozen in [false, true] {
        let trainer =
            Trainer::Gradient { optimiser: "sgd".into(), learning_rate: 1e308, decay: 0.0, clip: None };
        let mut spec =
            StreamLearnerSpec { frozen, least_squares: None, standardise_target: false, ..spec(trainer) };
        spec.error_clip = None;
        let mut learner = StreamLearner::<f64>::new(&spec, 6).unwrap();
        let before = learner.weights().to_vec();
        let error = learner.learn(&input(0), Some(Target::Values(&[1e6]))).unwrap_err();
        let (what, _, _, value) = parts(error);
        assert!(what == "weight" && !value.is_finite(), "{what}: {value}");
        assert_eq!(learner.weights(), before);
    }
}

/// A non-finite output is an error before the weight update.
#[test]
fn output_that_is_not_finite_is_an_error() {
    for horizon in [0, 2] {
        let mut spec = StreamLearnerSpec { horizon, least_squares: None, ..spec(Trainer::default()) };
        spec.standardise = vec![false; 2];
        let draw = |blocks: &[ParamBlockSpec]| {
            Ok(blocks.iter().map(|b| Pattern::full(b.shape().0, b.shape().1)).collect())
        };
        let huge = |learner: &StreamLearner<f64>| Ok(vec![1e200; learner.weights().len()]);
        let mut learner = StreamLearner::<f64>::with_weights(&spec, 0, draw, huge).unwrap();
        let error = learner.learn(&[1e200, 1.0], Some(Target::Values(&[1.0]))).unwrap_err();
        let (what, update, _, value) = parts(error);
        assert_eq!((what, update, value), ("output", 1, f64::INFINITY));
        assert_eq!(learner.updates(), 0);
        assert!(learner.due(0).is_none());
        let state = bytes(&mut learner);
        learner.reset(0);
        assert!(bytes(&mut learner) == state, "expected a reset");
    }
}

/// The squared error overflows: no weight changes, and the stream is reset.
#[test]
fn loss_that_is_not_finite_is_an_error() {
    for trainer in trainers() {
        let spec = StreamLearnerSpec { standardise_target: false, ..spec(trainer) };
        let mut learner = StreamLearner::<f64>::new(&spec, 6).unwrap();
        run(&mut learner, 0..10, 1);
        let before = learner.weights().to_vec();
        let error = learner.learn(&input(10), Some(Target::Values(&[1e200]))).unwrap_err();
        assert_eq!(parts(error), ("loss", 11, 11, f64::INFINITY));
        assert_eq!((learner.weights(), learner.updates()), (&before[..], 10));
        let state = bytes(&mut learner);
        learner.reset(0);
        assert!(bytes(&mut learner) == state, "expected a reset");
    }
}

/// Predictions are probabilities even where exponentials of outputs overflow.
#[test]
fn prediction_of_large_outputs_is_a_probability() {
    for (loss, biases, expected) in [
        (Loss::CrossEntropy, vec![2e3, -2e3, 1e3], vec![1.0, 0.0, 0.0]),
        (Loss::CrossEntropy, vec![-2e3, -2e3, -3e3], vec![0.5, 0.5, 0.0]),
        (Loss::BinaryCrossEntropy, vec![2e3], vec![1.0]),
        (Loss::BinaryCrossEntropy, vec![-2e3], vec![0.0]),
    ] {
        let mut spec = StreamLearnerSpec { least_squares: None, ..spec(Trainer::default()) };
        spec.model.loss = loss;
        spec.model.outputs = biases.len();

        let draw = |blocks: &[ParamBlockSpec]| {
            Ok(blocks.iter().map(|b| Pattern::full(b.shape().0, b.shape().1)).collect())
        };
        let weights = |learner: &StreamLearner<f64>| {
            let mut w = vec![0.0; learner.weights().len() - biases.len()];
            w.extend(&biases);
            Ok(w)
        };
        let mut learner = StreamLearner::<f64>::with_weights(&spec, 0, draw, weights).unwrap();
        assert_eq!(learner.predict(&input(0)).unwrap(), expected);
        assert_eq!(learner.step(&input(0), None).unwrap().prediction, expected);
        assert_eq!(learner.output(), biases);
    }
}
