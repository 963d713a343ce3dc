//! Learn the spiral with exact sparse RTRL: `cargo run --example spiral -- --param-sparsity 0.9`.

mod args;
mod plot;
mod progress;
mod report;

use args::Args;
use progress::Progress;
use report::{Finished, Report};
use sparse_rtrl::error::Result;
use sparse_rtrl::experiment::{self, Config};
use sparse_rtrl::record::{self, Recorder, Row};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let args = match Args::from_command_line() {
        Ok(args) => args,
        Err(said) if said.use_stderr() => return wrong_input(&said.to_string()),
        Err(help) => return print(&help.to_string()),
    };
    let job = match prepare(&args) {
        Ok(job) => job,
        Err(error) => return wrong_input(&format!("error: {error}")),
    };
    match run(&args, job) {
        Ok(report) => print(&report),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

/// One line that says what was expected and what came.
fn wrong_input(said: &str) -> ExitCode {
    let first = said.split("\n\n").next().unwrap_or(said);
    eprintln!("{}", first.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::from(2)
}

/// To standard output; a reader that has seen enough is no failure.
fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::from(1)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// What is to be done, all of it checked.
struct Job {
    configs: Vec<Config>,
    pool: rayon::ThreadPool,
    recorder: Recorder,
}

/// Everything that can be wrong with the flags is found here, before the first run and the first byte written.
fn prepare(args: &Args) -> Result<Job> {
    let configs = args.configs()?;
    let pool = experiment::pool(args.threads)?;
    record::check_writable(&args.out)?;
    args.table.iter().chain(&args.plot).try_for_each(|path| record::check_writable(path))?;
    Ok(Job { configs, pool, recorder: Recorder::create(&args.out)? })
}

/// All runs, one after another; returns what is to be printed.
fn run(args: &Args, job: Job) -> Result<String> {
    let Job { configs, pool, mut recorder } = job;
    let progress = Progress::new(args.quiet, &configs, args.seeds);
    let mut report = Report::default();
    let mut curves: Vec<Vec<Row>> = Vec::new();
    let outcome = pool.install(|| -> Result<()> {
        for config in &configs {
            for seed in args.seeds() {
                let started = Instant::now();
                curves.push(Vec::new());
                let run = experiment::run::<f32>(config, seed, |row| {
                    recorder.write(row)?;
                    progress.show(row);
                    curves.last_mut().expect("just pushed").push(row.clone());
                    Ok(())
                })?;
                report.add(Finished { run, seconds: started.elapsed().as_secs_f64() });
            }
        }
        Ok(())
    });
    progress.finish();
    if let Err(error) = outcome {
        let rows: usize = curves.iter().map(Vec::len).sum();
        eprintln!("the curve so far is in {} ({rows} rows)", args.out.display());
        return Err(error);
    }
    if let Some(path) = &args.table {
        report.write_markdown(path, &command())?;
    }
    if let Some(path) = &args.plot {
        plot::draw(path, &curves)?;
    }
    Ok(match args.quiet {
        true => report.text(),
        false => format!("{}\n\nlearning curve: {}", report.text(), args.out.display()),
    })
}

/// The command line, as one would type it.
fn command() -> String {
    let build = if cfg!(debug_assertions) { "" } else { "--release " };
    let flags: Vec<_> = std::env::args().skip(1).collect();
    format!("cargo run {build}--example spiral -- {}", flags.join(" "))
}
