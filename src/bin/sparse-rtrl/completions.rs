//! `sparse-rtrl completions`.

use crate::failure::Outcome;
use clap_complete::Shell;

/// Print completions for a shell
#[derive(clap::Args)]
#[command(after_help = "Example:
  sparse-rtrl completions bash > ~/.local/share/bash-completion/completions/sparse-rtrl")]
pub struct Args {
    /// Name of the shell
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "sparse-rtrl", &mut text);
    crate::print(&String::from_utf8_lossy(&text))
}
