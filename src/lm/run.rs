//! A training run that can be saved and continued: trainer, vocabulary, best weights, learning curve.

use super::model::LanguageModel;
use super::products::Mode;
use super::text::{TokenKind, Vocabulary};
use super::train::{LmEvaluation, LmTrainer, evaluate};
use super::train_spec::LmTraining;
use crate::archive::Archive;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// One epoch of a learning curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Epochs completed.
    pub epoch: usize,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Tokens learned from so far.
    pub tokens: u64,
    /// MACs over nonzero entries so far.
    pub macs: u64,
    /// Mean training loss of the epoch, with dropout.
    pub train_loss: f64,
    /// Mean validation loss.
    pub valid_loss: f64,
    /// exp(validation loss).
    pub valid_perplexity: f64,
    /// Share of zero emissions on the validation text, over all layers.
    pub activity_sparsity: f64,
    /// Share of units with e = 0 and Ē = 0 on the validation text, over all layers.
    pub backward_sparsity: f64,
}

/// A run of single precision.
pub struct LmRun {
    trainer: LmTrainer<f32>,
    vocabulary: Vocabulary,
    seed: u64,
    /// The epoch with the lowest validation loss, that loss, and the weights after it.
    best: Option<(usize, f64, Vec<f32>)>,
    curve: Vec<EpochRow>,
    /// Seconds of training before this process.
    seconds: f64,
}

impl LmRun {
    /// Begins a run.
    ///
    /// # Errors
    /// If the setting is out of range.
    pub fn begin(training: &LmTraining, vocabulary: Vocabulary, seed: u64) -> Result<Self> {
        let trainer = LmTrainer::new(training, vocabulary.len(), seed, Mode::Auto)?;
        Ok(Self { trainer, vocabulary, seed, best: None, curve: Vec::new(), seconds: 0.0 })
    }

    /// Returns the trainer.
    pub fn trainer(&mut self) -> &mut LmTrainer<f32> {
        &mut self.trainer
    }

    /// Returns the setting.
    pub fn training(&self) -> &LmTraining {
        self.trainer.training()
    }

    /// Returns the vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the learning curve so far.
    pub fn curve(&self) -> &[EpochRow] {
        &self.curve
    }

    /// Returns the epoch with the lowest validation loss, and that loss.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.best.as_ref().map(|(epoch, loss, _)| (*epoch, *loss))
    }

    /// Returns the weights with the lowest validation loss; the current ones before the first
    /// validation.
    pub fn weights(&self) -> &[f32] {
        self.best.as_ref().map_or(self.trainer.weights(), |(_, _, w)| w)
    }

    /// Returns the seconds of training before this process.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Adds seconds of training.
    pub fn add_seconds(&mut self, seconds: f64) {
        self.seconds += seconds;
    }

    /// Changes the number of epochs, for a run that is to go on longer.
    ///
    /// # Errors
    /// If it is zero.
    pub fn set_epochs(&mut self, epochs: usize) -> Result<()> {
        let mut training = self.training().clone();
        training.epochs = epochs;
        training.check()?;
        self.trainer.set_epochs(epochs);
        Ok(())
    }

    /// Ends an epoch: validates, keeps the weights if they are the best so far, and adds a row to
    /// the curve.
    ///
    /// # Errors
    /// If the validation fails.
    pub fn end_epoch(&mut self, valid: &[u32], batch: usize) -> Result<&EpochRow> {
        let train_loss = self.trainer.end_epoch();
        let evaluation = self.trainer.evaluate(valid, batch)?;
        let progress = self.trainer.progress();
        if self.best.as_ref().is_none_or(|(_, loss, _)| evaluation.loss < *loss) {
            self.best = Some((progress.epoch, evaluation.loss, self.trainer.weights().to_vec()));
        }
        let sizes = &self.training().sizes;
        let mean = |shares: &[f64]| {
            let total: f64 = shares.iter().zip(sizes).map(|(share, &n)| share * n as f64).sum();
            total / sizes.iter().sum::<usize>() as f64
        };
        self.curve.push(EpochRow {
            epoch: progress.epoch,
            seconds: self.seconds,
            tokens: progress.tokens,
            macs: progress.macs,
            train_loss,
            valid_loss: evaluation.loss,
            valid_perplexity: evaluation.perplexity(),
            activity_sparsity: mean(&evaluation.activity_sparsity),
            backward_sparsity: mean(&evaluation.backward_sparsity),
        });
        Ok(self.curve.last().expect("a row was added"))
    }

    /// Evaluates the best weights on a text, as `batch` samples.
    ///
    /// # Errors
    /// If the text is too short, or the loss is not finite.
    pub fn evaluate(&self, tokens: &[u32], batch: usize) -> Result<LmEvaluation> {
        let mut model = LanguageModel::new(self.trainer.model().spec(), Mode::Auto)?;
        evaluate(&mut model, self.weights(), tokens, batch, self.training().window)
    }

    /// Saves the run.
    ///
    /// # Errors
    /// If the archive cannot be written.
    pub fn save(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("language-model", &mut 1u32)?;
        archive.field("training", &mut self.training().clone())?;
        archive.field("token-kind", &mut self.vocabulary.kind())?;
        archive.field("vocabulary", &mut self.vocabulary.tokens().to_vec())?;
        archive.field("seed", &mut self.seed)?;
        self.state(archive)
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("best", &mut self.best)?;
        archive.field("curve", &mut self.curve)?;
        archive.field("seconds", &mut self.seconds)?;
        self.trainer.archive(archive)
    }

    /// Restores a saved run, which continues bit for bit.
    ///
    /// # Errors
    /// If the archive holds something else.
    pub fn restore(archive: &mut Archive) -> Result<Self> {
        let mut version = 0u32;
        archive.field("language-model", &mut version)?;
        if version != 1 {
            return Err(Error::State { field: "language-model", found: format!("version {version}") });
        }
        let mut training = LmTraining::preset(super::LmPreset::Tiny);
        archive.field("training", &mut training)?;
        let (mut kind, mut tokens, mut seed) = (TokenKind::default(), Vec::new(), 0);
        archive.field("token-kind", &mut kind)?;
        archive.field("vocabulary", &mut tokens)?;
        archive.field("seed", &mut seed)?;
        let mut run = Self::begin(&training, Vocabulary::from_tokens(kind, tokens), seed)?;
        run.state(archive)?;
        let expected = run.trainer.weights().len();
        if run.best.as_ref().is_some_and(|(_, _, w)| w.len() != expected) {
            return Err(Error::State { field: "best", found: "weights of another model".into() });
        }
        Ok(run)
    }
}
