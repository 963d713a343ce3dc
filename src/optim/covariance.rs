//! The uncertainty of a group of weights: a symmetric matrix P, in double precision whatever the weights are in, since it loses what it is
//! certain of by differences.
//!
//! `P ← P − c s sᵀ`,  `P ← D P D + q I` with `D_ii² = min(1/λ, v / P_ii)`

use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// P, g × g.
#[derive(Clone, Debug, PartialEq)]
pub struct Covariance {
    size: usize,
    first: f64,
    /// Row-major; both halves are kept, so that products run along rows.
    values: Vec<f64>,
    scale: Vec<f64>,
}

impl Covariance {
    /// `v I` of that size.
    pub fn new(size: usize, variance: f64) -> Self {
        let mut values = vec![0.0; size * size];
        values.iter_mut().step_by(size + 1).for_each(|diagonal| *diagonal = variance);
        Self { size, first: variance, values, scale: vec![1.0; size] }
    }

    /// Its rows, and as many columns.
    pub fn size(&self) -> usize {
        self.size
    }

    /// `P_kk`.
    pub fn variance(&self, k: usize) -> f64 {
        self.values[k * self.size + k]
    }

    /// `out = P h`. Entries of h that are zero cost nothing.
    pub fn times(&self, h: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let rows = self.values.chunks_exact(self.size.max(1));
        pulp::Arch::new().dispatch(|| {
            for (&h, row) in h.iter().zip(rows).filter(|(h, _)| **h != 0.0) {
                out.iter_mut().zip(row).for_each(|(out, p)| *out += h * p);
            }
        });
    }

    /// `P ← P − c s sᵀ`.
    pub fn subtract(&mut self, s: &[f64], c: f64) {
        let rows = self.values.chunks_exact_mut(self.size.max(1));
        pulp::Arch::new().dispatch(|| {
            for (&a, row) in s.iter().zip(rows).filter(|(a, _)| **a != 0.0) {
                // a · b and b · a round alike, so that P stays symmetric to the bit.
                row.iter_mut().zip(s).for_each(|(p, &b)| *p = (*p - c * (a * b)).flushed());
            }
        });
    }

    /// `P ← D P D + q I`: what was learned is forgotten by the factor λ, but no variance grows beyond the first one by it.
    pub fn forget(&mut self, forgetting: f64, noise: f64) {
        if forgetting < 1.0 {
            for k in 0..self.size {
                let most = self.first / self.variance(k);
                self.scale[k] = most.max(1.0).min(1.0 / forgetting).sqrt();
            }
            let rows = self.values.chunks_exact_mut(self.size.max(1));
            let scale = &self.scale[..];
            pulp::Arch::new().dispatch(|| {
                for (a, row) in scale.iter().zip(rows) {
                    row.iter_mut().zip(scale).for_each(|(p, b)| *p = (*p * (a * b)).flushed());
                }
            });
        }
        if noise > 0.0 {
            for k in 0..self.size {
                let diagonal = &mut self.values[k * self.size + k];
                *diagonal = (*diagonal + noise).min(self.first.max(*diagonal));
            }
        }
    }

    /// # Errors
    /// If what is read is of another size.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("covariance", &mut self.values)
    }
}
