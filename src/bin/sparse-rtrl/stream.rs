//! `sparse-rtrl stream`: its flags, and the start of a run from the first row or from a checkpoint.

use crate::failure::{EXIT_CODES, Failure, IO, Outcome, UNUSABLE, USAGE};
use crate::file_use::{FileUse, check_distinct};
use crate::flags::Flags;
use crate::pipe::Pipe;
use crate::policy::{OnBadRow, OnDivergence};
use crate::run::{self, StreamRun};
use crate::sink::{self, SavedOutput, Sink};
use sparse_rtrl::Error;
use sparse_rtrl::Real;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::file::lock::{self, Lock};
use sparse_rtrl::stream::checkpoint;
use sparse_rtrl::stream::feed::{Format, Position, Splitter};
use sparse_rtrl::stream::session::{self, Precision, Session, Settings};
use sparse_rtrl::stream::weights;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Learn from a stream of rows: predict the target of each row, then update the model when the
/// target is known
///
/// Reads CSV or JSON lines from a file or standard input and writes one line per row: the target,
/// the prediction of it, made before it arrived, the prediction for a later row if there is a
/// horizon, and the metrics so far. A row is one line. Predictions never use later rows, and memory
/// does not grow with the stream.
#[derive(clap::Args)]
#[command(after_help = examples())]
pub struct Args {
    /// Input rows; - is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Output file; - is standard output, the default unless the checkpoint was made with an output
    /// file
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Save the complete state in this file: weights, masks, states, influence, scalers, metrics,
    /// position. It is replaced atomically, also at the end and when a signal, a row error or a
    /// closed pipe ends the stream. The checkpoint and the output are locked with FILE.lock: a
    /// second process that writes one of them exits with code 6. With a checkpoint, a last row
    /// without a line end is not processed, since it may be incomplete
    #[arg(long, value_name = "FILE", help_heading = "Checkpoint")]
    checkpoint: Option<PathBuf>,
    /// Rows between checkpoints; a rollback restores the most recent one
    #[arg(long, value_name = "ROWS", default_value_t = 10_000, help_heading = "Checkpoint")]
    checkpoint_every: u64,
    /// Resume from the checkpoint, if it exists. Its settings are used, rows of a file that were
    /// processed are skipped, and the output is truncated to its length at the checkpoint, after
    /// its content has been verified. Rows from standard input are new rows, unless --replay is
    /// given. Of the settings, only --outlier-limit, --learning-rate, --decay, --clip and
    /// --error-clip may change
    #[arg(long, requires = "checkpoint", help_heading = "Checkpoint")]
    resume: bool,
    /// Run also on a file system without locks. Make sure that no other process writes the
    /// checkpoint or the output
    #[arg(long, help_heading = "Checkpoint")]
    allow_unlocked: bool,
    /// With --resume: standard input starts at the first row of the stream, like a file
    #[arg(long, requires = "resume", help_heading = "Checkpoint")]
    replay: bool,
    /// Start with the weights of a safetensors file, as written by `sparse-rtrl inspect --export`.
    /// The help of that command lists the tensors
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = "Checkpoint")]
    import: Option<PathBuf>,
    /// On a row error (missing or extra fields, not a number, not finite, outlier): stop the
    /// stream, or count the row and skip it. A skipped row has no line of output and is not counted
    /// in the horizon
    #[arg(long, default_value = "stop", help_heading = "Error handling")]
    on_bad_row: OnBadRow,
    /// When a number is not finite or an output exceeds 1000 standard deviations: stop the stream,
    /// reset the learner to its initial weights, or roll it back to the most recent due checkpoint
    #[arg(long, default_value = "stop", help_heading = "Error handling")]
    on_divergence: OnDivergence,
    /// Print errors only
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

fn examples() -> String {
    format!(
        "Examples:
  seq 1 9999 | awk '{{print sin($1 / 9)}}' | sparse-rtrl stream --columns y --target y --horizon 1
      predict one row ahead from the value alone
  sparse-rtrl stream load.csv --target load --horizon 5 --cyclic minuteofday:1440 --one-hot dayofweek:7 -o out.csv
      predict five rows ahead from the load, the time of day and the day of the week
  tail -n +1 -f sensor.log | sparse-rtrl stream --target temperature --checkpoint sensor.ckpt --resume --replay
      can be resumed: the same command continues at the first new row
  sparse-rtrl stream clicks.jsonl --target bought --target-kind binary --classes no,yes --on-bad-row skip
  sparse-rtrl stream laser.csv --target y --horizon 1 --trainer kalman-node --variance 10

{EXIT_CODES}"
    )
}

