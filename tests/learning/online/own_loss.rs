//! Losses that are not the built-in ones: gradient apart from update.

use super::*;

#[test]
fn a_loss_of_ones_own_teaches_as_the_built_in_one_does() {
    for trainer in [Trainer::default(), kalman(Grouping::Node)] {
        let spec = StreamLearnerSpec { standardise_target: false, ..spec(trainer) };
        let (mut own, mut built_in) =
            (StreamLearner::<f64>::new(&spec, 4).unwrap(), StreamLearner::<f64>::new(&spec, 4).unwrap());
        for t in 0..80 {
            let target = 0.1 * signal(t + 1) - 5.0;
            let slope = own.observe(&input(t)).unwrap()[0] - target;
            own.credit(&[slope]).unwrap();
            built_in.learn(&input(t), Some(Target::Values(&[target]))).unwrap();
        }
        assert_eq!(own.weights(), built_in.weights());
    }
}

/// A look at something else between a step and its credit changes nothing.
#[test]
fn credit_is_for_the_step_that_was_observed() {
    for trainer in [Trainer::default(), kalman(Grouping::Node)] {
        let learned = |looks: bool| {
            let mut learner = StreamLearner::<f64>::new(&spec(trainer.clone()), 4).unwrap();
            for t in 0..40 {
                let slope = learner.observe(&input(t)).unwrap()[0] - 0.1 * signal(t + 1);
                if looks {
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
fn credit_given_twice_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    learner.credit(&[0.1]).unwrap();
    let _ = learner.credit(&[0.1]);
}

/// The step is gone: what was read of it is none of the new sequence.
#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_after_a_reset_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    learner.reset(0);
    let _ = learner.credit(&[0.1]);
}

/// A reset of another stream takes nothing from the step at hand.
#[test]
fn credit_after_a_reset_of_another_stream_teaches() {
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
#[should_panic(expected = "the horizon must be 0")]
fn observe_with_a_horizon_panics() {
    let spec = StreamLearnerSpec { horizon: 1, ..spec(Trainer::default()) };
    let _ = StreamLearner::<f64>::new(&spec, 4).unwrap().observe(&input(0));
}

#[test]
#[should_panic(expected = "one entry per output")]
fn credit_of_another_length_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    let _ = learner.credit(&[0.1, 0.2]);
}

/// The step at hand is over once another one is made.
#[test]
#[should_panic(expected = "credit must follow a step")]
fn credit_after_a_step_that_was_learned_panics() {
    let mut learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 4).unwrap();
    learner.observe(&input(0)).unwrap();
    run(&mut learner, 1..2, 0);
    let _ = learner.credit(&[0.1]);
}
