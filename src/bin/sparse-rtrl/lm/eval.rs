//! `sparse-rtrl lm eval`.

use crate::failure::{Failure, Outcome, USAGE};
use clap::ValueEnum;
use sparse_rtrl::experiment;
use sparse_rtrl::lm::text::Corpus;
use sparse_rtrl::lm::{LmEvaluation, LmTraining};
use std::fmt::Write;
use std::path::PathBuf;

/// Print perplexity, sparsities and MACs of a trained model on a text
#[derive(clap::Args)]
pub struct Args {
    /// Checkpoint of `lm train`
    checkpoint: PathBuf,
    /// Folder or file with the text, as for `lm train`. Without it, the generated text
    text: Option<PathBuf>,
    /// Part of the text
    #[arg(long, default_value = "test")]
    part: Part,
    /// Samples of the batch. With 1, the text is read from its beginning to its end
    #[arg(long, default_value_t = 10)]
    batch: usize,
    /// Number of threads; 0: one per core
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Train,
    Valid,
    Test,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let run = super::read(&args.checkpoint)?;
    let corpus = match &args.text {
        Some(path) => Corpus::read(path, run.training().tokens)?,
        None => Corpus::generated(0),
    };
    if &corpus.vocabulary != run.vocabulary() {
        let message = "text: expected the vocabulary of the checkpoint, got another";
        return Err(Failure::new(USAGE, message));
    }
    let (name, tokens) = match args.part {
        Part::Train => ("train", &corpus.train),
        Part::Valid => ("validation", &corpus.valid),
        Part::Test => ("test", &corpus.test),
    };
    let pool = experiment::pool(args.threads)?;
    let evaluation = pool.install(|| run.evaluate(tokens, args.batch))?;
    crate::print(&report(run.training(), run.best(), name, &evaluation))
}

/// Returns the result of an evaluation as text.
pub fn report(
    training: &LmTraining,
    best: Option<(usize, f64)>,
    part: &str,
    evaluation: &LmEvaluation,
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<28}{value}").expect("writing to memory succeeds");
    };
    line(&format!("{part} perplexity"), format!("{:.2}", evaluation.perplexity()));
    line(
        &format!("{part} loss"),
        format!("{:.4} nats per token, {} tokens", evaluation.loss, evaluation.tokens),
    );
    if let Some((epoch, loss)) = best {
        line("weights of epoch", format!("{epoch}, validation perplexity {:.2}", loss.exp()));
    }
    for (k, (n, (zero, silent))) in training
        .sizes
        .iter()
        .zip(evaluation.activity_sparsity.iter().zip(&evaluation.backward_sparsity))
        .enumerate()
    {
        let value = format!("{n} units, activity sparsity {zero:.3}, backward sparsity {silent:.3}");
        line(&format!("layer {}", k + 1), value);
    }
    let (effective, dense) = evaluation.macs;
    let ratio = 100.0 * effective / dense;
    line(
        "MACs per token",
        format!("{:.3} M over nonzero entries, {:.3} M dense ({ratio:.1} %)", effective / 1e6, dense / 1e6),
    );
    text
}
