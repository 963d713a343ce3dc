//! One run of a stream, from its first row or from a checkpoint to its end.
//!
//! At a checkpoint, the output is written and synced first. The checkpoint is written after it and
//! holds the length and checksum of the output. If the process is killed at any time, the output on
//! disk is at least as long as its length in the checkpoint. Resuming truncates it to that length.

use crate::failure::{BAD_ROW, DIVERGED, Failure, Outcome};
use crate::pipe::Pipe;
use crate::policy::{OnBadRow, OnDivergence};
use crate::progress::Progress;
use crate::sink::{Reader, Sink};
use crate::table::Table;
use sparse_rtrl::Real;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::stream::checkpoint;
use sparse_rtrl::stream::session::{RowError, Session};
use std::path::PathBuf;
use std::time::Instant;

/// Number of row errors that are reported one by one.
const REPORTED: u64 = 5;

/// A stream that is ready to run.
pub struct StreamRun<T: Real> {
    /// The learner and its state.
    pub session: Session<T>,
    /// The input.
    pub pipe: Pipe,
    /// The output.
    pub sink: Sink,
    /// Whether the run starts at the first row.
    pub begun: bool,
    /// The settings of the run.
    pub how: StreamOptions,
}

/// Settings of a run.
pub struct StreamOptions {
    /// Path of the checkpoint, if any.
    pub checkpoint: Option<PathBuf>,
    /// Number of rows between checkpoints.
    pub every: u64,
    /// Action on a row error.
    pub on_bad_row: OnBadRow,
    /// Action on divergence.
    pub on_divergence: OnDivergence,
    /// Whether only errors are printed.
    pub quiet: bool,
    /// Whether output lines appear on the terminal, so that the progress is hidden.
    pub covered: bool,
}

/// The end of a stream.
enum End {
    /// End of input.
    Input,
    /// The reader of the output closed the pipe.
    Closed,
    /// A signal.
    Signal(i32),
}

/// Runs a stream to its end and saves its state.
pub fn run<T: Real>(mut run: StreamRun<T>) -> Outcome {
    let (started, first) = (Instant::now(), run.session.position().rows);
    let mut progress = Progress::new(run.how.quiet || run.how.covered, None, "rows");
    let ended = run.begin().and_then(|reader| match reader {
        Reader::Listens => run.follow(&mut progress),
        Reader::Gone => Ok(End::Closed),
    });
    progress.finish();
    let done = run.end(ended);
    if !run.how.quiet {
        let rate = (run.session.position().rows - first) as f64 / started.elapsed().as_secs_f64();
        eprintln!("{}", run.summary(rate));
    }
    done
}

impl<T: Real> StreamRun<T> {
    /// Writes the header and a first checkpoint.
    fn begin(&mut self) -> Outcome<Reader> {
        match self.how.on_divergence {
            OnDivergence::Rollback if self.session.is_marked() => {}
            OnDivergence::Rollback => self.session.mark()?,
            // The restore point of an earlier run is not used and would enlarge every checkpoint.
            OnDivergence::Stop | OnDivergence::Reset => self.session.unmark(),
        }
        if self.begun {
            Table::new(self.session.settings()).head(self.sink.lines());
            self.write_checkpoint()?;
        }
        self.sink.flush()
    }

    /// Processes rows until the end of the stream.
    fn follow(&mut self, progress: &mut Progress) -> Outcome<End> {
        let mut table = Table::new(self.session.settings());
        let every = self.session.settings().every;
        loop {
            if let Some(signal) = self.pipe.stop.signal() {
                return Ok(End::Signal(signal));
            }
            // The next read may block: buffered lines are written before it.
            if !self.pipe.lines.at_hand() && self.sink.flush()? == Reader::Gone {
                return Ok(End::Closed);
            }
            let line = match self.pipe.lines.next_line() {
                // The rest of the line may arrive later. The checksum of a checkpoint must not
                // include a part of a line.
                Ok(Some(line)) if !line.ended && self.how.checkpoint.is_some() => {
                    if !self.how.quiet {
                        let what = "has no line end and may be incomplete: it is not processed";
                        progress.print(&format!("the last row (line {}) {what}", line.number));
                    }
                    return Ok(End::Input);
                }
                Ok(Some(line)) => line,
                Ok(None) => return Ok(End::Input),
                Err(error) => {
                    self.pipe.failure(&error)?;
                    continue;
                }
            };
            let number = line.number;
            let row = self.session.position().rows + 1;
            let error = self.session.row(line).err();
            // A row at which the learner diverged has a line of output.
            if !matches!(error, Some(RowError::Row(_))) && row.is_multiple_of(every) {
                let (session, lines) = (&self.session, self.sink.lines());
                table.line(lines, row, &session.report(), session.reader(), session.score());
            }
            match error {
                None => {}
                Some(RowError::Row(field_error)) => {
                    let message = format!("row {row} (line {number}): {field_error}");
                    row_error(&self.how, self.session.counts().skipped + 1, &message, progress)?;
                    self.session.skip(line);
                }
                Some(RowError::Diverged(why)) => self.recover(row, &why, progress)?,
                Some(other) => self.recover(row, &format!("{other:?}"), progress)?,
            }
            if self.sink.line_ended()? == Reader::Gone {
                return Ok(End::Closed);
            }
            progress.at(row, || scores(&self.session));
            if row.is_multiple_of(self.how.every) && self.due()? == Reader::Gone {
                return Ok(End::Closed);
            }
        }
    }

