//! Datasets: benchmark tasks with sequences of inputs and targets.
//!
//! To add a dataset, write its file and add it to [`registry`].

mod copy;
mod spiral;

use crate::error::{Error, Result};
use crate::learner::sequence::Sequence;
use crate::range::within;
use crate::scalar::{Real, compiled_once};
use serde::{Deserialize, Serialize};

/// Training, test and held-out sequences.
#[derive(Clone, Debug)]
pub struct Dataset<T> {
    /// Number of inputs per step.
    pub inputs: usize,
    /// Number of classes.
    pub classes: usize,
    /// Training sequences.
    pub train: Vec<Sequence<T>>,
    /// Test sequences.
    pub test: Vec<Sequence<T>>,
    /// Held-out sequences, used to select weights.
    pub held_out: Vec<Sequence<T>>,
}

/// Options of datasets. A dataset ignores options that do not apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetOptions {
    /// Steps of the pattern to copy, at least 1.
    pub length: usize,
    /// Steps between the pattern and its reproduction.
    pub delay: usize,
}

impl Default for DatasetOptions {
    fn default() -> Self {
        Self { length: 3, delay: 5 }
    }
}

impl DatasetOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// If `length` is 0, or `length + delay` exceeds 10,000 steps.
    pub fn check(&self) -> Result<()> {
        within("length", self.length, 1..=usize::MAX)?;
        match self.length.checked_add(self.delay) {
            Some(steps) if steps <= 10_000 => Ok(()),
            _ => Err(Error::setting("delay", "at most 10000 steps with the pattern", self.delay)),
        }
    }
}

/// A dataset in the [`registry`], selected by name.
pub struct DatasetEntry<T> {
    /// Name on the command line and in configurations.
    pub name: &'static str,
    /// Description for `--help`, one line.
    pub about: &'static str,
    /// Draws the dataset of a seed.
    pub draw: fn(u64, &DatasetOptions) -> Dataset<T>,
}

/// Returns all datasets.
pub fn registry<T: Real>() -> Vec<DatasetEntry<T>> {
    compiled_once(in_single, in_double)
}

#[inline(never)]
fn in_single() -> Vec<DatasetEntry<f32>> {
    all()
}

#[inline(never)]
fn in_double() -> Vec<DatasetEntry<f64>> {
    all()
}

fn all<T: Real>() -> Vec<DatasetEntry<T>> {
    vec![
        DatasetEntry {
            name: "spiral",
            about: "classify clockwise and anticlockwise spirals (RTRL paper, section 6)",
            draw: spiral::draw,
        },
        DatasetEntry {
            name: "copy",
            about: "reproduce a pattern after a delay (Hochreiter & Schmidhuber 1997)",
            draw: copy::draw,
        },
    ]
}

/// Returns the dataset called `name`.
///
/// # Errors
/// If no dataset has that name.
pub fn find<T: Real>(name: &str) -> Result<DatasetEntry<T>> {
    let known = registry::<T>();
    let names: Vec<_> = known.iter().map(|t| t.name).collect();
    known
        .into_iter()
        .find(|t| t.name == name)
        .ok_or_else(|| Error::unknown("dataset", name, names.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_judged_returns_classes_from_its_first_judged_step() {
        let sequence = Sequence {
            inputs: (0..12).collect(),
            width: 3,
            classes: vec![Some(1), None, Some(0), Some(2)],
            judged_from: 1,
        };
        assert_eq!(
            (sequence.steps(), sequence.input(0), sequence.input(3)),
            (4, &[0, 1, 2][..], &[9, 10, 11][..])
        );
        assert_eq!([0, 1, 2, 3].map(|t| sequence.judged(t)), [None, None, Some(0), Some(2)]);
    }

    #[test]
    fn dataset_options_of_at_most_10000_steps_are_valid() {
        assert_eq!(DatasetOptions::default(), DatasetOptions { length: 3, delay: 5 });
        let valid = |length, delay| DatasetOptions { length, delay }.check().is_ok();
        assert!(valid(1, 0) && valid(1, 9_999) && valid(10_000, 0));
        assert!(!valid(0, 5) && !valid(2, 9_999) && !valid(1, usize::MAX) && !valid(10_001, 0));
    }

    #[test]
    fn find_by_name_returns_the_dataset() {
        let names: Vec<_> = registry::<f32>().iter().map(|task| task.name).collect();
        assert_eq!(names, ["spiral", "copy"]);
        for name in names {
            let task = find::<f64>(name).unwrap();
            assert_eq!(task.name, name);
            let data = (task.draw)(1, &DatasetOptions { length: 2, delay: 1 });
            assert_eq!((data.inputs, data.train[0].steps()), if name == "copy" { (3, 5) } else { (2, 17) });
            assert_eq!((data.classes, data.train[0].width), (2, data.inputs));
        }
        assert!(find::<f32>("x").is_err());
    }
}
