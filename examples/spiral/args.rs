//! The flags of the spiral example, laid over a preset.

use clap::{Parser, ValueEnum};
use sparse_rtrl::cell::{EventReset, ResetGate};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{Config, Preset};
use sparse_rtrl::learner::{LossAt, Update};
use sparse_rtrl::params::{MaskOn, MaskSharing, ThresholdInit};
use std::path::PathBuf;

/// κ of the trace that `--readout trace` reads.
const TRACE: f64 = 0.9;
/// Steps that `--loss every` only listens to.
const BURN_IN: usize = 4;

/// Learn to tell clockwise from anti-clockwise spirals, online, with exact sparse RTRL.
///
/// Trains a small event-based recurrent network on spirals that unwind over 17 steps, shows how it is doing, and ends with
/// a table of what was reached and what it cost. The learning curve is written as CSV.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Args {
    /// Units of the network
    #[arg(long, default_value_t = 16)]
    units: usize,
    /// Stacked layers of that many units each
    #[arg(long, default_value_t = 1)]
    layers: usize,
    /// Cell: egru, event-rnn, gru, rnn
    #[arg(long, default_value = "egru")]
    cell: String,
    /// Share of masked weights that do not exist, in [0, 1); a comma-separated list runs one after another
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub param_sparsity: Vec<f64>,
    /// Let every unit show its state at every step: no events, y = c
    #[arg(long)]
    no_activity_sparsity: bool,
    /// Learning rule: rtrl, rtrl-dense, bptt, snap-1 (any snap-N), rflo, e-prop, tbptt-8 (any tbptt-K), uoro
    #[arg(long, default_value = "rtrl")]
    rule: String,
    /// An exact rule that follows along, to record how true the gradient is: rtrl, rtrl-dense, bptt
    #[arg(long, value_name = "RULE")]
    shadow: Option<String>,
    /// Batches to learn from
    #[arg(long, default_value_t = 1700)]
    iterations: usize,
    /// Sequences a batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Optimiser: adam, sgd
    #[arg(long, default_value = "adam")]
    optimiser: String,
    /// Learning rate [default: 0.01; paper: 0.003]
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Scale longer gradients down to this norm [default: off]
    #[arg(long)]
    clip: Option<f64>,
    /// Update every that many steps instead of once a sequence
    #[arg(long, value_name = "STEPS")]
    update_every: Option<usize>,
    /// Height of the pseudo-derivative [default: 0.7; paper: 0.7]
    #[arg(long)]
    gamma: Option<f64>,
    /// Half-width of the pseudo-derivative [default: 0.5; paper: 1]
    #[arg(long)]
    epsilon: Option<f64>,
    /// Mean of the first thresholds, Beta-distributed in (0, 1) [default: 0.1; paper: σ(N(0,1) − 1)]
    #[arg(long)]
    threshold_mean: Option<f64>,
    /// Loss at every step after the fourth, or at the last only [default: every; paper: last]
    #[arg(long)]
    loss: Option<LossArg>,
    /// Read the units' output, or a running trace of it with factor 0.9
    #[arg(long, default_value = "y")]
    readout: ReadoutArg,
    /// Which weights are masked
    #[arg(long, default_value = "recurrent")]
    mask: MaskArg,
    /// One mask per gate, or one for all gates of a connection
    #[arg(long, default_value = "gate")]
    mask_sharing: SharingArg,
    /// Reset gate before or after the matrix product [default: before; paper: after]
    #[arg(long)]
    reset_gate: Option<ResetGateArg>,
    /// What an event takes from its unit: its output, or the threshold inside the leak [default: output; paper: threshold]
    #[arg(long)]
    event_reset: Option<EventResetArg>,
    /// First seed
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Number of seeds, from the first one up
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// The setting that all other flags are laid over
    #[arg(long, default_value = "default")]
    preset: PresetArg,
    /// Where the learning curve goes
    #[arg(long, default_value = "results/spiral.csv")]
    pub out: PathBuf,
    /// Also draw the curve, as SVG
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Also write the closing table, as Markdown with the command and the date
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// Evaluate on the test set every that many iterations
    #[arg(long, default_value_t = 50)]
    test_every: usize,
    /// Threads; 0 for as many as there are cores. The result does not depend on it
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Print the closing table only
    #[arg(long)]
    pub quiet: bool,
}

