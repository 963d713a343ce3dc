//! The summary table: accuracy and cost. A single run has one line per quantity; several runs have
//! one line per run.

use super::origin;
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table, TableStyle};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::RunSummary;
use std::path::Path;

/// A completed run and its duration.
pub struct Finished {
    pub run: RunSummary,
    pub seconds: f64,
}

/// All completed runs.
#[derive(Default)]
pub struct Report {
    runs: Vec<Finished>,
}

/// A quantity of a run: its column header, its description and its value.
struct Figure {
    head: &'static str,
    meaning: &'static str,
    value: fn(&Finished) -> String,
}

fn share(x: f64) -> String {
    if x.is_finite() { format!("{x:.3}") } else { "–".into() }
}

const FIGURES: [Figure; 13] = [
    Figure {
        head: "ω",
        meaning: "share of maskable weights that are pruned, as drawn",
        value: |f| format!("{:.3}", f.run.param_sparsity),
    },
    Figure { head: "seed", meaning: "", value: |f| f.run.last.seed.to_string() },
    Figure {
        head: "p",
        meaning: "kept parameters of the network",
        value: |f| f.run.parameters.0.to_string(),
    },
    Figure {
        head: "test acc.",
        meaning: "final test accuracy",
        value: |f| f.run.last.test_accuracy.map_or("–".into(), |a| format!("{:.2} %", 100.0 * a)),
    },
    Figure {
        head: "99 % at",
        meaning: "first evaluated iteration with a test accuracy of at least 99 %",
        value: |f| f.run.reached.map_or("–".into(), |iteration| iteration.to_string()),
    },
    Figure {
        head: "α",
        meaning: "share of units with y = 0",
        value: |f| share(f.run.mean.activity_sparsity),
    },
    Figure {
        head: "β",
        meaning: "share of units with zero pseudo-derivative",
        value: |f| share(f.run.mean.backward_sparsity),
    },
    Figure {
        head: "live",
        meaning: "share of units with e ≠ 0: the sources that cannot be skipped",
        value: |f| share(f.run.mean.live_share),
    },
    Figure {
        head: "density",
        meaning: "share of the influence matrix ∂y/∂w that is not zero",
        value: |f| share(f.run.mean.influence_density),
    },
    Figure {
        head: "adjusted",
        meaning: "compute-adjusted iterations, Σ ω̃²β̃(t)β̃(t−1): the paper's measure",
        value: |f| format!("{:.2}", f.run.last.compute_adjusted_iteration),
    },
    Figure {
        head: "MACs",
        meaning: "multiply-accumulates, as counted",
        value: |f| format!("{:.2e}", f.run.last.macs as f64),
    },
    Figure {
        head: "of dense",
        meaning: "MACs relative to dense RTRL without masks",
        value: |f| format!("{:.2} %", 100.0 * f.run.last.macs as f64 / f.run.last.macs_dense as f64),
    },
    Figure {
        head: "kB",
        meaning: "largest influence matrix or tape of one stream, in 1000 bytes",
        value: |f| format!("{:.1}", f.run.bytes as f64 / 1e3),
    },
];

/// Duration; not written to files, so that their content is reproducible.
const SECONDS: Figure = Figure { head: "s", meaning: "seconds", value: |f| format!("{:.1}", f.seconds) };

impl Report {
    /// Adds a run.
    pub fn add(&mut self, run: Finished) {
        self.runs.push(run);
    }

    /// Returns the table for the terminal.
    pub fn text(&self) -> String {
        let figures: Vec<&Figure> = FIGURES.iter().chain([&SECONDS]).collect();
        match &self.runs[..] {
            [one] => upright(&figures, one),
            several => format!("{}\n\n{}", side_by_side(NOTHING, &figures, several), legend(&figures)),
        }
    }

