//! Use of a learner in another program: `cargo run --example embed`.
//!
//! At every sample of a signal, the program predicts the next sample and learns from it. Half way
//! through the stream the frequencies of the signal change, and the learner adapts.

use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec};
use sparse_rtrl::readout::Target;

/// Returns sample t: the sum of two sine waves whose frequencies change at sample 20,000.
fn signal(t: usize) -> f32 {
    let t = if t < 20_000 { 0.2 * t as f32 } else { 0.31 * t as f32 };
    0.6 * t.sin() + 0.4 * (2.7 * t).sin()
}

fn main() -> sparse_rtrl::Result<()> {
    let mut spec = SequenceLearnerSpec::new(1, 32, 1); // one input, 32 EGRU units, one output
    spec.model.mask.sparsity = 0.9; // 90 % of the recurrent weights are pruned
    spec.learning_rate = 3e-3;
    let mut learner = SequenceLearner::<f32>::new(&spec, 0)?;

    let (mut error, mut naive) = (0.0, 0.0);
    println!("{:>8} {:>12} {:>20}", "sample", "mean error", "predicting 'no change'");
    for t in 0..40_000 {
        let (now, next) = (signal(t), signal(t + 1));
        learner.step(&[now], Some(Target::Values(&[next])))?; // predict and learn
        error += (learner.output()[0] - next).abs(); // the prediction before this update
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
