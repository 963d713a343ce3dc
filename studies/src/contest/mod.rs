//! What the stream examples share: models that predict a series as it comes, each in one pass, side by side, judged alike.

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

/// For each row, what had been predicted for its value before it was known; NaN as long as it was too early for that.
pub type Predictions = Vec<f64>;

/// What a model makes of a seed.
type RunSummary<'a> = Box<dyn Fn(u64) -> Result<Predictions> + Sync + 'a>;

/// A model that predicts.
pub struct Model<'a> {
    /// Its name in the table.
    pub name: String,
    /// What it is made of, in a few words.
    pub about: String,
    /// Whether anything about it is random.
    seeded: bool,
    run: RunSummary<'a>,
}

impl<'a> Model<'a> {
    /// One that is the same for every seed.
    pub fn fixed(name: &str, about: &str, run: impl Fn() -> Predictions + Sync + 'a) -> Self {
        Self { name: name.into(), about: about.into(), seeded: false, run: Box::new(move |_| Ok(run())) }
    }

    /// One that begins by chance.
    pub fn seeded(name: &str, about: &str, run: impl Fn(u64) -> Result<Predictions> + Sync + 'a) -> Self {
        Self { name: name.into(), about: about.into(), seeded: true, run: Box::new(run) }
    }

    /// A streaming learner, given the inputs of every row and the values that come with them.
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

/// How a model did: what it predicted, for each seed.
pub struct Outcome<'a> {
    pub model: &'a Model<'a>,
    pub predictions: Vec<Predictions>,
}

/// Runs all models with seeds from 0 up, over the threads of the machine.
///
/// # Errors
/// If a model's settings are wrong, or it stops being finite.
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

/// A network of one layer, whose events take their threshold from the unit, over a horizon.
pub fn spec(inputs: usize, cell: &str, units: usize, sparsity: f64, horizon: usize) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(inputs, units, 1);
    spec.network.layers[0].cell = cell.into();
    spec.network.layers[0].config.event_reset = EventReset::Threshold;
    spec.mask.sparsity = sparsity;
    spec.horizon = horizon;
    spec
}

/// Sets its events: the mean threshold, and half-width ε and height γ of the pseudo-derivative.
pub fn events(spec: &mut StreamLearnerSpec, threshold: f64, half_width: f64, height: f64) {
    spec.init.threshold = ThresholdInit::Beta { mean: threshold };
    spec.network.layers[0].config.surrogate.epsilon = half_width;
    spec.network.layers[0].config.surrogate.gamma = height;
}

/// How an example ends: what went wrong is said in a line.
pub fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// # Errors
/// If there are none, or too many.
pub fn check_seeds(seeds: u64) -> Result<()> {
    match seeds {
        1..=1000 => Ok(()),
        _ => Err(Error::setting("seeds", "from 1 to 1000", seeds)),
    }
}

/// A file of the data.
///
/// # Errors
/// If it is not there; the message says how to get it, and how to do without.
pub fn read(path: &Path) -> Result<String> {
    let hint = |why: std::io::Error| {
        std::io::Error::new(
            why.kind(),
            format!("{why}. Fetch it with ./scripts/fetch_data.sh, or try --synthetic"),
        )
    };
    std::fs::read_to_string(path).map_err(|why| Error::Read { path: path.into(), source: hint(why) })
}
