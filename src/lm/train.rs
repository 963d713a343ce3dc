//! Training of a language model: windows of a batch, one AdamW update per window.
//!
//! `g` is the gradient of the mean loss of a window; it is clipped to a norm, and
//! `w ← w − η λ w`, then one step of [`Adam`] with the learning rate
//! `η · schedule(epoch) · length / T`.

use super::dropout::DropoutMasks;
use super::init;
use super::model::{LanguageModel, LmState, Window, WindowReport};
use super::products::Mode;
use super::text::Samples;
use super::train_spec::LmTraining;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::optim::{self, Adam, Optimiser};
use crate::params::{Generator, Purpose, generator};
use crate::scalar::Real;
use rand::RngExt;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

/// Position and sums of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingProgress {
    /// Epochs completed.
    pub epoch: usize,
    /// Next step of the training samples in this epoch.
    pub step: usize,
    /// Weight updates.
    pub updates: u64,
    /// Tokens learned from, over all epochs.
    pub tokens: u64,
    /// Sum of losses in this epoch, and its tokens.
    pub epoch_loss: (f64, u64),
    /// MACs over nonzero entries, over all epochs.
    pub macs: u64,
}

/// The result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LmEvaluation {
    /// Mean of −log p(next token).
    pub loss: f64,
    /// Number of predicted tokens.
    pub tokens: u64,
    /// Activity sparsity of each layer: share of zero emissions.
    pub activity_sparsity: Vec<f64>,
    /// Backward sparsity of each layer: share of units with e = 0 and Ē = 0.
    pub backward_sparsity: Vec<f64>,
    /// MACs per token over nonzero entries, and without skipping.
    pub macs: (f64, f64),
}

impl LmEvaluation {
    /// Returns exp(loss).
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }
}

/// A language model in training.
pub struct LmTrainer<T> {
    training: LmTraining,
    model: LanguageModel<T>,
    /// All parameters, in the order of the layout.
    w: Vec<T>,
    /// 1 for parameters that are trained, 0 for pruned ones and fixed thresholds. Empty: all are
    /// trained.
    trained: Vec<T>,
    optimiser: Adam<T>,
    state: LmState<T>,
    rng: Generator,
    progress: TrainingProgress,
    /// Scratch.
    gradient: Vec<T>,
    masks: DropoutMasks<T>,
    tokens: Vec<u32>,
}

impl<T: Real> LmTrainer<T> {
    /// Draws a model for `vocabulary` tokens.
    ///
    /// # Errors
    /// If the setting is out of range.
    pub fn new(training: &LmTraining, vocabulary: usize, seed: u64, mode: Mode) -> Result<Self> {
        training.check()?;
        let spec = training.model(vocabulary);
        let mut model = LanguageModel::new(&spec, mode)?;
        model.set_threshold_gradients(training.train_thresholds);
        let trained = init::trained(training, model.layout(), seed);
        let mut w = init::draw(training, model.layout(), seed);
        init::prune(&mut w, model.layout(), &trained);
        Ok(Self {
            optimiser: Adam::with_beta_1(w.len(), training.learning_rate, training.beta1),
            state: LmState::new(&spec, training.batch),
            rng: generator(seed, Purpose::Noise),
            progress: TrainingProgress::default(),
            gradient: vec![T::zero(); w.len()],
            masks: DropoutMasks::default(),
            tokens: Vec::new(),
            training: training.clone(),
            model,
            w,
            trained,
        })
    }

    /// Returns the setting.
    pub fn training(&self) -> &LmTraining {
        &self.training
    }

    /// Changes the number of epochs.
    pub(super) fn set_epochs(&mut self, epochs: usize) {
        self.training.epochs = epochs;
    }

    /// Returns the model.
    pub fn model(&self) -> &LanguageModel<T> {
        &self.model
    }

    /// Returns all parameters.
    pub fn weights(&self) -> &[T] {
        &self.w
    }

    /// Returns the position and sums of the run.
    pub fn progress(&self) -> TrainingProgress {
        self.progress
    }

    /// Returns whether all epochs are done.
    pub fn is_done(&self) -> bool {
        self.progress.epoch >= self.training.epochs
    }

    /// Learns from the next window of the training samples. At the end of an epoch the state is reset.
    ///
    /// # Errors
    /// If the loss or the gradient is not finite; the weights are then unchanged. If a new weight is not finite; the run
    /// can then only continue from a checkpoint.
    pub fn step(&mut self, samples: &Samples<'_>) -> Result<WindowReport> {
        let left = samples.steps() - self.progress.step;
        let steps = self.window_length().min(left);
        samples.window(self.progress.step, steps, &mut self.tokens);
        let (spec, layout) = (self.model.spec().clone(), self.model.layout().clone());
        let size = (steps, self.training.batch);
        self.masks.draw(&self.training.dropout, &spec, &layout, size, &mut self.rng);
        self.gradient.fill(T::zero());
        let window = Window { tokens: &self.tokens, dropout: Some(&self.masks) };
        let report = self.model.window(&self.w, &mut self.state, window, Some(&mut self.gradient));
        self.update(&report, steps)?;
        self.progress.step += steps;
        self.progress.tokens += report.tokens;
        self.progress.macs += report.macs.0;
        self.progress.epoch_loss.0 += report.loss;
        self.progress.epoch_loss.1 += report.tokens;
        Ok(report)
    }

    /// Returns whether the current epoch has no more windows.
    pub fn epoch_is_done(&self, samples: &Samples<'_>) -> bool {
        self.progress.step >= samples.steps()
    }

