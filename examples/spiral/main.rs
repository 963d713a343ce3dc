//! Training on the spiral task with exact sparse RTRL:
//! `cargo run --example spiral -- --param-sparsity 0.9`.

mod args;
#[path = "../origin/mod.rs"]
mod origin;
mod plot;
mod progress;
mod report;

use args::Args;
use progress::Progress;
use report::{Finished, Report};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment;
use sparse_rtrl::experiment::record::{Recorder, Row};
use sparse_rtrl::experiment::{Config, InOrder};
use sparse_rtrl::file;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// The command of this program, for the provenance of its results.
const START: &str = if cfg!(debug_assertions) {
    "cargo run --example spiral"
} else {
    "cargo run --release --example spiral"
};

/// The exit code if another process has locked the file of `--out`.
const IN_USE: u8 = 6;

fn main() -> ExitCode {
    let args = match Args::from_command_line() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => return wrong_input(&error.to_string()),
        Err(help) => return print(&help.to_string()),
    };
    let job = match prepare(&args) {
        Ok(job) => job,
        Err(error @ Error::InUse { .. }) => {
            eprintln!("error: {error}");
            return ExitCode::from(IN_USE);
        }
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

/// Prints the first paragraph of an error message in one line. Returns exit code 2.
fn wrong_input(message: &str) -> ExitCode {
    let first = message.split("\n\n").next().unwrap_or(message);
    eprintln!("{}", first.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::from(2)
}

/// Prints to standard output. A closed pipe is not an error.
fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::from(1)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Checked configurations and the opened learning curve.
struct Job {
    configs: Vec<Config>,
    recorder: Recorder,
}

/// A configuration and a seed to run.
struct Planned<'a> {
    /// Index of the run.
    at: usize,
    config: &'a Config,
    seed: u64,
}

/// Checks all flags, before anything is run or written.
fn prepare(args: &Args) -> Result<Job> {
    let configs = args.configs()?;
    // An invalid number of threads must fail before anything is written.
    experiment::pool(args.threads)?;
    file::check_writable(&args.out)?;
    args.table.iter().chain(&args.plot).try_for_each(|path| file::check_writable(path))?;
    Ok(Job { configs, recorder: Recorder::create(&args.out)? })
}

/// Runs all jobs concurrently. Returns the text to print.
fn run(args: &Args, job: Job) -> Result<String> {
    let Job { configs, mut recorder } = job;
    let progress = Progress::new(args.quiet, &configs, args.seeds);
    let planned = configs.iter().flat_map(|config| args.seeds().map(move |seed| (config, seed)));
    let planned: Vec<_> =
        planned.enumerate().map(|(at, (config, seed))| Planned { at, config, seed }).collect();
    let mut curves: Vec<Vec<Row>> = vec![Vec::new(); planned.len()];
    // Rows are written in the order of runs, so that the file does not depend on the number of
    // threads.
    let rows = Mutex::new(InOrder::new(|(at, row): (usize, Row)| {
        recorder.write(&row)?;
        curves[at].push(row);
        Ok(())
    }));
    let rows_of = || rows.lock().expect("no thread panics with this lock");
    let finished: Vec<OnceLock<Finished>> = planned.iter().map(|_| OnceLock::new()).collect();
    let outcome = experiment::fan_out(&planned, args.threads, |&Planned { at, config, seed }| {
        let started = Instant::now();
        let run = experiment::run::<f32>(config, seed, |row| {
            progress.show(row);
            rows_of().push(at, (at, row.clone()))
        })?;
        let seconds = started.elapsed().as_secs_f64();
        finished[at].get_or_init(|| Finished { run, seconds });
        rows_of().end(at)
    });
    drop(rows);
    progress.finish();
    if let Err(error) = outcome {
        let rows: usize = curves.iter().map(Vec::len).sum();
        eprintln!("the completed iterations are in {} ({rows} rows)", args.out.display());
        return Err(error);
    }
    let mut report = Report::default();
    finished.into_iter().filter_map(OnceLock::into_inner).for_each(|run| report.add(run));
    if let Some(path) = &args.table {
        report.write_markdown(path, &origin::command(START, None))?;
    }
    if let Some(path) = &args.plot {
        plot::draw(path, &curves)?;
    }
    Ok(match args.quiet {
        true => report.text(),
        false => format!("{}\n\nlearning curve: {}", report.text(), args.out.display()),
    })
}
