//! Command-line flags and the selected studies.

use crate::study::{Experiment, Study};
use clap::{Parser, ValueEnum};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::Preset;
use std::path::PathBuf;

/// Reproduce figure 3 of the RTRL paper with error bars: cost and savings of sparsity during
/// training.
///
/// Trains the spiral network with and without activity sparsity for every parameter sparsity and
/// seed, and on endless streams without reset. Draws loss, sparsities, MACs and the causes of zeros
/// as SVG and PNG, and writes a report that compares the results with the paper. After an
/// interruption, the same command runs only the missing runs.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Args {
    /// Presets: the default of this crate, the settings of the paper's code, or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "default,paper")]
    preset: Vec<PresetArg>,
    /// Experiments: the paper's experiment, endless streams without reset, or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "spirals,stream")]
    experiment: Vec<Experiment>,
    /// Shares of recurrent weights that are pruned, in [0, 1); at most four
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true, default_value = "0,0.5,0.8,0.9")]
    param_sparsity: Vec<f64>,
    /// Training iterations (one batch, one weight update each)
    #[arg(long, default_value_t = 1700)]
    iterations: usize,
    /// Seeds per setting, from 0 up
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Units of the network
    #[arg(long, default_value_t = 16)]
    units: usize,
    /// Folder for curves (CSV), configurations (JSON), figures (SVG, PNG) and README.md
    #[arg(long, default_value = "results/figure3")]
    pub out: PathBuf,
    /// Threads; 0 means one per core. The result does not depend on the number of threads
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Draw the figures and write the report from the CSV files in the folder, without running
    /// anything
    #[arg(long)]
    pub plot_only: bool,
    /// Discard the runs of an interrupted command
    #[arg(long)]
    pub fresh: bool,
}

const EXAMPLES: &str = "Examples:
  figure3                                        both presets and experiments: 120 runs, a few minutes
  figure3 --preset paper --experiment spirals    the paper's experiment with the paper preset only
  figure3 --plot-only                            draw the figures again from the CSV files
  figure3 --iterations 100 --seeds 2 --out /tmp/figure3    a quick test

Exit status: 0 success; 1 a run failed or a file could not be written (finished runs are kept); 2 invalid input.";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PresetArg {
    Default,
    Paper,
}

impl Args {
    /// Returns the selected studies, after checking their settings.
    pub fn studies(&self) -> Result<Vec<Study>> {
        if !(1..=1000).contains(&self.seeds) {
            return Err(Error::setting("seeds", "from 1 to 1000", self.seeds));
        }
        if !(1..=4).contains(&self.param_sparsity.len()) {
            return Err(Error::setting("param-sparsity", "one to four numbers", self.param_sparsity.len()));
        }
        // Adding 0 turns −0 into 0, so that both are one sparsity.
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
