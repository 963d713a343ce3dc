//! The learner: streams that share weights, a rule for each, and an optimiser.
//!
//! ```
//! use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec};
//! use sparse_rtrl::readout::Target;
//!
//! // Predict the next value of a wave, learning at every step.
//! let mut spec = SequenceLearnerSpec::new(1, 16, 1);
//! spec.mask.sparsity = 0.9;
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
mod size;
mod spec;
mod stream;

pub use data::Sequence;
pub use size::check_memory;
pub use spec::{SequenceLearnerSpec, Update};
pub use stream::{Model, NonFinite, Stream};

use crate::error::{Error, Result};
use crate::metrics::{Fidelity, Tally};
use crate::network::Network;
use crate::optim::{self, Optimiser};
use crate::params::{Purpose, generator};
use crate::readout::Target;
use crate::rule::{self, Skips};
use crate::scalar::Real;
use crate::wiring::{State, Step};
use rayon::prelude::*;
use std::ops::Range;

/// The steps of a sequence that have a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Whether step `t` of `steps` has a loss.
    pub fn counts(self, t: usize, steps: usize) -> bool {
        match self {
            Self::Every { burn_in } => t >= burn_in,
            Self::Last => t + 1 == steps,
        }
    }
}

/// Number of sequences that one thread tests in turn.
const TEST_RUN: usize = 64;

/// A network that learns online from sequences, with one rule per stream and an optimiser.
pub struct SequenceLearner<T: Real> {
    model: Model<T>,
    w: Vec<T>,
    optimiser: Box<dyn Optimiser<T>>,
    clip: Option<f64>,
    update: Update,
    continuous: bool,
    streams: Vec<Stream<T>>,
    gradient: Vec<T>,
    /// The weights before an update, to restore them if it fails.
    before: Vec<T>,
    /// The reference rule's gradient; empty without one.
    exact: Vec<T>,
    /// Number of updates, and of steps of [`step`](Self::step) since the last update.
    updates: usize,
    since_update: usize,
}

