//! What a learner begins with: masks, weights and noise drawn from its seed, each from a generator of its own.

use super::*;
use rand_distr::{Distribution, Normal};
use sparse_rtrl::params::{BiasInit, Purpose, generator};

fn drawn(bias: BiasInit) -> (StreamLearnerSpec, StreamLearner<f64>) {
    let mut spec = StreamLearnerSpec::new(3, 6, 2);
    (spec.mask.sparsity, spec.init.bias, spec.direct, spec.least) = (0.5, bias, 2, None);
    let learner = StreamLearner::new(&spec, 7).unwrap();
    (spec, learner)
}

#[test]
fn online_drawn_equals_pinned_numbers() {
    let (_, learner) = drawn(BiasInit::Uniform);
    let wiring = learner.network().wiring();
    let kept: Vec<_> = wiring.layout().block("layer0.wu_y").unwrap().kept.entries().take(5).collect();
    assert_eq!(kept, PINNED_MASK);
    let (w, p) = (learner.weights(), wiring.parameters());
    approx::assert_relative_eq!([w[0], w[1], w[p - 1], w[p]][..], PINNED_WEIGHTS, max_relative = 1e-12);
}

const PINNED_MASK: [(usize, usize); 5] = [(0, 1), (0, 2), (0, 3), (0, 5), (1, 4)];
const PINNED_WEIGHTS: [f64; 4] =
    [-0.3533059021093225, -0.5529543508589032, 0.13283250152156284, 0.014286087021261896];

/// Masks from the generator for masks; cells, then the readout of emissions, then its biases, from the one for initial values.
#[test]
fn online_drawn_equals_its_generators_in_order() {
    for bias in [BiasInit::Zero, BiasInit::Uniform] {
        let (spec, learner) = drawn(bias);
        let wiring = learner.network().wiring();
        let blocks: Vec<_> = wiring.layout().blocks().iter().map(|b| b.spec.clone()).collect();
        let masks = spec.mask.draw(&blocks, &mut generator(7, Purpose::Mask)).unwrap();
        for (block, mask) in wiring.layout().blocks().iter().zip(&masks) {
            assert!(block.kept.entries().eq(mask.entries()), "{}", block.spec.name);
        }
        let mut rng = generator(7, Purpose::Init);
        let mut expected: Vec<f64> = spec.init.draw(wiring.layout(), &mut rng).unwrap();
        // 6 emissions and 2 outputs; nothing from 2 direct and 3 echoed inputs.
        let glorot = Normal::new(0.0, (2.0f64 / 8.0).sqrt()).unwrap();
        for _ in 0..2 {
            expected.extend((0..6).map(|_| glorot.sample(&mut rng)));
            expected.extend([0.0; 5]);
        }
        expected.extend((0..2).map(|_| match bias {
            BiasInit::Zero => 0.0,
            BiasInit::Uniform => rand::RngExt::random_range(&mut rng, -1.0..1.0) / 6f64.sqrt(),
        }));
        assert_eq!(learner.weights(), expected, "{bias:?}");
    }
}

#[test]
fn online_with_least_squares_begins_with_a_readout_of_zeros() {
    let learner = StreamLearner::<f64>::new(&spec(Trainer::default()), 3).unwrap();
    let p = learner.network().wiring().parameters();
    assert_eq!(learner.weights()[p..], [0.0; 13]);
    assert!(learner.weights()[..p].iter().any(|w| *w != 0.0));
}

#[test]
fn online_other_seed_gives_other_masks_and_weights() {
    let of = |seed| StreamLearner::<f64>::new(&spec(Trainer::default()), seed).unwrap();
    let kept = |learner: &StreamLearner<f64>| -> Vec<_> {
        learner.network().wiring().layout().block("layer0.wu_y").unwrap().kept.entries().collect()
    };
    assert_eq!((kept(&of(1)), of(1).weights()), (kept(&of(1)), of(1).weights()));
    assert_ne!(kept(&of(1)), kept(&of(2)));
    assert_ne!(of(1).weights(), of(2).weights());
}

/// A rule that draws random numbers draws others in every stream; exact rules know of no stream.
#[test]
fn online_streams_draw_noise_of_their_own() {
    let learned = |rule: &str, seed, stream| {
        let mut spec = spec(Trainer::default());
        (spec.rule, spec.streams, spec.least) = (rule.into(), 3, None);
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
