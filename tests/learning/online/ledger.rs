//! MACs compared with a count of every product in a reference implementation.

use super::reference::Reference;
use super::scenarios::Scenario;
use super::*;

#[test]
fn macs_of_stream_learner_equal_reference_count() {
    let (mut updates, mut by_rounding, mut settings) = (0, 0, 0);
    for scenario in Scenario::all() {
        let mut learner = StreamLearner::<f64>::new(&scenario.spec, 3).unwrap();
        let mut reference = Reference::of(&learner, &scenario.spec.model.rule);
        let mut excess = 0;
        for t in 0..60 {
            for stream in 0..scenario.spec.streams {
                let (x, values) = (scenario.x(stream, t), scenario.values(stream, t));
                let target = scenario.target(t, &values);
                if t % 7 == 3 {
                    learner.predict_in(stream, &x).unwrap();
                    reference.predict(stream, &x);
                }
                let before = reference.updates();
                learner.step_in(stream, &x, target).unwrap();
                reference.step(stream, &x, target);
                let (mut found, expected) = (learner.macs(), reference.macs);
                // Where rows of H are linearly dependent, rounding decides whether a value is zero.
                let more = (found.update - excess)
                    .checked_sub(expected.update)
                    .expect("at least the MACs of the reference");
                let slack = if reference.updates() > before { reference.slack } else { 0 };
                assert!(more <= slack, "{}, step {t}: {more} MACs more than {expected:?}", scenario.name);
                assert!(slack == 0 || scenario.spec.model.outputs > 1, "{}", scenario.name);
                excess += more;
                found.update = expected.update;
                assert_eq!(found, expected, "{}, step {t}", scenario.name);
                assert_eq!(learner.macs().total() - found.total(), excess, "{}", scenario.name);
            }
        }
        let total = learner.macs();
        by_rounding += excess;
        let parts = total.forward + total.coupling + total.influence + total.gradient + total.update;
        assert_eq!(total.total(), parts, "{}", scenario.name);
        let counts = !matches!(scenario.spec.trainer, Trainer::Gradient { .. })
            || scenario.spec.least_squares.is_some();
        assert_eq!(total.update > 0, counts, "{}", scenario.name);
        updates += total.update;
        settings += 1;
    }
    assert!(settings > 60 && updates > 10_000_000, "got {settings} settings, {updates} MACs");
    assert!(by_rounding < updates / 20, "{by_rounding} of {updates} MACs depend on rounding");
}

/// Counted on paper: one input, two outputs, λ < 1, and no zero after the first step.
#[test]
fn macs_of_least_squares_equal_count_on_paper() {
    let mut spec = StreamLearnerSpec::new(1, 3, 2);
    spec.model.network.layers[0].cell = "rnn".into();
    spec.trainer = Trainer::Untrained;
    spec.least_squares = Some(sparse_rtrl::learner::online::LeastSquares { variance: 1.0, forgetting: 0.9 });
    spec.standardise = vec![false];
    let mut learner = StreamLearner::<f64>::new(&spec, 0).unwrap();
    for t in 0..4u64 {
        learner.learn(&[0.5], Some(Target::Values(&[1.0, t as f64]))).unwrap();
        let macs = learner.macs();
        // φ has d = 5 nonzero entries: three emissions, the echoed input and the constant. P φ, s sᵀ
        // and D P D: 3 · 25 MACs. Two outputs: 2 · 5 MACs.
        assert_eq!(macs.update, (t + 1) * (3 * 25 + 2 * 5));
        assert_eq!((macs.gradient, macs.coupling, macs.influence, macs.backward), (0, 0, 0, 0));
    }
    spec.least_squares = Some(sparse_rtrl::learner::online::LeastSquares { variance: 1.0, forgetting: 1.0 });
    let mut learner = StreamLearner::<f64>::new(&spec, 0).unwrap();
    learner.learn(&[0.5], Some(Target::Values(&[1.0, 2.0]))).unwrap();
    assert_eq!(learner.macs().update, 2 * 25 + 2 * 5, "expected no D P D without forgetting");
}
