//! The covariance of a group of weights. [`Covariance`] has the equations.

use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;

/// The covariance P of a group of g weights, g × g and symmetric.
///
/// It is in double precision for weights of either type, since its updates are differences.
///
/// # Equation
///
/// `P ← P − c s sᵀ`,  `P ← D P D + Q I` with `D_ii² = min(1/λ, v / P_ii)`
#[derive(Clone, Debug, PartialEq)]
pub struct Covariance {
    size: usize,
    first: f64,
    /// P, row-major. Both triangles are stored, so that products read whole rows.
    values: Vec<f64>,
    scale: Vec<f64>,
}

impl Covariance {
    /// Creates `v I` with v = `variance` and g = `size`.
    pub fn new(size: usize, variance: f64) -> Self {
        let mut values = vec![0.0; size * size];
        values.iter_mut().step_by(size + 1).for_each(|diagonal| *diagonal = variance);
        Self { size, first: variance, values, scale: vec![1.0; size] }
    }

    /// Returns g, the number of rows and of columns.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns `P_kk`.
    pub fn variance(&self, k: usize) -> f64 {
        self.values[k * self.size + k]
    }

    /// Computes `out = P h`. Zero entries of h are skipped. Returns the MACs: g per nonzero entry
    /// of h.
    pub fn times(&self, h: &[f64], out: &mut [f64]) -> u64 {
        out.fill(0.0);
        let rows = self.values.chunks_exact(self.size.max(1));
        pulp::Arch::new().dispatch(|| {
            for (&h, row) in h.iter().zip(rows).filter(|(h, _)| **h != 0.0) {
                out.iter_mut().zip(row).for_each(|(out, p)| *out += h * p);
            }
        });
        self.products(h)
    }

    /// Subtracts a rank-one term: `P ← P − c s sᵀ`. Returns the MACs: g per nonzero entry of s.
    pub fn subtract(&mut self, s: &[f64], c: f64) -> u64 {
        let rows = self.values.chunks_exact_mut(self.size.max(1));
        pulp::Arch::new().dispatch(|| {
            for (&a, row) in s.iter().zip(rows).filter(|(a, _)| **a != 0.0) {
                // a · b and b · a round to the same value, so that P stays exactly symmetric.
                row.iter_mut().zip(s).for_each(|(p, &b)| *p = (*p - c * (a * b)).flushed());
            }
        });
        self.products(s)
    }

    /// Returns the MACs of a product with `by`: g per nonzero entry.
    fn products(&self, by: &[f64]) -> u64 {
        (by.iter().filter(|x| **x != 0.0).count() * self.size) as u64
    }

    /// Applies forgetting and process noise: `P ← D P D + Q I`. D divides variances by λ, but
    /// raises none above the initial variance v. Returns the MACs: g² if λ < 1, else 0.
    pub fn forget(&mut self, forgetting: f64, noise: f64) -> u64 {
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
        if forgetting < 1.0 { (self.size * self.size) as u64 } else { 0 }
    }

    /// Writes P to an archive, or restores it.
    ///
    /// # Errors
    /// If the archive holds a matrix of another size.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("covariance", &mut self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use nalgebra::{DMatrix, DVector};

    fn numbers(n: usize, t: usize) -> Vec<f64> {
        (0..n)
            .map(|k| ((t * n + k) as f64 * 0.83).sin() * if (t + k).is_multiple_of(5) { 0.0 } else { 1.0 })
            .collect()
    }

    fn matrix(covariance: &Covariance) -> DMatrix<f64> {
        DMatrix::from_row_slice(covariance.size, covariance.size, &covariance.values)
    }

    #[test]
    fn covariance_operations_equal_their_formulas() {
        let n = 7;
        let mut p = Covariance::new(n, 2.5);
        assert_eq!((p.size(), matrix(&p)), (n, DMatrix::identity(n, n) * 2.5));
        for (t, (forgetting, noise)) in
            [(1.0, 0.0), (0.9, 0.0), (1.0, 0.05), (0.7, 0.1), (0.99, 1e-3), (0.5, 3.0)]
                .into_iter()
                .enumerate()
        {
            let (h, mut out) = (numbers(n, t), vec![9.0; n]);
            let mut expected = matrix(&p);
            let macs = p.times(&h, &mut out);
            let spread = &expected * DVector::from_column_slice(&h);
            assert_relative_eq!(out[..], spread.as_slice()[..], max_relative = 1e-12);
            let products = |x: &[f64]| (x.iter().filter(|x| **x != 0.0).count() * n) as u64;
            assert_eq!(macs, products(&h));

            let c = 0.8 / (1.0 + spread.dot(&DVector::from_column_slice(&h)));
            assert_eq!(p.subtract(&out, c), products(&out));
            expected -= c * &spread * spread.transpose();
            assert_relative_eq!(matrix(&p), expected, max_relative = 1e-12);

            let macs = p.forget(forgetting, noise);
            assert_eq!(macs, if forgetting < 1.0 { (n * n) as u64 } else { 0 });
            let d =
                DMatrix::from_diagonal(&expected.diagonal().map(|v| (1.0 / forgetting).min(2.5 / v).sqrt()));
            expected = &d * expected * &d;
            (0..n).for_each(|k| expected[(k, k)] = (expected[(k, k)] + noise).min(2.5));
            assert_relative_eq!(matrix(&p), expected, max_relative = 1e-12);
            (0..n).for_each(|k| assert_relative_eq!(p.variance(k), expected[(k, k)], max_relative = 1e-12));
        }
        assert_eq!(p.variance(0), 2.5, "no variance exceeds its initial value");
    }

    #[test]
    fn covariance_after_many_updates_is_exactly_symmetric() {
        let n = 6;
        let mut p = Covariance::new(n, 1.3);
        let mut spread = vec![0.0; n];
        for t in 0..1000 {
            let h = numbers(n, t);
            p.times(&h, &mut spread);
            let power: f64 = h.iter().zip(&spread).map(|(h, s)| h * s).sum();
            p.subtract(&spread, 1.0 / (0.37 + power));
            p.forget(0.993, 1e-4);
            for i in 0..n {
                for j in 0..i {
                    assert_eq!(p.values[i * n + j].to_bits(), p.values[j * n + i].to_bits(), "step {t}");
                }
            }
        }
        let varied = (1..n).any(|j| p.values[j].abs() > 1e-3);
        assert!(varied, "expected covariances that are not zero, got {:?}", &p.values[..n]);
    }

    #[test]
    fn covariance_of_size_zero_counts_no_macs() {
        let mut p = Covariance::new(0, 1.0);
        assert_eq!((p.times(&[], &mut []), p.subtract(&[], 1.0), p.forget(0.5, 1.0)), (0, 0, 0));
    }
}
