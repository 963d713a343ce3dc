//! Learn the spiral with exact sparse RTRL: `cargo run --example spiral -- --param-sparsity 0.9`.

mod args;
mod plot;
mod report;

use args::Args;
use clap::{CommandFactory, FromArgMatches};
use indicatif::{ProgressBar, ProgressStyle};
use report::{Finished, Report};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{self, Config};
use sparse_rtrl::record::{self, Recorder, Row};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let args = match parse() {
        Ok(args) => args,
        Err(said) if said.use_stderr() => return wrong_input(&said.to_string()),
        Err(help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::NotFinite { .. }) | Err(Error::Csv { .. }) => ExitCode::from(1),
        Err(_) => ExitCode::from(2),
    }
}

/// The flags; a number below zero is a wrong value, not an unknown flag.
fn parse() -> std::result::Result<Args, clap::Error> {
    let command = Args::command().mut_args(|arg| {
        let takes_value = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_value)
    });
    Args::from_arg_matches(&command.try_get_matches()?)
}

/// One line that says what was expected and what came.
fn wrong_input(said: &str) -> ExitCode {
    let first = said.split("\n\n").next().unwrap_or(said);
    eprintln!("{}", first.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::from(2)
}

fn run(args: &Args) -> Result<()> {
    let say = |error: &Error| eprintln!("error: {error}");
    let (configs, mut recorder) = prepare(args).inspect_err(say)?;
    let bar = progress(args, &configs);
    let mut report = Report::default();
    let mut curves: Vec<Vec<Row>> = Vec::new();
    let work = || {
        for config in &configs {
            for seed in args.seed..args.seed + args.seeds {
                let started = Instant::now();
                curves.push(Vec::new());
                let run = experiment::run::<f32>(config, seed, |row| {
                    recorder.write(row)?;
                    show(&bar, row);
                    curves.last_mut().expect("just pushed").push(row.clone());
                    Ok(())
                })?;
                report.add(Finished { run, seconds: started.elapsed().as_secs_f64() });
            }
        }
        Ok(())
    };
    let outcome = experiment::with_threads(args.threads, work);
    bar.finish_and_clear();
    if !report.is_empty() {
        println!("{}", report.text());
    }
    if let Err(error) = outcome {
        say(&error);
        let rows: usize = curves.iter().map(Vec::len).sum();
        eprintln!("the curve so far is in {} ({rows} rows)", args.out.display());
        return Err(error);
    }
    if !args.quiet {
        println!("learning curve: {}", args.out.display());
    }
    if let Some(path) = &args.table {
        report.write_markdown(path, &command()).inspect_err(say)?;
    }
    if let Some(path) = &args.plot {
        plot::draw(path, &curves).inspect_err(say)?;
    }
    Ok(())
}

/// Everything that can be wrong with the flags is found before the first run.
fn prepare(args: &Args) -> Result<(Vec<Config>, Recorder)> {
    let configs = args.configs()?;
    args.table.iter().chain(&args.plot).try_for_each(|path| record::check_writable(path))?;
    Ok((configs, Recorder::create(&args.out)?))
}

/// The command line, as one would type it.
fn command() -> String {
    let build = if cfg!(debug_assertions) { "" } else { "--release " };
    let flags: Vec<_> = std::env::args().skip(1).collect();
    format!("cargo run {build}--example spiral -- {}", flags.join(" "))
}

/// A bar over all iterations of all runs.
fn progress(args: &Args, configs: &[Config]) -> ProgressBar {
    if args.quiet {
        return ProgressBar::hidden();
    }
    let runs = configs.len() as u64 * args.seeds;
    let total = configs.first().map_or(0, |c| c.iterations as u64) * runs;
    let style = "{elapsed_precise} [{bar:30}] {pos}/{len}, {eta} left   {msg}";
    let style = ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> ");
    ProgressBar::new(total).with_style(style)
}

fn show(bar: &ProgressBar, row: &Row) {
    bar.inc(1);
    if let Some(accuracy) = row.test_accuracy {
        bar.set_message(format!(
            "ω {} seed {}: loss {:.4}, test accuracy {:.2} %",
            row.param_sparsity,
            row.seed,
            row.loss,
            100.0 * accuracy
        ));
    }
}
