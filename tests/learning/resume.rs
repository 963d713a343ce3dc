//! A restored learner continues bit for bit as the saved one, with every rule, cell and trainer.

use sparse_rtrl::archive::Archive;
use sparse_rtrl::cell;
use sparse_rtrl::learner::online::{Grouping, StreamLearner, StreamLearnerSpec, Trainer};
use sparse_rtrl::optim;
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule;

/// Two inputs and a target. Every fifth target is missing.
fn row(t: usize) -> ([f64; 2], Option<f64>) {
    let x = [(0.3 * t as f64).sin() * 5.0 + 20.0, ((0.11 * t as f64).cos() > 0.0) as u8 as f64];
    (x, (!t.is_multiple_of(5)).then_some(100.0 + 10.0 * (0.3 * t as f64 + x[1]).cos()))
}

/// Learns row t and returns the bits of the predictions.
fn step(learner: &mut StreamLearner<f32>, t: usize) -> Vec<u64> {
    let (x, target) = row(t);
    let class = target.map(|target| Target::Class(usize::from(target > 100.0)));
    let values = target.map(|target| [target]);
    let target = match learner.spec().model.loss {
        Loss::SquaredError => values.as_ref().map(|values| Target::Values(values)),
        _ => class,
    };
    let result = learner.step(&x, target).unwrap();
    result.prediction.iter().chain(result.predicted.into_iter().flatten()).map(|p| p.to_bits()).collect()
}

/// The checkpoint of a learner.
fn saved(learner: &mut StreamLearner<f32>) -> Vec<u8> {
    let mut archive = Archive::writer();
    learner.save(&mut archive).unwrap();
    archive.into_bytes()
}

/// Asserts that a restored learner and the saved one give equal predictions and checkpoints.
fn assert_resumes(spec: &StreamLearnerSpec, case: &str) {
    let mut whole = StreamLearner::<f32>::new(spec, 3).unwrap();
    (0..60).for_each(|t| drop(step(&mut whole, t)));
    let bytes = saved(&mut whole);
    let mut archive = Archive::reader(bytes.clone());
    let mut restored = StreamLearner::<f32>::restore(&mut archive).unwrap();
    archive.finish().unwrap();
    assert!(saved(&mut restored) == bytes, "{case}: the checkpoint of the restored learner differs");
    for t in 60..140 {
        assert_eq!(step(&mut whole, t), step(&mut restored, t), "{case}: step {t}");
    }
    assert!(saved(&mut whole) == saved(&mut restored), "{case}: the last checkpoints differ");
}

#[test]
fn learner_of_every_rule_and_cell_resumes_bit_for_bit() {
    for entry in rule::registry::<f32>().iter().filter(|entry| !entry.grows) {
        for cell in cell::registry::<f32>() {
            let mut spec = StreamLearnerSpec::new(2, 9, 1);
            spec.model.mask.sparsity = 0.5;
            spec.model.rule.clone_from(&entry.name);
            spec.model.network.layers[0].cell = cell.name.into();
            let second = spec.model.network.layers[0].clone();
            spec.model.network.layers.push(second);
            spec.model.network.trace = Some(0.5);
            assert_resumes(&spec, &format!("{} on {}", entry.name, cell.name));
        }
    }
}

/// Without carry, rows of the influence matrix are stored for some steps only. A checkpoint must
/// not depend on rows that are no longer stored.
#[test]
fn learner_of_deep_network_without_carry_resumes_bit_for_bit() {
    for rule in ["rtrl", "rtrl-blocked-4", "rtrl-blocked-7"] {
        for trace in [None, Some(0.5)] {
            let mut spec = StreamLearnerSpec::new(2, 9, 1);
            spec.model.mask.sparsity = 0.6;
            spec.model.rule = rule.into();
            spec.model.network.layers[0].cell = "event-rnn".into();
            let layer = spec.model.network.layers[0].clone();
            spec.model.network.layers.extend([layer.clone(), layer]);
            spec.model.network.trace = trace;
            assert_resumes(&spec, &format!("{rule} on three layers, trace {trace:?}"));
        }
    }
}

#[test]
fn learner_of_every_trainer_loss_and_horizon_resumes_bit_for_bit() {
    let kalman = |grouping| Trainer::Kalman {
        grouping,
        variance: 1.0,
        error_variance: 0.1,
        forgetting: 0.999,
        noise: 1e-6,
    };
    let gradient = |optimiser: &str| Trainer::Gradient {
        optimiser: optimiser.into(),
        learning_rate: 1e-2,
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
                spec.model.mask.sparsity = 0.5;
                spec.trainer = trainer.clone();
                (spec.model.loss, spec.horizon) = (loss, horizon);
                if loss != Loss::SquaredError {
                    spec.least_squares = None;
                }
                if trainer == Trainer::Untrained && spec.least_squares.is_none() {
                    continue;
                }
                assert_resumes(&spec, &format!("{trainer:?}, {loss:?}, horizon {horizon}"));
            }
        }
    }
}

#[test]
fn learner_with_frozen_network_keeps_initial_weights_and_resumes() {
    let mut spec = StreamLearnerSpec::new(2, 8, 1);
    (spec.frozen, spec.least_squares) = (true, None);
    assert_resumes(&spec, "frozen");
    let mut learner = StreamLearner::<f32>::new(&spec, 3).unwrap();
    let initial = learner.weights().to_vec();
    (0..60).for_each(|t| drop(step(&mut learner, t)));
    let p = learner.network().wiring().parameters();
    assert_eq!(learner.weights()[..p], initial[..p]);
    assert_ne!(learner.weights()[p..], initial[p..]);
}

/// A truncated checkpoint is an error. A checkpoint with one altered byte is an error or a learner;
/// neither restoring nor learning panics.
#[test]
fn checkpoint_truncated_or_altered_does_not_panic() {
    // Within a block and within the advance of the block before, and after columns were rearranged.
    for (rule, steps) in [("rtrl", 20), ("rtrl-blocked-4", 22), ("rtrl", 300)] {
        for cell in ["egru", "event-rnn"] {
            let mut spec = StreamLearnerSpec::new(2, 4, 1);
            (spec.model.mask.sparsity, spec.horizon) = (0.5, 3);
            spec.model.rule = rule.into();
            spec.model.network.layers[0].cell = cell.into();
            assert_altered_checkpoints_do_not_panic(&spec, steps);
        }
    }
}

fn assert_altered_checkpoints_do_not_panic(spec: &StreamLearnerSpec, steps: usize) {
    let mut learner = StreamLearner::<f32>::new(spec, 0).unwrap();
    (0..steps).for_each(|t| drop(step(&mut learner, t)));
    let bytes = saved(&mut learner);
    for cut in 0..bytes.len() {
        assert!(
            StreamLearner::<f32>::restore(&mut Archive::reader(bytes[..cut].to_vec())).is_err(),
            "cut at {cut}"
        );
    }
    // 0x55 makes a number invalid; 1 changes an index by one.
    for (at, bits) in (0..bytes.len()).flat_map(|at| [(at, 0x55), (at, 1)]) {
        let mut altered = bytes.clone();
        altered[at] ^= bits;
        let Ok(mut learner) = StreamLearner::<f32>::restore(&mut Archive::reader(altered)) else { continue };
        if learner.spec() == spec {
            // The learner either learns or returns an error.
            for t in steps..steps + 6 {
                let _ = learner.step(&row(t).0, Some(Target::Values(&[1.0])));
            }
        }
    }
}
