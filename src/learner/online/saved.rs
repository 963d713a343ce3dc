//! Saving and restoring a streaming learner: specification, masks, weights and state.

use super::{Grouping, StreamLearner, StreamLearnerSpec, Trainer};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::model::check_memory;
use crate::params::{ParamBlockSpec, Pattern};
use crate::scalar::{Real, flush};

/// The kept entries of each block, by row and column.
type Masks = Vec<Vec<(u32, u32)>>;

impl<T: Real> StreamLearner<T> {
    /// Saves or restores weights, trainer, statistics and the state of all streams.
    ///
    /// Specification and masks are not part of the archive and must be equal.
    ///
    /// # Errors
    /// If the archive contains another learner.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        // An observed step without credit is not archived.
        self.credit_pending &= !archive.reads();
        archive.list("weights", &mut self.core.w)?;
        archive.field("updates", &mut self.core.updates)?;
        self.train.archive(archive)?;
        self.inputs.archive(archive)?;
        self.targets.archive(archive)?;
        let (inputs, outputs, horizon) = (self.spec.width(), self.spec.model.outputs, self.spec.horizon);
        self.stream_states
            .iter_mut()
            .try_for_each(|stream_state| stream_state.archive(archive, inputs, outputs, horizon))
    }

    /// Saves the learner. A [restored](Self::restore) learner continues with identical results.
    ///
    /// # Errors
    /// If a field cannot be serialised.
    pub fn save(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("precision", &mut precision::<T>())?;
        archive.field("learner", &mut self.spec.clone())?;
        let of = |pattern: &Pattern| pattern.entries().map(|(i, j)| (i as u32, j as u32)).collect();
        let mut masks: Masks =
            self.network().wiring().layout().blocks().iter().map(|b| of(&b.kept)).collect();
        archive.field("masks", &mut masks)?;
        self.archive(archive)
    }

    /// Restores a saved learner.
    ///
    /// # Errors
    /// If the archive contains no learner or one of another precision, or the learner does not fit
    /// into memory.
    pub fn restore(archive: &mut Archive) -> Result<Self> {
        let mut found = 0u32;
        archive.field("precision", &mut found)?;
        if found != precision::<T>() {
            return Err(Error::State {
                field: "precision",
                found: format!("{found} bits, not {}", precision::<T>()),
            });
        }
        let mut spec = StreamLearnerSpec::new(1, 1, 1);
        archive.field("learner", &mut spec)?;
        spec.check()?;
        spec.check_size::<T>()?;
        let mut masks = Masks::new();
        archive.field("masks", &mut masks)?;
        let mut learner = Self::zero(&spec, 0, |blocks| kept(blocks, &masks))?;
        learner.archive(archive)?;
        Ok(learner)
    }
}

impl<T: Real> StreamLearner<T> {
    /// Creates a learner with given masks and weights. All other state is initial.
    ///
    /// `masks` returns the kept entries of each block. `weights` receives a learner with these
    /// masks and zero weights. It returns all weights in the order of
    /// [`weights`](StreamLearner::weights).
    ///
    /// # Errors
    /// If a setting is out of range, a weight is not finite, or `masks` or `weights` fails.
    ///
    /// # Panics
    /// If `weights` does not return one value per weight.
    pub fn with_weights(
        spec: &StreamLearnerSpec,
        seed: u64,
        masks: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
        weights: impl FnOnce(&Self) -> Result<Vec<T>>,
    ) -> Result<Self> {
        spec.check()?;
        spec.check_size::<T>()?;
        let mut learner = Self::zero(spec, seed, masks)?;
        let w = weights(&learner)?;
        assert_eq!(w.len(), learner.core.w.len(), "there must be one value per weight");
        if let Some(bad) = w.iter().find(|w| !w.is_finite()) {
            return Err(Error::setting("weights", "finite numbers", bad));
        }
        learner.core.w = w;
        flush(&mut learner.core.w);
        learner.core.constrain();
        Ok(learner)
    }
}

/// Returns the number of bits of `T`.
fn precision<T>() -> u32 {
    8 * size_of::<T>() as u32
}

/// Converts restored masks to patterns.
///
/// # Errors
/// If the masks do not fit the blocks.
fn kept(blocks: &[ParamBlockSpec], masks: &Masks) -> Result<Vec<Pattern>> {
    let wrong = |found: String| Error::State { field: "masks", found };
    if blocks.len() != masks.len() {
        return Err(wrong(format!("{} of them for {} blocks", masks.len(), blocks.len())));
    }
    let of = |(block, mask): (&ParamBlockSpec, &Vec<(u32, u32)>)| {
        let (rows, cols) = block.shape();
        let inside = mask.iter().all(|&(i, j)| (i as usize) < rows && (j as usize) < cols);
        let ascending = mask.windows(2).all(|pair| pair[0] < pair[1]);
        if !(inside && ascending) {
            return Err(wrong(format!("one that does not fit {}", block.name)));
        }
        Ok(Pattern::new(rows, cols, mask.iter().map(|&(i, j)| (i as usize, j as usize)).collect()))
    };
    blocks.iter().zip(masks).map(of).collect()
}

impl StreamLearnerSpec {
    /// Checks that the learner fits into the free memory. [`check`](Self::check) must have passed.
    ///
    /// # Errors
    /// If the learner needs more than the free memory.
    pub fn check_size<T: Real>(&self) -> Result<()> {
        // The rule of a network that is not trained observes no step and stores no influence.
        let rule = [self.model.rule.as_str()];
        let rules: &[&str] = if self.trainer == Trainer::Untrained { &[] } else { &rule };
        self.model.check_memory::<T>(rules, self.streams)?;
        check_memory("covariances of the weights", 8.0 * self.covariances::<T>()?)
    }

    /// Returns the number of entries of all covariances, and of the rows of a Kalman filter.
    fn covariances<T: Real>(&self) -> Result<f64> {
        let sizes = self.model.block_sizes::<T>()?;
        let units = sizes.iter().map(|size| size.1).fold(1.0, f64::max);
        let p: f64 = sizes.iter().map(|size| size.0).sum();
        let units_read = self.model.network.layers.last().map_or(0, |layer| layer.units);
        let read = (self.width() + units_read + 1) as f64;
        let k = self.model.outputs as f64;
        let rows = k * (p + k * read) + k * k;
        let of_readout = if self.least_squares.is_some() { read * read } else { 0.0 };
        Ok(match (&self.trainer, self.least_squares.is_some()) {
            (Trainer::Kalman { grouping: Grouping::Full, .. }, true) => p * p + of_readout + rows,
            (Trainer::Kalman { grouping: Grouping::Full, .. }, false) => (p + k * read).powi(2) + rows,
            (Trainer::Kalman { grouping: Grouping::Node, .. }, true) => p * p / units + of_readout + rows,
            (Trainer::Kalman { grouping: Grouping::Node, .. }, false) => {
                p * p / units + k * read * read + rows
            }
            _ => of_readout,
        })
    }
}
