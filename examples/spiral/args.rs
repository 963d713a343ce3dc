//! The flags of the spiral example, laid over a preset.

use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use sparse_rtrl::cell::{self, EventReset, ResetGate};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{Config, Preset};
use sparse_rtrl::learner::{LossAt, Update};
use sparse_rtrl::params::{MaskOn, MaskSharing, ThresholdInit};
use sparse_rtrl::{optim, rule};
use std::path::PathBuf;
use std::str::FromStr;

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
    #[arg(long, default_value = "egru")]
    cell: String,
    /// Share of masked weights that do not exist, in [0, 1); a comma-separated list runs with each of them
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub param_sparsity: Vec<f64>,
    /// Let every unit show its state at every step: no events, y = c
    #[arg(long)]
    no_activity_sparsity: bool,
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
    #[arg(long)]
    optimiser: Option<String>,
    /// Learning rate [default: 0.01; paper: 0.003]
    #[arg(long)]
    learning_rate: Option<f64>,
    #[arg(long)]
    schedule: Option<String>,
    /// Scale longer gradients down to this norm; off for never [default: 0.1; paper: off]
    #[arg(long, value_name = "NORM|off")]
    clip: Option<Clip>,
    /// Update every that many steps instead of once a sequence
    #[arg(long, value_name = "STEPS")]
    update_every: Option<usize>,
    /// Let sequences follow one another without a reset, as one endless stream a place in the batch
    #[arg(long)]
    no_reset: bool,
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

Exit status: 0 when done; 1 when a run fails (a loss that is not finite, a full disk), with the curve so far on disk; 2 for
wrong input, before anything is run or written.";

/// The longest gradient let through, if there is one.
#[derive(Clone, Copy)]
struct Clip(Option<f64>);

impl FromStr for Clip {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            _ => text.parse().map(|norm| Self(Some(norm))).map_err(|_| "expected a number or 'off'".into()),
        }
    }
}

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

/// A heading, and a line for every entry of a registry.
fn listing<'a>(heading: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines = entries.map(|(name, about)| format!("\n- {name}: {about}"));
    std::iter::once(format!("{heading}:")).chain(lines).collect()
}

/// The command with what the registries know.
fn command() -> Command {
    let cells = cell::registry::<f32>();
    let rules = rule::registry::<f32>();
    let optimisers = optim::registry::<f32>();
    let cells = listing("Cell", cells.iter().map(|c| (c.name, c.about)));
    let rules = listing("Learning rule", rules.iter().map(|r| (r.name.as_str(), r.about)));
    let optimisers = listing("Optimiser", optimisers.iter().map(|o| (o.name, o.about)));
    let schedules = optim::schedules();
    let schedules = listing("What becomes of the learning rate", schedules.iter().map(|s| (s.name, s.about)));
    // What a preset chooses by name is said of both.
    let of_presets = |help: String, name: fn(&Config) -> &str| {
        let [ours, paper] = [Preset::Default, Preset::Paper].map(Config::spiral);
        format!("{help}\n[default: {}; paper: {}]", name(&ours), name(&paper))
    };
    let optimisers = of_presets(optimisers, |config| &config.optimiser);
    let schedules = of_presets(schedules, |config| &config.schedule);
    // A number below zero is a wrong value, not an unknown flag.
    let numbers = |arg: Arg| {
        let takes_value = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_value)
    };
    Args::command()
        .mut_arg("cell", |arg| arg.help(cells))
        .mut_arg("rule", |arg| arg.help(rules))
        .mut_arg("optimiser", |arg| arg.help(optimisers))
        .mut_arg("schedule", |arg| arg.help(schedules))
        .mut_args(numbers)
}

impl Args {
    /// The flags of this process.
    pub fn from_command_line() -> std::result::Result<Self, clap::Error> {
        Self::from_arg_matches(&command().try_get_matches()?)
    }

    /// The seeds to run.
    pub fn seeds(&self) -> impl Iterator<Item = u64> + Clone {
        self.seed..=self.seed.saturating_add(self.seeds - 1)
    }

    /// One configuration for every sparsity asked for, all of them checked.
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
        config.test_every = self.test_every;
        config.continuous = self.no_reset;
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
        overlay(&mut config.clip, self.clip.map(|clip| clip.0));
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
        config
    }
}

