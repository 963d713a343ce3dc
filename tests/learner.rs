//! What a learner does with gradients: means, clipping, schedules, limits, and bad numbers.

use approx::assert_relative_eq;
use sparse_rtrl::cell::{Network, State, Step};
use sparse_rtrl::error::Error;
use sparse_rtrl::learner::{Learner, LearnerSpec, LossAt, Model, Stream, Update};
use sparse_rtrl::params::{Kind, Purpose, generator};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule::{self, Skips};
use sparse_rtrl::task::Sequence;

fn spec() -> LearnerSpec {
    let mut spec = LearnerSpec::new(2, 5, 2);
    spec.mask.sparsity = 0.4;
    spec.loss = Loss::CrossEntropy;
    spec.optimiser = "sgd".into();
    spec.learning_rate = 0.1;
    spec.update = Update::Sequence;
    spec
}

fn sequence(seed: usize, steps: usize) -> Sequence<f64> {
    let inputs = (0..2 * steps).map(|k| 2.0 * ((3 * k * k + 7 * seed) as f64).sin()).collect();
    let classes = (0..steps).map(|t| (t % 3 != 1).then_some((t + seed) % 2)).collect();
    Sequence { inputs, width: 2, classes, judged_from: steps - 1 }
}

/// The summed gradient of a sequence at weights `w`, and the number of losses, by the oracle and a stream of its own.
fn gradient(
    spec: &LearnerSpec,
    seed: u64,
    w: &[f64],
    sequence: &Sequence<f64>,
    at: LossAt,
) -> (Vec<f64>, f64) {
    let mut rng = generator(seed, Purpose::Mask);
    let network = Network::new(&spec.network, |blocks| spec.mask.draw(blocks, &mut rng)).unwrap();
    let model = Model::new(network, spec.outputs, spec.loss);
    let rule = (rule::find::<f64>("rtrl-dense").unwrap().build)(model.network.wiring(), Skips::NONE, 0);
    let mut stream = Stream::new(&model, rule);
    let mut losses = 0.0;
    for t in 0..sequence.steps() {
        let class = sequence.classes[t].filter(|_| at.counts(t, sequence.steps()));
        losses += f64::from(u8::from(class.is_some()));
        stream.step(&model, w, sequence.input(t), class.map(Target::Class));
    }
    stream.drain();
    (stream.gradient().to_vec(), losses)
}

#[test]
fn loss_counts_when_it_says() {
    let counted = |at: LossAt| (0..6).filter(|&t| at.counts(t, 6)).collect::<Vec<_>>();
    assert_eq!(counted(LossAt::Every { burn_in: 4 }), [4, 5]);
    assert_eq!(counted(LossAt::Every { burn_in: 0 }), [0, 1, 2, 3, 4, 5]);
    assert_eq!(counted(LossAt::Last), [5]);
}

#[test]
fn an_update_is_the_rate_times_the_mean_gradient_over_all_losses_of_the_batch() {
    for (clip, at) in [(None, LossAt::Every { burn_in: 2 }), (Some(1e-3), LossAt::Last)] {
        let spec = LearnerSpec { streams: 3, clip, ..spec() };
        let mut learner = Learner::<f64>::new(&spec, 7).unwrap();
        let before = learner.parameters().to_vec();
        let sequences: Vec<_> = (0..3).map(|k| sequence(k, 10)).collect();
        learner.train(&sequences.iter().collect::<Vec<_>>(), at).unwrap();

        let (mut sum, mut losses) = (vec![0.0; before.len()], 0.0);
        for sequence in &sequences {
            let (gradient, n) = gradient(&spec, 7, &before, sequence, at);
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
            losses += n;
        }
        let norm = sum.iter().map(|g| g * g).sum::<f64>().sqrt() / losses;
        let scale = clip.map_or(1.0, |clip: f64| (clip / norm).min(1.0)) / losses;
        if clip.is_some() {
            assert!(scale < 0.5 / losses, "the clip bites");
        }
        for (k, (&after, &before)) in learner.parameters().iter().zip(&before).enumerate() {
            assert_relative_eq!(after, before - 0.1 * scale * sum[k], epsilon = 1e-12);
        }
    }
}

