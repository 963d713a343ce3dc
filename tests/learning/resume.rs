//! A learner that was saved and restored goes on as the one that was not, bit for bit: every rule, every cell, every trainer.

use sparse_rtrl::archive::Archive;
use sparse_rtrl::cell;
use sparse_rtrl::learner::online::{Grouping, StreamLearner, StreamLearnerSpec, Trainer};
use sparse_rtrl::optim;
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule;

/// Two readings that belong together, with gaps in what is known of the target.
fn row(t: usize) -> ([f64; 2], Option<f64>) {
    let x = [(0.3 * t as f64).sin() * 5.0 + 20.0, ((0.11 * t as f64).cos() > 0.0) as u8 as f64];
    (x, (!t.is_multiple_of(5)).then_some(100.0 + 10.0 * (0.3 * t as f64 + x[1]).cos()))
}

fn step(learner: &mut StreamLearner<f32>, t: usize) -> Vec<u64> {
    let (x, target) = row(t);
    let class = target.map(|target| Target::Class(usize::from(target > 100.0)));
    let values = target.map(|target| [target]);
    let target = match learner.spec().loss {
        Loss::SquaredError => values.as_ref().map(|values| Target::Values(values)),
        _ => class,
    };
    let answer = learner.step(&x, target).unwrap();
    answer.prediction.iter().chain(answer.predicted.into_iter().flatten()).map(|p| p.to_bits()).collect()
}

fn saved(learner: &mut StreamLearner<f32>) -> Vec<u8> {
    let mut archive = Archive::writer();
    learner.save(&mut archive).unwrap();
    archive.into_bytes()
}

fn goes_on(spec: &StreamLearnerSpec, what: &str) {
    let mut whole = StreamLearner::<f32>::new(spec, 3).unwrap();
    (0..60).for_each(|t| drop(step(&mut whole, t)));
    let bytes = saved(&mut whole);
    let mut archive = Archive::reader(bytes.clone());
    let mut again = StreamLearner::<f32>::restore(&mut archive).unwrap();
    archive.finish().unwrap();
    assert!(saved(&mut again) == bytes, "{what}: what was restored is not what was saved");
    for t in 60..140 {
        assert_eq!(step(&mut whole, t), step(&mut again, t), "{what}: step {t}");
    }
    assert!(saved(&mut whole) == saved(&mut again), "{what}: the ends differ");
}

#[test]
fn every_rule_goes_on() {
    for entry in rule::registry::<f32>().iter().filter(|entry| !entry.grows) {
        for cell in cell::registry::<f32>() {
            let mut spec = StreamLearnerSpec::new(2, 9, 1);
            spec.mask.sparsity = 0.5;
            spec.rule.clone_from(&entry.name);
            spec.network.layers[0].cell = cell.name.into();
            let second = spec.network.layers[0].clone();
            spec.network.layers.push(second);
            spec.network.trace = Some(0.5);
            goes_on(&spec, &format!("{} on {}", entry.name, cell.name));
        }
    }
}

/// Where no row carries, lines come and go: what is left of those that went must not be seen in what is saved.
#[test]
fn deep_nets_without_carry_go_on() {
    for rule in ["rtrl", "rtrl-blocked-4", "rtrl-blocked-7"] {
        for trace in [None, Some(0.5)] {
            let mut spec = StreamLearnerSpec::new(2, 9, 1);
            spec.mask.sparsity = 0.6;
            spec.rule = rule.into();
            spec.network.layers[0].cell = "event-rnn".into();
            let layer = spec.network.layers[0].clone();
            spec.network.layers.extend([layer.clone(), layer]);
            spec.network.trace = trace;
            goes_on(&spec, &format!("{rule} on three layers, trace {trace:?}"));
        }
    }
}

#[test]
fn every_trainer_loss_and_horizon_goes_on() {
    let kalman =
        |grouping| Trainer::Kalman { grouping, variance: 1.0, error: 0.1, forgetting: 0.999, noise: 1e-6 };
    let gradient = |optimiser: &str| Trainer::Gradient {
        optimiser: optimiser.into(),
        rate: 1e-2,
        decay: 1e-3,
        clip: Some(1.0),
    };
    let mut trainers: Vec<Trainer> = optim::registry::<f32>().iter().map(|o| gradient(o.name)).collect();
    trainers.extend([Trainer::Untrained, kalman(Grouping::Node), kalman(Grouping::Full)]);
    for trainer in trainers {
        for (loss, outputs) in
            [(Loss::SquaredError, 1), (Loss::BinaryCrossEntropy, 1), (Loss::CrossEntropy, 2)]
        {
            for horizon in [0, 1, 7] {
                let mut spec = StreamLearnerSpec::new(2, 8, outputs);
                spec.mask.sparsity = 0.5;
                spec.trainer = trainer.clone();
                (spec.loss, spec.horizon) = (loss, horizon);
                if loss != Loss::SquaredError {
                    spec.least = None;
                }
                if trainer == Trainer::Untrained && spec.least.is_none() {
                    continue;
                }
                goes_on(&spec, &format!("{trainer:?}, {loss:?}, horizon {horizon}"));
            }
        }
    }
}

#[test]
fn a_frozen_network_stays_as_drawn_and_goes_on() {
    let mut spec = StreamLearnerSpec::new(2, 8, 1);
    (spec.frozen, spec.least) = (true, None);
    goes_on(&spec, "frozen");
    let mut learner = StreamLearner::<f32>::new(&spec, 3).unwrap();
    let drawn = learner.weights().to_vec();
    (0..60).for_each(|t| drop(step(&mut learner, t)));
    let p = learner.network().wiring().parameters();
    assert_eq!(learner.weights()[..p], drawn[..p]);
    assert_ne!(learner.weights()[p..], drawn[p..]);
}

/// No cut of what was saved, and no single altered byte of it, makes restoring panic.
#[test]
fn restoring_nonsense_is_an_error_or_a_learner() {
    // In the middle of a block and of the advance over the one before; and long enough for columns to be arranged.
    for (rule, steps) in [("rtrl", 20), ("rtrl-blocked-4", 22), ("rtrl", 300)] {
        for cell in ["egru", "event-rnn"] {
            let mut spec = StreamLearnerSpec::new(2, 4, 1);
            (spec.mask.sparsity, spec.horizon) = (0.5, 3);
            spec.rule = rule.into();
            spec.network.layers[0].cell = cell.into();
            tampered(&spec, steps);
        }
    }
}

fn tampered(spec: &StreamLearnerSpec, steps: usize) {
    let mut learner = StreamLearner::<f32>::new(spec, 0).unwrap();
    (0..steps).for_each(|t| drop(step(&mut learner, t)));
    let bytes = saved(&mut learner);
    for cut in 0..bytes.len() {
        assert!(
            StreamLearner::<f32>::restore(&mut Archive::reader(bytes[..cut].to_vec())).is_err(),
            "cut at {cut}"
        );
    }
    // A wild byte is a number out of range; its last bit makes one row of another.
    for (at, bits) in (0..bytes.len()).flat_map(|at| [(at, 0x55), (at, 1)]) {
        let mut altered = bytes.clone();
        altered[at] ^= bits;
        let Ok(mut learner) = StreamLearner::<f32>::restore(&mut Archive::reader(altered)) else { continue };
        if learner.spec() == spec {
            // Whatever it has become: it goes on, or says what is wrong.
            for t in steps..steps + 6 {
                let _ = learner.step(&row(t).0, Some(Target::Values(&[1.0])));
            }
        }
    }
}
