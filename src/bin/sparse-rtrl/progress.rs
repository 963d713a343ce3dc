//! Progress display on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Number of rows between updates of the display.
const STRIDE: u64 = 16;

/// A progress display on standard error; hidden if standard error is not a terminal.
pub struct Progress {
    bar: ProgressBar,
    seen: u64,
}

impl Progress {
    /// Creates a display of `total` steps, if known; hidden if `hidden`.
    pub fn new(hidden: bool, total: Option<u64>, what: &str) -> Self {
        let target = match hidden || !std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let style = match total {
            Some(_) => {
                format!("{{elapsed_precise}} [{{bar:20}}] {{pos}}/{{len}} {what} {{eta}} left  {{wide_msg}}")
            }
            None => format!("{{elapsed_precise}} {{spinner}} {{pos}} {what}, {{per_sec}}  {{wide_msg}}"),
        };
        let style = ProgressStyle::with_template(&style).expect("a valid template").progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(total, target).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, seen: 0 }
    }

    /// Sets the position. `message` is called only if the display is updated.
    pub fn at(&mut self, position: u64, message: impl FnOnce() -> String) {
        self.seen += 1;
        if !self.bar.is_hidden() && self.seen.is_multiple_of(STRIDE) {
            self.bar.set_position(position);
            self.bar.set_message(message());
        }
    }

    /// Prints a line above the display.
    pub fn print(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Removes the display.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
