//! Command-line flags of the spiral example. They override the values of a preset.

mod help;
mod values;

use clap::{FromArgMatches, Parser};
use help::{EXAMPLES, command};
use sparse_rtrl::cell::{EventReset, ResetGate};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{Config, Keep, Preset};
use sparse_rtrl::learner::sequence::{LossAt, Update};
use sparse_rtrl::params::{MaskOn, MaskSharing, ThresholdInit};
use std::path::PathBuf;
use values::{LossArg, Optional, word};

/// Factor κ of the trace with `--readout trace`.
const TRACE: f64 = 0.9;
/// Number of steps without a loss with `--loss every`, if the preset has no burn-in.
const BURN_IN: usize = 10;

/// Train a network to classify clockwise and anticlockwise spirals with exact sparse RTRL.
///
/// Trains a small event-based recurrent network on spirals of 17 steps, reports progress, and
/// prints a table of accuracy and cost. The learning curve is written as CSV.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Args {
    /// Units per layer
    #[arg(long, default_value_t = 16)]
    units: usize,
    /// Number of stacked layers of --units units
    #[arg(long, default_value_t = 1)]
    layers: usize,
    #[arg(long, default_value = "egru")]
    cell: String,
    /// Parameter sparsity ω: share of pruned weights among those of --mask, in [0, 1); a list,
    /// separated by commas, runs each value
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub param_sparsity: Vec<f64>,
    /// No events: y = c at every step
    #[arg(long)]
    no_activity_sparsity: bool,
    #[arg(long, default_value = "rtrl")]
    rule: String,
    /// Exact rule to compare with: records the cosine similarity of the two gradients; rtrl,
    /// rtrl-dense or bptt, for example
    #[arg(long, alias = "shadow", value_name = "RULE")]
    reference_rule: Option<String>,
    /// Number of training batches
    #[arg(long, default_value_t = 1700)]
    iterations: usize,
    /// Sequences per batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
    #[arg(long)]
    optimiser: Option<String>,
    /// Learning rate [default: 0.02; paper: 0.003]
    #[arg(long)]
    learning_rate: Option<f64>,
    #[arg(long)]
    schedule: Option<String>,
    /// Scale longer gradients down to this norm; off: no clipping [default: 0.1; paper: off]
    #[arg(long, value_name = "NORM|off")]
    clip: Option<Optional>,
    /// Update after this number of steps instead of once per sequence
    #[arg(long, value_name = "STEPS")]
    update_every: Option<usize>,
    /// Do not reset between sequences: each sequence of the batch continues the
    /// previous one
    #[arg(long)]
    no_reset: bool,
    /// Height of the pseudo-derivative [default: 0.7; paper: 0.7]
    #[arg(long)]
    gamma: Option<f64>,
    /// Half-width of the pseudo-derivative [default: 0.5; paper: 1]
    #[arg(long)]
    epsilon: Option<f64>,
    /// Mean of the initial thresholds, Beta-distributed in (0, 1)
    /// [default: 0.1; paper: σ(N(0,1) − 1)]
    #[arg(long)]
    threshold_mean: Option<f64>,
    /// Loss at every step after the burn-in, or at the last step only
    /// [default: every; paper: last]
    #[arg(long)]
    loss: Option<LossArg>,
    /// Number of steps without a loss at the beginning of each sequence, with --loss every
    /// [default: 10]
    #[arg(long, value_name = "STEPS")]
    burn_in: Option<usize>,
    /// Weights that a run returns: those of its last update, or those with the highest accuracy on
    /// 2,000 held-out spirals at any evaluation [default: best; paper: last]
    #[arg(long, value_parser = word::<Keep>(["last", "best"]))]
    keep: Option<Keep>,
    /// Input of the readout: the emissions y, or a running trace of y with factor 0.9
    #[arg(long, default_value = "y", value_parser = ["y", "trace"])]
    readout: String,
    /// Weights that the mask applies to
    #[arg(long, default_value = "recurrent", value_parser = word::<MaskOn>(["recurrent", "all"]))]
    mask: MaskOn,
    /// One mask per gate, or one for all gates of a connection
    #[arg(long, default_value = "gate", value_parser = word::<MaskSharing>(["gate", "connection"]))]
    mask_sharing: MaskSharing,
    /// Reset gate before or after the matrix product [default: before; paper: after]
    #[arg(long, value_parser = word::<ResetGate>(["before", "after"]))]
    reset_gate: Option<ResetGate>,
    /// Value subtracted from a unit's state after an event: its output, or the threshold, before
    /// the factor 1 − u [default: output; paper: threshold]
    #[arg(long, value_parser = word::<EventReset>(["output", "threshold"]))]
    event_reset: Option<EventReset>,
    /// First seed
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Number of consecutive seeds
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// Preset; other flags override its values
    #[arg(long, default_value = "default", value_parser = word::<Preset>(["default", "paper"]))]
    preset: Preset,
    /// File for the learning curve (CSV)
    #[arg(long, default_value = "results/spiral.csv")]
    pub out: PathBuf,
    /// File for a plot of the learning curve (SVG)
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// File for the summary table (Markdown), with the command and the date
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// Number of iterations between evaluations on the test set
    #[arg(long, default_value_t = 50)]
    test_every: usize,
    /// Number of threads; 0: one per core. Results are independent of it
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Print the summary table only
    #[arg(long)]
    pub quiet: bool,
}