fn overlay<V>(setting: &mut V, flag: Option<V>) {
    if let Some(value) = flag {
        *setting = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparse_rtrl::params::BiasInit;
    use sparse_rtrl::readout::Loss;

    fn config(flags: &[&str]) -> Config {
        let words = std::iter::once("spiral").chain(flags.iter().copied());
        let args = Args::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap();
        args.configs().unwrap().remove(0)
    }

    /// What a flag changes, and nothing else.
    fn changes(flags: &[&str], change: impl Fn(&mut Config)) {
        let mut expected = config(&[]);
        change(&mut expected);
        assert_ne!(expected, config(&[]), "{flags:?} changes something");
        assert_eq!(config(flags), expected, "{flags:?}");
    }

    #[test]
    fn every_flag_reaches_its_setting() {
        assert_eq!(config(&[]), Config::spiral(Preset::Default));
        changes(&["--units", "20"], |c| c.units = 20);
        changes(&["--layers", "2"], |c| c.depth = 2);
        changes(&["--cell", "gru"], |c| c.cell = "gru".into());
        changes(&["--param-sparsity", "0.5"], |c| c.mask.sparsity = 0.5);
        changes(&["--no-activity-sparsity"], |c| c.cell_config.activity = false);
        changes(&["--rule", "bptt"], |c| c.rule = "bptt".into());
        changes(&["--shadow", "rtrl"], |c| c.shadow = Some("rtrl".into()));
        changes(&["--iterations", "3"], |c| c.iterations = 3);
        changes(&["--batch", "4"], |c| c.batch = 4);
        changes(&["--optimiser", "sgd"], |c| c.optimiser = "sgd".into());
        changes(&["--learning-rate", "0.5"], |c| c.learning_rate = 0.5);
        changes(&["--schedule", "cosine"], |c| c.schedule = "cosine".into());
        changes(&["--clip", "2"], |c| c.clip = Some(2.0));
        changes(&["--clip", "off"], |c| c.clip = None);
        changes(&["--update-every", "3"], |c| c.update = Update::Steps(3));
        changes(&["--no-reset"], |c| c.continuous = true);
        changes(&["--gamma", "0.3"], |c| c.cell_config.surrogate.gamma = 0.3);
        changes(&["--epsilon", "0.3"], |c| c.cell_config.surrogate.epsilon = 0.3);
        changes(&["--threshold-mean", "0.3"], |c| c.init.threshold = ThresholdInit::Beta { mean: 0.3 });
        changes(&["--loss", "last"], |c| c.loss_at = LossAt::Last);
        changes(&["--readout", "trace"], |c| c.trace = Some(0.9));
        changes(&["--mask", "all"], |c| c.mask.on = MaskOn::All);
        changes(&["--mask-sharing", "connection"], |c| c.mask.sharing = MaskSharing::Connection);
        changes(&["--reset-gate", "after"], |c| c.cell_config.reset_gate = ResetGate::After);
        changes(&["--event-reset", "threshold"], |c| c.cell_config.event_reset = EventReset::Threshold);
        changes(&["--test-every", "7"], |c| c.test_every = 7);
    }

    #[test]
    fn presets_are_what_they_say() {
        let ours = config(&[]);
        assert_eq!((ours.learning_rate, ours.loss_at), (1e-2, LossAt::Every { burn_in: 4 }));
        assert_eq!((ours.cell_config.surrogate.gamma, ours.cell_config.surrogate.epsilon), (0.7, 0.5));
        assert_eq!(ours.init.threshold, ThresholdInit::Beta { mean: 0.1 });
        assert_eq!((ours.clip, config(&["--preset", "paper"]).clip), (Some(0.1), None));
        assert_eq!((ours.units, ours.iterations, ours.batch), (16, 1700, 32));
        let paper = config(&["--preset", "paper"]);
        assert_eq!(
            (paper.learning_rate, paper.loss_at, paper.loss),
            (3e-3, LossAt::Last, Loss::BinaryCrossEntropy)
        );
        assert_eq!((paper.cell_config.surrogate.gamma, paper.cell_config.surrogate.epsilon), (0.7, 1.0));
        assert_eq!(paper.cell_config.reset_gate, ResetGate::After);
        assert_eq!(paper.cell_config.event_reset, EventReset::Threshold);
        assert_eq!(paper.init.threshold, ThresholdInit::Logistic { mean: -1.0, std: 1.0 });
        assert_eq!((paper.init.bias, paper.trace), (BiasInit::Uniform, None));
        let laid_over = config(&["--preset", "paper", "--reset-gate", "before", "--learning-rate", "0.5"]);
        assert_eq!((laid_over.cell_config.reset_gate, laid_over.learning_rate), (ResetGate::Before, 0.5));
    }

    #[test]
    fn a_list_of_sparsities_is_a_list_of_runs() {
        let words = ["spiral", "--param-sparsity", "0,.5", "--seed", "18446744073709551615"];
        let args = Args::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap();
        let omegas: Vec<_> = args.configs().unwrap().iter().map(|c| c.mask.sparsity).collect();
        assert_eq!(omegas, [0.0, 0.5]);
        assert_eq!(args.seeds().collect::<Vec<_>>(), [u64::MAX]);
    }
}
