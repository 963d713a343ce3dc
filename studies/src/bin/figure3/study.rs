//! A study: one preset and one experiment with its settings and seeds, stored as JSON with the
//! curves.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::{Config, Preset};
use sparse_rtrl::file;
use std::path::{Path, PathBuf};

/// Iterations averaged in one row of the curves.
pub const BIN: usize = 10;

/// Experiments of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Experiment {
    /// The paper's experiment: sequences with a reset between them.
    Spirals,
    /// Sequences without a reset between them.
    Stream,
}

/// Configuration of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Study {
    pub preset: Preset,
    pub experiment: Experiment,
    /// Version of this crate.
    pub version: String,
    #[serde(alias = "iterations_a_row")]
    pub iterations_per_row: usize,
    pub seeds: Vec<u64>,
    pub settings: Vec<Config>,
}

/// Identifies a run of a study: a setting and a seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    pub omega: f64,
    pub activity: bool,
    pub seed: u64,
}

/// A finished study with its provenance: command, date and processor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Made {
    pub command: String,
    pub date: String,
    /// Empty in files of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub processor: String,
    #[serde(flatten)]
    pub study: Study,
}

impl Study {
    /// Creates a study with one setting per ω with activity sparsity and, for spirals, one per ω
    /// without. `change` is applied to every setting.
    pub fn new(
        preset: Preset,
        experiment: Experiment,
        omegas: &[f64],
        seeds: u64,
        change: impl Fn(&mut Config),
    ) -> Self {
        let activities: &[bool] = if experiment == Experiment::Spirals { &[true, false] } else { &[true] };
        let mut settings = Vec::new();
        for &activity in activities {
            for &omega in omegas {
                let mut config = Config::spiral(preset);
                config.mask.sparsity = omega;
                config.cell_config.activity = activity;
                config.continuous = experiment == Experiment::Stream;
                change(&mut config);
                settings.push(config);
            }
        }
        Self {
            preset,
            experiment,
            version: env!("CARGO_PKG_VERSION").into(),
            iterations_per_row: BIN,
            seeds: (0..seeds).collect(),
            settings,
        }
    }

    /// Returns whether the command without flags runs this study.
    pub fn is_plain(&self) -> bool {
        *self == Self::new(self.preset, self.experiment, &[0.0, 0.5, 0.8, 0.9], 5, |_| ())
    }

    /// Returns whether `other` differs only in resets and in networks without activity sparsity, so
    /// that its curves are comparable.
    pub fn is_comparable(&self, other: &Self) -> bool {
        let settings = |study: &Self| -> Vec<Config> {
            let active = study.settings.iter().filter(|c| c.cell_config.activity).cloned();
            active.map(|c| Config { continuous: false, ..c }).collect()
        };
        self.preset == other.preset
            && self.experiment != other.experiment
            && self.seeds == other.seeds
            && settings(self) == settings(other)
    }

    /// Returns the stem of the file names, for example `default-spirals`.
    pub fn name(&self) -> String {
        format!("{:?}-{:?}", self.preset, self.experiment).to_lowercase()
    }

    /// Returns the path of the file with this extension.
    pub fn file(&self, folder: &Path, extension: &str) -> PathBuf {
        folder.join(format!("{}.{extension}", self.name()))
    }

    /// Returns all runs, in the order of the rows of the CSV.
    pub fn runs(&self) -> impl Iterator<Item = (&Config, Key)> {
        self.settings.iter().flat_map(|config| {
            let (omega, activity) = (config.mask.sparsity, config.cell_config.activity);
            self.seeds.iter().map(move |&seed| (config, Key { omega, activity, seed }))
        })
    }

    /// Returns the parameter sparsities, ascending.
    pub fn omegas(&self) -> Vec<f64> {
        let mut omegas: Vec<f64> = self.settings.iter().map(|c| c.mask.sparsity).collect();
        omegas.sort_by(f64::total_cmp);
        omegas.dedup();
        omegas
    }

    /// Returns the number of rows per run.
    pub fn rows(&self) -> usize {
        self.settings.first().map_or(0, |c| c.iterations.div_ceil(BIN))
    }
}

/// Reads a JSON file.
pub fn read_json<V: for<'a> Deserialize<'a>>(path: &Path) -> Result<V> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
    serde_json::from_str(&text)
        .map_err(|why| Error::Format { path: path.into(), why: format!("expected a study: {why}") })
}

/// Writes a value as a JSON file.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("plain data");
    file::replace(path, format!("{text}\n"))
}
