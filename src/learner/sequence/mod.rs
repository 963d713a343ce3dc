//! Learning from sequences: streams that share weights, one learning rule per stream, and an
//! optimiser.
//!
//! ```
//! use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec};
//! use sparse_rtrl::readout::Target;
//!
//! // Predict the next value of a sine wave, with a weight update per step.
//! let mut spec = SequenceLearnerSpec::new(1, 16, 1);
//! spec.model.mask.sparsity = 0.9;
//! let mut learner = SequenceLearner::<f32>::new(&spec, 0)?;
//! let wave = |t: usize| (0.3 * t as f32).sin();
//! let mut recent = 0.0;
//! for t in 0..2000 {
//!     let loss = learner.step(&[wave(t)], Some(Target::Values(&[wave(t + 1)])))?;
//!     recent = 0.99 * recent + 0.01 * loss.unwrap();
//! }
//! assert!(recent < 0.05, "{recent}");
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```

mod data;
mod spec;
mod stream;

pub use data::Sequence;
pub use spec::{SequenceLearnerSpec, Update};
pub use stream::Stream;

use crate::error::{Error, Result};
use crate::learner::core::{Core, NonFinite, descend, stream_seed};
use crate::metrics::{Fidelity, Tally};
use crate::model::Model;
use crate::network::Network;
use crate::optim::{self, Optimiser};
use crate::readout::Target;
use crate::rule::Rule;
use crate::scalar::Real;
use crate::wiring::{State, Step, Wiring};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The steps of a sequence that have a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LossAt {
    /// At every step after the first `burn_in`.
    Every {
        /// Number of steps without a loss.
        burn_in: usize,
    },
    /// At the last step.
    Last,
}

impl LossAt {
    /// Returns whether step `t` of a sequence of `steps` steps has a loss.
    pub fn counts(self, t: usize, steps: usize) -> bool {
        match self {
            Self::Every { burn_in } => t >= burn_in,
            Self::Last => t + 1 == steps,
        }
    }
}

/// Number of sequences per parallel task of a test.
const TEST_RUN: usize = 64;

/// A network that learns online from sequences, with one rule per stream and an optimiser. It runs
/// on the threads of the current [`Pool`](crate::threads::Pool).
pub struct SequenceLearner<T: Real> {
    core: Core<T>,
    optimiser: Box<dyn Optimiser<T>>,
    clip: Option<f64>,
    update: Update,
    continuous: bool,
    streams: Vec<Stream<T>>,
    /// Gradient of all weights. [p + parameters of the readout]
    gradient: Vec<T>,
    /// Gradient of the reference rule; empty if there is none. [p]
    exact: Vec<T>,
    /// Number of calls of [`step`](Self::step) since the last update.
    since_update: usize,
}

impl<T: Real> SequenceLearner<T> {
    /// Creates a learner with masks and initial values drawn from `seed`.
    ///
    /// Training allocates no memory after the first sequence (with `bptt`: after the longest one).
    ///
    /// # Errors
    /// If a name is unknown, a number is out of range, or the learner does not fit into memory.
    pub fn new(spec: &SequenceLearnerSpec, seed: u64) -> Result<Self> {
        spec.check()?;
        spec.check_size::<T>()?;
        let core = Core::draw(&spec.model, seed, 0, true)?;
        let rules = (0..spec.streams).map(|k| core.rule(&spec.model.rule, seed, k));
        let rules = rules.collect::<Result<Vec<_>>>()?;
        Self::from_parts(spec, seed, core, rules)
    }

    /// Creates a learner from a given network and learning rule, which need not be in the
    /// registries. Initial values are drawn from `seed`.
    ///
    /// `rule` builds the rule of one stream from the network's wiring and a seed for noise.
    /// `spec.model.network`, `spec.model.mask` and `spec.model.rule` are not used.
    ///
    /// # Errors
    /// If a name is unknown or a number is out of range.
    pub fn with_network(
        spec: &SequenceLearnerSpec,
        seed: u64,
        network: Network<T>,
        rule: impl Fn(&Arc<Wiring>, u64) -> Box<dyn Rule<T>>,
    ) -> Result<Self> {
        spec.check()?;
        let core = Core::with_network(network, &spec.model, seed, 0, true)?;
        let wiring = core.model.network.wiring();
        let rules = (0..spec.streams).map(|k| rule(wiring, stream_seed(seed, k))).collect();
        Self::from_parts(spec, seed, core, rules)
    }

    fn from_parts(
        spec: &SequenceLearnerSpec,
        seed: u64,
        core: Core<T>,
        rules: Vec<Box<dyn Rule<T>>>,
    ) -> Result<Self> {
        let mut streams: Vec<_> = rules.into_iter().map(|rule| Stream::new(&core.model, rule)).collect();
        let mut exact = Vec::new();
        if let Some(name) = &spec.reference_rule {
            exact = vec![T::zero(); core.model.network.wiring().parameters()];
            for (k, stream) in streams.iter_mut().enumerate() {
                stream.set_reference(core.rule(name, seed, k)?);
            }
        }
        Ok(Self {
            gradient: vec![T::zero(); core.w.len()],
            exact,
            optimiser: (optim::find(&spec.optimiser)?.build)(core.w.len(), spec.learning_rate),
            clip: spec.clip,
            update: spec.update,
            continuous: spec.continuous,
            streams,
            since_update: 0,
            core,
        })
    }

    /// Returns the model: network, readout and loss.
    pub fn model(&self) -> &Model<T> {
        &self.core.model
    }

    /// Returns all weights: the p of the network, then those of the readout.
    pub fn weights(&self) -> &[T] {
        &self.core.w
    }

    /// Returns the streams, with their measurements.
    pub fn streams(&self) -> &[Stream<T>] {
        &self.streams
    }

    /// Sets the learning rate of all later updates.
    pub fn set_rate(&mut self, rate: f64) {
        self.optimiser.set_rate(rate);
    }

    /// Returns the outputs of stream 0 at its last step.
    pub fn output(&self) -> &[T] {
        self.streams[0].output()
    }

    /// Runs one step of stream 0 and returns the loss, if there is a target.
    ///
    /// Predicts from `x`, adds the gradient of the loss, and updates the weights if an update is
    /// due. [`output`](Self::output) returns the prediction, which is made before the update.
    ///
    /// Memory is constant, except with `bptt`, which stores all steps until
    /// [`end_sequence`](Self::end_sequence).
    ///
    /// # Errors
    /// If an input, an output, the loss, the gradient or a new weight is not finite. The weights
    /// are then unchanged, and all streams are reset: state, influence and accumulated gradient are
    /// zero. Training can continue with the next step.
    ///
    /// # Panics
    /// If `x` does not have m entries or the target does not fit the loss.
    pub fn step(&mut self, x: &[T], target: Option<Target<'_, T>>) -> Result<Option<T>> {
        let loss = self.streams[0].step(&self.core.model, &self.core.w, x, target);
        self.since_update += 1;
        let due = matches!(self.update, Update::Steps(k) if self.since_update >= k);
        self.settle(due)?;
        Ok(loss)
    }

    /// Ends the sequence of stream 0: updates the weights with the accumulated gradient and resets
    /// the stream, even if streams are continuous.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    pub fn end_sequence(&mut self) -> Result<()> {
        self.settle(true)?;
        self.streams[0].reset();
        Ok(())
    }

    /// Checks that all values are finite after a step of stream 0, and updates the weights if an
    /// update is `due`.
    fn settle(&mut self, due: bool) -> Result<()> {
        let step = self.streams[0].steps().saturating_sub(1);
        self.check_streams()?;
        if due {
            self.since_update = 0;
            self.streams[0].drain();
            self.apply(step)?;
        }
        Ok(())
    }

    /// Trains on a batch of one sequence per stream, and returns measurements over the batch.
    ///
    /// Streams run in parallel on the threads of the current [`Pool`](crate::threads::Pool).
    /// Gradients are added in the order of streams, so the result does not depend on the number of
    /// threads. Every stream is reset before its sequence, unless streams are continuous. A
    /// gradient that [`step`](Self::step) has accumulated since the last update is discarded. If
    /// the batch has no target, the weights are unchanged and the mean loss is NaN.
    ///
    /// # Errors
    /// Those of [`step`](Self::step). The rest of the batch is skipped.
    ///
    /// # Panics
    /// If there is not one sequence per stream, the width of a sequence is not m, or a class does
    /// not fit the loss.
    pub fn train(&mut self, batch: &[&Sequence<T>], loss_at: LossAt) -> Result<Tally> {
        assert_eq!(batch.len(), self.streams.len(), "a batch must have one sequence per stream");
        let steps = batch.iter().map(|s| s.steps()).max().unwrap_or(0);
        let segment = match self.update {
            Update::Sequence => steps.max(1),
            Update::Steps(k) => k,
        };
        self.streams.iter_mut().for_each(if self.continuous { Stream::forget } else { Stream::discard });
        self.since_update = 0;
        for start in (0..steps).step_by(segment) {
            let end = (start + segment).min(steps);
            let (model, w) = (&self.core.model, &self.core.w);
            let run = |(stream, sequence): (&mut Stream<T>, &&Sequence<T>)| {
                run_segment(stream, model, w, sequence, loss_at, start..end)
            };
            if rayon::current_num_threads() == 1 {
                self.streams.iter_mut().zip(batch).for_each(run);
            } else {
                self.streams.par_iter_mut().zip(batch).for_each(run);
            }
            self.check_streams()?;
            self.apply(end - 1)?;
        }
        let mut total = Tally::default();
        for stream in &mut self.streams {
            total.merge(&std::mem::take(&mut stream.tally));
        }
        Ok(total)
    }

    /// Returns the accuracy over all steps that count for it; NaN if there are none. The weights do
    /// not change.
    ///
    /// The state is reset before every sequence or, if streams are continuous, before every 64th
    /// sequence.
    ///
    /// # Panics
    /// If an input does not have m entries.
    pub fn test(&self, sequences: &[Sequence<T>]) -> f64 {
        self.test_with(&self.core.w, sequences)
    }

    /// Returns the accuracy of other weights `w`: the p of the network, then those of the
    /// readout. Otherwise as [`test`](Self::test).
    ///
    /// # Panics
    /// If `w` does not have the length of [`weights`](Self::weights), or an input does not
    /// have m entries.
    pub fn test_with(&self, w: &[T], sequences: &[Sequence<T>]) -> f64 {
        assert_eq!(
            w.len(),
            self.core.w.len(),
            "w must have p entries for the network, followed by those of the readout"
        );
        let (model, continuous) = (&self.core.model, self.continuous);
        let wiring = model.network.wiring();
        let (w, w_out) = w.split_at(wiring.parameters());
        let judge = |chunk: &[Sequence<T>]| {
            let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
            let mut output = vec![T::zero(); model.readout.outputs];
            let (mut right, mut judged) = (0, 0);
            for sequence in chunk {
                if !continuous {
                    state.reset();
                }
                for t in 0..sequence.steps() {
                    model.network.forward(w, sequence.input(t), &state, &mut step);
                    state.follow(&step);
                    if let Some(class) = sequence.judged(t) {
                        model.readout.forward(w_out, &state.y[wiring.outputs()], &mut output);
                        right += usize::from(model.loss.class(&output) == class);
                        judged += 1;
                    }
                }
            }
            (right, judged)
        };
        let add = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
        let (right, judged) = sequences.par_chunks(TEST_RUN).map(judge).reduce(|| (0, 0), add);
        right as f64 / judged as f64
    }

    /// Returns an error if a value of a stream was not finite. All streams are then reset.
    fn check_streams(&mut self) -> Result<()> {
        match self.streams.iter().find_map(Stream::non_finite) {
            Some((non_finite, step)) => Err(self.give_up(non_finite, step)),
            None => Ok(()),
        }
    }

    /// Discards the accumulated gradients, resets all streams and returns the error.
    fn give_up(&mut self, NonFinite { what, value }: NonFinite, step: usize) -> Error {
        self.streams.iter_mut().for_each(Stream::discard);
        self.since_update = 0;
        Error::NotFinite { what, update: self.core.updates as usize + 1, step, value }
    }

    /// Updates the weights with the mean of the drained gradients over all losses since the last
    /// update. Without losses, there is no update. `step` is the step before the update.
    fn apply(&mut self, step: usize) -> Result<()> {
        self.gradient.fill(T::zero());
        let mut losses = 0;
        for stream in &mut self.streams {
            losses += stream.drain_into(&mut self.gradient);
        }
        if losses == 0 {
            return Ok(());
        }
        if !self.exact.is_empty() {
            self.exact.fill(T::zero());
            self.streams.iter_mut().for_each(|stream| stream.drain_reference_into(&mut self.exact));
            let fidelity = Fidelity::between(&self.gradient[..self.exact.len()], &self.exact);
            self.streams[0].tally.fidelity(fidelity);
        }
        let scale = T::of(1.0 / losses as f64);
        self.gradient.iter_mut().for_each(|g| *g *= scale);
        let (optimiser, gradient) = (self.optimiser.as_mut(), &mut self.gradient);
        let updated = self.core.update(|_, w, _| descend(optimiser, self.clip, w, gradient));
        updated.map_err(|non_finite| self.give_up(non_finite, step))
    }
}

/// Runs the steps `range` of a sequence on its stream, and drains the gradient.
fn run_segment<T: Real>(
    stream: &mut Stream<T>,
    model: &Model<T>,
    w: &[T],
    sequence: &Sequence<T>,
    loss_at: LossAt,
    range: Range<usize>,
) {
    for t in range.start..range.end.min(sequence.steps()) {
        let class = sequence.classes[t].filter(|_| loss_at.counts(t, sequence.steps()));
        stream.step(model, w, sequence.input(t), class.map(Target::Class));
        if let Some(class) = sequence.judged(t) {
            let correct = stream.decides(model, class);
            stream.tally.decision(correct);
        }
    }
    stream.drain();
}