    /// Handles divergence of the learner.
    fn recover(&mut self, row: u64, why: &str, progress: &Progress) -> Outcome {
        let done = match self.how.on_divergence {
            OnDivergence::Stop => {
                let hint = match self.how.checkpoint {
                    Some(_) => "the last checkpoint is unchanged: use --resume",
                    None => "start again",
                };
                let hint = format!("{hint} with another --on-divergence, --error-clip or --learning-rate");
                return Err(Failure::new(DIVERGED, format!("diverged at row {row}: {why}; {hint}")));
            }
            OnDivergence::Reset => {
                self.session.reset()?;
                "the learner was reset".into()
            }
            OnDivergence::Rollback => {
                format!("the learner was rolled back to row {}", self.session.roll_back()?)
            }
        };
        if !self.how.quiet {
            progress.print(&format!("diverged at row {row}: {why}; {done}"));
        }
        Ok(())
    }

    /// Writes a checkpoint that is due.
    fn due(&mut self) -> Outcome<Reader> {
        if self.how.on_divergence == OnDivergence::Rollback {
            self.session.mark()?;
        }
        if self.how.checkpoint.is_none() {
            return Ok(Reader::Listens);
        }
        let reader = self.sink.sync()?;
        self.write_checkpoint()?;
        Ok(reader)
    }

    /// Saves the state and reports the end of the stream.
    fn end(&mut self, ended: Outcome<End>) -> Outcome {
        match ended {
            Ok(end) => {
                // The checkpoint contains the lines that could not be written.
                let written = self.sink.sync();
                self.write_checkpoint()?;
                written?;
                match end {
                    End::Input | End::Closed => Ok(()),
                    End::Signal(signal) => Err(Failure::new(128 + signal as u8, "")),
                }
            }
            // The state after a divergence is not saved: the last checkpoint stays.
            Err(failure) if failure.code == DIVERGED => {
                let _ = self.sink.sync();
                Err(failure)
            }
            Err(failure) => {
                let _ = self.sink.sync();
                match self.write_checkpoint() {
                    Ok(()) => Err(failure),
                    Err(also) => {
                        Err(Failure::new(failure.code, format!("{}; {}", failure.message, also.message)))
                    }
                }
            }
        }
    }

    fn write_checkpoint(&mut self) -> Outcome {
        let Some(path) = &self.how.checkpoint else { return Ok(()) };
        let mut archive = Archive::writer();
        self.session.save(&mut archive)?;
        archive.field("output", &mut self.sink.kept())?;
        Ok(checkpoint::write(path, archive)?)
    }

    fn summary(&self, rate: f64) -> String {
        let (rows, counts, learner) =
            (self.session.position().rows, self.session.counts(), self.session.learner());
        let diverged = match counts.diverged {
            0 => String::new(),
            times => format!(", diverged {times} times"),
        };
        format!(
            "{rows} rows, {} learned, {} skipped{diverged}; {}; {rate:.0} rows/s, {:.3e} MACs, {:.1} kB of influence",
            counts.learned,
            counts.skipped,
            scores(&self.session),
            learner.macs().total() as f64,
            learner.bytes() as f64 / 1e3,
        )
    }
}

/// Reports a row error, or returns it as a failure. `skipped` is its number, from 1.
fn row_error(how: &StreamOptions, skipped: u64, message: &str, progress: &Progress) -> Outcome {
    if how.on_bad_row == OnBadRow::Stop {
        let hint = "fix it and use --resume, or skip such rows with --on-bad-row skip";
        return Err(Failure::new(BAD_ROW, format!("{message}; {hint}")));
    }
    if !how.quiet {
        match skipped {
            k if k <= REPORTED => progress.print(&format!("skipped {message}")),
            k if k == REPORTED + 1 => progress.print("further row errors are only counted"),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the metrics as text.
fn scores<T: Real>(session: &Session<T>) -> String {
    let of = |metric: &sparse_rtrl::stream::score::Metric| match session.score().overall(*metric) {
        Some(value) => format!("{} {value:.4}", metric.name()),
        None => format!("{} –", metric.name()),
    };
    session.settings().metrics().iter().map(of).collect::<Vec<_>>().join(", ")
}
