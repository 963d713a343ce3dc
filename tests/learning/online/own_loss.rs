//! Losses that are not built in: `observe` and `credit`.

use super::*;

#[test]
fn credit_of_squared_error_equals_built_in_loss() {
    for trainer in [Trainer::default(), kalman(Grouping::Node)] {
        let spec = StreamLearnerSpec { standardise_target: false, ..spec(trainer) };
        let (mut by_credit, mut built_in) =
            (StreamLearner::<f64>::new(&spec, 4).unwrap(), StreamLearner::<f64>::new(&spec, 4).unwrap());
        for t in 0..80 {
            let target = 0.1 * signal(t + 1) - 5.0;
            let slope = by_credit.observe(&input(t)).unwrap()[0] - target;
            by_credit.credit(&[slope]).unwrap();
            built_in.learn(&input(t), Some(Target::Values(&[target]))).unwrap();
        }
        assert_eq!(by_credit.weights(), built_in.weights());
    }
}

/// `predict` between a step and its credit changes nothing.
#[test]
fn credit_after_predict_applies_to_observed_step() {
    for trainer in [Trainer::default(), kalman(Grouping::Node)] {
        let learned = |predicts: bool| {
            let mut learner = StreamLearner::<f64>::new(&spec(trainer.clone()), 4).unwrap();
            for t in 0..40 {
                let slope = learner.observe(&input(t)).unwrap()[0] - 0.1 * signal(t + 1);
                if predicts {
                    learner.predict(&[1e3, -7.0]).unwrap();
                }
                learner.credit(&[slope]).unwrap();
            }
            learner.weights().to_vec()
        };
        assert_eq!(learned(true), learned(false));
    }
}

#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_without_a_step_panics() {
    let _ = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap().credit(&[0.0]);
}

#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_twice_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    learner.credit(&[0.1]).unwrap();
    let _ = learner.credit(&[0.1]);
}

/// A reset discards the observed step.
#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_after_reset_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    learner.reset(0);
    let _ = learner.credit(&[0.1]);
}

/// A reset of another stream does not discard the observed step.
#[test]
fn credit_after_reset_of_other_stream_updates_weights() {
    let learned = |resets: bool| {
        let spec = StreamLearnerSpec { streams: 2, ..spec(Trainer::default()) };
        let mut learner = StreamLearner::<f64>::new(&spec, 4).unwrap();
        for t in 0..10 {
            learner.observe(&input(t)).unwrap();
            if resets {
                learner.reset(1);
            }
            learner.credit(&[0.1]).unwrap();
        }
        learner.weights().to_vec()
    };
    assert_eq!(learned(true), learned(false));
}

#[test]
#[should_panic(expected = "needs a horizon of 0")]
fn observe_with_horizon_panics() {
    let spec = StreamLearnerSpec { horizon: 1, ..spec(Trainer::default()) };
    let _ = StreamLearner::<f64>::new(&spec, 4).unwrap().observe(&input(0));
}

#[test]
#[should_panic(expected = "one entry per output")]
fn credit_of_wrong_length_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    let _ = learner.credit(&[0.1, 0.2]);
}

/// A later step replaces the observed step.
#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_after_later_step_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    run(&mut learner, 1..2, 0);
    let _ = learner.credit(&[0.1]);
}