impl<T: Real> SequenceLearner<T> {
    /// Draws masks and initial values from `seed` and sets up streams. Nothing is allocated after the first sequence (after the
    /// longest one for `bptt`).
    ///
    /// # Errors
    /// If a name is unknown, a number is out of range, or the learner does not fit into memory.
    pub fn new(spec: &SequenceLearnerSpec, seed: u64) -> Result<Self> {
        spec.check()?;
        size::check::<T>(spec)?;
        let mut masks = generator(seed, Purpose::Mask);
        let network =
            Network::new(&spec.network, |blocks| spec.network.draw_masks(&spec.mask, blocks, &mut masks))?;
        let model = Model::new(network, spec.outputs, spec.loss);
        let mut values = generator(seed, Purpose::Init);
        let mut w = spec.init.draw(model.network.wiring().layout(), &mut values)?;
        w.extend(model.readout.draw::<T>(&spec.init, &mut values));
        let build = rule::find::<T>(&spec.rule)?.build;
        // Streams draw different noise: their seeds are the run's, spread far apart.
        let noise = |k: usize| seed.wrapping_add((k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let reference_rule = spec.reference_rule.as_ref().map(|name| rule::find::<T>(name)).transpose()?;
        let wiring = model.network.wiring();
        let stream = |k| {
            let stream = Stream::new(&model, build(wiring, Skips::ALL, noise(k)));
            match &reference_rule {
                Some(reference_rule) => {
                    stream.with_reference((reference_rule.build)(wiring, Skips::ALL, noise(k)))
                }
                None => stream,
            }
        };
        let streams = (0..spec.streams).map(stream).collect();
        let exact = if reference_rule.is_some() { vec![T::zero(); wiring.parameters()] } else { Vec::new() };
        let optimiser = (optim::find(&spec.optimiser)?.build)(w.len(), spec.learning_rate);
        Ok(Self {
            gradient: vec![T::zero(); w.len()],
            before: w.clone(),
            exact,
            optimiser,
            clip: spec.clip,
            update: spec.update,
            continuous: spec.continuous,
            streams,
            updates: 0,
            since_update: 0,
            model,
            w,
        })
    }

    /// Network, readout and loss.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// All parameters: the network's p, then the readout's.
    pub fn parameters(&self) -> &[T] {
        &self.w
    }

    /// The streams, with their measurements.
    pub fn streams(&self) -> &[Stream<T>] {
        &self.streams
    }

    /// Sets the learning rate of later updates.
    pub fn set_rate(&mut self, rate: f64) {
        self.optimiser.set_rate(rate);
    }

    /// The outputs of stream 0 at its last step.
    pub fn output(&self) -> &[T] {
        self.streams[0].output()
    }

    /// Makes one step of stream 0: predicts from `x`, learns from the target if there is one, and updates the weights if an update is
    /// due. Returns the loss. The prediction, made before learning, is in [`output`](Self::output).
    ///
    /// Memory does not grow with the stream, unless the rule is `bptt`, whose tape does until
    /// [`end_sequence`](Self::end_sequence).
    ///
    /// # Errors
    /// If an input, an output, the loss, the gradient or a new weight is not finite. Nothing is learned from that step: the
    /// weights are unchanged, and all streams are reset, without state, influence or gathered gradient. Learning can continue
    /// at once.
    ///
    /// # Panics
    /// If `x` does not have m entries or the target does not fit the loss.
    pub fn step(&mut self, x: &[T], target: Option<Target<'_, T>>) -> Result<Option<T>> {
        let loss = self.streams[0].step(&self.model, &self.w, x, target);
        self.since_update += 1;
        let due = matches!(self.update, Update::Steps(k) if self.since_update >= k);
        self.settle(due)?;
        Ok(loss)
    }

    /// Ends the sequence of stream 0: updates the weights with the gathered gradient and resets the stream, also where streams are continuous.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn end_sequence(&mut self) -> Result<()> {
        self.settle(true)?;
        self.streams[0].reset();
        Ok(())
    }

    /// Checks for numbers that are not finite after a step of stream 0, and updates the weights if an update is `due`.
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

    /// Learns from a batch: one sequence per stream, in parallel over the threads of the current rayon pool.
    /// Gradients are added in the order of streams, so the result does not depend on the number of threads.
    ///
    /// Every stream is reset before its sequence, unless streams are continuous.
    ///
    /// Gradient that [`step`](Self::step) has gathered and not used is dropped. Without any target nothing is learned,
    /// and the mean loss is NaN.
    ///
    /// # Errors
    /// As [`step`](Self::step). The rest of the batch is dropped.
    ///
    /// # Panics
    /// If there is not one sequence per stream, its width is not m, or a class does not fit the loss.
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
            let (model, w) = (&self.model, &self.w);
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

    /// Accuracy over the judged steps; NaN if there are none. Nothing is learned. State is reset before every sequence; where streams
    /// are continuous, before every 64th.
    ///
    /// # Panics
    /// If an input does not have m entries.
    pub fn test(&self, sequences: &[Sequence<T>]) -> f64 {
        self.test_with(&self.w, sequences)
    }

    /// [`test`](Self::test) with other parameters `w` in place of the learner's: the network's p, then the readout's.
    ///
    /// # Panics
    /// If `w` does not have the length of [`parameters`](Self::parameters), or an input does not have m entries.
    pub fn test_with(&self, w: &[T], sequences: &[Sequence<T>]) -> f64 {
        assert_eq!(w.len(), self.w.len(), "w must have p entries for the network and those of the readout");
        let (model, continuous) = (&self.model, self.continuous);
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

    /// Returns an error if a stream has had a number that is not finite.
    fn check_streams(&mut self) -> Result<()> {
        match self.streams.iter().find_map(Stream::trouble) {
            Some(NonFinite { what, step, value }) => Err(self.give_up(what, step, value)),
            None => Ok(()),
        }
    }

    /// Drops the gathered gradients and resets all streams. Returns the error.
    fn give_up(&mut self, what: &'static str, step: usize, value: f64) -> Error {
        self.streams.iter_mut().for_each(Stream::discard);
        self.since_update = 0;
        Error::NotFinite { what, update: self.updates + 1, step, value }
    }

    /// Updates the weights with the mean of the drained gradients over all losses since the last update; without losses there is no update.
    /// `step` is the step that precedes it.
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
        let norm = optim::clip(&mut self.gradient, self.clip);
        if !norm.is_finite() {
            return Err(self.give_up("gradient norm", step, norm));
        }
        self.before.copy_from_slice(&self.w);
        self.optimiser.update(&mut self.w, &self.gradient);
        if let Some(bad) = optim::not_finite(&self.w) {
            self.w.copy_from_slice(&self.before);
            return Err(self.give_up("weight", step, bad));
        }
        let p = self.model.network.wiring().parameters();
        self.model.network.constrain(&mut self.w[..p]);
        self.updates += 1;
        Ok(())
    }
}

/// Runs the steps `range` of a sequence through its stream, and drains the gradient.
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
