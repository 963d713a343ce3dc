//! `sparse-rtrl lm inspect`.

use super::settings;
use crate::failure::Outcome;
use std::fmt::Write;
use std::path::PathBuf;

/// Describe a checkpoint of a language model: progress, curve, settings
#[derive(clap::Args)]
pub struct Args {
    /// Checkpoint of `lm train`
    checkpoint: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let mut run = super::read(&args.checkpoint)?;
    let progress = run.trainer().progress();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<24}{value}").expect("writing to memory succeeds");
    };
    line("vocabulary", format!("{} tokens", run.vocabulary().len()));
    line("parameters", run.weights().len().to_string());
    line("epochs", format!("{} of {}", progress.epoch, run.training().epochs));
    line("updates", progress.updates.to_string());
    line("tokens", progress.tokens.to_string());
    line("seconds", format!("{:.0}", run.seconds()));
    line("seed", run.seed().to_string());
    if let Some((epoch, loss)) = run.best() {
        line("best epoch", format!("{epoch}, validation perplexity {:.2}", loss.exp()));
    }
    writeln!(text, "\nepoch  perplexity  activity sparsity").expect("writing to memory succeeds");
    for row in run.curve() {
        writeln!(text, "{:>5}  {:>10.2}  {:>17.3}", row.epoch, row.valid_perplexity, row.activity_sparsity)
            .expect("writing to memory succeeds");
    }
    writeln!(text, "\n{}", settings::print(run.training())?).expect("writing to memory succeeds");
    crate::print(&text)
}