    /// Ends an epoch: resets the state and the sums of the epoch. Returns the mean training loss.
    pub fn end_epoch(&mut self) -> f64 {
        let (loss, tokens) = std::mem::take(&mut self.progress.epoch_loss);
        self.progress.epoch += 1;
        self.progress.step = 0;
        self.state = LmState::new(self.model.spec(), self.training.batch);
        loss / tokens as f64
    }

    fn window_length(&mut self) -> usize {
        let base = self.training.window as f64;
        if !self.training.random_windows {
            return self.training.window;
        }
        let base = if self.rng.random::<f64>() < 0.95 { base } else { base / 2.0 };
        let drawn = Normal::new(base, 5.0).expect("a finite deviation").sample(&mut self.rng);
        (drawn as usize).max(5)
    }

    /// The learning rate of a window of `steps` steps.
    fn rate(&self, steps: usize) -> f64 {
        let LmTraining { epochs, schedule_start, schedule, window, learning_rate, .. } = &self.training;
        let share = optim::find_schedule(schedule).map_or(1.0, |schedule| {
            let over = self.progress.epoch.saturating_sub(*schedule_start) as f64;
            (schedule.share)(over / epochs.saturating_sub(*schedule_start).max(1) as f64)
        });
        let scale = if self.training.random_windows { steps as f64 / *window as f64 } else { 1.0 };
        learning_rate * share * scale
    }

    fn update(&mut self, report: &WindowReport, steps: usize) -> Result<()> {
        let step = self.progress.step;
        let update = self.progress.updates as usize + 1;
        let not_finite = |what, value| Err(Error::NotFinite { what, update, step, value });
        if !report.loss.is_finite() {
            return not_finite("loss", report.loss);
        }
        self.gradient.iter_mut().zip(&self.trained).for_each(|(g, &trained)| *g *= trained);
        let norm = optim::clip(&mut self.gradient, self.training.clip);
        if !norm.is_finite() {
            return not_finite("gradient norm", norm);
        }
        let rate = self.rate(steps);
        let layout = self.model.layout();
        if self.training.weight_decay > 0.0 {
            let keep = T::of(1.0 - rate * self.training.weight_decay);
            let mut start = 0;
            for theta in layout.layers.iter().filter_map(|layer| layer.theta.clone()) {
                self.w[start..theta.start].iter_mut().for_each(|w| *w *= keep);
                start = theta.end;
            }
            self.w[start..].iter_mut().for_each(|w| *w *= keep);
        }
        self.optimiser.set_rate(rate);
        self.optimiser.update(&mut self.w, &self.gradient);
        for theta in layout.layers.iter().filter_map(|layer| layer.theta.clone()) {
            self.w[theta].iter_mut().for_each(|theta| *theta = theta.max(T::zero()).min(T::one()));
        }
        self.progress.updates += 1;
        optim::not_finite(&self.w).map_or(Ok(()), |value| not_finite("weight", value))
    }

    /// Evaluates the model on tokens without dropout, as `batch` samples from the initial state.
    ///
    /// # Errors
    /// If there are too few tokens, or the loss is not finite.
    pub fn evaluate(&mut self, tokens: &[u32], batch: usize) -> Result<LmEvaluation> {
        evaluate(&mut self.model, &self.w, tokens, batch, self.training.window)
    }

    /// Saves or restores the run: weights, optimiser, state, random numbers and position. A restored
    /// run continues bit for bit.
    ///
    /// # Errors
    /// If the archive belongs to another model.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("progress", &mut self.progress)?;
        archive.field("rng", &mut self.rng)?;
        archive.list("weights", &mut self.w)?;
        archive.list("trained", &mut self.trained)?;
        self.optimiser.archive(archive)?;
        for layer in &mut self.state.layers {
            archive.list("state.c", &mut layer.c)?;
            archive.list("state.y", &mut layer.y)?;
        }
        Ok(())
    }
}

/// Evaluates a model on tokens without dropout, as `batch` samples from the initial state.
///
/// # Errors
/// If there are too few tokens, or the loss is not finite.
pub fn evaluate<T: Real>(
    model: &mut LanguageModel<T>,
    w: &[T],
    tokens: &[u32],
    batch: usize,
    window: usize,
) -> Result<LmEvaluation> {
    let samples = Samples::new(tokens, batch)?;
    let mut state = LmState::new(model.spec(), batch);
    let (mut buffer, mut start) = (Vec::new(), 0);
    let sizes = model.spec().sizes.clone();
    let (mut total, mut events, mut live) =
        (WindowReport::default(), vec![0; sizes.len()], vec![0; sizes.len()]);
    while start < samples.steps() {
        let steps = window.min(samples.steps() - start);
        samples.window(start, steps, &mut buffer);
        let report = model.window(w, &mut state, Window { tokens: &buffer, dropout: None }, None);
        total.loss += report.loss;
        total.tokens += report.tokens;
        total.macs = (total.macs.0 + report.macs.0, total.macs.1 + report.macs.1);
        events.iter_mut().zip(&report.events).for_each(|(sum, n)| *sum += n);
        live.iter_mut().zip(&report.live).for_each(|(sum, n)| *sum += n);
        start += steps;
    }
    if !total.loss.is_finite() {
        return Err(Error::NotFinite { what: "loss", update: 0, step: 0, value: total.loss });
    }
    let tokens = total.tokens as f64;
    let zero_share = |counts: &[u64]| -> Vec<f64> {
        counts.iter().zip(&sizes).map(|(&count, &n)| 1.0 - count as f64 / (tokens * n as f64)).collect()
    };
    Ok(LmEvaluation {
        loss: total.loss / tokens,
        tokens: total.tokens,
        activity_sparsity: zero_share(&events),
        backward_sparsity: zero_share(&live),
        macs: (total.macs.0 as f64 / tokens, total.macs.1 as f64 / tokens),
    })
}
