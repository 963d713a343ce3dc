//! `--help`: registered names, defaults and examples.

use super::Args;
use clap::{Arg, Command, CommandFactory};
use sparse_rtrl::cell;
use sparse_rtrl::experiment::{Config, Preset};
use sparse_rtrl::optim;
use sparse_rtrl::rule;

pub(super) const EXAMPLES: &str = "Examples:
  spiral --param-sparsity 0.9                       90 % of the recurrent weights pruned
  spiral --param-sparsity 0,0.5,0.8,0.9 --seeds 5   four sparsities, five seeds each
  spiral --rule bptt --out results/bptt.csv         the same gradient by back-propagation through time
  spiral --preset paper                             the setting of the RTRL paper's code

Exit status:
  0  success
  1  a run failed (a loss that is not finite, a full disk); the learning curve up to the failure is kept
  2  invalid input; no run was started and no file was written
  6  another process writes the same --out";

/// Returns a heading, followed by one line per entry of a registry.
fn listing<'a>(heading: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines = entries.map(|(name, about)| format!("\n- {name}: {about}"));
    std::iter::once(format!("{heading}:")).chain(lines).collect()
}

/// Returns the command with the registered names in the help.
pub(super) fn command() -> Command {
    let cells = cell::registry::<f32>();
    let rules = rule::registry::<f32>();
    let optimisers = optim::registry::<f32>();
    let cells = listing("Cell", cells.iter().map(|c| (c.name, c.about)));
    let rules = listing("Learning rule", rules.iter().map(|r| (r.name.as_str(), r.about)));
    let optimisers = listing("Optimiser", optimisers.iter().map(|o| (o.name, o.about)));
    let schedules = optim::schedules();
    let schedules = listing("Schedule of the learning rate", schedules.iter().map(|s| (s.name, s.about)));
    // The help shows the values of both presets.
    let of_presets = |help: String, name: fn(&Config) -> &str| {
        let [ours, paper] = [Preset::Default, Preset::Paper].map(Config::spiral);
        format!("{help}\n[default: {}; paper: {}]", name(&ours), name(&paper))
    };
    let optimisers = of_presets(optimisers, |config| &config.optimiser);
    let schedules = of_presets(schedules, |config| &config.schedule);
    // A negative number is an invalid value, not an unknown flag.
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
