//! Streams share weights and have separate states.

use super::*;

#[test]
fn streams_with_shared_weights_have_separate_states() {
    let two = StreamLearnerSpec { streams: 2, ..spec(Trainer::Untrained) };
    let mut learner = StreamLearner::<f64>::new(&two, 7).unwrap();
    let mut alone = StreamLearner::<f64>::new(&spec(Trainer::Untrained), 7).unwrap();
    // The state of an untrained network depends on its own inputs only. Standardisation is shared by
    // streams and therefore off.
    let unscaled =
        |spec: &StreamLearnerSpec| StreamLearnerSpec { standardise: vec![false; 2], ..spec.clone() };
    for learner in [&mut learner, &mut alone] {
        *learner = StreamLearner::new(&unscaled(learner.spec()), 7).unwrap();
    }
    for t in 0..50 {
        let x = [0.1 * input(t)[0] - 5.0, 0.0];
        let expected = alone.step(&x, None).unwrap().prediction[0];
        assert_eq!(learner.step_in(0, &x, None).unwrap().prediction[0], expected);
        learner.step_in(1, &[1.0 - x[0], 1.0], None).unwrap();
    }
    learner.reset(1);
    let x = [0.3, 0.0];
    assert_eq!(learner.step_in(0, &x, None).unwrap().prediction, alone.step(&x, None).unwrap().prediction);
    let mut new = StreamLearner::<f64>::new(&unscaled(&spec(Trainer::Untrained)), 7).unwrap();
    assert_eq!(learner.step_in(1, &x, None).unwrap().prediction, new.step(&x, None).unwrap().prediction);
}
