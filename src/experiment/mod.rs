//! Experiments: training runs of a [`Config`] on a dataset.

mod config;
pub mod dataset;
mod fan_out;
mod keep;
pub mod record;

pub use config::{Config, Preset};
pub use fan_out::{InOrder, fan_out};
pub use keep::Keep;

pub use crate::threads::{Pool, pool};

use crate::Error;
use crate::error::Result;
use crate::experiment::dataset::Dataset;
use crate::experiment::record::Row;
use crate::learner::sequence::Sequence;
use crate::learner::sequence::SequenceLearner;
use crate::metrics::Tally;
use crate::optim;
use crate::params;
use crate::rule::DenseCost;
use crate::scalar::{Real, is_single};
use keep::KeptWeights;
use params::{Purpose, generator};
use rand::seq::SliceRandom;

/// Result of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunSummary {
    /// The last row of the learning curve.
    pub last: Row,
    /// The first iteration with [`Row::test_accuracy`] of at least 99 %, if any.
    pub reached: Option<usize>,
    /// ω as drawn.
    pub param_sparsity: f64,
    /// Number of parameters of the network, with masks (p) and without masks.
    pub parameters: (usize, usize),
    /// Means over all iterations.
    pub mean: RunMeans,
    /// Final weights, selected by [`Config::keep`]: p weights of the network, then those of the
    /// readout.
    pub weights: Vec<f64>,
    /// Maximum of the memory of the rule's state for one stream (influence matrix or tape), in
    /// bytes.
    pub bytes: usize,
}

/// Means over all iterations of a run.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RunMeans {
    /// α.
    pub activity_sparsity: f64,
    /// β.
    pub backward_sparsity: f64,
    /// Share of units with `e ≠ 0`.
    pub live_share: f64,
    /// Nonzero entries of Y relative to n × p without masks; NaN without an influence matrix.
    pub influence_density: f64,
    /// Cosine with the exact gradient; NaN without a reference rule.
    pub gradient_cosine: f64,
}

/// Runs a configuration with one seed, on the threads of the current [`Pool`]. Calls `each` with the row of
/// every iteration. An error of `each` ends the run.
///
/// # Errors
/// If the configuration is invalid, a value is not finite, or `each` fails. `each` has then been
/// called for all completed iterations.
pub fn run<T: Real>(
    config: &Config,
    seed: u64,
    mut each: impl FnMut(&Row) -> Result<()>,
) -> Result<RunSummary> {
    if is_single::<T>() { run_single(config, seed, &mut each) } else { run_double(config, seed, &mut each) }
}

#[inline(never)]
fn run_single(config: &Config, seed: u64, each: &mut dyn FnMut(&Row) -> Result<()>) -> Result<RunSummary> {
    run_in::<f32>(config, seed, each)
}

#[inline(never)]
fn run_double(config: &Config, seed: u64, each: &mut dyn FnMut(&Row) -> Result<()>) -> Result<RunSummary> {
    run_in::<f64>(config, seed, each)
}

fn run_in<T: Real>(
    config: &Config,
    seed: u64,
    each: &mut dyn FnMut(&Row) -> Result<()>,
) -> Result<RunSummary> {
    config.check()?;
    let data: Dataset<T> = (dataset::find(&config.dataset)?.draw)(seed, &config.dataset_options);
    let mut learner = SequenceLearner::<T>::new(&config.learner(data.inputs, data.classes), seed)?;
    let mut shuffle = Shuffle::new(data.train.len(), seed);

    let wiring = learner.model().network.wiring().clone();
    let unmasked = wiring.unmasked();
    let dense = DenseCost::new(&unmasked);
    let readout = learner.model().readout;
    let kept_share = wiring.layout().kept_share(config.mask.on.kinds());

    let mut kept = KeptWeights::new(config.keep);
    let mut sums = RunMeans::default();
    let (mut compute, mut density, mut macs, mut macs_dense, mut bytes) = (0.0, 0.0, 0, 0, 0);
    let (mut reached, mut last) = (None, None);
    let share = optim::find_schedule(&config.schedule)?.share;
    for iteration in 1..=config.iterations {
        learner.set_rate(config.learning_rate * share((iteration - 1) as f64 / config.iterations as f64));
        let batch: Vec<&Sequence<T>> = (0..config.batch).map(|_| &data.train[shuffle.next()]).collect();
        let tally = learner.train(&batch, config.loss_at).map_err(|error| at_iteration(error, iteration))?;

        compute += kept_share * kept_share * tally.beta_product();
        density += tally.influence_density();
        macs += tally.macs.total();
        macs_dense += dense_macs(&tally, &dense, (readout.inputs * readout.outputs) as u64);
        bytes = learner.streams().iter().map(|s| s.rule().bytes()).fold(bytes, usize::max);
        let evaluate = iteration % config.test_every == 0 || iteration == config.iterations;
        let test_accuracy = evaluate.then(|| kept.evaluate(&learner, &data));
        if reached.is_none() && test_accuracy.is_some_and(|a| a >= 0.99) {
            reached = Some(iteration);
        }
        sums.add(&tally);
        let row = Row {
            iteration,
            test_accuracy,
            compute_adjusted_iteration: compute,
            density_adjusted_iteration: Some(density).filter(|x| x.is_finite()),
            macs,
            macs_dense,
            ..row_of(config, seed, &tally)
        };
        each(&row)?;
        last = Some(row);
    }
    let last = last.ok_or_else(|| Error::setting("iterations", "at least 1", config.iterations))?;
    Ok(RunSummary {
        mean: sums.over(config.iterations),
        last,
        reached,
        param_sparsity: 1.0 - kept_share,
        parameters: (wiring.parameters(), unmasked.parameters()),
        weights: kept.into_weights().into_iter().map(Real::as_f64).collect(),
        bytes,
    })
}