/// Runs the command.
pub fn run(mut args: Args) -> Outcome {
    if args.checkpoint_every == 0 {
        return Err(Failure::new(USAGE, "checkpoint-every: expected at least 1, got 0"));
    }
    let read = [Some(&args.file), args.import.as_ref()].into_iter().flatten();
    let named = read.map(|path| FileUse::Read(path));
    let named = named.chain(args.output.iter().map(|path| FileUse::Write(path)));
    check_distinct(named.chain(args.checkpoint.iter().map(|path| FileUse::Replace(path))))?;
    // Both locks are held from before the first read or write until the end.
    let saved = args.checkpoint.as_deref().map(|path| lock(path, args.allow_unlocked)).transpose()?;
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let _written = output.map(|path| lock(path, args.allow_unlocked)).transpose()?;
    output.map_or(Ok(()), check_free)?;
    args.checkpoint = saved.as_ref().map(|lock| lock.path().into());
    match args.checkpoint.as_deref().filter(|path| path.exists()) {
        Some(path) if args.resume => resume(&args, path),
        Some(path) => {
            let message = "exists: expected --resume to continue from it, or another file";
            Err(Failure::new(USAGE, format!("{} {message}", path.display())))
        }
        None => begin(&args),
    }
}

/// Takes the lock of a file that is to be written.
fn lock(path: &Path, allow_unlocked: bool) -> Outcome<Lock> {
    if allow_unlocked {
        return Ok(Lock::take_where_possible(path)?);
    }
    Lock::take(path).map_err(|error| match &error {
        Error::NoLocks { .. } => {
            let message =
                "another process could write it at the same time; --allow-unlocked runs without locks";
            Failure::new(IO, format!("{error}; {message}"))
        }
        _ => error.into(),
    })
}

/// Checks the lock of the file itself: two hard links of one file have different lock files.
fn check_free(path: &Path) -> Outcome {
    // Opening a pipe would block until its other end is opened.
    let file = path.is_file().then(|| File::open(path).ok()).flatten();
    file.map_or(Ok(()), |file| Ok(lock::in_place(&file, path)?))
}

/// Starts at the first row.
fn begin(args: &Args) -> Outcome {
    let given = args.flags.given();
    let Some(target) = given.get("target").and_then(|name| name.as_str()) else {
        return Err(Failure::new(USAGE, "--target: expected the column to predict, got nothing"));
    };
    let mut settings = Settings::new(target).overlaid(&given)?.resolved();
    if let Some(output) = args.output.as_ref().filter(|_| args.resume)
        && sink::holds_something(output)
    {
        let message = "expected an empty or no output file, since there is no checkpoint to resume from";
        return Err(Failure::new(USAGE, format!("{}: {message}", output.display())));
    }
    let mut pipe = Pipe::open(Some(&args.file))?;
    let columns = match (&settings.columns, settings.input_format) {
        (Some(columns), None | Some(Format::Csv)) => {
            Splitter::check_names("columns", columns)?;
            settings.input_format = Some(Format::Csv);
            first_line(&mut pipe, "a row")?;
            pipe.lines.again();
            columns.clone()
        }
        (Some(_), Some(Format::Jsonl)) => {
            return Err(Failure::new(
                USAGE,
                "columns: expected nothing, since JSON lines contain the names of the columns",
            ));
        }
        (None, format) => {
            first_line(&mut pipe, "a line of column names")?;
            let line = pipe.lines.line();
            if !line.ended && args.checkpoint.is_some() {
                let message =
                    "the first line has no line end and may be incomplete: expected a complete line";
                return Err(Failure::new(IO, format!("{message}, to write a checkpoint")));
            }
            let format = format.unwrap_or(Format::of(line.text));
            settings.input_format = Some(format);
            let columns = Splitter::header(format, settings.delimiter()?, line.text)?;
            begin_rows(&mut pipe, format, settings.skip_lines)?;
            columns
        }
    };
    match settings.precision {
        Precision::F32 => begin_with::<f32>(args, &settings, columns, pipe),
        Precision::F64 => begin_with::<f64>(args, &settings, columns, pipe),
    }
}

fn begin_with<T: Real>(args: &Args, settings: &Settings, columns: Vec<String>, pipe: Pipe) -> Outcome {
    let session = match &args.import {
        None => Session::<T>::begin(settings, columns)?,
        Some(path) => Session::with(settings, columns, |spec| weights::import(spec, settings.seed, path))?,
    };
    check_writable(args)?;
    let sink = Sink::create(args.output.as_deref())?;
    run::run(StreamRun { session, pipe, sink, begun: true, how: how(args) })
}

