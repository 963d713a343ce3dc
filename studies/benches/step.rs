//! One step of learning, a credit at every step: every rule on the EGRU and the event RNN, dense and 90 % masked.
//! `cargo bench`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sparse_rtrl::cell;
use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec, Update};
use sparse_rtrl::readout::Target;
use sparse_rtrl::rule;
use std::hint::black_box;

fn steps(c: &mut Criterion) {
    for cell in cell::registry::<f32>() {
        let mut group = c.benchmark_group(cell.name);
        for rule in rule::registry::<f32>() {
            for (units, sparsity) in [(16, 0.0), (16, 0.9), (64, 0.9)] {
                if rule.name == "rtrl-dense" && units > 16 {
                    continue; // seconds a step tell nothing new
                }
                let mut spec = SequenceLearnerSpec::new(2, units, 1);
                spec.model.network.layers[0].cell = cell.name.into();
                spec.model.mask.sparsity = sparsity;
                spec.model.rule = rule.name.clone();
                // A window of 32 steps: what a tape is drained over, and what a learner would update after.
                spec.update = Update::Steps(32);
                let mut learner = SequenceLearner::<f32>::new(&spec, 0).expect("a sound specification");
                let mut t = 0;
                let id = BenchmarkId::new(&rule.name, format!("n={units} omega={sparsity}"));
                group.bench_function(id, |b| {
                    b.iter(|| {
                        let x = 0.1 * t as f32;
                        let target = [x.cos()];
                        let loss = learner.step(&[x.sin(), x.cos()], Some(Target::Values(&target)));
                        t += 1;
                        if t % 32 == 0 {
                            learner.end_sequence().expect("finite");
                        }
                        black_box(loss.expect("finite"))
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = steps
}
criterion_main!(benches);
