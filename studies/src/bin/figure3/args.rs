//! The flags, and the studies they ask for.

use crate::study::{Experiment, Study};
use clap::{Parser, ValueEnum};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::Preset;
use std::path::PathBuf;

/// Figure 3 of the RTRL paper with error bars: what sparsity costs and saves over the course of learning.
///
/// Trains the spiral network with and without activity sparsity for every parameter sparsity and seed, and once more on endless
/// streams without reset; draws loss, sparsities, work and the origin of zeros as SVG and PNG; and writes what was found beside what
/// the paper says. Interrupted, the same command goes on with the runs that are missing.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Args {
    /// Settings: ours, that of the paper's own code, or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "default,paper")]
    preset: Vec<PresetArg>,
    /// The paper's experiment, the same on endless streams without reset, or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "spirals,stream")]
    experiment: Vec<Experiment>,
    /// Shares of recurrent weights that are pruned, in [0, 1); four at most
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true, default_value = "0,0.5,0.8,0.9")]
    param_sparsity: Vec<f64>,
    /// Batches to learn from
    #[arg(long, default_value_t = 1700)]
    iterations: usize,
    /// Seeds of every setting, from 0 up
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Units of the network
    #[arg(long, default_value_t = 16)]
    units: usize,
    /// Folder for curves (CSV), configurations (JSON), pictures (SVG, PNG) and README.md
    #[arg(long, default_value = "results/figure3")]
    pub out: PathBuf,
    /// Threads; 0 for as many as there are cores. The result does not depend on it
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Run nothing: draw and report again from the CSV files in the folder
    #[arg(long)]
    pub plot_only: bool,
    /// Drop the runs of an interrupted command instead of going on with them
    #[arg(long)]
    pub fresh: bool,
}

const EXAMPLES: &str = "Examples:
  figure3                                        everything: 2 settings, 120 runs, some minutes
  figure3 --preset paper --experiment spirals    the paper's experiment in the paper's setting only
  figure3 --plot-only                            the pictures again, from the CSV files
  figure3 --iterations 100 --seeds 2 --out /tmp/figure3    a quick look

Exit status: 0 when done; 1 when a run fails or a file cannot be written, with finished runs kept; 2 for wrong input.";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PresetArg {
    Default,
    Paper,
}

impl Args {
    /// The studies asked for, all of them checked.
    pub fn studies(&self) -> Result<Vec<Study>> {
        if !(1..=1000).contains(&self.seeds) {
            return Err(Error::setting("seeds", "from 1 to 1000", self.seeds));
        }
        if !(1..=4).contains(&self.param_sparsity.len()) {
            return Err(Error::setting("param-sparsity", "one to four numbers", self.param_sparsity.len()));
        }
        // A negative zero is a zero.
        let mut omegas: Vec<f64> = self.param_sparsity.iter().map(|omega| omega + 0.0).collect();
        omegas.sort_by(f64::total_cmp);
        omegas.dedup();
        let (mut presets, mut experiments) = (self.preset.clone(), self.experiment.clone());
        presets.sort_by_key(|preset| *preset as usize);
        experiments.sort_by_key(|experiment| *experiment as usize);
        presets.dedup();
        experiments.dedup();
        let mut studies = Vec::new();
        for preset in presets {
            let preset = match preset {
                PresetArg::Default => Preset::Default,
                PresetArg::Paper => Preset::Paper,
            };
            for &experiment in &experiments {
                let study = Study::new(preset, experiment, &omegas, self.seeds, |config| {
                    (config.iterations, config.units) = (self.iterations, self.units);
                });
                study.settings.iter().try_for_each(|setting| setting.check())?;
                studies.push(study);
            }
        }
        Ok(studies)
    }
}
