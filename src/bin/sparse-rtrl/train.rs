//! `sparse-rtrl train`: an experiment from a configuration file.

use crate::failure::{EXIT_CODES, Failure, IO, Outcome, USAGE};
use crate::file_use::{FileUse, check_distinct};
use crate::overlay::{Shape, overlay};
use crate::progress::Progress;
use sparse_rtrl::experiment;
use sparse_rtrl::experiment::record::Recorder;
use sparse_rtrl::experiment::{Config, Preset};
use std::path::PathBuf;
use toml::{Table, Value};

/// The default configuration, with comments.
const DEFAULT: &str = include_str!("train.toml");

/// Former names of keys and their current names.
const FORMER_NAMES: [(&str, &str); 4] = [
    ("task", "dataset"),
    ("task_options", "dataset_options"),
    ("depth", "layers"),
    ("shadow", "reference_rule"),
];

const SHAPE: Shape = Shape {
    optional: &["trace", "reference_rule", "clip"],
    parts: &["dataset_options", "cell_config", "surrogate", "mask", "init"],
};

/// Run an experiment from a configuration file
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  sparse-rtrl train --print-config > spiral.toml
  sparse-rtrl train spiral.toml --seeds 5 --out results/spiral.csv

{EXIT_CODES}"))]
pub struct Args {
    /// Configuration in TOML. Missing keys have their defaults, which --print-config prints
    #[arg(required_unless_present = "print_config")]
    config: Option<PathBuf>,
    /// Print the default configuration, with comments
    #[arg(long)]
    print_config: bool,
    /// File for the learning curve
    #[arg(long, default_value = "train.csv")]
    out: PathBuf,
    /// First seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of consecutive seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let Some(path) = args.config.as_ref().filter(|_| !args.print_config) else {
        return crate::print(DEFAULT);
    };
    check_distinct([FileUse::Read(path), FileUse::Write(&args.out)])?;
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(IO, format!("cannot read {}: {error}", path.display())))?;
    let config = parse(&text).map_err(|why| Failure::new(USAGE, format!("{}: {why}", path.display())))?;
    config.check()?;
    let last = args.seed.checked_add(args.seeds).filter(|_| args.seeds > 0);
    let last =
        last.ok_or_else(|| Failure::new(USAGE, "seeds: expected at least 1, and a last seed below 2^64"))?;
    let mut recorder = Recorder::create(&args.out)?;
    let total = (config.iterations as u64).saturating_mul(args.seeds);
    let mut progress = Progress::new(args.quiet, Some(total), "iterations");
    let mut done = 0;
    for seed in args.seed..last {
        let run = experiment::run::<f32>(&config, seed, |row| {
            done += 1;
            progress.at(done, || format!("seed {seed}: loss {:.4}", row.loss));
            recorder.write(row)
        })?;
        if !args.quiet {
            let accuracy = run.last.test_accuracy.map_or("–".into(), |a| format!("{:.2} %", 100.0 * a));
            let reached = run.reached.map_or("never".into(), |at| format!("at {at}"));
            progress.print(&format!(
                "seed {seed}: test accuracy {accuracy}, 99 % {reached}, {:.3e} MACs",
                run.last.macs as f64
            ));
        }
    }
    progress.finish();
    Ok(())
}

/// Parses a configuration. Missing keys have the values of its preset.
fn parse(text: &str) -> Result<Config, String> {
    let mut wanted: Table =
        text.parse().map_err(|why: toml::de::Error| why.to_string().replace('\n', " "))?;
    let preset = match wanted.remove("preset") {
        None => Preset::Default,
        Some(name) => name.try_into().map_err(|why| format!("preset: {why}"))?,
    };
    let mut all = Table::try_from(Config::spiral(preset)).map_err(|why| why.to_string())?;
    for (old, new) in FORMER_NAMES {
        if let Some(value) = wanted.remove(old) {
            wanted.insert(new.into(), value);
        }
    }
    overlay(&mut all, wanted, "", &SHAPE)?;
    Value::Table(all).try_into().map_err(|why: toml::de::Error| why.to_string().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_of_the_printed_default_returns_the_default_config() {
        assert_eq!(parse(DEFAULT).unwrap(), Config::spiral(Preset::Default));
        assert_eq!(parse("").unwrap(), Config::spiral(Preset::Default));
        assert_eq!(parse("preset = \"paper\"").unwrap(), Config::spiral(Preset::Paper));
    }

    #[test]
    fn parse_of_changed_fields_overrides_the_default() {
        let mut expected = Config::spiral(Preset::Default);
        (expected.units, expected.clip, expected.mask.sparsity) = (8, None, 0.9);
        expected.cell_config.surrogate.gamma = 0.3;
        let text = "units = 8\nclip = \"off\"\nmask.sparsity = 0.9\n[cell_config.surrogate]\ngamma = 0.3\n";
        assert_eq!(parse(text).unwrap(), expected);
        for wrong in ["unit = 8", "mask.on = 3", "units = -1", "units", "cell_config.x = 1", "preset = 3"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
