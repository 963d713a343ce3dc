//! A learner inside a program of one's own: `cargo run --example embed`.
//!
//! A stream never ends and never waits: at every sample the program predicts the next one, sees what came, and learns. Half way
//! through, the signal changes its habits; the learner follows.

use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec};
use sparse_rtrl::readout::Target;

/// Two waves, whose frequencies jump at sample 20,000.
fn signal(t: usize) -> f32 {
    let t = if t < 20_000 { 0.2 * t as f32 } else { 0.31 * t as f32 };
    0.6 * t.sin() + 0.4 * (2.7 * t).sin()
}

fn main() -> sparse_rtrl::Result<()> {
    let mut spec = SequenceLearnerSpec::new(1, 32, 1); // one input, 32 EGRU units, one output
    spec.model.mask.sparsity = 0.9; // nine in ten recurrent weights are pruned
    spec.learning_rate = 3e-3;
    let mut learner = SequenceLearner::<f32>::new(&spec, 0)?;

    let (mut error, mut naive) = (0.0, 0.0);
    println!("{:>8} {:>12} {:>20}", "sample", "mean error", "predicting 'no change'");
    for t in 0..40_000 {
        let (now, next) = (signal(t), signal(t + 1));
        learner.step(&[now], Some(Target::Values(&[next])))?; // predict, compare, learn
        error += (learner.output()[0] - next).abs(); // made before it learned from `next`
        naive += (now - next).abs();
        if (t + 1) % 4_000 == 0 {
            println!("{:>8} {:>12.4} {:>20.4}", t + 1, error / 4e3, naive / 4e3);
            (error, naive) = (0.0, 0.0);
        }
    }
    let stream = &learner.streams()[0];
    println!(
        "{:.1} % of units silent, {} bytes of influence, {} MACs per step",
        100.0 * stream.tally.activity_sparsity(),
        stream.rule().bytes(),
        stream.tally.macs.total() / stream.tally.steps
    );
    Ok(())
}