    /// Writes the tables as Markdown, with their provenance.
    pub fn write_markdown(&self, path: &Path, command: &str) -> Result<()> {
        let figures: Vec<&Figure> = FIGURES.iter().collect();
        let table = side_by_side(ASCII_MARKDOWN, &figures, &self.runs);
        let text = format!(
            "# Spiral\n\n{}\n\n## Means over seeds\n\n{}\n\n{MEANS}\n\n## Every run\n\n{table}\n\n{}\n",
            origin::provenance(command),
            means(&self.runs),
            legend(&figures)
        );
        std::fs::write(path, text).map_err(|source| Error::Write { path: path.into(), source })
    }
}

/// Returns a table with header, value and description of every quantity of one run.
fn upright(figures: &[&Figure], run: &Finished) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_row(["rule", &run.run.last.rule, ""]);
    for figure in figures {
        table.add_row([figure.head, &(figure.value)(run), figure.meaning]);
    }
    if let Some(values) = table.column_mut(1) {
        values.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Returns a table with one row per run.
fn side_by_side(style: TableStyle, figures: &[&Figure], runs: &[Finished]) -> String {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(std::iter::once("rule").chain(figures.iter().map(|f| f.head)));
    for run in runs {
        let values = figures.iter().map(|f| (f.value)(run));
        table.add_row(std::iter::once(run.run.last.rule.clone()).chain(values));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Returns a table with one row per sparsity: means over its seeds.
fn means(runs: &[Finished]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "ω",
        "seeds",
        "test acc.",
        "worst",
        "≥ 99 %",
        "99 % at",
        "from",
        "to",
        "α",
        "β",
        "live",
        "density",
        "adjusted",
        "MACs",
        "of dense",
    ]);
    for runs in runs.chunk_by(|a, b| a.run.last.param_sparsity == b.run.last.param_sparsity) {
        let mean = |of: &dyn Fn(&RunSummary) -> f64| {
            runs.iter().map(|f| of(&f.run)).sum::<f64>() / runs.len() as f64
        };
        let accuracy = |run: &RunSummary| run.last.test_accuracy.unwrap_or(f64::NAN);
        let worst = runs.iter().map(|f| accuracy(&f.run)).fold(f64::INFINITY, f64::min);
        let kept = runs.iter().filter(|f| accuracy(&f.run) >= 0.99).count();
        let [median, from, to] = spread(runs.iter().map(|f| f.run.reached).collect());
        table.add_row([
            share(runs[0].run.param_sparsity),
            runs.len().to_string(),
            format!("{:.2} %", 100.0 * mean(&accuracy)),
            format!("{:.2} %", 100.0 * worst),
            kept.to_string(),
            median,
            from,
            to,
            share(mean(&|r| r.mean.activity_sparsity)),
            share(mean(&|r| r.mean.backward_sparsity)),
            share(mean(&|r| r.mean.live_share)),
            share(mean(&|r| r.mean.influence_density)),
            format!("{:.1}", mean(&|r| r.last.compute_adjusted_iteration)),
            format!("{:.2e}", mean(&|r| r.last.macs as f64)),
            format!("{:.2} %", 100.0 * mean(&|r| r.last.macs as f64 / r.last.macs_dense as f64)),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Returns median, minimum and maximum of the iterations at which runs reached 99 %. Runs that did
/// not reach it count as the largest value, shown as a dash. For an even number of runs the median
/// is the lower of the two middle values.
fn spread(mut reached: Vec<Option<usize>>) -> [String; 3] {
    reached.sort_by_key(|at| at.unwrap_or(usize::MAX));
    let last = reached.len() - 1;
    [last / 2, 0, last].map(|k| reached[k].map_or("–".into(), |at| at.to_string()))
}

/// Descriptions of the columns that are only in the table of means.
const MEANS: &str = "test acc.: mean over seeds; worst: minimum over seeds; ≥ 99 %: number of seeds with a final test accuracy of at least 99 %; \
    99 % at, from, to: median, minimum and maximum over seeds of the first evaluated iteration with at least 99 % (– for never).";

fn legend(figures: &[&Figure]) -> String {
    let lines = figures.iter().filter(|f| !f.meaning.is_empty());
    lines.map(|f| format!("{}: {}", f.head, f.meaning)).collect::<Vec<_>>().join(";\n") + "."
}