#[test]
fn updates_come_every_k_steps_and_at_the_end_of_a_sequence() {
    let changes = |update: Update| {
        let mut learner = Learner::<f64>::new(&LearnerSpec { update, ..spec() }, 1).unwrap();
        let mut changed = Vec::new();
        for t in 0..10 {
            let before = learner.parameters().to_vec();
            learner.step(&[0.3, -0.4], Some(Target::Class(t % 2))).unwrap();
            if before != learner.parameters() {
                changed.push(t);
            }
        }
        let before = learner.parameters().to_vec();
        learner.end_sequence().unwrap();
        (changed, before != learner.parameters())
    };
    assert_eq!(changes(Update::Steps(1)), ((0..10).collect(), false));
    assert_eq!(changes(Update::Steps(4)), (vec![3, 7], true));
    assert_eq!(changes(Update::Sequence), (vec![], true));

    // A batch: updates within the sequence change what comes after them.
    let trained = |update: Update| {
        let mut learner = Learner::<f64>::new(&LearnerSpec { update, ..spec() }, 1).unwrap();
        learner.train(&[&sequence(1, 10)], LossAt::Every { burn_in: 0 }).unwrap();
        learner.parameters().to_vec()
    };
    assert_ne!(trained(Update::Sequence), trained(Update::Steps(4)));
    assert_eq!(trained(Update::Sequence), trained(Update::Steps(10)));
    let mut steps = Learner::<f64>::new(&LearnerSpec { update: Update::Steps(4), ..spec() }, 1).unwrap();
    let data = sequence(1, 10);
    for t in 0..10 {
        steps.step(data.input(t), data.classes[t].map(Target::Class)).unwrap();
    }
    steps.end_sequence().unwrap();
    assert_eq!(steps.parameters(), trained(Update::Steps(4)), "steps and batch are the same learning");
}

#[test]
fn steps_to_the_next_update_are_counted_anew_after_a_bad_number_and_after_a_batch() {
    for batch in [false, true] {
        let mut learner =
            Learner::<f64>::new(&LearnerSpec { update: Update::Steps(4), ..spec() }, 1).unwrap();
        for _ in 0..3 {
            learner.step(&[0.3, -0.4], Some(Target::Class(1))).unwrap();
        }
        if batch {
            learner.train(&[&sequence(1, 10)], LossAt::Last).unwrap();
        } else {
            learner.step(&[f64::NAN, 0.0], None).unwrap_err();
        }
        let mut changes = |t: &usize| {
            let before = learner.parameters().to_vec();
            learner.step(&[0.3, -0.4], Some(Target::Class(t % 2))).unwrap();
            before != learner.parameters()
        };
        assert_eq!((0..8).filter(|t| changes(t)).collect::<Vec<_>>(), [3, 7], "batch {batch}");
    }
}

#[test]
fn a_sequence_that_has_ended_is_forgotten() {
    let mut learner = Learner::<f64>::new(&LearnerSpec { learning_rate: 1e-300, ..spec() }, 1).unwrap();
    let mut said = || {
        for t in 0..6 {
            learner.step(&[t as f64, 1.0], Some(Target::Class(0))).unwrap();
        }
        let output = learner.output().to_vec();
        learner.end_sequence().unwrap();
        output
    };
    assert_eq!(said(), said());
}

#[test]
fn what_steps_have_gathered_does_not_leak_into_a_batch() {
    let fresh = |steps: usize| {
        let mut learner = Learner::<f64>::new(&spec(), 1).unwrap();
        for _ in 0..steps {
            learner.step(&[1.0, 2.0], Some(Target::Class(1))).unwrap();
        }
        let tally = learner.train(&[&sequence(1, 10)], LossAt::Last).unwrap();
        (tally.steps, learner.parameters().to_vec())
    };
    assert_eq!(fresh(0), fresh(5));
}

