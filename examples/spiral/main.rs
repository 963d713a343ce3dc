//! Learn the spiral with exact sparse RTRL: `cargo run --example spiral -- --param-sparsity 0.9`.

mod args;
mod plot;
mod report;

use args::Args;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use report::{Finished, Report};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{self, Config};
use sparse_rtrl::record::{Recorder, Row};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
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

/// One line that says what was expected and what came.
fn wrong_input(said: &str) -> ExitCode {
    let first = said.split("\n\n").next().unwrap_or(said);
    eprintln!("{}", first.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::from(2)
}

fn run(args: &Args) -> Result<()> {
    let say = |error: &Error| eprintln!("error: {error}");
    let prepared = args.configs().and_then(|configs| Ok((configs, Recorder::create(&args.out)?)));
    let (configs, mut recorder) = prepared.inspect_err(say)?;
    let bar = progress(args, &configs);
    let mut report = Report::default();
    let mut curves = Vec::new();
    let work = || {
        for config in &configs {
            for seed in args.seed..args.seed + args.seeds {
                let started = Instant::now();
                let mut curve = Vec::new();
                let run = experiment::run::<f32>(config, seed, |row| {
                    recorder.write(row)?;
                    show(&bar, row);
                    curve.push(row.clone());
                    Ok(())
                })?;
                curves.push(curve);
                report.add(Finished { run, seconds: started.elapsed().as_secs_f64() });
            }
        }
        Ok(())
    };
    let outcome = experiment::with_threads(args.threads, work);
    match &outcome {
        Ok(()) => bar.finish_and_clear(),
        Err(_) => bar.abandon(),
    }
    if let Err(error) = &outcome {
        say(error);
        let rows = curves.iter().map(Vec::len).sum::<usize>();
        eprintln!("the curve so far is in {} ({rows} rows of finished runs)", args.out.display());
    }
    if !report.is_empty() {
        println!("{}", report.text());
    }
    outcome?;
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
