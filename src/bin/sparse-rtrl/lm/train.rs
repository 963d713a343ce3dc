//! `sparse-rtrl lm train`.

use super::settings;
use crate::failure::{Failure, IO, Outcome, USAGE};
use crate::progress::Progress;
use clap::ValueEnum;
use signal_hook::consts::{SIGINT, SIGTERM};
use sparse_rtrl::archive::Archive;
use sparse_rtrl::experiment;
use sparse_rtrl::file::{self, lock::Lock};
use sparse_rtrl::lm::text::{Corpus, Samples};
use sparse_rtrl::lm::{LmPreset, LmRun, LmTraining};
use sparse_rtrl::stream::checkpoint;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Train a language model on a folder of text files, or on one file
///
/// A folder holds three files whose names end in train.txt, valid.txt and test.txt. Of a single file,
/// the last tenth is held out, one half for validation and one for the test. Without a path, a
/// small text is generated.
///
/// After every epoch the model is validated; the checkpoint holds the weights with the lowest
/// validation loss. The same command continues an interrupted run from its checkpoint, bit for bit.
#[derive(clap::Args)]
pub struct Args {
    /// Folder or file with the text. Without it, a small text is generated
    text: Option<PathBuf>,
    /// Settings: tiny, small, or those of the LM paper's code (ptb, wt2)
    #[arg(long, default_value = "tiny")]
    preset: Preset,
    /// Settings in TOML, which override the preset; --print-config prints them
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print the settings and stop
    #[arg(long)]
    print_config: bool,
    /// Number of epochs, instead of that of the settings
    #[arg(long)]
    epochs: Option<usize>,
    /// File with the state of the run
    #[arg(long, default_value = "lm.ckpt")]
    checkpoint: PathBuf,
    /// Begin a new run, even if the checkpoint exists
    #[arg(long)]
    restart: bool,
    /// Seconds between checkpoints; one is written after every epoch as well
    #[arg(long, default_value_t = 60.0)]
    checkpoint_seconds: f64,
    /// File for the learning curve (CSV), one row per epoch
    #[arg(long)]
    log: Option<PathBuf>,
    /// Seed of initial values, masks and dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Samples of the batch for validation
    #[arg(long, default_value_t = 10)]
    valid_batch: usize,
    /// Number of threads; 0: one per core. Results are independent of it
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    Tiny,
    Small,
    Ptb,
    Wt2,
}

impl From<Preset> for LmPreset {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::Tiny => Self::Tiny,
            Preset::Small => Self::Small,
            Preset::Ptb => Self::Ptb,
            Preset::Wt2 => Self::Wt2,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let mut training = settings::read(args.preset.into(), args.config.as_deref())?;
    training.epochs = args.epochs.unwrap_or(training.epochs);
    training.check()?;
    if args.print_config {
        return crate::print(&settings::print(&training)?);
    }
    let _lock = Lock::take(&args.checkpoint)?;
    checkpoint::check_writable(&args.checkpoint)?;
    if let Some(log) = &args.log {
        file::check_replaceable(log)?;
    }
    let corpus = match &args.text {
        Some(path) => Corpus::read(path, training.tokens)?,
        None => Corpus::generated(0),
    };
    let run = begin(args, &training, &corpus)?;
    let pool = experiment::pool(args.threads)?;
    pool.install(|| follow(args, run, &corpus))
}

/// Begins a run, or continues that of the checkpoint.
fn begin(args: &Args, training: &LmTraining, corpus: &Corpus) -> Outcome<LmRun> {
    if args.restart || !args.checkpoint.exists() {
        return Ok(LmRun::begin(training, corpus.vocabulary.clone(), args.seed)?);
    }
    let mut run = super::read(&args.checkpoint)?;
    let expected = LmTraining { epochs: training.epochs, ..run.training().clone() };
    let differs = |what: &str| {
        let why = "expected the same as in the checkpoint, got another; --restart begins a new run";
        Err(Failure::new(USAGE, format!("{what}: {why}")))
    };
    if expected != *training {
        return differs("settings");
    }
    if run.seed() != args.seed {
        return differs("seed");
    }
    if run.vocabulary() != &corpus.vocabulary {
        return differs("vocabulary of the text");
    }
    run.set_epochs(training.epochs)?;
    Ok(run)
}

/// Trains until all epochs are done or a signal arrives.
fn follow(args: &Args, mut run: LmRun, corpus: &Corpus) -> Outcome {
    let samples = Samples::new(&corpus.train, run.training().batch)?;
    let total = (run.training().epochs * samples.steps()) as u64;
    let mut progress = Progress::new(args.quiet, Some(total), "steps");
    let signal = Arc::new(AtomicUsize::new(0));
    for kind in [SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(kind, Arc::clone(&signal), kind as usize)
            .map_err(|error| Failure::new(IO, format!("cannot handle signals: {error}")))?;
    }
    let (mut counted, mut saved) = (Instant::now(), Instant::now());
    let (started, before) = (Instant::now(), run.trainer().progress().tokens);
    while !run.trainer().is_done() {
        let report = run.trainer().step(&samples)?;
        let now = run.trainer().progress();
        progress.at((now.epoch * samples.steps() + now.step) as u64, || {
            let rate = (now.tokens - before) as f64 / started.elapsed().as_secs_f64();
            let loss = report.loss / report.tokens as f64;
            format!("epoch {}: perplexity {:.1}, {rate:.0} tokens/s", now.epoch + 1, loss.exp())
        });
        if run.trainer().epoch_is_done(&samples) {
            run.add_seconds(counted.elapsed().as_secs_f64());
            let row = run.end_epoch(&corpus.valid, args.valid_batch)?;
            if !args.quiet {
                progress.print(&format!(
                    "epoch {}: loss {:.4}, validation perplexity {:.2}, {:.1} % of units zero, {:.0} s",
                    row.epoch,
                    row.train_loss,
                    row.valid_perplexity,
                    100.0 * row.activity_sparsity,
                    row.seconds
                ));
            }
            save(&args.checkpoint, &mut run)?;
            write_log(args, &run)?;
            (counted, saved) = (Instant::now(), Instant::now());
        }
        let stop = signal.load(Ordering::Relaxed);
        if stop != 0 || saved.elapsed() > Duration::from_secs_f64(args.checkpoint_seconds) {
            run.add_seconds(counted.elapsed().as_secs_f64());
            save(&args.checkpoint, &mut run)?;
            (counted, saved) = (Instant::now(), Instant::now());
        }
        if stop != 0 {
            return Err(Failure::new(128 + stop as u8, ""));
        }
    }
    progress.finish();
    write_log(args, &run)?;
    if args.quiet {
        return Ok(());
    }
    let test = run.evaluate(&corpus.test, args.valid_batch)?;
    crate::print(&super::eval::report(run.training(), run.best(), "test", &test))
}

fn save(path: &Path, run: &mut LmRun) -> Outcome {
    let mut archive = Archive::writer();
    run.save(&mut archive)?;
    Ok(checkpoint::write(path, archive)?)
}

/// Writes the learning curve; the file is replaced as a whole.
fn write_log(args: &Args, run: &LmRun) -> Outcome {
    let Some(path) = &args.log else { return Ok(()) };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let written = run.curve().iter().try_for_each(|row| csv.serialize(row));
    written.map_err(|error| Failure::new(IO, format!("cannot write {}: {error}", path.display())))?;
    let text = csv.into_inner().expect("writing to memory succeeds");
    Ok(file::replace(path, text)?)
}
