//! Comparison of models that predict a series online in one pass.

mod linear;
mod report;

pub use linear::least_squares;
pub use report::{Report, write};

use indicatif::{ParallelProgressIterator, ProgressBar, ProgressStyle};
use rayon::prelude::*;
use sparse_rtrl::cell::EventReset;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
use sparse_rtrl::params::ThresholdInit;
use sparse_rtrl::readout::Target;
use std::path::Path;
use std::process::ExitCode;

/// For each row, the prediction of its value made `horizon` rows earlier; NaN for the first
/// `horizon` rows.
pub type Predictions = Vec<f64>;

/// Runs a model with a seed.
type RunModel<'a> = Box<dyn Fn(u64) -> Result<Predictions> + Sync + 'a>;

/// A model of the comparison.
pub struct Model<'a> {
    /// Name in the table.
    pub name: String,
    /// Short description of the settings.
    pub about: String,
    /// Whether the result depends on the seed.
    seeded: bool,
    run: RunModel<'a>,
}

impl<'a> Model<'a> {
    /// Creates a model that does not depend on the seed.
    pub fn fixed(name: &str, about: &str, run: impl Fn() -> Predictions + Sync + 'a) -> Self {
        Self { name: name.into(), about: about.into(), seeded: false, run: Box::new(move |_| Ok(run())) }
    }

    /// Creates a model that depends on the seed.
    pub fn seeded(name: &str, about: &str, run: impl Fn(u64) -> Result<Predictions> + Sync + 'a) -> Self {
        Self { name: name.into(), about: about.into(), seeded: true, run: Box::new(run) }
    }

    /// Creates a model from a streaming learner; `inputs(t)` and `values[t]` are the input and the
    /// target of row t.
    pub fn learner(
        name: &str,
        about: &str,
        spec: StreamLearnerSpec,
        inputs: impl Fn(usize) -> Vec<f64> + Sync + 'a,
        values: &'a [f64],
    ) -> Self {
        let run = move |seed| {
            let mut learner = StreamLearner::<f64>::new(&spec, seed)?;
            let mut predictions = Vec::with_capacity(values.len());
            for (t, value) in values.iter().enumerate() {
                let answer = learner.step(&inputs(t), Some(Target::Values(&[*value])))?;
                predictions.push(answer.predicted.map_or(f64::NAN, |predicted| predicted[0]));
            }
            Ok(predictions)
        };
        Self::seeded(name, about, run)
    }
}

/// The predictions of a model, one series per seed.
pub struct Outcome<'a> {
    pub model: &'a Model<'a>,
    pub predictions: Vec<Predictions>,
}

/// Runs all models with seeds 0 to `seeds` − 1 on all threads.
///
/// # Errors
/// If the settings of a model are invalid, or if a value is not finite.
pub fn run<'a>(models: &'a [Model<'a>], seeds: u64) -> Result<Vec<Outcome<'a>>> {
    let of = |k: usize| (0..if models[k].seeded { seeds } else { 1 }).map(move |seed| (k, seed));
    let jobs: Vec<(usize, u64)> = (0..models.len()).flat_map(of).collect();
    let style = "{elapsed_precise} [{bar:30}] {pos}/{len} runs, {eta} left";
    let bar = ProgressBar::new(jobs.len() as u64)
        .with_style(ProgressStyle::with_template(style).expect("a valid template").progress_chars("=> "));
    let all: Vec<Result<Predictions>> =
        jobs.par_iter().progress_with(bar).map(|&(k, seed)| (models[k].run)(seed)).collect();
    let mut all = all.into_iter();
    let outcome = |(k, model)| {
        let predictions = all.by_ref().take(of(k).count()).collect::<Result<_>>()?;
        Ok(Outcome { model, predictions })
    };
    models.iter().enumerate().map(outcome).collect()
}

/// Returns the specification of a learner with one layer, threshold reset, one output and
/// prediction horizon `horizon`.
pub fn spec(inputs: usize, cell: &str, units: usize, sparsity: f64, horizon: usize) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(inputs, units, 1);
    spec.model.network.layers[0].cell = cell.into();
    spec.model.network.layers[0].config.event_reset = EventReset::Threshold;
    spec.model.mask.sparsity = sparsity;
    spec.horizon = horizon;
    spec
}

/// Sets the mean of initial thresholds, and half-width ε and height γ of the pseudo-derivative.
pub fn events(spec: &mut StreamLearnerSpec, threshold: f64, half_width: f64, height: f64) {
    spec.model.init.threshold = ThresholdInit::Beta { mean: threshold };
    spec.model.network.layers[0].config.surrogate.epsilon = half_width;
    spec.model.network.layers[0].config.surrogate.gamma = height;
}

/// Returns the exit code of a program: 0, or 2 after printing the error.
pub fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Checks the number of seeds.
///
/// # Errors
/// If `seeds` is not in 1 to 1000.
pub fn check_seeds(seeds: u64) -> Result<()> {
    match seeds {
        1..=1000 => Ok(()),
        _ => Err(Error::setting("seeds", "from 1 to 1000", seeds)),
    }
}

/// Reads a data file.
///
/// # Errors
/// If the file cannot be read. The message includes the download command.
pub fn read(path: &Path) -> Result<String> {
    let hint = |why: std::io::Error| {
        std::io::Error::new(
            why.kind(),
            format!("{why}. Download it with ./scripts/fetch_data.sh, or use --synthetic"),
        )
    };
    std::fs::read_to_string(path).map_err(|why| Error::Read { path: path.into(), source: hint(why) })
}
