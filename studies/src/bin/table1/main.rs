//! Measurement of table 1 of the RTRL paper: `cargo study table1`.
//!
//! Runs every rule on the event RNN and the EGRU over a grid of sizes, sparsities and widths of the
//! pseudo-derivative. Reports the paper's formula, the cost model of this crate, counted MACs,
//! bytes, time, and cosine similarity with the exact gradient.

mod measure;
mod report;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use measure::{Measured, Setting, measure};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::file;
use sparse_rtrl::rule;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measure the rules of the RTRL paper's table 1, and further rules, on random networks with random
/// input.
///
/// Writes table1.csv and table1.md. Times are for one thread; all other numbers are reproducible.
#[derive(Parser)]
struct Args {
    /// Units
    #[arg(long, value_delimiter = ',', default_value = "16,64,128")]
    units: Vec<usize>,
    /// Share of recurrent weights that are pruned, in [0, 1)
    #[arg(long, value_delimiter = ',', default_value = "0,0.5,0.8,0.9")]
    param_sparsity: Vec<f64>,
    /// Half-widths of the pseudo-derivative
    #[arg(long, value_delimiter = ',', default_value = "0.2,0.5,1")]
    epsilon: Vec<f64>,
    /// Measured steps; three times as many for the event RNN, which is cheap and needs a longer
    /// average
    #[arg(long, default_value_t = 16)]
    steps: usize,
    /// Steps before the measurement (three times as many for the event RNN), until the density of
    /// the influence matrix is stationary
    #[arg(long, default_value_t = 48)]
    warm_up: usize,
    /// Seed of the networks and the input
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for table1.csv and table1.md
    #[arg(long, default_value = "results")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn settings(args: &Args) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    for cell in ["event-rnn", "egru"] {
        for &units in &args.units {
            for &sparsity in &args.param_sparsity {
                for &epsilon in &args.epsilon {
                    let long = if cell == "event-rnn" { 3 } else { 1 };
                    let (steps, warm_up, seed) = (long * args.steps, long * args.warm_up, args.seed);
                    all.push(Setting { cell, units, sparsity, epsilon, steps, warm_up, seed });
                }
            }
        }
    }
    for (name, n) in [("steps", args.steps), ("warm-up", args.warm_up)] {
        if !(1..=5_000).contains(&n) {
            return Err(Error::setting(name, "from 1 to 5000", n));
        }
    }
    all.iter().try_for_each(Setting::check)?;
    Ok(all)
}

fn run(args: &Args) -> Result<()> {
    let settings = settings(args)?;
    let (csv, markdown) = (args.out.join("table1.csv"), args.out.join("table1.md"));
    file::check_writable(&csv)?;
    file::check_writable(&markdown)?;
    let rules = rule::registry::<f32>();
    let style = "{elapsed_precise} [{bar:20}] {pos}/{len} {eta} left  {wide_msg}";
    let bar = ProgressBar::new((settings.len() * rules.len()) as u64)
        .with_style(ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> "));
    let mut rows: Vec<Measured> = Vec::new();
    for setting in &settings {
        for rule in &rules {
            bar.set_message(format!(
                "{} n={} ω={} {}",
                setting.cell, setting.units, setting.sparsity, rule.name
            ));
            rows.push(measure(setting, rule)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    report::write_csv(&csv, &rows)?;
    report::write_markdown(&markdown, &rows)?;
    println!("{}", report::terminal(&rows, args.epsilon[args.epsilon.len() / 2]));
    println!("all rows: {} and {}", csv.display(), markdown.display());
    Ok(())
}
