//! The streaming learner: causality, late targets, exact gradients, weight updates, errors.

mod causal;
mod draw;
mod equations;
mod errors;
mod filters;
mod ledger;
mod own_loss;
mod rates;
mod reference;
mod rules;
mod saved;
mod scenarios;
mod settings;
mod sizes;
mod streams;

use sparse_rtrl::archive::Archive;
use sparse_rtrl::learner::online::{Grouping, StreamLearner, StreamLearnerSpec, Trainer};
use sparse_rtrl::readout::{Loss, Target};
use std::ops::Range;

fn kalman(grouping: Grouping) -> Trainer {
    Trainer::Kalman { grouping, variance: 1.0, error_variance: 0.3, forgetting: 0.999, noise: 1e-6 }
}

fn trainers() -> [Trainer; 4] {
    [Trainer::default(), Trainer::Untrained, kalman(Grouping::Node), kalman(Grouping::Full)]
}

fn spec(trainer: Trainer) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(2, 10, 1);
    spec.model.mask.sparsity = 0.5;
    spec.trainer = trainer;
    spec
}

fn signal(t: usize) -> f64 {
    50.0 + 10.0 * (0.4 * t as f64).sin() + 5.0 * (0.13 * t as f64).cos()
}

fn input(t: usize) -> [f64; 2] {
    [signal(t), (t % 7) as f64]
}

/// Learns the given rows. The target of a row is the signal `ahead` rows later.
fn run(learner: &mut StreamLearner<f64>, rows: Range<usize>, ahead: usize) {
    for t in rows {
        learner.learn(&input(t), Some(Target::Values(&[signal(t + ahead)]))).unwrap();
    }
}

/// The state of a learner as bytes.
fn bytes(learner: &mut StreamLearner<f64>) -> Vec<u8> {
    let mut archive = Archive::writer();
    learner.archive(&mut archive).unwrap();
    archive.into_bytes()
}
