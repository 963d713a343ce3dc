//! Running standardisation: `z = (x − μ) / σ`, with the mean and deviation of what has come so far,
//!
//! `μ_t = μ_{t−1} + (x_t − μ_{t−1}) / t`,  `M_t = M_{t−1} + (x_t − μ_{t−1}) (x_t − μ_t)`,  `σ² = M_t / t`
//!
//! (B. P. Welford, *Note on a method for calculating corrected sums of squares and products*, Technometrics 4(3), 1962). Nothing of the
//! future is looked at.

use crate::archive::Archive;
use crate::error::Result;
use crate::stats::Moments;

/// One [`Moments`] a quantity, for those that are to be standardised; the others pass as they are.
#[derive(Clone, Debug)]
pub struct Scaler {
    moments: Vec<Moments>,
    active: Vec<bool>,
}

impl Scaler {
    /// For quantities of which those marked are standardised.
    pub fn new(active: Vec<bool>) -> Self {
        Self { moments: vec![Moments::default(); active.len()], active }
    }

    /// Takes in a value of every quantity.
    pub fn observe(&mut self, x: &[f64]) {
        for ((moments, &x), _) in
            self.moments.iter_mut().zip(x).zip(&self.active).filter(|(_, active)| **active)
        {
            moments.observe(x);
        }
    }

    /// The k-th quantity, standardised if it is to be.
    pub fn standardise(&self, k: usize, x: f64) -> f64 {
        if self.active[k] { self.moments[k].standardise(x) } else { x }
    }

    /// The way back.
    pub fn restore(&self, k: usize, z: f64) -> f64 {
        if self.active[k] { self.moments[k].restore(z) } else { z }
    }

    /// What is known of each quantity.
    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// # Errors
    /// If what is read is of other quantities.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("moments", &mut self.moments)
    }
}
