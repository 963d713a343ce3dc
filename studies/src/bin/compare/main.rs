//! Comparison of the registered rules on the spiral and copy tasks, five seeds each: accuracy,
//! MACs, and cosine similarity with the exact gradient. `cargo study compare`.

use clap::Parser;
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table, TableStyle};
use indicatif::{ParallelProgressIterator, ProgressBar, ProgressStyle};
use rayon::prelude::*;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{self, dataset};
use sparse_rtrl::experiment::{Config, Preset, RunSummary};
use sparse_rtrl::file;
use sparse_rtrl::learner::sequence::LossAt;
use sparse_rtrl::rule;
use sparse_rtrl_studies::origin;
use std::path::PathBuf;
use std::process::ExitCode;

/// Train an EGRU with every rule on two tasks; compare accuracy, MACs, and cosine similarity with
/// the exact gradient.
///
/// Writes compare.md. The result does not depend on the number of threads.
#[derive(Parser)]
struct Args {
    /// Share of recurrent weights that are pruned, in [0, 1)
    #[arg(long, default_value_t = 0.9)]
    param_sparsity: f64,
    /// Seeds, from 0 up
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Training iterations (one batch, one weight update each)
    #[arg(long, default_value_t = 1700)]
    iterations: usize,
    /// Units of the network on the copy task
    #[arg(long, default_value_t = 32)]
    copy_units: usize,
    /// Length of the pattern to copy
    #[arg(long, default_value_t = 3)]
    length: usize,
    /// Steps between the pattern and the cue
    #[arg(long, default_value_t = 5)]
    delay: usize,
    /// Folder for compare.md
    #[arg(long, default_value = "results")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match compare(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns the configuration of a task. On the copy task every step with a target has a loss.
fn config(args: &Args, task: &str, rule: &str) -> Config {
    let mut config = Config::spiral(Preset::Default);
    config.dataset = task.into();
    config.rule = rule.into();
    config.reference_rule = Some("bptt".into());
    config.mask.sparsity = args.param_sparsity;
    config.iterations = args.iterations;
    if task == "copy" {
        config.units = args.copy_units;
        config.loss_at = LossAt::Every { burn_in: 0 };
        config.dataset_options = dataset::DatasetOptions { length: args.length, delay: args.delay };
    }
    config
}

fn compare(args: &Args) -> Result<()> {
    if !(1..=1000).contains(&args.seeds) {
        return Err(Error::setting("seeds", "from 1 to 1000", args.seeds));
    }
    let path = args.out.join("compare.md");
    file::check_writable(&path)?;
    // The other exact forms of RTRL have the same gradient as rtrl and bptt, and some take up to a
    // hundred times as long.
    let rules = rule::registry::<f32>().into_iter().map(|rule| rule.name);
    let rules: Vec<String> = rules.filter(|name| !name.starts_with("rtrl-")).collect();
    let tasks = ["spiral", "copy"];
    let mut jobs = Vec::new();
    for task in tasks {
        for rule in &rules {
            let config = config(args, task, rule);
            config.check()?;
            jobs.extend((0..args.seeds).map(|seed| (config.clone(), seed)));
        }
    }
    let style = "{elapsed_precise} [{bar:30}] {pos}/{len} runs, {eta} left";
    let bar = ProgressBar::new(jobs.len() as u64)
        .with_style(ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> "));
    let run = |(config, seed): &(Config, u64)| experiment::run::<f32>(config, *seed, |_| Ok(()));
    let runs: Vec<Result<RunSummary>> = jobs.par_iter().progress_with(bar).map(run).collect();
    let runs: Vec<Option<RunSummary>> = runs.into_iter().map(keep).collect::<Result<_>>()?;

    let per_task = rules.len() * args.seeds as usize;
    let tables = |style: TableStyle| -> Vec<String> {
        let table = |k: usize| table(style, &rules, &runs[k * per_task..(k + 1) * per_task]);
        (0..tasks.len()).map(table).collect()
    };
    let markdown = tables(ASCII_MARKDOWN);
    let text = format!(
        "# Rules compared\n\n{}\n\nEGRU, ω = {}, {} iterations of 32 sequences, seeds 0 to {}. {NOTES}\n\n## Spiral, 16 units\n\n{}\n\n## Copy, {} units: {} symbols \
         after {} steps\n\n{}\n",
        origin::provenance(&origin::command("cargo study compare", None)),
        args.param_sparsity,
        args.iterations,
        args.seeds - 1,
        markdown[0],
        args.copy_units,
        args.length,
        args.delay,
        markdown[1],
    );
    std::fs::write(&path, text).map_err(|source| Error::Write { path: path.clone(), source })?;
    let plain = tables(NOTHING);
    println!("spiral\n\n{}\n\ncopy\n\n{}\n\n{NOTES}\n\n{}", plain[0], plain[1], path.display());
    Ok(())
}

const NOTES: &str = "Accuracy: on the test set after the last iteration, mean ± standard deviation over seeds. Worst: the seed with the lowest \
                     accuracy. A diverged run counts as accuracy 0. MACs: of the whole run; % of dense: relative to dense RTRL without masks. \
                     Cosine: cosine similarity of the gradient of a batch with the exact gradient, without the readout, mean over all iterations.";

/// Returns `None` for a run that diverged, which the table reports as accuracy 0; returns any other
/// error.
fn keep(run: Result<RunSummary>) -> Result<Option<RunSummary>> {
    match run {
        Ok(run) => Ok(Some(run)),
        Err(Error::Diverged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn table(style: TableStyle, rules: &[String], runs: &[Option<RunSummary>]) -> String {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(["rule", "accuracy", "worst", "MACs", "% of dense", "cosine"]);
    let seeds = runs.len() / rules.len();
    for (rule, runs) in rules.iter().zip(runs.chunks(seeds)) {
        let accuracy =
            |run: &Option<RunSummary>| run.as_ref().and_then(|r| r.last.test_accuracy).unwrap_or(0.0);
        let accuracies: Vec<f64> = runs.iter().map(accuracy).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let off = mean(&accuracies);
        let variance =
            accuracies.iter().map(|a| (a - off).powi(2)).sum::<f64>() / (seeds as f64 - 1.0).max(1.0);
        let worst = accuracies.iter().copied().fold(1.0, f64::min);
        let finished: Vec<&RunSummary> = runs.iter().flatten().collect();
        let of = |f: &dyn Fn(&RunSummary) -> f64| mean(&finished.iter().map(|r| f(r)).collect::<Vec<_>>());
        table.add_row([
            rule.clone(),
            format!("{:.1} ± {:.1} %", 100.0 * off, 100.0 * variance.sqrt()),
            format!("{:.1} %", 100.0 * worst),
            format!("{:.2e}", of(&|r| r.last.macs as f64)),
            format!("{:.2} %", 100.0 * of(&|r| r.last.macs as f64 / r.last.macs_dense as f64)),
            format!("{:.3}", of(&|r| r.mean.gradient_cosine)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
