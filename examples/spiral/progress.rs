//! Progress: a bar on a terminal; without a terminal, one line per evaluation.

use indicatif::{ProgressBar, ProgressStyle};
use sparse_rtrl::experiment::Config;
use sparse_rtrl::experiment::record::Row;
use std::io::IsTerminal;

/// Progress of all runs.
pub struct Progress {
    quiet: bool,
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Creates the progress over all iterations of all runs.
    pub fn new(quiet: bool, configs: &[Config], seeds: u64) -> Self {
        let iterations = configs.iter().map(|c| c.iterations as u64).fold(0, u64::saturating_add);
        let style = "{elapsed_precise} [{bar:20}] {pos}/{len} {eta} left  {wide_msg}";
        let style = ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> ");
        let bar = || ProgressBar::new(iterations.saturating_mul(seeds)).with_style(style);
        Self { quiet, bar: (!quiet && std::io::stderr().is_terminal()).then(bar) }
    }

    /// Advances by one iteration, and shows loss and accuracy if the row has an evaluation.
    pub fn show(&self, row: &Row) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        let Some(accuracy) = row.test_accuracy else { return };
        let loss = format!("loss {:.4}, test accuracy {:.2} %", row.loss, 100.0 * accuracy);
        let run = format!("ω {} seed {}", row.param_sparsity, row.seed);
        match &self.bar {
            Some(bar) => bar.set_message(format!("{run}: {loss}")),
            None if !self.quiet => eprintln!("{run} iteration {}: {loss}", row.iteration),
            None => {}
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