/// Also those of upper layers, whatever the rate.
#[test]
fn thresholds_stay_in_zero_to_one() {
    let mut spec = LearnerSpec { learning_rate: 30.0, ..spec() };
    let layer = spec.network.layers[0].clone();
    spec.network.layers.push(layer);
    let mut learner = Learner::<f64>::new(&spec, 2).unwrap();
    let (mut low, mut high) = ([0; 2], [0; 2]);
    for k in 0..40 {
        learner.train(&[&sequence(k, 12)], LossAt::Every { burn_in: 0 }).unwrap();
        let layout = learner.model().network.wiring().layout();
        for block in layout.blocks().iter().filter(|b| b.spec.kind == Kind::Threshold) {
            for &place in &block.places {
                let theta = learner.parameters()[place];
                assert!((0.0..=1.0).contains(&theta), "layer {}: {theta}", block.spec.layer);
                low[block.spec.layer] += usize::from(theta == 0.0);
                high[block.spec.layer] += usize::from(theta == 1.0);
            }
        }
    }
    assert!(
        low.iter().chain(&high).all(|met| *met > 0),
        "both limits are met in both layers: {low:?}, {high:?}"
    );
}

#[test]
fn testing_counts_right_decisions_and_starts_every_sequence_afresh() {
    let mut learner = Learner::<f64>::new(&spec(), 3).unwrap();
    for k in 0..20 {
        learner.train(&[&sequence(k, 10)], LossAt::Every { burn_in: 0 }).unwrap();
    }
    let mut sequences: Vec<_> = (0..200).map(|k| sequence(k, 10)).collect();
    let (p, model) = (learner.model().network.wiring().parameters(), learner.model());
    let (w, w_out) = learner.parameters().split_at(p);
    let mut right = 0;
    for sequence in &mut sequences {
        let wiring = model.network.wiring();
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        let mut output = [0.0; 2];
        for t in 0..10 {
            model.network.forward(w, sequence.input(t), &state, &mut step);
            state.follow(&step);
        }
        model.readout.forward(w_out, &state.y[wiring.outputs()], &mut output);
        right += usize::from(usize::from(output[1] > output[0]) == sequence.classes[9].unwrap());
    }
    assert!((20..180).contains(&right), "some right, some wrong: {right}");
    assert_eq!(learner.test(&sequences), right as f64 / 200.0);
}

#[test]
fn bad_numbers_are_noticed_and_good_ones_can_follow_at_once() {
    for cell in ["egru", "event-rnn", "gru", "rnn"] {
        for rule in rule::registry::<f64>() {
            for bad in [f64::NAN, f64::INFINITY] {
                let mut spec = spec();
                spec.network.layers[0].cell = cell.into();
                spec.loss = Loss::SquaredError;
                spec.update = Update::Steps(1);
                spec.rule = rule.name.clone();
                let fresh = || Learner::<f64>::new(&spec, 1).unwrap();
                let mut learner = fresh();
                for t in 0..9 {
                    learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0]))).unwrap();
                }
                let before = learner.parameters().to_vec();
                let (good, ruined) = ([0.0, 1.0], [bad, 1.0]);
                let cases = [
                    ([1.0, bad], None, "input"),
                    ([bad, 1.0], Some(Target::Values(&good)), "input"),
                    ([1.0, 1.0], Some(Target::Values(&ruined)), "loss"),
                ];
                for (k, (x, target, expected)) in cases.into_iter().cycle().take(12).enumerate() {
                    // After some good steps, more or fewer of them, without a target.
                    for t in 0..k {
                        learner.step(&[0.5, t as f64], None).unwrap();
                    }
                    let said = learner.step(&x, target).unwrap_err();
                    assert!(
                        matches!(said, Error::NotFinite { what, .. } if what == expected),
                        "{cell}: {said}"
                    );
                    assert_eq!(learner.parameters(), before, "nothing was learned from it");
                }
                // And nothing of it is left: past the end of any block or window.
                for t in 0..20 {
                    let said = learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0])));
                    said.unwrap_or_else(|error| panic!("{cell} {}: {error}", rule.name));
                }
                assert_ne!(learner.parameters(), before, "{cell} {} goes on", rule.name);
                assert!(learner.parameters().iter().all(|w| w.is_finite()));
                learner.end_sequence().unwrap();
            }
        }
    }
}

