//! The extended Kalman filter on weights, full or decoupled by node (G. V. Puskorius & L. A. Feldkamp, *Neurocontrol of nonlinear dynamical
//! systems with Kalman filter trained recurrent networks*, IEEE Transactions on Neural Networks 5(2), 1994), for any loss
//! (Y. Ollivier, *Online natural gradient as a Kalman filter*, Electronic Journal of Statistics 12, 2018):
//!
//! `H = ∂o/∂w`,  `G = Σ_g H_g P_g H_gᵀ`,  `M = (I + F G)⁻¹`,
//! `w_g ← w_g − P_g H_gᵀ M ∂L/∂o`,  `P_g ← P_g − P_g H_gᵀ (M F) H_g P_g`,
//!
//! with F the curvature of the loss, ∂²L/∂o². For a squared error with noise of variance r, `L = ½ ‖o − target‖² / r` and
//! `F = I / r`, this is the textbook's `K = P Hᵀ (r I + H P Hᵀ)⁻¹`. One group of all weights is the full filter; a group per unit and per
//! output is the decoupled one, whose G joins all groups. H comes from exact RTRL: drained after each unit of credit, a rule gives one row.

use super::covariance::Covariance;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;
use nalgebra::{DMatrix, DVector, Dyn, SymmetricEigen};

/// Weights that are uncertain together.
#[derive(Clone, Debug)]
struct Group {
    places: Vec<usize>,
    covariance: Covariance,
    /// Rows of H, and of H P, output by output.
    h: Vec<Vec<f64>>,
    spread: Vec<Vec<f64>>,
}

impl Group {
    /// `P ← P − P Hᵀ (M F) H P`.
    fn shrink(&mut self, axes: &SymmetricEigen<f64, Dyn>) {
        for (axis, &value) in axes.eigenvalues.iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let along = &mut self.h[0]; // H has been read
            along.fill(0.0);
            for (&share, spread) in axes.eigenvectors.column(axis).iter().zip(&self.spread) {
                along.iter_mut().zip(spread).for_each(|(a, s)| *a += share * s);
            }
            self.covariance.subtract(along, value);
        }
    }
}

/// A filter over groups of weights.
#[derive(Clone, Debug)]
pub struct Kalman {
    groups: Vec<Group>,
    outputs: usize,
    forgetting: f64,
    noise: f64,
}

impl Kalman {
    /// For groups of places in the weights and k outputs. `first` gives the variance a weight starts with, per group; `forgetting` λ
    /// in (0, 1] and the variance `noise` added at each step keep the filter awake. Memory: Σ g² numbers.
    pub fn new(
        groups: impl IntoIterator<Item = (Vec<usize>, f64)>,
        outputs: usize,
        forgetting: f64,
        noise: f64,
    ) -> Self {
        let group = |(places, first): (Vec<usize>, f64)| Group {
            covariance: Covariance::new(places.len(), first),
            h: vec![vec![0.0; places.len()]; outputs],
            spread: vec![vec![0.0; places.len()]; outputs],
            places,
        };
        Self { groups: groups.into_iter().map(group).collect(), outputs, forgetting, noise }
    }

    /// One update of `w`: `rows` is H, row-major, k rows as long as `w`; `slope` ∂L/∂o, k entries; `curvature` F, k × k. Returns whether
    /// it was done: not if a number were not finite, and then nothing is changed.
    ///
    /// Cost: 2 k Σ g² MACs at most; entries of H that are zero save their share of half of it.
    ///
    /// # Panics
    /// If a slice has not that many entries.
    pub fn update<T: Real>(&mut self, w: &mut [T], rows: &[T], slope: &[f64], curvature: &[f64]) -> bool {
        let k = self.outputs;
        assert_eq!(rows.len(), k * w.len(), "H must have outputs × weights entries");
        assert_eq!((slope.len(), curvature.len()), (k, k * k), "∂L/∂o must have k entries and F k × k");
        let mut joint = DMatrix::zeros(k, k);
        for group in &mut self.groups {
            for (o, row) in rows.chunks_exact(w.len()).enumerate() {
                let own = group.places.iter().map(|&place| row[place].as_f64());
                group.h[o].iter_mut().zip(own).for_each(|(h, value)| *h = value);
                group.covariance.times(&group.h[o], &mut group.spread[o]);
            }
            for a in 0..k {
                for b in 0..k {
                    let product = group.h[a].iter().zip(&group.spread[b]).map(|(h, s)| h * s);
                    joint[(a, b)] += product.sum::<f64>();
                }
            }
        }
        let f = DMatrix::from_row_slice(k, k, curvature);
        let Some(inverse) = (DMatrix::identity(k, k) + &f * &joint).try_inverse() else { return false };
        let step = &inverse * DVector::from_column_slice(slope);
        let shrink = &inverse * &f;
        let finite = |m: &[f64]| m.iter().all(|v| v.is_finite());
        let spreads = self.groups.iter().flat_map(|group| &group.spread);
        if !(finite(step.as_slice()) && finite(shrink.as_slice()) && spreads.into_iter().all(|s| finite(s))) {
            return false;
        }
        // M F is symmetric; along its own axes the update of P is a sum of squares.
        let axes = SymmetricEigen::new((&shrink + shrink.transpose()) * 0.5);
        for group in &mut self.groups {
            for (j, &place) in group.places.iter().enumerate() {
                let change: f64 = (0..k).map(|o| step[o] * group.spread[o][j]).sum();
                w[place] = (w[place] - T::of(change)).flushed();
            }
            group.shrink(&axes);
            group.covariance.forget(self.forgetting, self.noise);
        }
        true
    }

