//! Time per step of exact RTRL on a network of given size and sparsity:
//! `cargo study speed -- --units 128`.

mod choice;
mod mode;
mod net;
mod peaks;

use clap::Parser;
use net::{Setting, Trial};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment;
use std::path::PathBuf;
use std::process::ExitCode;

/// Time full steps on random input: the network, the influence matrix, and the gradient for a given
/// credit.
///
/// Prints one line of JSON per repetition. With --dump, writes the network, its input, credit and
/// gradients for other programs.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Cell: event-rnn or egru
    #[arg(long, default_value = "event-rnn")]
    cell: String,
    /// Units
    #[arg(long, default_value_t = 128)]
    units: usize,
    /// Inputs
    #[arg(long, default_value_t = 2)]
    inputs: usize,
    /// Share of recurrent weights that are pruned, in [0, 1)
    #[arg(long, default_value_t = 0.9)]
    param_sparsity: f64,
    /// Share of live units (nonzero derivative of the emission), set through the width of the
    /// pseudo-derivative or the thresholds
    #[arg(long, default_value_t = 0.3)]
    live: f64,
    /// One mask for all gates of a connection instead of one per gate
    #[arg(long)]
    one_mask: bool,
    /// Reset gate before the product instead of after it
    #[arg(long)]
    reset_before: bool,
    /// Learning rule
    #[arg(long, default_value = "rtrl")]
    rule: String,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Steps per repetition
    #[arg(long, default_value_t = 1000)]
    steps: usize,
    /// Repetitions
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// Drain a gradient every N steps; 0 means never
    #[arg(long, default_value_t = 1)]
    credit_every: usize,
    /// Measure the network as drawn, without adjusting the share of live units
    #[arg(long)]
    quick: bool,
    /// Instead, time the direct recursion and several block lengths on networks of many sizes, for
    /// SECONDS per rule, and compare them with the choice of rtrl-auto
    #[arg(long, value_name = "SECONDS")]
    check_choice: Option<f64>,
    /// Instead, measure the peak rates of the machine with the loops of this crate on --threads
    /// threads: a dense product and sparse sums in the cache, and repeated reads of 50 MB
    #[arg(long)]
    peaks: bool,
    /// Alternate between the processor's flush-to-zero mode off and on, and report both times and
    /// their ratio. The library flushes subnormal numbers when it stores them, so the ratio should
    /// be 1
    #[arg(long)]
    both_modes: bool,
    /// Write the network, its first inputs, credits and gradients to FILE as JSON
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// Steps in the dump
    #[arg(long, default_value_t = 20)]
    dump_steps: usize,
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

fn run(args: &Args) -> Result<()> {
    for (name, n, most) in [
        ("steps", args.steps, usize::MAX),
        ("repetitions", args.repetitions, usize::MAX),
        ("threads", args.threads, 1024),
        ("inputs", args.inputs, 10_000),
        ("dump-steps", args.dump_steps, 4096),
    ] {
        if !(1..=most).contains(&n) {
            return Err(Error::setting(name, &format!("from 1 to {most}"), n));
        }
    }
    if !(0.0..=1.0).contains(&args.live) {
        return Err(Error::setting("live", "a number in [0, 1]", args.live));
    }
    let setting = Setting {
        cell: args.cell.clone(),
        units: args.units,
        inputs: args.inputs,
        sparsity: args.param_sparsity,
        live: args.live,
        one_mask: args.one_mask,
        reset_before: args.reset_before,
        quick: args.quick,
    };
    if let Some(seconds) = args.check_choice {
        if !(seconds.is_finite() && seconds > 0.0) {
            return Err(Error::setting("check-choice", "more than 0 seconds", seconds));
        }
        return experiment::pool(args.threads)?.install(|| choice::check(&setting, seconds));
    }
    if args.peaks {
        let peaks = experiment::pool(args.threads)?.install(peaks::measure);
        println!("{}", serde_json::to_string(&peaks).expect("plain numbers"));
        return Ok(());
    }
    let mut trial = Trial::new(&setting, &args.rule)?;
    if let Some(path) = &args.dump {
        return trial.dump(path, args.dump_steps);
    }
    if args.both_modes {
        mode::check()?;
        let other = trial.with_rule(&args.rule)?;
        experiment::pool(args.threads)?.install(|| both_modes([trial, other], args));
        return Ok(());
    }
    experiment::pool(args.threads)?.install(|| {
        if !args.quick {
            trial.run(args.steps, args.credit_every);
        }
        for _ in 0..args.repetitions {
            println!("{}", trial.run(args.steps, args.credit_every));
        }
    });
    Ok(())
}

/// Prints one line of JSON per repetition: microseconds per step with the mode off and on, and
/// their ratio. The modes alternate in tenths of a repetition, so that changes of the machine's
/// speed affect both.
fn both_modes(mut trials: [Trial; 2], args: &Args) {
    let steps = args.steps.div_ceil(10);
    for repetition in 0..=args.repetitions {
        let mut micros = [0.0; 2];
        for turn in 0..10 {
            for k in [turn % 2, 1 - turn % 2] {
                micros[k] += mode::with(k == 1, || trials[k].time(steps, args.credit_every)) / 10.0;
            }
        }
        // The first repetition is a warm-up and is not used.
        if repetition > 0 {
            let [off, on] = micros;
            let line = serde_json::json!({
                "cell": args.cell, "units": args.units, "rule": args.rule, "threads": args.threads,
                "microseconds": off, "microseconds_flush_mode": on, "ratio": off / on,
            });
            println!("{line}");
        }
    }
}
