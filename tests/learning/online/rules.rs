//! Equality of exact rules with every trainer, learning of classes, and the choice of `rtrl-auto`.

use super::*;
use sparse_rtrl::rule::{self, Claim};

/// With every trainer, every exact rule gives the weights of the oracle.
#[test]
fn learner_with_every_exact_rule_has_weights_of_oracle() {
    for trainer in [Trainer::default(), kalman(Grouping::Node), kalman(Grouping::Full)] {
        for least in [None, spec(trainer.clone()).least_squares] {
            let learned = |rule: &str| {
                let mut spec = StreamLearnerSpec { least_squares: least, ..spec(trainer.clone()) };
                spec.model.rule = rule.into();

                let mut learner = StreamLearner::<f64>::new(&spec, 3).unwrap();
                run(&mut learner, 0..150, 2);
                learner.weights().to_vec()
            };
            let expected = learned("rtrl-dense");
            let size = expected.iter().map(|w| w.abs()).fold(0.0, f64::max);
            for entry in rule::registry::<f64>().iter().filter(|e| e.claim == Claim::Exact && !e.grows) {
                let worst = learned(&entry.name)
                    .iter()
                    .zip(&expected)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f64::max);
                assert!(worst / size < 1e-7, "{}, {trainer:?}: {:e}", entry.name, worst / size);
            }
        }
    }
}

/// Predicts the next symbol of a cycle that repeats a symbol at every fifth step. The network must
/// count to five.
#[test]
fn classes_of_cycle_with_memory_reach_90_percent() {
    for trainer in [Trainer::default(), kalman(Grouping::Node)] {
        for (loss, outputs) in
            [(Loss::CrossEntropy, 3), (Loss::SquaredError, 3), (Loss::BinaryCrossEntropy, 1)]
        {
            let classes = outputs.max(2);
            let mut spec = StreamLearnerSpec::new(3, 16, outputs);
            spec.model.loss = loss;
            spec.standardise = vec![false; 3];
            spec.standardise_target = false;
            spec.trainer = trainer.clone();
            spec.least_squares = None;
            let mut learner = StreamLearner::<f64>::new(&spec, 8).unwrap();
            let (mut symbol, mut correct) = (0, 0);
            for t in 0..3000 {
                let next = if t % 5 == 4 { symbol } else { (symbol + 1) % classes };
                let x: [f64; 3] = std::array::from_fn(|k| f64::from(k == symbol));
                let result = learner.step(&x, Some(Target::Class(next))).unwrap();
                let largest = |p: &[f64]| (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
                let predicted = match result.prediction {
                    [p] => usize::from(*p > 0.5),
                    many => largest(many),
                };
                correct += usize::from(t >= 2000 && predicted == next);
                symbol = next;
            }
            // A prediction without memory is correct for 80 % of the rows.
            assert!(correct > 900, "{trainer:?}, {loss:?}: {correct} of 1000");
        }
    }
}

/// `rtrl-auto` is resolved once. The learner and its checkpoint contain the chosen rule.
#[test]
fn learner_with_rtrl_auto_has_resolved_rule() {
    let mut spec = spec(Trainer::default());
    spec.model.rule = "rtrl-auto".into();

    let learner = StreamLearner::<f64>::new(&spec, 3).unwrap();
    let chosen = rule::resolve("rtrl-auto", learner.network().wiring());
    assert!(chosen == "rtrl" || chosen.starts_with("rtrl-blocked-"), "{chosen}");
    assert_eq!(learner.spec().model.rule, chosen);
    // The result and the MACs of a seed depend on the chosen rule. It is equal on all machines.
    let chosen = |cell: &str, units: usize, sparsity: f64| {
        let mut spec = StreamLearnerSpec::new(16, units, 1);
        spec.model.network.layers[0].cell = cell.into();
        (spec.model.mask.sparsity, spec.model.rule) = (sparsity, "rtrl-auto".into());
        StreamLearner::<f32>::new(&spec, 0).unwrap().spec().model.rule.clone()
    };
    let found = [
        ("egru", 16, 0.9),
        ("egru", 128, 0.9),
        ("egru", 128, 0.0),
        ("event-rnn", 128, 0.9),
        ("event-rnn", 128, 0.0),
    ]
    .map(|(cell, units, sparsity)| chosen(cell, units, sparsity));
    assert_eq!(found, ["rtrl", "rtrl-blocked-35", "rtrl-blocked-33", "rtrl", "rtrl-blocked-10"]);
    assert_eq!(rule::resolve("snap-2", learner.network().wiring()), "snap-2");
}