    /// # Errors
    /// If what is read is of other groups.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.groups.iter_mut().try_for_each(|group| group.covariance.archive(archive))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Rls;
    use approx::assert_relative_eq;

    /// Rows of a linear model of two outputs over three features: 2 × 6.
    fn row(phi: [f64; 3]) -> Vec<f64> {
        let mut rows = vec![0.0; 12];
        rows[..3].copy_from_slice(&phi);
        rows[9..].copy_from_slice(&phi);
        rows
    }

    fn features(t: usize) -> [f64; 3] {
        [1.0, (0.7 * t as f64).sin(), (0.3 * t as f64 + 1.0).cos()]
    }

    /// On a linear model with unit noise the filter is recursive least squares, in one group or in one per output.
    #[test]
    fn is_least_squares_where_the_model_is_linear() {
        for groups in [vec![(0..6).collect()], vec![vec![0, 1, 2], vec![3, 4, 5]]] {
            let groups: Vec<Vec<usize>> = groups;
            let mut filter = Kalman::new(groups.into_iter().map(|g| (g, 2.0)), 2, 1.0, 0.0);
            let mut rls = Rls::new(3, 2.0, 1.0);
            let (mut w, mut expected) = (vec![0.0; 6], vec![0.0; 6]);
            for t in 0..60 {
                let phi = features(t);
                let target = [(0.1 * t as f64).sin(), (0.2 * t as f64).cos()];
                let slope = |w: &[f64]| -> Vec<f64> {
                    let o = |o: usize| (0..3).map(|j| w[3 * o + j] * phi[j]).sum::<f64>();
                    (0..2).map(|k| o(k) - target[k]).collect()
                };
                let of_filter = slope(&w);
                assert!(filter.update(&mut w, &row(phi), &of_filter, &[1.0, 0.0, 0.0, 1.0]));
                let slopes = slope(&expected);
                rls.update(phi.into_iter(), |gain| {
                    for (k, w) in expected.iter_mut().enumerate() {
                        *w -= slopes[k / 3] * gain[k % 3];
                    }
                });
            }
            for (w, expected) in w.iter().zip(&expected) {
                assert_relative_eq!(w, expected, max_relative = 1e-9);
            }
        }
    }

    /// One full step against the formula, with a curvature that is not diagonal.
    #[test]
    fn one_step_by_the_formula() {
        let n = 4;
        let rows: Vec<f64> = (0..2 * n).map(|k| (k as f64 * 1.3).sin()).collect();
        let (slope, curvature) = ([0.3, -0.2], [0.21, -0.1, -0.1, 0.24]);
        let mut filter = Kalman::new([((0..n).collect(), 1.5)], 2, 1.0, 0.0);
        let mut w = vec![0.0; n];
        assert!(filter.update(&mut w, &rows, &slope, &curvature));

        let h = DMatrix::from_row_slice(2, n, &rows);
        let f = DMatrix::from_row_slice(2, 2, &curvature);
        // In the form of information: P⁻¹ + Hᵀ F H, and w − P Hᵀ ∂L/∂o with the new P.
        let information = DMatrix::identity(n, n) / 1.5 + h.transpose() * &f * &h;
        let p = information.try_inverse().unwrap();
        let expected = -(&p * h.transpose() * DVector::from_column_slice(&slope));
        for j in 0..n {
            assert_relative_eq!(w[j], expected[j], max_relative = 1e-9);
            assert_relative_eq!(filter.groups[0].covariance.variance(j), p[(j, j)], max_relative = 1e-9);
        }
    }

    #[test]
    fn what_is_not_finite_changes_nothing() {
        let mut filter = Kalman::new([(vec![0, 1], 1.0)], 1, 0.99, 1e-6);
        let mut w = vec![0.5, 0.5];
        let before = filter.groups[0].covariance.clone();
        assert!(!filter.update(&mut w, &[1.0, f64::INFINITY], &[0.1], &[1.0]));
        assert!(!filter.update(&mut w, &[1.0, 0.0], &[f64::NAN], &[1.0]));
        assert_eq!((w, &filter.groups[0].covariance), (vec![0.5, 0.5], &before));
    }
}
