//! The extended Kalman filter on weights. [`Kalman`] has the equations.

use super::covariance::Covariance;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;
use nalgebra::{DMatrix, DVector, Dyn, SymmetricEigen};

/// A group of weights with a joint covariance.
#[derive(Clone, Debug)]
struct Group {
    places: Vec<usize>,
    covariance: Covariance,
    /// Rows of H and of H P, one per output.
    h: Vec<Vec<f64>>,
    spread: Vec<Vec<f64>>,
}

impl Group {
    /// Updates the covariance: `P ← P − P Hᵀ (M F) H P`. Returns the MACs.
    fn shrink(&mut self, axes: &SymmetricEigen<f64, Dyn>) -> u64 {
        let mut macs = 0;
        for (axis, &value) in axes.eigenvalues.iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let along = &mut self.h[0]; // H is not needed any more
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

/// An extended Kalman filter on weights, full or decoupled by unit, for any loss.
///
/// # Equation
///
/// `H = ∂o/∂w`,  `G = Σ_g H_g P_g H_gᵀ`,  `M = (I + F G)⁻¹`,
///
/// `w_g ← w_g − P_g H_gᵀ M ∂L/∂o`,  `P_g ← P_g − P_g H_gᵀ (M F) H_g P_g`
///
/// for each group g of weights, where F = ∂²L/∂o² is the curvature of the loss. For a squared error
/// with observation noise of variance R, `L = ½ ‖o − target‖² / R` and `F = I / R`, and the gain is
/// `K = P Hᵀ (R I + H P Hᵀ)⁻¹`. The full filter has one group of all weights. The decoupled filter
/// has one group per unit and per output; G is the sum over all groups. Exact RTRL computes H: row
/// o is the gradient for a unit derivative of output o.
///
/// # Symbols
///
/// k outputs; H k × p; P_g g × g; G, M, F k × k. With forgetting factor λ and process noise Q,
/// `P_g ← D P_g D + Q I` before each update, with `D_ii² = min(1/λ, v / P_ii)` for the initial
/// variance v.
///
/// # References
///
/// G. V. Puskorius & L. A. Feldkamp, *Neurocontrol of nonlinear dynamical systems with Kalman
/// filter trained recurrent networks*, IEEE Transactions on Neural Networks 5(2), 1994. Y.
/// Ollivier, *Online natural gradient as a Kalman filter*, Electronic Journal of Statistics
/// 12, 2018.
#[derive(Clone, Debug)]
pub struct Kalman {
    groups: Vec<Group>,
    outputs: usize,
    forgetting: f64,
    noise: f64,
}

impl Kalman {
    /// Creates a filter for k outputs. A group is a list of indices into the weights, and the
    /// initial variance v of each of its weights.
    ///
    /// `forgetting` is λ, in (0, 1], and `noise` is the process noise Q, a variance added per
    /// update. Memory: Σ g² values in `f64`.
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

    /// Updates `w` once. `rows` is H, k × p and row-major; `slope` is ∂L/∂o, k entries; `curvature`
    /// is F, k × k. Returns the MACs, or `None` if an intermediate value is not finite; `w` and P
    /// are then unchanged.
    ///
    /// Cost per group of g weights: g MACs per nonzero entry of H for `P Hᵀ`; k² g for `H (P Hᵀ)`;
    /// k g for the weights; k g per positive eigenvalue of M F, and g per nonzero entry of the
    /// vector it subtracts from P; and g² if λ < 1. The sum is at most (2 k + 1) Σ g² + (2 k² + k)
    /// Σ g. Operations on k × k matrices are not counted.
    ///
    /// # Panics
    /// If `rows` does not have k p entries, `slope` k or `curvature` k².
    pub fn update<T: Real>(
        &mut self,
        w: &mut [T],
        rows: &[T],
        slope: &[f64],
        curvature: &[f64],
    ) -> Option<u64> {
        let k = self.outputs;
        assert_eq!(rows.len(), k * w.len(), "H must have outputs × weights entries");
        assert_eq!(
            (slope.len(), curvature.len()),
            (k, k * k),
            "∂L/∂o must have k entries and F k × k entries"
        );
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
        // With an infinite H P Hᵀ the inverse is zero: the update would be zero without an error.
        let joined = [joint.as_slice(), step.as_slice(), shrink.as_slice()];
        if !(joined.into_iter().all(finite) && spreads.all(|s| finite(s))) {
            return None;
        }
        // M F is symmetric: in its eigenvectors, the update of P is a sum of rank-one terms.
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

    /// Writes the covariances to an archive, or restores them.
    ///
    /// # Errors
    /// If the archive holds covariances of other groups.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.groups.iter_mut().try_for_each(|group| group.covariance.archive(archive))
    }
}

#[cfg(test)]
mod tests;
