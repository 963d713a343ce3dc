//! Figure 3 of the RTRL paper with error bars: `cargo study figure3`.

mod args;
mod curve;
mod draw;
mod figure;
mod picture;
mod report;
mod store;
mod study;
mod verdict;

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

/// A line on standard error; nobody need listen.
macro_rules! tell {
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
    tell!("error: {error}");
    ExitCode::from(status)
}

/// A study that is being run, and the curves it has so far.
struct Running {
    study: Study,
    curves: Mutex<Curves>,
}

/// Finds what an interrupted command has left, and whether all there is to be drawn can be read, before anything is run or written.
fn prepare(args: &Args, studies: Vec<Study>) -> Result<Vec<Running>> {
    file::check_writable(&args.out.join("README.md"))?;
    finished(&args.out, |study| !studies.iter().any(|own| own.name() == study.name()))?;
    let with_curves = |study: Study| {
        let curves = if args.fresh { None } else { unfinished(&args.out, &study)? };
        if curves.is_none() {
            // Runs whose settings nobody knows must not be taken for this study's.
            remove(&study.file(&args.out, "unfinished.csv"))?;
        }
        Ok(Running { study, curves: Mutex::new(curves.unwrap_or_default()) })
    };
    studies.into_iter().map(with_curves).collect()
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::Write { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

/// The runs an interrupted command has left of this study.
fn unfinished(folder: &Path, study: &Study) -> Result<Option<Curves>> {
    let (json, csv) = (study.file(folder, "unfinished.json"), study.file(folder, "unfinished.csv"));
    if !json.exists() {
        return Ok(None);
    }
    if read_json::<Study>(&json)? != *study {
        return Err(Error::Format {
            path: json,
            why: "an interrupted command had other settings: finish it with them, or start over with --fresh"
                .into(),
        });
    }
    Ok(if csv.exists() { Some(Curves::read(&csv, study, false)?) } else { None })
}

/// A run that is missing.
struct Job<'a> {
    of: &'a Running,
    config: &'a Config,
    key: Key,
}

impl Job<'_> {
    /// What an iteration costs beside others, roughly: for the estimate of the time left.
    fn weight(&self) -> u64 {
        let dense = if self.key.activity { 5.0 } else { 8.0 };
        (3.0 + dense * (1.0 - self.key.omega)) as u64
    }
}

/// Does the runs that are missing, and puts finished studies in place once all are there.
fn run(args: &Args, studies: Vec<Running>) -> Result<()> {
    let out = &args.out;
    let mut jobs = Vec::new();
    let mut known = 0;
    for of in &studies {
        write_json(&of.study.file(out, "unfinished.json"), &of.study)?;
        let curves = of.curves.lock().expect("nobody else runs yet");
        for (config, key) in of.study.runs() {
            match curves.run(key) {
                [] => jobs.push(Job { of, config, key }),
                _ => known += 1,
            }
        }
    }
    if known > 0 {
        tell!("resuming: {known} runs are finished, {} remain", jobs.len());
    }
    // The costly ones first, so that no thread is left with one in the end.
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
        let mut curves = curves.lock().expect("no thread panics while it holds this");
        curves.add(study, store::points(&rows, job.key.activity));
        curves.write(&study.file(out, "unfinished.csv"))?;
        progress.ended(job);
        Ok(())
    });
    progress.bar.finish_and_clear();
    if let Err(error) = outcome {
        tell!("finished runs are kept in {}; the same command resumes", out.display());
        return Err(error);
    }
    studies.into_iter().try_for_each(|running| finish(out, running))
}

fn finish(out: &Path, running: Running) -> Result<()> {
    let Running { study, curves } = running;
    curves.into_inner().expect("as above").write(&study.file(out, "csv"))?;
    let leftovers = ["unfinished.csv", "unfinished.json"].map(|extension| study.file(out, extension));
    write_json(&study.file(out, "json"), &made(study))?;
    leftovers.iter().try_for_each(|path| remove(path))
}

/// A study, and what made it.
fn made(study: Study) -> Made {
    let command = origin::command("cargo study figure3", None);
    Made { command, date: origin::date(), processor: origin::processor(), study }
}

/// Every finished study in the folder that is `wanted`.
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

/// Draws and reports every finished study in the folder. Returns what to tell of it.
fn present(out: &Path) -> Result<Vec<String>> {
    let finished = finished(out, |_| true)?;
    if finished.is_empty() {
        return Err(Error::Format {
            path: out.into(),
            why: "expected curves (CSV) and their configuration (JSON), found none".into(),
        });
    }
    let mut said = Vec::new();
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
        said.push(format!("{}: .svg, .png, .csv and .json", out.join(study.name()).display()));
    }
    let readme = out.join("README.md");
    file::replace(&readme, report::markdown(&finished))?;
    said.push(format!("report: {}", readme.display()));
    Ok(said)
}

/// One bar over all iterations on a terminal, a line a run elsewhere.
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
        let mut ended = self.ended.lock().expect("no thread panics while it holds this");
        *ended += 1;
        let activity = if job.key.activity { "with" } else { "without" };
        let run = format!(
            "{}, ω {} {activity} activity sparsity, seed {}",
            job.of.study.name(),
            job.key.omega,
            job.key.seed
        );
        let told = format!("{} of {} runs: {run}", ended, self.runs);
        self.bar.set_message(told.clone());
        if !std::io::stderr().is_terminal() {
            tell!("{told}; about {} s left", self.bar.eta().as_secs());
        }
    }
}
