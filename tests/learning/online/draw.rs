//! Masks, initial values and noise of a learner. Each has its own generator, from the same seed.

use super::*;
use rand_distr::{Distribution, Normal};
use sparse_rtrl::params::{BiasInit, Purpose, generator};

fn new_learner(bias: BiasInit) -> (StreamLearnerSpec, StreamLearner<f64>) {
    let mut spec = StreamLearnerSpec::new(3, 6, 2);
    (spec.model.mask.sparsity, spec.model.init.bias, spec.direct, spec.least_squares) = (0.5, bias, 2, None);
    let learner = StreamLearner::new(&spec, 7).unwrap();
    (spec, learner)
}

#[test]
fn stream_learner_new_equals_pinned_mask_and_weights() {
    let (_, learner) = new_learner(BiasInit::Uniform);
    let wiring = learner.network().wiring();
    let kept: Vec<_> = wiring.layout().block("layer0.wu_y").unwrap().kept.entries().take(5).collect();
    assert_eq!(kept, PINNED_MASK);
    let (w, p) = (learner.weights(), wiring.parameters());
    approx::assert_relative_eq!([w[0], w[1], w[p - 1], w[p]][..], PINNED_WEIGHTS, max_relative = 1e-12);
}

const PINNED_MASK: [(usize, usize); 5] = [(0, 1), (0, 2), (0, 3), (0, 5), (1, 4)];
const PINNED_WEIGHTS: [f64; 4] =
    [-0.3533059021093225, -0.5529543508589032, 0.13283250152156284, 0.014286087021261896];

/// Masks come from the generator `Mask`. Parameters of the cells, readout weights of emissions and
/// readout biases come from the generator `Init`, in this order.
#[test]
fn stream_learner_new_equals_draws_of_its_generators_in_order() {
    for bias in [BiasInit::Zero, BiasInit::Uniform] {
        let (spec, learner) = new_learner(bias);
        let wiring = learner.network().wiring();
        let blocks: Vec<_> = wiring.layout().blocks().iter().map(|b| b.spec.clone()).collect();
        let masks = spec.model.mask.draw(&blocks, &mut generator(7, Purpose::Mask)).unwrap();
        for (block, mask) in wiring.layout().blocks().iter().zip(&masks) {
            assert!(block.kept.entries().eq(mask.entries()), "{}", block.spec.name);
        }
        let mut rng = generator(7, Purpose::Init);
        let mut expected: Vec<f64> = spec.model.init.draw(wiring.layout(), &mut rng).unwrap();
        // 6 emissions and 2 outputs. Readout weights of 2 direct and 3 echoed inputs are zero.
        let glorot = Normal::new(0.0, (2.0f64 / 8.0).sqrt()).unwrap();
        for _ in 0..2 {
            expected.extend((0..6).map(|_| glorot.sample(&mut rng)));
            expected.extend([0.0; 5]);
        }
        expected.extend((0..2).map(|_| match bias {
            BiasInit::Zero => 0.0,
            BiasInit::Uniform => rand::RngExt::random_range(&mut rng, -1.0..1.0) / 6f64.sqrt(),
            other => panic!("no reference for {other:?}"),
        }));
        assert_eq!(learner.weights(), expected, "{bias:?}");
    }
}

#[test]
fn stream_learner_with_least_squares_has_initial_readout_of_zeros() {
    let learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 3).unwrap();
    let p = learner.network().wiring().parameters();
    assert_eq!(learner.weights()[p..], [0.0; 13]);
    assert!(learner.weights()[..p].iter().any(|w| *w != 0.0));
}

#[test]
fn stream_learner_with_other_seed_has_other_masks_and_weights() {
    let learner_of = |seed| StreamLearner::<f64>::new(&spec(Trainer::default()), seed).unwrap();
    let kept = |learner: &StreamLearner<f64>| -> Vec<_> {
        learner.network().wiring().layout().block("layer0.wu_y").unwrap().kept.entries().collect()
    };
    assert_eq!(
        (kept(&learner_of(1)), learner_of(1).weights()),
        (kept(&learner_of(1)), learner_of(1).weights())
    );
    assert_ne!(kept(&learner_of(1)), kept(&learner_of(2)));
    assert_ne!(learner_of(1).weights(), learner_of(2).weights());
}

/// A random rule draws different numbers in each stream. An exact rule gives equal weights.
#[test]
fn stream_learner_streams_of_random_rule_draw_different_noise() {
    let learned = |rule: &str, seed, stream| {
        let mut spec = spec(Trainer::default());
        (spec.model.rule, spec.streams, spec.least_squares) = (rule.into(), 3, None);
        let mut learner = StreamLearner::<f64>::new(&spec, seed).unwrap();
        for t in 0..20 {
            learner.step_in(stream, &input(t), Some(Target::Values(&[signal(t)]))).unwrap();
        }
        learner.weights().to_vec()
    };
    assert_eq!(learned("rtrl", 1, 0), learned("rtrl", 1, 1));
    assert_eq!(learned("uoro", 1, 1), learned("uoro", 1, 1));
    let all = [learned("uoro", 1, 0), learned("uoro", 1, 1), learned("uoro", 1, 2)];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}
