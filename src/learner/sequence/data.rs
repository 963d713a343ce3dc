//! Labelled sequences.

/// One sequence: an input at every step, a class at some.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence<T> {
    /// Steps × width, row by row.
    pub inputs: Vec<T>,
    /// Inputs a step.
    pub width: usize,
    /// The right class at each step, where there is one.
    pub classes: Vec<Option<usize>>,
    /// From this step on, the class an output stands for is held against the right one.
    pub judged_from: usize,
}

impl<T> Sequence<T> {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.classes.len()
    }

    /// The class that the output at step `t` is judged by, if it is judged.
    pub fn judged(&self, t: usize) -> Option<usize> {
        self.classes[t].filter(|_| t >= self.judged_from)
    }

    /// The input at step `t`.
    ///
    /// # Panics
    /// If `t` is not below the number of steps.
    pub fn input(&self, t: usize) -> &[T] {
        &self.inputs[t * self.width..(t + 1) * self.width]
    }
}