impl Args {
    /// Parses the flags of this process.
    pub fn from_command_line() -> std::result::Result<Self, clap::Error> {
        Self::from_arg_matches(&command().try_get_matches()?)
    }

    /// Returns the seeds to run.
    pub fn seeds(&self) -> impl Iterator<Item = u64> + Clone {
        self.seed..=self.seed.saturating_add(self.seeds - 1)
    }

    /// Returns one checked configuration per parameter sparsity.
    pub fn configs(&self) -> Result<Vec<Config>> {
        if self.seeds == 0 {
            return Err(Error::setting("seeds", "at least 1", self.seeds));
        }
        if self.seed.checked_add(self.seeds - 1).is_none() {
            return Err(Error::setting("seeds", "a last seed below 2^64", self.seeds));
        }
        if self.update_every == Some(0) {
            return Err(Error::setting("update-every", "at least 1", 0));
        }
        if let (Some(steps), LossAt::Last) = (self.burn_in, self.config(0.0).loss_at) {
            return Err(Error::setting("burn-in", "to be used with --loss every only", steps));
        }
        let files: Vec<_> = std::iter::once(&self.out).chain(&self.table).chain(&self.plot).collect();
        for (k, file) in files.iter().enumerate() {
            if files[..k].contains(file) {
                return Err(Error::setting("out, table and plot", "different files", file.display()));
            }
        }
        let configs: Vec<_> = self.param_sparsity.iter().map(|&omega| self.config(omega)).collect();
        configs.iter().try_for_each(Config::check)?;
        Ok(configs)
    }

    fn config(&self, omega: f64) -> Config {
        let mut config = Config::spiral(self.preset);
        config.cell = self.cell.clone();
        config.units = self.units;
        config.layers = self.layers;
        config.rule = self.rule.clone();
        config.reference_rule = self.reference_rule.clone();
        config.iterations = self.iterations;
        config.batch = self.batch;
        config.test_every = self.test_every;
        config.continuous = self.no_reset;
        config.mask.sparsity = omega;
        config.mask.on = self.mask;
        config.mask.sharing = self.mask_sharing;
        config.trace = (self.readout == "trace").then_some(TRACE);
        let cell = &mut config.cell_config;
        cell.activity = !self.no_activity_sparsity;
        overlay(&mut cell.surrogate.gamma, self.gamma);
        overlay(&mut cell.surrogate.epsilon, self.epsilon);
        overlay(&mut cell.reset_gate, self.reset_gate);
        overlay(&mut cell.event_reset, self.event_reset);
        overlay(&mut config.clip, self.clip.map(|clip| clip.0));
        overlay(&mut config.keep, self.keep);
        overlay(&mut config.optimiser, self.optimiser.clone());
        overlay(&mut config.learning_rate, self.learning_rate);
        overlay(&mut config.schedule, self.schedule.clone());
        overlay(&mut config.init.threshold, self.threshold_mean.map(|mean| ThresholdInit::Beta { mean }));
        overlay(&mut config.update, self.update_every.map(Update::Steps));
        overlay(
            &mut config.loss_at,
            self.loss.map(|loss| match loss {
                LossArg::Every => LossAt::Every { burn_in: BURN_IN },
                LossArg::Last => LossAt::Last,
            }),
        );
        if let (LossAt::Every { burn_in }, Some(steps)) = (&mut config.loss_at, self.burn_in) {
            *burn_in = steps;
        }
        config
    }
}

fn overlay<V>(setting: &mut V, flag: Option<V>) {
    if let Some(value) = flag {
        *setting = value;
    }
}

#[cfg(test)]
mod tests;