const EXAMPLES: &str = "Examples:
  spiral --param-sparsity 0.9                       the main job: nine weights in ten do not exist
  spiral --param-sparsity 0,0.5,0.8,0.9 --seeds 5   four sparsities, five seeds each
  spiral --rule bptt --out results/bptt.csv         the same gradient by back-propagation through time
  spiral --preset paper                             the setting of the paper's own code

Exit status: 0 when done, 1 when a run fails (a loss that is not finite, a full disk), 2 for wrong input.";

#[derive(Clone, Copy, ValueEnum)]
enum PresetArg {
    Default,
    Paper,
}

#[derive(Clone, Copy, ValueEnum)]
enum LossArg {
    Every,
    Last,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ReadoutArg {
    Y,
    Trace,
}

#[derive(Clone, Copy, ValueEnum)]
enum MaskArg {
    Recurrent,
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum SharingArg {
    Gate,
    Connection,
}

#[derive(Clone, Copy, ValueEnum)]
enum ResetGateArg {
    Before,
    After,
}

#[derive(Clone, Copy, ValueEnum)]
enum EventResetArg {
    Output,
    Threshold,
}

impl Args {
    /// One configuration for every sparsity asked for, all of them checked.
    pub fn configs(&self) -> Result<Vec<Config>> {
        if self.seeds == 0 || self.seed.checked_add(self.seeds).is_none() {
            return Err(Error::setting("seeds", "at least 1, and seed + seeds below 2^64", self.seeds));
        }
        let configs: Vec<_> = self.param_sparsity.iter().map(|&omega| self.config(omega)).collect();
        configs.iter().try_for_each(Config::check)?;
        Ok(configs)
    }

    fn config(&self, omega: f64) -> Config {
        let mut config = Config::spiral(match self.preset {
            PresetArg::Default => Preset::Default,
            PresetArg::Paper => Preset::Paper,
        });
        config.cell = self.cell.clone();
        config.units = self.units;
        config.depth = self.layers;
        config.rule = self.rule.clone();
        config.shadow = self.shadow.clone();
        config.iterations = self.iterations;
        config.batch = self.batch;
        config.optimiser = self.optimiser.clone();
        config.clip = self.clip;
        config.test_every = self.test_every;
        config.mask.sparsity = omega;
        config.mask.on = match self.mask {
            MaskArg::Recurrent => MaskOn::Recurrent,
            MaskArg::All => MaskOn::All,
        };
        config.mask.sharing = match self.mask_sharing {
            SharingArg::Gate => MaskSharing::Gate,
            SharingArg::Connection => MaskSharing::Connection,
        };
        config.trace = (self.readout == ReadoutArg::Trace).then_some(TRACE);
        let cell = &mut config.cell_config;
        cell.activity = !self.no_activity_sparsity;
        overlay(&mut cell.surrogate.gamma, self.gamma);
        overlay(&mut cell.surrogate.epsilon, self.epsilon);
        overlay(
            &mut cell.reset_gate,
            self.reset_gate.map(|gate| match gate {
                ResetGateArg::Before => ResetGate::Before,
                ResetGateArg::After => ResetGate::After,
            }),
        );
        overlay(
            &mut cell.event_reset,
            self.event_reset.map(|reset| match reset {
                EventResetArg::Output => EventReset::Output,
                EventResetArg::Threshold => EventReset::Threshold,
            }),
        );
        overlay(&mut config.learning_rate, self.learning_rate);
        overlay(&mut config.init.threshold, self.threshold_mean.map(|mean| ThresholdInit::Beta { mean }));
        overlay(&mut config.update, self.update_every.map(Update::Steps));
        overlay(
            &mut config.loss_at,
            self.loss.map(|loss| match loss {
                LossArg::Every => LossAt::Every { burn_in: BURN_IN },
                LossArg::Last => LossAt::Last,
            }),
        );
        config
    }
}

fn overlay<V>(setting: &mut V, flag: Option<V>) {
    if let Some(value) = flag {
        *setting = value;
    }
}
