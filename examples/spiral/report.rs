//! The closing table: what was reached, and what it cost.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_HORIZONTAL_ONLY};
use comfy_table::{CellAlignment, Table, TableStyle};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::Run;
use std::path::Path;

/// A run that came to its end.
pub struct Finished {
    pub run: Run,
    pub seconds: f64,
}

/// All runs that came to their end.
#[derive(Default)]
pub struct Report {
    runs: Vec<Finished>,
}

/// Column heads and what stands below them.
const COLUMNS: [&str; 14] = [
    "rule",
    "ω",
    "seed",
    "kept",
    "test acc.",
    "≥ 99 % at",
    "α",
    "β",
    "live",
    "density",
    "adjusted it.",
    "MACs",
    "vs dense",
    "s",
];

const LEGEND: &str = "\
ω share of masked weights pruned, as drawn · kept: parameters of the network, of those without a mask · ≥ 99 % at:
first evaluated iteration with that test accuracy · α share of silent units · β share with zero pseudo-derivative ·
live: share with e ≠ 0, the sources that cannot be skipped · density: nonzero share of the influence matrix Y ·
adjusted it.: Σ ω̃²β̃(t)β̃(t−1), the paper's measure · MACs counted as they were done, and relative to dense RTRL.";

impl Report {
    pub fn add(&mut self, run: Finished) {
        self.runs.push(run);
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn row(finished: &Finished) -> Vec<String> {
        let Finished { run, seconds } = finished;
        let (last, mean) = (&run.last, &run.mean);
        let optional = |x: f64| if x.is_finite() { format!("{x:.3}") } else { "–".into() };
        vec![
            last.rule.clone(),
            format!("{:.3}", run.param_sparsity),
            last.seed.to_string(),
            format!("{}/{}", run.parameters.0, run.parameters.1),
            last.test_accuracy.map_or("–".into(), |a| format!("{:.2} %", 100.0 * a)),
            run.reached.map_or("–".into(), |iteration| iteration.to_string()),
            format!("{:.3}", mean.activity_sparsity),
            format!("{:.3}", mean.backward_sparsity),
            format!("{:.3}", mean.live_share),
            optional(mean.influence_density),
            format!("{:.2}", last.compute_adjusted_iteration),
            format!("{:.2e}", last.macs as f64),
            format!("{:.2} %", 100.0 * last.macs as f64 / last.macs_dense as f64),
            format!("{seconds:.1}"),
        ]
    }

    /// The table as the terminal shows it.
    pub fn text(&self) -> String {
        format!("{}\n{LEGEND}", self.fill(UTF8_HORIZONTAL_ONLY))
    }

    fn fill(&self, style: TableStyle) -> Table {
        let mut table = Table::new();
        table.load_style(style);
        table.set_header(COLUMNS);
        self.runs.iter().for_each(|run| {
            table.add_row(Self::row(run));
        });
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// The table as Markdown, under the command and the date that made it.
    pub fn write_markdown(&self, path: &Path, command: &str) -> Result<()> {
        let failed = |source| Error::Write { path: path.into(), source };
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
        let version = env!("CARGO_PKG_VERSION");
        let table = self.fill(ASCII_MARKDOWN);
        let text = format!(
            "# Spiral\n\nMade by sparse-rtrl {version} on {date} with\n\n    {command}\n\n{table}\n\n{LEGEND}\n"
        );
        std::fs::write(path, text).map_err(failed)
    }
}
