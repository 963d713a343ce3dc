//! Streams share weights and nothing else.

use super::*;

#[test]
fn streams_share_weights_and_nothing_else() {
    let two = StreamLearnerSpec { streams: 2, ..spec(Trainer::Untrained) };
    let mut learner = StreamLearner::<f64>::new(&two, 7).unwrap();
    let mut alone = StreamLearner::<f64>::new(&spec(Trainer::Untrained), 7).unwrap();
    // An untrained network's state depends on its own inputs alone; scaling is shared, so it is left out.
    let still = |spec: &StreamLearnerSpec| StreamLearnerSpec { standardise: vec![false; 2], ..spec.clone() };
    for learner in [&mut learner, &mut alone] {
        *learner = StreamLearner::new(&still(learner.spec()), 7).unwrap();
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
    let mut fresh = StreamLearner::<f64>::new(&still(&spec(Trainer::Untrained)), 7).unwrap();
    assert_eq!(learner.step_in(1, &x, None).unwrap().prediction, fresh.step(&x, None).unwrap().prediction);
}
