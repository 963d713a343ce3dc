//! Output of the rows as CSV and Markdown, and a summary for the terminal.

use super::measure::Measured;
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table, TableStyle};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl_studies::origin;
use std::fmt::Write as _;
use std::path::Path;

const NOTES: &str = "\
Costs are means per step of the learning rule alone, with a credit at every step. Columns:

- `paper`: formula of the RTRL paper's table 1, with p the number of recurrent weights, ω̃ as drawn, α̃ and β̃ as measured. Its first term is the
  forward pass, which the other columns exclude; they include biases, inputs, thresholds and credit.
- `expected`: the cost model for means, from n, m, p, ω and the measured mean sparsities.
- `predicted`: the cost model from the nonzero entries of each step; tests verify that it is exact.
- `counted`: MACs counted by the kernels.
- `bytes`: influence matrix or tape in use, without index structures.
- `time`: per step.
- `cosine`: cosine similarity with the exact gradient of the whole run, without the readout.

BPTT is drained once, at the end, and its cost is averaged over all steps; its bytes grow with the sequence. Slow rules with a constant cost per step are
run for three steps only.

The product A Y dominates the cost of RTRL. `A Y computed` is the cost of this product in exact sparse RTRL relative to its dense cost, over the columns
of recurrent weights. `paper` is ω̃² β̃(t) β̃(t−1). `derived` is κ ω̃² β̃(t) β̃(t−1) for the event RNN and κ ω̃ ω̃′ ν(t−1) for the EGRU, where κ is the share
of active columns (source nonzero at some step since the reset), ω̃′ the share of pairs of units that any gate couples, and ν the share of live units (e ≠ 0).
The rows of S of an EGRU have the carry 1 − u and stay nonzero, so the paper's second factor β̃ does not apply.";

/// Writes all rows as CSV.
///
/// # Errors
/// If the file cannot be written.
pub fn write_csv(path: &Path, rows: &[Measured]) -> Result<()> {
    let failed = |why: csv::Error| Error::Csv { path: path.into(), source: why.into() };
    let mut csv = csv::Writer::from_path(path).map_err(failed)?;
    rows.iter().try_for_each(|row| csv.serialize(row)).map_err(failed)?;
    csv.flush().map_err(|source| Error::Write { path: path.into(), source })
}

fn big(x: f64) -> String {
    match x {
        _ if x < 1e4 => format!("{x:.0}"),
        _ => format!("{x:.2e}"),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

/// Returns the table of costs, one line per rule.
fn costs(style: TableStyle, rows: &[&Measured]) -> String {
    let mut table = Table::new();
    table.load_style(style);
    let heads =
        ["rule", "claim", "paper", "= MACs", "expected", "predicted", "counted", "bytes", "time", "cosine"];
    table.set_header(heads);
    for row in rows {
        table.add_row([
            row.rule.clone(),
            row.claim.clone(),
            row.paper_formula.into(),
            row.paper_macs.map_or("–".into(), big),
            row.expected_macs.map_or("–".into(), big),
            big(row.predicted_macs),
            big(row.counted_macs),
            big(row.bytes as f64),
            time(row.seconds),
            format!("{:.3}", row.gradient_cosine),
        ]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn ratio(a: f64, b: f64) -> String {
    if b > 0.0 { format!("{:.3}", a / b) } else { "–".into() }
}

/// Returns the table of shares of A Y, one line per network.
fn shares(style: TableStyle, rows: &[&Measured]) -> String {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header([
        "cell",
        "n",
        "ω",
        "ε",
        "α",
        "β",
        "ν",
        "κ",
        "A Y computed",
        "paper",
        "computed/paper",
        "derived",
        "computed/derived",
    ]);
    for row in rows {
        let Some(computed) = row.recurrent_share else { continue };
        let share = |x: f64| format!("{x:.3}");
        table.add_row([
            row.cell.to_string(),
            row.units.to_string(),
            share(row.param_sparsity),
            row.epsilon.to_string(),
            share(row.activity_sparsity),
            share(row.backward_sparsity),
            share(row.live_share),
            share(row.active_share),
            format!("{computed:.5}"),
            format!("{:.5}", row.paper_share),
            ratio(computed, row.paper_share),
            format!("{:.5}", row.derived_share),
            ratio(computed, row.derived_share),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Returns the rows grouped by network, in order.
fn networks(rows: &[Measured]) -> impl Iterator<Item = Vec<&Measured>> {
    let same = |a: &Measured, b: &Measured| {
        (a.cell, a.units) == (b.cell, b.units)
            && a.param_sparsity == b.param_sparsity
            && a.epsilon == b.epsilon
    };
    rows.chunk_by(same).map(|chunk| chunk.iter().collect())
}

fn title(row: &Measured) -> String {
    format!(
        "{}, n = {}, ω = {:.3}, ε = {} (p = {}, α = {:.2}, β = {:.2})",
        row.cell,
        row.units,
        row.param_sparsity,
        row.epsilon,
        row.parameters,
        row.activity_sparsity,
        row.backward_sparsity
    )
}

/// Writes all tables as Markdown.
///
/// # Errors
/// If the file cannot be written.
pub fn write_markdown(path: &Path, rows: &[Measured]) -> Result<()> {
    let mut text = format!(
        "# Table 1 of the RTRL paper, measured\n\n{}\n\nSeed {}; times are for one thread.\n\n{NOTES}\n\n## Share of A Y that is computed\n\n{}\n",
        origin::provenance(&origin::command("cargo study table1", None)),
        rows.first().map_or(0, |row| row.seed),
        shares(ASCII_MARKDOWN, &rows.iter().collect::<Vec<_>>())
    );
    for network in networks(rows) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {}\n\n{}\n", title(network[0]), costs(ASCII_MARKDOWN, &network));
    }
    std::fs::write(path, text).map_err(|source| Error::Write { path: path.into(), source })
}

/// Returns the shares of A Y, and the costs of the largest networks, for half-width `epsilon`.
pub fn terminal(rows: &[Measured], epsilon: f64) -> String {
    let largest = rows.iter().map(|row| row.units).max();
    let shown = |row: &&Measured| row.epsilon == epsilon;
    let mut text = String::new();
    for network in networks(rows).filter(|n| shown(&n[0]) && Some(n[0].units) == largest) {
        let _ = write!(text, "{}\n\n{}\n\n", title(network[0]), costs(NOTHING, &network));
    }
    let table = shares(NOTHING, &rows.iter().filter(shown).collect::<Vec<_>>());
    let _ = write!(text, "{table}\n\n{NOTES}\n");
    text
}