/// Returns the MACs of dense RTRL for the steps of a tally, with a readout of `readout` weights.
fn dense_macs(tally: &Tally, dense: &DenseCost, readout: u64) -> u64 {
    tally.steps * (dense.influence + dense.coupling + dense.forward + readout)
        + tally.supervised * (dense.gradient + 2 * readout)
}

/// Creates a row with the columns that depend on the tally of its iteration only. The other columns
/// are zero or empty.
fn row_of(config: &Config, seed: u64, tally: &Tally) -> Row {
    let number = |x: f64| Some(x).filter(|x| x.is_finite());
    Row {
        seed,
        rule: config.rule.clone(),
        param_sparsity: config.mask.sparsity,
        iteration: 0,
        loss: tally.mean_loss(),
        train_accuracy: tally.accuracy(),
        test_accuracy: None,
        activity_sparsity: tally.activity_sparsity(),
        backward_sparsity: tally.backward_sparsity(),
        live_share: tally.live_share(),
        influence_density: number(tally.influence_density()),
        influence_density_recurrent: number(tally.influence_density_recurrent()),
        rows_without_derivative: number(tally.rows_without_derivative()),
        columns_inactive: number(tally.columns_inactive()),
        columns_masked: number(tally.columns_masked()),
        influence_held: number(tally.influence_held()),
        gradient_cosine: number(tally.gradient_cosine()),
        gradient_error: number(tally.gradient_error()),
        compute_adjusted_iteration: 0.0,
        density_adjusted_iteration: None,
        macs: 0,
        macs_dense: 0,
    }
}

/// Replaces the index of the update in an error by the iteration.
fn at_iteration(error: Error, iteration: usize) -> Error {
    match error {
        Error::NotFinite { what, step, value, .. } => Error::Diverged { what, iteration, step, value },
        other => other,
    }
}

impl RunMeans {
    fn add(&mut self, tally: &Tally) {
        self.activity_sparsity += tally.activity_sparsity();
        self.backward_sparsity += tally.backward_sparsity();
        self.live_share += tally.live_share();
        self.influence_density += tally.influence_density();
        self.gradient_cosine += tally.gradient_cosine();
    }

    fn over(self, n: usize) -> Self {
        let n = n as f64;
        Self {
            activity_sparsity: self.activity_sparsity / n,
            backward_sparsity: self.backward_sparsity / n,
            live_share: self.live_share / n,
            influence_density: self.influence_density / n,
            gradient_cosine: self.gradient_cosine / n,
        }
    }
}

/// Indices in random order, shuffled again after each pass.
struct Shuffle {
    order: Vec<usize>,
    at: usize,
    rng: params::Generator,
}

impl Shuffle {
    fn new(n: usize, seed: u64) -> Self {
        Self { order: (0..n).collect(), at: n, rng: generator(seed, Purpose::Order) }
    }

    fn next(&mut self) -> usize {
        if self.at == self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.at = 0;
        }
        self.at += 1;
        self.order[self.at - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_over_an_epoch_returns_every_sample_once() {
        let mut shuffle = Shuffle::new(50, 3);
        let mut epoch = || (0..50).map(|_| shuffle.next()).collect::<Vec<_>>();
        let (first, second) = (epoch(), epoch());
        assert_ne!(first, second);
        assert_ne!(first, (0..50).collect::<Vec<_>>());
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, (0..50).collect::<Vec<_>>());
        }
    }
}
