//! Tasks: sequences of inputs and what should have been said of them.
//!
//! To add a task, write its file and add it to [`registry`].

mod spiral;

use crate::error::{Error, Result};
use crate::scalar::Real;

/// One sequence: an input at every step, a class at some.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence<T> {
    /// Steps × width, row by row.
    pub inputs: Vec<T>,
    /// Inputs a step.
    pub width: usize,
    /// The right class at each step, where there is one.
    pub classes: Vec<Option<usize>>,
}

impl<T> Sequence<T> {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.classes.len()
    }

    /// The input at step `t`.
    ///
    /// # Panics
    /// If `t` is not below the number of steps.
    pub fn input(&self, t: usize) -> &[T] {
        &self.inputs[t * self.width..(t + 1) * self.width]
    }
}

/// Sequences to learn from, and others to be tested on.
#[derive(Clone, Debug)]
pub struct Dataset<T> {
    /// Inputs a step.
    pub inputs: usize,
    /// Number of classes.
    pub classes: usize,
    /// To learn from.
    pub train: Vec<Sequence<T>>,
    /// To be tested on; none of them is in `train`.
    pub test: Vec<Sequence<T>>,
}

/// A task that can be chosen by name.
pub struct TaskEntry<T> {
    /// The name on the command line and in configurations.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Draws the data that belong to a seed.
    pub draw: fn(u64) -> Dataset<T>,
}

/// All tasks.
pub fn registry<T: Real>() -> Vec<TaskEntry<T>> {
    vec![TaskEntry {
        name: "spiral",
        about: "tell clockwise from anti-clockwise spirals (RTRL paper, section 6)",
        draw: spiral::draw,
    }]
}

/// The task of that name.
///
/// # Errors
/// If there is none.
pub fn find<T: Real>(name: &str) -> Result<TaskEntry<T>> {
    let known = registry::<T>();
    let names: Vec<_> = known.iter().map(|t| t.name).collect();
    known.into_iter().find(|t| t.name == name).ok_or_else(|| Error::unknown("task", name, names.into_iter()))
}
