//! A streaming learner as bytes, whole: what it is made of, its masks, and everything it has become.

use super::{Grouping, StreamLearner, StreamLearnerSpec, Trainer};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::learner::sequence::{SequenceLearnerSpec, check_memory};
use crate::params::ParamBlockSpec;
use crate::scalar::{Real, flush};
use crate::sparse::Pattern;

/// The kept entries of each block, by row and column.
type Masks = Vec<Vec<(u32, u32)>>;

impl<T: Real> StreamLearner<T> {
    /// Writes everything that it has become, or takes it back; what it is made of must be the same.
    ///
    /// # Errors
    /// If what is read is of another learner.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        // A step that waits for credit is not archived.
        self.credit_pending &= !archive.reads();
        archive.list("weights", &mut self.w)?;
        self.train.archive(archive)?;
        self.inputs.archive(archive)?;
        self.targets.archive(archive)?;
        let (inputs, outputs, horizon) = (self.spec.width(), self.spec.outputs, self.spec.horizon);
        self.stream_states
            .iter_mut()
            .try_for_each(|stream_state| stream_state.archive(archive, inputs, outputs, horizon))
    }

    /// Writes it, so that [`restore`](Self::restore) gives back one that goes on as this one does, bit for bit.
    ///
    /// # Errors
    /// None that is known.
    pub fn save(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("precision", &mut precision::<T>())?;
        archive.field("learner", &mut self.spec.clone())?;
        let of = |pattern: &Pattern| pattern.entries().map(|(i, j)| (i as u32, j as u32)).collect();
        let mut masks: Masks = self.network.wiring().layout().blocks().iter().map(|b| of(&b.kept)).collect();
        archive.field("masks", &mut masks)?;
        self.archive(archive)
    }

    /// The learner that was saved.
    ///
    /// # Errors
    /// If the archive holds something else, in another precision, or larger than memory.
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
        let mut learner = Self::build(&spec, 0, |blocks| kept(blocks, &masks))?;
        learner.archive(archive)?;
        Ok(learner)
    }
}

impl<T: Real> StreamLearner<T> {
    /// A learner with weights from elsewhere: `masks` gives the kept entries of each block, and `weights` all values once the layout is
    /// known ([`weights`](StreamLearner::weights)). Everything else is in its initial state.
    ///
    /// # Errors
    /// Of either, if a setting is out of range, or if a weight is not finite.
    ///
    /// # Panics
    /// If there are not as many weights as there should be.
    pub fn with_weights(
        spec: &StreamLearnerSpec,
        seed: u64,
        masks: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
        weights: impl FnOnce(&Self) -> Result<Vec<T>>,
    ) -> Result<Self> {
        spec.check()?;
        spec.check_size::<T>()?;
        let mut learner = Self::build(spec, seed, masks)?;
        let w = weights(&learner)?;
        assert_eq!(w.len(), learner.w.len(), "there must be a value for each weight");
        if let Some(bad) = w.iter().find(|w| !w.is_finite()) {
            return Err(Error::setting("weights", "finite numbers", bad));
        }
        learner.w = w;
        flush(&mut learner.w);
        let p = learner.network.wiring().parameters();
        learner.network.constrain(&mut learner.w[..p]);
        Ok(learner)
    }
}

/// The bits of a number.
fn precision<T>() -> u32 {
    8 * size_of::<T>() as u32
}

/// Masks that were read, held against the blocks they are of.
fn kept(blocks: &[ParamBlockSpec], masks: &Masks) -> Result<Vec<Pattern>> {
    let wrong = |found: String| Error::State { field: "masks", found };
    if blocks.len() != masks.len() {
        return Err(wrong(format!("{} of them for {} blocks", masks.len(), blocks.len())));
    }
    let of = |(block, mask): (&ParamBlockSpec, &Vec<(u32, u32)>)| {
        let (rows, cols) = block.shape();
        let inside = mask.iter().all(|&(i, j)| (i as usize) < rows && (j as usize) < cols);
        let ascending = mask.windows(2).all(|pair| pair[0] < pair[1]);
        match inside && ascending {
            true => {
                Ok(Pattern::new(rows, cols, mask.iter().map(|&(i, j)| (i as usize, j as usize)).collect()))
            }
            false => Err(wrong(format!("one that does not fit {}", block.name))),
        }
    };
    blocks.iter().zip(masks).map(of).collect()
}

impl StreamLearnerSpec {
    /// # Errors
    /// If the whole would be larger than memory, once [`check`](Self::check) is passed.
    pub fn check_size<T: Real>(&self) -> Result<()> {
        let mut alike = SequenceLearnerSpec::new(self.network.inputs, 1, self.outputs);
        alike.network.clone_from(&self.network);
        alike.mask = self.mask;
        alike.streams = self.streams;
        // A network that is not trained has no influence.
        alike.rule = if self.trainer == Trainer::Untrained { "rflo".into() } else { self.rule.clone() };
        alike.check_size::<T>()?;
        check_memory("covariances of the weights", 8.0 * self.covariances::<T>()?)
    }

    /// Numbers in the covariances of network and readout, and in the rows of a filter.
    fn covariances<T: Real>(&self) -> Result<f64> {
        let (plan, _) = self.network.plan::<T>()?;
        let size = |block: &ParamBlockSpec| {
            let mask = self.network.layers[block.layer].mask.unwrap_or(self.mask);
            let share = if mask.on.kinds().contains(&block.kind) { 1.0 - mask.sparsity } else { 1.0 };
            (block.dense_len() as f64 * share, block.rows.len() as f64)
        };
        let sizes: Vec<_> = plan.blocks().iter().map(size).collect();
        let units = sizes.iter().map(|size| size.1).fold(1.0, f64::max);
        let p: f64 = sizes.iter().map(|size| size.0).sum();
        let read = (self.width() + self.network.layers.last().map_or(0, |layer| layer.units) + 1) as f64;
        let k = self.outputs as f64;
        let rows = k * (p + k * read) + k * k;
        let of_readout = if self.least.is_some() { read * read } else { 0.0 };
        Ok(match (&self.trainer, self.least.is_some()) {
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
