//! Labelled sequences.

/// A sequence with an input at every step and a target class at some steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence<T> {
    /// Inputs, row-major. [steps × width]
    pub inputs: Vec<T>,
    /// Number of inputs per step.
    pub width: usize,
    /// Target class of each step, or `None`.
    pub classes: Vec<Option<usize>>,
    /// First step that counts for accuracy.
    pub judged_from: usize,
}

impl<T> Sequence<T> {
    /// Returns the number of steps.
    pub fn steps(&self) -> usize {
        self.classes.len()
    }

    /// Returns the target class of step `t` if the step counts for accuracy.
    ///
    /// # Panics
    /// If `t` is not below the number of steps.
    pub fn judged(&self, t: usize) -> Option<usize> {
        self.classes[t].filter(|_| t >= self.judged_from)
    }

    /// Returns the inputs of step `t`.
    ///
    /// # Panics
    /// If `t` is not below the number of steps.
    pub fn input(&self, t: usize) -> &[T] {
        &self.inputs[t * self.width..(t + 1) * self.width]
    }
}
