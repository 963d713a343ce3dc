//! Running standardisation `z = (x − μ) / σ`. The moments are those of all values so far:
//!
//! `μ_t = μ_{t−1} + (x_t − μ_{t−1}) / t`,  `M_t = M_{t−1} + (x_t − μ_{t−1}) (x_t − μ_t)`,
//! `σ² = M_t / t`
//!
//! (B. P. Welford, *Note on a method for calculating corrected sums of squares and products*,
//! Technometrics 4(3), 1962). Later values are not used.

use crate::archive::Archive;
use crate::error::Result;
use crate::stats::Moments;

/// Running standardisation of several quantities. Inactive quantities are not changed.
#[derive(Clone, Debug)]
pub struct Scaler {
    moments: Vec<Moments>,
    active: Vec<bool>,
}

impl Scaler {
    /// Creates a scaler of one quantity per entry of `active`. Quantities with `true` are
    /// standardised.
    pub fn new(active: Vec<bool>) -> Self {
        Self { moments: vec![Moments::default(); active.len()], active }
    }

    /// Adds one value per quantity to the statistics.
    pub fn observe(&mut self, x: &[f64]) {
        for ((moments, &x), _) in
            self.moments.iter_mut().zip(x).zip(&self.active).filter(|(_, active)| **active)
        {
            moments.observe(x);
        }
    }

    /// Standardises value `x` of the quantity `k`. Returns `x` if the quantity is inactive.
    ///
    /// # Panics
    /// If there is no such quantity.
    pub fn standardise(&self, k: usize, x: f64) -> f64 {
        if self.active[k] { self.moments[k].standardise(x) } else { x }
    }

    /// Converts a standardised value `z` of the quantity `k` back to its units.
    ///
    /// # Panics
    /// If there is no such quantity.
    pub fn restore(&self, k: usize, z: f64) -> f64 {
        if self.active[k] { self.moments[k].restore(z) } else { z }
    }

    /// Returns the statistics of each quantity.
    #[doc(hidden)]
    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Saves or restores the statistics.
    ///
    /// # Errors
    /// If the archive contains another number of quantities.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("moments", &mut self.moments)
    }
}
