//! Whether `rtrl-auto` chooses well: the direct recursion and blocks of several lengths timed in turns on networks of many sizes.

use super::net::{Setting, Trial};
use sparse_rtrl::error::Result;
use sparse_rtrl::rule::best_steps;
use std::time::{Duration, Instant};

const UNITS: [usize; 4] = [32, 64, 128, 256];
const KEPT: [f64; 4] = [1.0, 0.5, 0.2, 0.1];
const BLOCKS: [usize; 6] = [8, 16, 32, 64, 96, 128];
/// Rounds in which the rules take turns, of which the best counts.
const ROUNDS: usize = 4;

/// One line of a table a network, on standard output.
pub fn check(base: &Setting, seconds: f64) -> Result<()> {
    let blocks = BLOCKS.map(|k| format!(" K = {k} |")).concat();
    println!("| cell | units | ω̃ | direct |{blocks} chosen | µs | beside the best |");
    println!("|---|---|---|---|{}---|---|---|", "---|".repeat(BLOCKS.len()));
    for cell in ["event-rnn", "egru"] {
        for units in UNITS {
            for kept in KEPT {
                let setting = Setting { cell: cell.into(), units, sparsity: 1.0 - kept, ..base.clone() };
                line(&setting, kept, seconds)?;
            }
        }
    }
    Ok(())
}

fn line(setting: &Setting, kept: f64, seconds: f64) -> Result<()> {
    let direct = Trial::new(setting, "rtrl")?;
    let chosen = best_steps(direct.wiring(), setting.live);
    let mut steps: Vec<Option<usize>> = [None].into_iter().chain(BLOCKS.map(Some)).collect();
    if !steps.contains(&chosen) {
        steps.push(chosen);
    }
    let mut trials = vec![direct];
    for k in steps[1..].iter().flatten() {
        trials.push(trials[0].with_rule(&format!("rtrl-blocked-{k}"))?);
    }
    let mut best = vec![f64::INFINITY; steps.len()];
    let turn = Duration::from_secs_f64(seconds / ROUNDS as f64);
    for round in 0..=ROUNDS {
        for ((trial, steps), best) in trials.iter_mut().zip(&steps).zip(&mut best) {
            let (started, period) = (Instant::now(), steps.unwrap_or(16));
            // Whole blocks; the first round warms up.
            while started.elapsed() < turn {
                let microseconds = trial.microseconds(period);
                if round > 0 {
                    *best = best.min(microseconds);
                }
            }
        }
    }
    let least = best.iter().copied().fold(f64::INFINITY, f64::min);
    let own = best[steps.iter().position(|k| *k == chosen).expect("it was timed")];
    let name = chosen.map_or("direct".into(), |k| format!("K = {k}"));
    let times: String = best[..=BLOCKS.len()].iter().map(|t| format!(" {t:.1} |")).collect();
    let (cell, units) = (&setting.cell, setting.units);
    println!("| {cell} | {units} | {kept} |{times} {name} | {own:.1} | {:.2} |", own / least);
    Ok(())
}
