//! `sparse-rtrl lm`: language models.

mod eval;
mod generate;
mod inspect;
mod settings;
mod train;

use crate::failure::{EXIT_CODES, Outcome};
use sparse_rtrl::lm::LmRun;
use sparse_rtrl::stream::checkpoint;
use std::path::Path;

/// Train, evaluate and run language models that compute only what is active
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  sparse-rtrl lm train --preset tiny                       a generated text, in seconds
  sparse-rtrl lm train text/ --preset small --checkpoint small.ckpt
  sparse-rtrl lm eval small.ckpt text/
  sparse-rtrl lm generate small.ckpt --prompt \"the cat\" --tokens 50

{EXIT_CODES}"))]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Eval(eval::Args),
    Generate(generate::Args),
    Inspect(inspect::Args),
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Train(args) => train::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Inspect(args) => inspect::run(args),
    }
}

/// Reads a run from a checkpoint.
fn read(path: &Path) -> Outcome<LmRun> {
    let mut archive = checkpoint::read(path)?;
    let run = LmRun::restore(&mut archive).and_then(|run| archive.finish().map(|()| run));
    run.map_err(|error| {
        let why = format!("expected a checkpoint of a language model: {error}");
        sparse_rtrl::Error::Format { path: path.into(), why }.into()
    })
}