/// What a bad number has left behind the steps of a block, a window or a tape is met at once if the next step has a target.
#[test]
fn a_target_right_after_a_bad_number_is_learned_from() {
    let rules = rule::registry::<f64>().into_iter().map(|rule| rule.name);
    for rule in rules.chain(["rtrl-blocked-17", "rtrl-blocked-33"].map(String::from)) {
        for (cell, mask) in [("egru", 0.0), ("egru", 0.8), ("event-rnn", 0.4), ("gru", 0.4), ("rnn", 0.0)] {
            for bad in [f64::NAN, f64::INFINITY] {
                let mut spec = LearnerSpec { loss: Loss::SquaredError, update: Update::Steps(1), ..spec() };
                spec.network.layers[0].cell = cell.into();
                (spec.rule, spec.mask.sparsity) = (rule.clone(), mask);
                let mut learner = Learner::<f64>::new(&spec, 1).unwrap();
                for k in (0..9).chain([15, 16, 17, 18]) {
                    for t in 0..k {
                        learner.step(&[0.5, t as f64], None).unwrap();
                    }
                    learner.step(&[bad, bad], None).unwrap_err();
                    for t in 0..3 {
                        let learned = learner.step(&[1.0, t as f64], Some(Target::Values(&[0.0, 1.0])));
                        learned.unwrap_or_else(|error| panic!("{rule} on {cell}, {k} steps, {bad}: {error}"));
                    }
                    assert!(learner.parameters().iter().all(|w| w.is_finite()));
                    learner.end_sequence().unwrap();
                }
            }
        }
    }
}

/// The mean over streams averages noise out only if each stream draws its own.
#[test]
fn streams_draw_noise_of_their_own() {
    let trained = |rule: &str, streams: usize| {
        let spec = LearnerSpec { rule: rule.into(), streams, ..spec() };
        let mut learner = Learner::<f64>::new(&spec, 5).unwrap();
        let data = sequence(1, 10);
        learner.train(&vec![&data; streams], LossAt::Every { burn_in: 0 }).unwrap();
        learner.parameters().to_vec()
    };
    // The mean of two equal gradients is the gradient.
    assert_eq!(trained("rtrl", 1), trained("rtrl", 2));
    let (one, two, four) = (trained("uoro", 1), trained("uoro", 2), trained("uoro", 4));
    assert!(one != two && two != four);
}

#[test]
fn an_update_that_would_ruin_the_weights_is_taken_back() {
    let (loss, update) = (Loss::SquaredError, Update::Steps(1));
    let spec = LearnerSpec { learning_rate: 1e308, loss, update, ..spec() };
    let mut learner = Learner::<f64>::new(&spec, 1).unwrap();
    let before = learner.parameters().to_vec();
    let said = learner.step(&[1.0, 1.0], Some(Target::Values(&[1e3, -1e3]))).unwrap_err();
    assert!(matches!(said, Error::NotFinite { what: "weight", .. }), "{said}");
    assert_eq!(learner.parameters(), before);
}

#[test]
fn a_batch_with_a_bad_number_leaves_nothing_behind() {
    let bad = Sequence { inputs: vec![f64::NAN; 20], ..sequence(1, 10) };
    let good = sequence(2, 10);
    let mut learner = Learner::<f64>::new(&spec(), 1).unwrap();
    assert!(learner.train(&[&bad], LossAt::Last).is_err());
    let tally = learner.train(&[&good], LossAt::Last).unwrap();
    let mut untroubled = Learner::<f64>::new(&spec(), 1).unwrap();
    assert_eq!(tally, untroubled.train(&[&good], LossAt::Last).unwrap());
    assert_eq!(learner.parameters(), untroubled.parameters());
}

