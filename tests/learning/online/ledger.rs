//! The ledger against products counted one by one: network, rule, readout, look-aheads, least squares and filters.

use super::reference::Reference;
use super::worlds::World;
use super::*;

#[test]
fn online_macs_equal_products_counted_by_hand() {
    let (mut updates, mut by_rounding, mut settings) = (0, 0, 0);
    for world in World::all() {
        let mut learner = StreamLearner::<f64>::new(&world.spec, 3).unwrap();
        let mut reference = Reference::of(&learner, &world.spec.rule);
        let mut loose = 0;
        for t in 0..60 {
            for stream in 0..world.spec.streams {
                let (x, values) = (world.x(stream, t), world.values(stream, t));
                let target = world.target(t, &values);
                if t % 7 == 3 {
                    learner.predict_in(stream, &x).unwrap();
                    reference.predict(stream, &x);
                }
                let before = reference.updates();
                learner.step_in(stream, &x, target).unwrap();
                reference.step(stream, &x, target);
                let (mut found, expected) = (learner.macs(), reference.macs);
                // Where rows of H depend on each other, rounding decides whether a number is zero.
                let more = (found.update - loose).checked_sub(expected.update).expect("no less than that");
                let slack = if reference.updates() > before { reference.slack } else { 0 };
                assert!(more <= slack, "{}, step {t}: {more} beyond {expected:?}", world.name);
                assert!(slack == 0 || world.spec.outputs > 1, "{}", world.name);
                loose += more;
                found.update = expected.update;
                assert_eq!(found, expected, "{}, step {t}", world.name);
                assert_eq!(learner.macs().total() - found.total(), loose, "{}", world.name);
            }
        }
        let total = learner.macs();
        by_rounding += loose;
        let parts = total.forward + total.coupling + total.influence + total.gradient + total.update;
        assert_eq!(total.total(), parts, "{}", world.name);
        let counts = !matches!(world.spec.trainer, Trainer::Gradient { .. }) || world.spec.least.is_some();
        assert_eq!(total.update > 0, counts, "{}", world.name);
        updates += total.update;
        settings += 1;
    }
    assert!(settings > 60 && updates > 10_000_000, "{settings} settings, {updates} products");
    assert!(by_rounding < updates / 20, "{by_rounding} of {updates} products hang on rounding");
}

/// Worked out on paper: one weight that is read, one output, λ < 1, no zero anywhere after the first step.
#[test]
fn online_macs_of_least_squares_by_hand() {
    let mut spec = StreamLearnerSpec::new(1, 3, 2);
    spec.network.layers[0].cell = "rnn".into();
    spec.trainer = Trainer::Untrained;
    spec.least = Some(sparse_rtrl::learner::online::LeastSquares { variance: 1.0, forgetting: 0.9 });
    spec.standardise = vec![false];
    let mut learner = StreamLearner::<f64>::new(&spec, 0).unwrap();
    for t in 0..4u64 {
        learner.learn(&[0.5], Some(Target::Values(&[1.0, t as f64]))).unwrap();
        let macs = learner.macs();
        // φ: three emissions, the echoed input and the constant: d = 5, all nonzero. P φ, s sᵀ, D P D: 3 · 25; two outputs: 2 · 5.
        assert_eq!(macs.update, (t + 1) * (3 * 25 + 2 * 5));
        assert_eq!((macs.gradient, macs.coupling, macs.influence, macs.backward), (0, 0, 0, 0));
    }
    spec.least = Some(sparse_rtrl::learner::online::LeastSquares { variance: 1.0, forgetting: 1.0 });
    let mut learner = StreamLearner::<f64>::new(&spec, 0).unwrap();
    learner.learn(&[0.5], Some(Target::Values(&[1.0, 2.0]))).unwrap();
    assert_eq!(learner.macs().update, 2 * 25 + 2 * 5, "without forgetting there is no D P D");
}
