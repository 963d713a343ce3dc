//! The command line `sparse-rtrl`: one file per command.

mod completions;
mod failure;
mod file_use;
mod flags;
mod inspect;
mod lm;
mod overlay;
mod pipe;
mod policy;
mod progress;
mod run;
mod sink;
mod stream;
mod table;
mod train;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use failure::{EXIT_CODES, Failure, Outcome};
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

/// Train recurrent networks online with exact sparse real-time recurrent learning
#[derive(Parser)]
#[command(name = "sparse-rtrl", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Stream(Box<stream::Args>),
    Inspect(inspect::Args),
    Train(train::Args),
    Lm(lm::Args),
    Completions(completions::Args),
}

/// Returns the command line parser, with registered names and defaults in the help.
fn command() -> clap::Command {
    Cli::command().mut_subcommand("stream", flags::complete)
}

fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let done = match parsed {
        Ok(cli) => run(cli.command),
        Err(error) if error.use_stderr() => Err(Failure::new(failure::USAGE, one_line(&error.to_string()))),
        Err(help) => match std::io::stdout().is_terminal() {
            true => print(&help.render().ansi().to_string()),
            false => print(&help.render().to_string()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            if !message.is_empty() {
                let _ = writeln!(std::io::stderr(), "error: {message}");
            }
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Stream(args) => stream::run(*args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Lm(args) => lm::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Returns the first paragraph of clap's message as one line.
fn one_line(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or(message).trim_start_matches("error: ");
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Prints to standard output. A closed pipe is not a failure.
fn print(text: &str) -> Outcome {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(failure::IO, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
