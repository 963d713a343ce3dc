//! Figure 3 of the RTRL paper with error bars: `cargo study figure3`.

mod args;
mod claim;
mod curve;
mod draw;
mod figure;
mod picture;
mod report;
mod store;
mod study;

use args::Args;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{self, Config};
use sparse_rtrl::file;
use sparse_rtrl_studies::origin;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use store::Curves;
use study::{Experiment, Key, Made, Study, read_json, write_json};

/// Prints a line on standard error; ignores a closed pipe.
macro_rules! report_line {
    ($($line:tt)*) => {{
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

fn main() -> ExitCode {
    let args = Args::parse();
    let prepared = args.studies().and_then(|studies| match args.plot_only {
        true => Ok(Vec::new()),
        false => prepare(&args, studies),
    });
    let outcome = match prepared {
        Err(error) => return failed(&error, 2),
        Ok(studies) => run(&args, studies).and_then(|()| present(&args.out)),
    };
    match outcome {
        Ok(files) => {
            let _ = writeln!(std::io::stdout(), "{}", files.join("\n"));
            ExitCode::SUCCESS
        }
        Err(error @ (Error::Read { .. } | Error::Format { .. })) => failed(&error, 2),
        Err(error) => failed(&error, 1),
    }
}

fn failed(error: &Error, status: u8) -> ExitCode {
    report_line!("error: {error}");
    ExitCode::from(status)
}

/// A study in progress and its curves so far.
struct Running {
    study: Study,
    curves: Mutex<Curves>,
}

/// Checks all inputs and reads the runs of an interrupted command, before anything is run or
/// written.
fn prepare(args: &Args, studies: Vec<Study>) -> Result<Vec<Running>> {
    file::check_writable(&args.out.join("README.md"))?;
    finished(&args.out, |study| !studies.iter().any(|own| own.name() == study.name()))?;
    let with_curves = |study: Study| {
        let curves = if args.fresh { None } else { unfinished(&args.out, &study)? };
        if curves.is_none() {
            // Runs without a configuration may belong to another study.
            remove(&study.file(&args.out, "unfinished.csv"))?;
        }
        Ok(Running { study, curves: Mutex::new(curves.unwrap_or_default()) })
    };
    studies.into_iter().map(with_curves).collect()
}

/// Removes a file, if it exists.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::Write { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

/// Returns the runs of this study that an interrupted command has finished.
fn unfinished(folder: &Path, study: &Study) -> Result<Option<Curves>> {
    let (json, csv) = (study.file(folder, "unfinished.json"), study.file(folder, "unfinished.csv"));
    if !json.exists() {
        return Ok(None);
    }
    if read_json::<Study>(&json)? != *study {
        return Err(Error::Format {
            path: json,
            why:
                "the interrupted command had other settings: repeat that command, or discard its runs with --fresh"
                    .into(),
        });
    }
    Ok(if csv.exists() { Some(Curves::read(&csv, study, false)?) } else { None })
}

/// A run that is not finished yet.
struct Job<'a> {
    of: &'a Running,
    config: &'a Config,
    key: Key,
}

impl Job<'_> {
    /// Returns the approximate relative cost of an iteration, to estimate the remaining time.
    fn weight(&self) -> u64 {
        let dense = if self.key.activity { 5.0 } else { 8.0 };
        (3.0 + dense * (1.0 - self.key.omega)) as u64
    }
}

/// Runs the missing runs and writes each study when all of its runs are finished.
fn run(args: &Args, studies: Vec<Running>) -> Result<()> {
    let out = &args.out;
    let mut jobs = Vec::new();
    let mut known = 0;
    for of in &studies {
        write_json(&of.study.file(out, "unfinished.json"), &of.study)?;
        let curves = of.curves.lock().expect("no thread has been started");
        for (config, key) in of.study.runs() {
            match curves.run(key) {
                [] => jobs.push(Job { of, config, key }),
                _ => known += 1,
            }
        }
    }
    if known > 0 {
        report_line!("resuming: {known} runs are finished, {} remain", jobs.len());
    }
    // The most expensive runs first, so that threads finish at about the same time.
    jobs.sort_by(|a, b| {
        (a.key.omega, a.key.activity).partial_cmp(&(b.key.omega, b.key.activity)).expect("finite")
    });
    let progress = Progress::new(&jobs);
    let outcome = experiment::fan_out(&jobs, args.threads, |job| {
        let mut rows = Vec::new();
        experiment::run::<f32>(job.config, job.key.seed, |row| {
            progress.bar.inc(job.weight());
            rows.push(row.clone());
            Ok(())
        })?;
        let Running { study, curves } = job.of;
        let mut curves = curves.lock().expect("no thread panics with this lock");
        curves.add(study, store::points(&rows, job.key.activity));
        curves.write(&study.file(out, "unfinished.csv"))?;
        progress.ended(job);
        Ok(())
    });
    progress.bar.finish_and_clear();
    if let Err(error) = outcome {
        report_line!("finished runs are stored in {}; the same command runs the others", out.display());
        return Err(error);
    }
    studies.into_iter().try_for_each(|running| finish(out, running))
}

fn finish(out: &Path, running: Running) -> Result<()> {
    let Running { study, curves } = running;
    curves.into_inner().expect("no thread panics with this lock").write(&study.file(out, "csv"))?;
    let leftovers = ["unfinished.csv", "unfinished.json"].map(|extension| study.file(out, extension));
    write_json(&study.file(out, "json"), &made(study))?;
    leftovers.iter().try_for_each(|path| remove(path))
}

/// Adds the provenance to a study.
fn made(study: Study) -> Made {
    let command = origin::command("cargo study figure3", None);
    Made { command, date: origin::date(), processor: origin::processor(), study }
}

/// Reads the finished studies in the folder that satisfy `wanted`.
fn finished(out: &Path, wanted: impl Fn(&Study) -> bool) -> Result<Vec<(Made, Curves)>> {
    let mut finished = Vec::new();
    for preset in [experiment::Preset::Default, experiment::Preset::Paper] {
        for experiment in [Experiment::Spirals, Experiment::Stream] {
            let study = Study::new(preset, experiment, &[], 0, |_| ());
            let json = study.file(out, "json");
            if json.exists() && wanted(&study) {
                let made: Made = read_json(&json)?;
                let curves = Curves::read(&study.file(out, "csv"), &made.study, true)?;
                finished.push((made, curves));
            }
        }
    }
    Ok(finished)
}

/// Draws and reports every finished study in the folder. Returns one line per file written.
fn present(out: &Path) -> Result<Vec<String>> {
    let finished = finished(out, |_| true)?;
    if finished.is_empty() {
        return Err(Error::Format {
            path: out.into(),
            why: "expected curves (CSV) and their configuration (JSON), got none".into(),
        });
    }
    let mut written = Vec::new();
    for (made, curves) in &finished {
        let study = &made.study;
        let other = |other: &&(Made, Curves)| study.is_comparable(&other.0.study);
        let svg = figure::figure(
            study,
            curves,
            finished.iter().find(other).map(|(made, curves)| (&made.study, curves)),
        );
        file::replace(&study.file(out, "svg"), &svg)?;
        picture::write_png(&study.file(out, "png"), &svg)?;
        written.push(format!("{}: .svg, .png, .csv and .json", out.join(study.name()).display()));
    }
    let readme = out.join("README.md");
    file::replace(&readme, report::markdown(&finished))?;
    written.push(format!("report: {}", readme.display()));
    Ok(written)
}

/// A progress bar over all iterations on a terminal, one line per run elsewhere.
struct Progress {
    bar: ProgressBar,
    runs: usize,
    ended: Mutex<usize>,
}

impl Progress {
    fn new(jobs: &[Job]) -> Self {
        let iterations = jobs.iter().map(|job| job.weight() * job.config.iterations as u64).sum();
        let style = "{elapsed_precise} [{bar:30}] {percent} % {eta} left  {wide_msg}";
        let style = ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> ");
        Self { bar: ProgressBar::new(iterations).with_style(style), runs: jobs.len(), ended: Mutex::new(0) }
    }

    fn ended(&self, job: &Job) {
        let mut ended = self.ended.lock().expect("no thread panics with this lock");
        *ended += 1;
        let activity = if job.key.activity { "with" } else { "without" };
        let run = format!(
            "{}, ω {} {activity} activity sparsity, seed {}",
            job.of.study.name(),
            job.key.omega,
            job.key.seed
        );
        let message = format!("{} of {} runs: {run}", ended, self.runs);
        self.bar.set_message(message.clone());
        if !std::io::stderr().is_terminal() {
            report_line!("{message}; about {} s left", self.bar.eta().as_secs());
        }
    }
}
