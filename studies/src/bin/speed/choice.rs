//! Check of the choice of `rtrl-auto`: times of the direct recursion and of several block lengths
//! on networks of many sizes.

use super::net::{Setting, Trial};
use sparse_rtrl::error::Result;
use sparse_rtrl::rule::best_steps;
use std::time::{Duration, Instant};

const UNITS: [usize; 4] = [32, 64, 128, 256];
const KEPT: [f64; 4] = [1.0, 0.5, 0.2, 0.1];
const BLOCKS: [usize; 6] = [8, 16, 32, 64, 96, 128];
/// Number of rounds; in each round all rules are timed. For every step of a block the median over
/// rounds is used, since other programs can disturb single rounds.
const ROUNDS: usize = 5;

/// Prints a table with one line per network.
pub fn check(base: &Setting, seconds: f64) -> Result<()> {
    let blocks = BLOCKS.map(|k| format!(" K = {k} |")).concat();
    println!("| cell | units | ω̃ | direct |{blocks} chosen | µs | relative to the fastest |");
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
    // The direct recursion is timed over the same number of steps as a short block.
    let mut times: Vec<_> = steps.iter().map(|k| vec![Vec::new(); k.unwrap_or(16)]).collect();
    let turn = Duration::from_secs_f64(seconds / ROUNDS as f64);
    for round in 0..=ROUNDS {
        for (trial, times) in trials.iter_mut().zip(&mut times) {
            let started = Instant::now();
            while started.elapsed() < turn {
                trial.sample(times);
            }
            if round == 0 {
                // The first round is a warm-up and is not used.
                times.iter_mut().for_each(Vec::clear);
            }
        }
    }
    let median = |samples: &mut Vec<f64>| {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    };
    let mean = |times: &mut Vec<Vec<f64>>| times.iter_mut().map(median).sum::<f64>() / times.len() as f64;
    let best: Vec<f64> = times.iter_mut().map(mean).collect();
    let least = best.iter().copied().fold(f64::INFINITY, f64::min);
    let own = best[steps.iter().position(|k| *k == chosen).expect("the chosen rule was timed")];
    let name = chosen.map_or("direct".into(), |k| format!("K = {k}"));
    let times: String = best[..=BLOCKS.len()].iter().map(|t| format!(" {t:.1} |")).collect();
    let (cell, units) = (&setting.cell, setting.units);
    println!("| {cell} | {units} | {kept} |{times} {name} | {own:.1} | {:.2} |", own / least);
    Ok(())
}
