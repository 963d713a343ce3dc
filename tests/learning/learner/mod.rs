//! The sequence learner: weight updates, limits, streams, tests and non-finite values.

mod memory;
mod non_finite;
mod streams;
mod testing;
mod updates;

use approx::assert_relative_eq;
use sparse_rtrl::error::Error;
use sparse_rtrl::learner::sequence::Sequence;
use sparse_rtrl::learner::sequence::{LossAt, SequenceLearner, SequenceLearnerSpec, Stream, Update};
use sparse_rtrl::model::Model;
use sparse_rtrl::network::Network;
use sparse_rtrl::params::{Kind, Purpose, generator};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule::{self, Skips};
use sparse_rtrl::wiring::{State, Step};

fn spec() -> SequenceLearnerSpec {
    let mut spec = SequenceLearnerSpec::new(2, 5, 2);
    spec.model.mask.sparsity = 0.4;
    spec.model.loss = Loss::CrossEntropy;
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

/// The sum of the gradients of a sequence at weights `w`, from the oracle; the number of losses.
fn gradient(
    spec: &SequenceLearnerSpec,
    seed: u64,
    w: &[f64],
    sequence: &Sequence<f64>,
    at: LossAt,
) -> (Vec<f64>, f64) {
    let mut rng = generator(seed, Purpose::Mask);
    let network = Network::new(&spec.model.network, |blocks| spec.model.mask.draw(blocks, &mut rng)).unwrap();
    let model = Model::new(network, spec.model.outputs, spec.model.loss);
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