#[test]
fn a_shadow_tells_exact_rules_from_others_and_changes_nothing() {
    let run = |rule: &str, shadow: Option<&str>| {
        let spec = LearnerSpec { rule: rule.into(), shadow: shadow.map(String::from), ..spec() };
        let mut learner = Learner::<f64>::new(&spec, 1).unwrap();
        let tally = learner.train(&[&sequence(1, 10)], LossAt::Every { burn_in: 0 }).unwrap();
        (tally, learner.parameters().to_vec())
    };
    for entry in rule::registry::<f64>() {
        let (plain, shadowed) = (run(&entry.name, None), run(&entry.name, Some("bptt")));
        assert_eq!(plain.1, shadowed.1, "{}", entry.name);
        assert_eq!(plain.0.macs, shadowed.0.macs, "a shadow's work is not counted");
        let (cosine, error) = (shadowed.0.gradient_cosine(), shadowed.0.gradient_error());
        if entry.claim == rule::Claim::Exact {
            assert!((cosine - 1.0).abs() < 1e-12 && error < 1e-10, "{}: {cosine}, {error}", entry.name);
        } else {
            assert!(cosine < 1.0 - 1e-6 && error > 1e-3, "{}: {cosine}, {error}", entry.name);
        }
    }
}

#[test]
fn a_continuous_stream_goes_on_where_the_last_sequence_ended() {
    // The first half has no target, so that nothing is learned before the end of the second.
    let whole = sequence(2, 21);
    let part = |from: usize, to: usize| Sequence {
        inputs: whole.inputs[2 * from..2 * to].to_vec(),
        width: 2,
        classes: (from..to).map(|t| whole.classes[t].filter(|_| t == 20)).collect(),
        judged_from: to - from,
    };
    for name in ["rtrl", "rtrl-dense", "snap-2", "tbptt-8", "rflo"] {
        let learned = |parts: &[(usize, usize)], continuous| {
            let spec = LearnerSpec { rule: name.into(), continuous, ..spec() };
            let mut learner = Learner::<f64>::new(&spec, 7).unwrap();
            for &(from, to) in parts {
                learner.train(&[&part(from, to)], LossAt::Last).unwrap();
            }
            learner.parameters().to_vec()
        };
        let at_once = learned(&[(0, 21)], false);
        assert_eq!(learned(&[(0, 11), (11, 21)], true), at_once, "{name}");
        assert_ne!(learned(&[(0, 11), (11, 21)], false), at_once, "{name}: a reset is noticed");
    }
}

#[test]
fn a_rule_that_grows_is_refused_on_an_endless_stream() {
    for spec in [
        LearnerSpec { rule: "bptt".into(), continuous: true, ..spec() },
        LearnerSpec { shadow: Some("bptt".into()), continuous: true, ..spec() },
    ] {
        let said = spec.check().unwrap_err().to_string();
        assert!(said.contains("does not grow") && said.contains("bptt"), "{said}");
    }
}

#[test]
fn a_continuous_learner_is_tested_without_resets_too() {
    let sequences: Vec<_> = (0..200).map(|k| sequence(k, 3)).collect();
    let mut noticed = false;
    for seed in 0..5 {
        let learner = |continuous| Learner::<f64>::new(&LearnerSpec { continuous, ..spec() }, seed).unwrap();
        let (with, without) = (learner(false).test(&sequences), learner(true).test(&sequences));
        // One by one, every sequence begins afresh either way.
        let alone = |s: &Sequence<f64>| learner(true).test(std::slice::from_ref(s));
        assert_eq!(sequences.iter().map(alone).sum::<f64>() / 200.0, with);
        noticed |= with != without;
    }
    assert!(noticed, "what came before a sequence changes some decision");
}
