//! The extended Kalman filter on weights. [`Kalman`] has the equations.

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
    /// `P ← P − P Hᵀ (M F) H P`. Returns the MACs.
    fn shrink(&mut self, axes: &SymmetricEigen<f64, Dyn>) -> u64 {
        let mut macs = 0;
        for (axis, &value) in axes.eigenvalues.iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let along = &mut self.h[0]; // H has been read
            along.fill(0.0);
            for (&share, spread) in axes.eigenvectors.column(axis).iter().zip(&self.spread) {
                along.iter_mut().zip(spread).for_each(|(a, s)| *a += share * s);
            }
            macs += (self.spread.len() * along.len()) as u64;
            macs += self.covariance.subtract(along, value);
        }
        macs
    }
}

/// An extended Kalman filter on weights, full or decoupled by node, for any loss.
///
/// # Equation
///
/// `H = ∂o/∂w`,  `G = Σ_g H_g P_g H_gᵀ`,  `M = (I + F G)⁻¹`,
///
/// `w_g ← w_g − P_g H_gᵀ M ∂L/∂o`,  `P_g ← P_g − P_g H_gᵀ (M F) H_g P_g`
///
/// for each group g of weights, with F = ∂²L/∂o² the curvature of the loss. For a squared error with observation-noise variance r, `L = ½ ‖o − target‖² / r` and
/// `F = I / r`, this is `K = P Hᵀ (r I + H P Hᵀ)⁻¹`. One group of all weights is the full filter. One group per unit and per output is the decoupled filter, whose G joins all groups.
/// H comes from exact RTRL: one row per output, drained after a unit credit for it.
///
/// # Symbols
///
/// k outputs; H k × p; P_g g × g; G, M, F k × k. With forgetting λ and process noise q, `P_g ← D P_g D + q I` before each update, with
/// `D_ii² = min(1/λ, v / P_ii)` for an initial variance v.
///
/// # References
///
/// G. V. Puskorius & L. A. Feldkamp, *Neurocontrol of nonlinear dynamical systems with Kalman filter trained recurrent networks*, IEEE Transactions on Neural Networks 5(2), 1994.
/// Y. Ollivier, *Online natural gradient as a Kalman filter*, Electronic Journal of Statistics 12, 2018.
#[derive(Clone, Debug)]
pub struct Kalman {
    groups: Vec<Group>,
    outputs: usize,
    forgetting: f64,
    noise: f64,
}

impl Kalman {
    /// For groups of places in the weights and k outputs. `first` gives the variance a weight starts with, per group; `forgetting` λ
    /// in (0, 1] and the variance `noise` added at each step keep the filter adaptive. Memory: Σ g² numbers.
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

    /// One update of `w`: `rows` is H, row-major, k rows as long as `w`; `slope` ∂L/∂o, k entries; `curvature` F, k × k. Returns the
    /// MACs, or `None` if a number were not finite; then nothing is changed.
    ///
    /// Cost, for each group of g weights: `P Hᵀ`, g MACs for each entry of H that is not zero; `H (P Hᵀ)`, k² g; the update, k g; for each
    /// axis along which M F is positive (k at most), k g and then g for each weight that it moves; and g² where λ < 1. In all
    /// (2 k + 1) Σ g² + (2 k² + k) Σ g at most. What is done with matrices k × k is not counted.
    ///
    /// # Panics
    /// If a slice has not that many entries.
    pub fn update<T: Real>(
        &mut self,
        w: &mut [T],
        rows: &[T],
        slope: &[f64],
        curvature: &[f64],
    ) -> Option<u64> {
        let k = self.outputs;
        assert_eq!(rows.len(), k * w.len(), "H must have outputs × weights entries");
        assert_eq!((slope.len(), curvature.len()), (k, k * k), "∂L/∂o must have k entries and F k × k");
        let mut macs = 0;
        let mut joint = DMatrix::zeros(k, k);
        for group in &mut self.groups {
            for (o, row) in rows.chunks_exact(w.len()).enumerate() {
                let own = group.places.iter().map(|&place| row[place].as_f64());
                group.h[o].iter_mut().zip(own).for_each(|(h, value)| *h = value);
                macs += group.covariance.times(&group.h[o], &mut group.spread[o]);
            }
            for a in 0..k {
                for b in 0..k {
                    let product = group.h[a].iter().zip(&group.spread[b]).map(|(h, s)| h * s);
                    joint[(a, b)] += product.sum::<f64>();
                }
            }
            macs += (k * k * group.places.len()) as u64;
        }
        let f = DMatrix::from_row_slice(k, k, curvature);
        let inverse = (DMatrix::identity(k, k) + &f * &joint).try_inverse()?;
        let step = &inverse * DVector::from_column_slice(slope);
        let shrink = &inverse * &f;
        let finite = |m: &[f64]| m.iter().all(|v| v.is_finite());
        let mut spreads = self.groups.iter().flat_map(|group| &group.spread);
        // With an infinite H P Hᵀ the inverse is zero: nothing would be learned, and no error be returned.
        let joined = [joint.as_slice(), step.as_slice(), shrink.as_slice()];
        if !(joined.into_iter().all(finite) && spreads.all(|s| finite(s))) {
            return None;
        }
        // M F is symmetric; along its own axes the update of P is a sum of squares.
        let axes = SymmetricEigen::new((&shrink + shrink.transpose()) * 0.5);
        for group in &mut self.groups {
            for (j, &place) in group.places.iter().enumerate() {
                let change: f64 = (0..k).map(|o| step[o] * group.spread[o][j]).sum();
                w[place] = (w[place] - T::of(change)).flushed();
            }
            macs += (k * group.places.len()) as u64;
            macs += group.shrink(&axes);
            macs += group.covariance.forget(self.forgetting, self.noise);
        }
        Some(macs)
    }

    /// # Errors
    /// If what is read is of other groups.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.groups.iter_mut().try_for_each(|group| group.covariance.archive(archive))
    }
}

#[cfg(test)]
mod tests;