/// Resumes from a checkpoint.
fn resume(args: &Args, path: &Path) -> Outcome {
    let mut archive = checkpoint::read(path)?;
    let about = |error| Failure { message: format!("{}: {error}", path.display()), ..Failure::from(error) };
    let (settings, columns) = session::peek(&mut archive).map_err(about)?;
    let settings = settings.retuned(&args.flags.given())?;
    match settings.precision {
        Precision::F32 => resume_with::<f32>(args, path, &settings, columns, archive),
        Precision::F64 => resume_with::<f64>(args, path, &settings, columns, archive),
    }
}

fn resume_with<T: Real>(
    args: &Args,
    path: &Path,
    settings: &Settings,
    columns: Vec<String>,
    mut archive: Archive,
) -> Outcome {
    let about = |error: sparse_rtrl::Error| Failure::new(UNUSABLE, format!("{}: {error}", path.display()));
    let session = Session::<T>::resume(settings, columns, &mut archive).map_err(about)?;
    let mut kept = SavedOutput::default();
    archive.field("output", &mut kept).map_err(about)?;
    archive.finish().map_err(about)?;
    let mut pipe = Pipe::open(Some(&args.file))?;
    pass_over(&mut pipe, &session, args.replay)?;
    check_writable(args)?;
    let sink = Sink::resume(args.output.as_deref(), kept)?;
    run::run(StreamRun { session, pipe, sink, begun: false, how: how(args) })
}

/// Checks that a checkpoint can be written, before the output is truncated.
fn check_writable(args: &Args) -> Outcome {
    args.checkpoint.as_deref().map_or(Ok(()), |path| Ok(checkpoint::check_writable(path)?))
}

/// Reads the first line. An empty input is an error.
fn first_line(pipe: &mut Pipe, expected: &str) -> Outcome {
    match pipe.lines.next_line() {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Failure::new(IO, format!("the input is empty: expected {expected}"))),
        Err(error) => pipe.failure(&error).and_then(|()| Err(pipe.stopped())),
    }
}

/// Skips the header.
fn begin_rows(pipe: &mut Pipe, format: Format, skip: usize) -> Outcome {
    match format {
        Format::Csv => pipe.lines.skip(skip).or_else(|error| pipe.failure(&error)),
        // The first object defines the columns and is the first row.
        Format::Jsonl => {
            pipe.lines.again();
            Ok(())
        }
    }
}

/// Skips the rows that were read before the checkpoint, if the input repeats them, and compares
/// their checksum.
fn pass_over<T: Real>(pipe: &mut Pipe, session: &Session<T>, replay: bool) -> Outcome {
    let settings = session.settings();
    let comes_again = replay || pipe.length.is_some();
    let other = |expected: String, found: String| {
        let what = "the input differs from the input of the checkpoint";
        Err(Failure::new(UNUSABLE, format!("{what}: expected {expected}, got {found}")))
    };
    let named = settings.columns.is_none() && settings.input_format != Some(Format::Jsonl);
    if named {
        match pipe.lines.next_line() {
            Err(error) => return pipe.failure(&error),
            Ok(None) => {}
            Ok(Some(line)) => match Splitter::header(Format::Csv, settings.delimiter()?, line.text) {
                Ok(columns) if columns == session.columns() => {
                    begin_rows(pipe, Format::Csv, settings.skip_lines)?
                }
                Ok(columns) if comes_again => {
                    return other(
                        format!("the columns {}", session.columns().join(", ")),
                        columns.join(", "),
                    );
                }
                Err(error) if comes_again => return Err(Failure::new(UNUSABLE, error)),
                _ => pipe.lines.again(),
            },
        }
    }
    let (done, mut passed) = (session.position(), Position::default());
    while comes_again && passed.rows < done.rows {
        match pipe.lines.next_line() {
            Err(error) => return pipe.failure(&error),
            Ok(None) => return other(format!("at least {} rows", done.rows), passed.rows.to_string()),
            Ok(Some(line)) => passed.pass(line.text),
        }
    }
    match comes_again && passed != done {
        true => other(
            format!("{} rows with the checksum {:08x}", done.rows, done.crc),
            format!("{:08x}", passed.crc),
        ),
        false => Ok(()),
    }
}

fn how(args: &Args) -> run::StreamOptions {
    run::StreamOptions {
        checkpoint: args.checkpoint.clone(),
        every: args.checkpoint_every,
        on_bad_row: args.on_bad_row,
        on_divergence: args.on_divergence,
        quiet: args.quiet,
        covered: Sink::is_terminal(args.output.as_deref()),
    }
}
