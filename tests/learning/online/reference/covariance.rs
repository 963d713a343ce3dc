//! Least squares and Kalman filters in textbook form, on nalgebra.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Recursive least squares: `K = P φ / (λ + φᵀ P φ)`, `P ← (P − K φᵀ P) / λ`. No variance exceeds
/// the initial one.
pub struct LeastSquares {
    p: DMatrix<f64>,
    variance: f64,
    forgetting: f64,
}

impl LeastSquares {
    pub fn new(d: usize, variance: f64, forgetting: f64) -> Self {
        Self { p: DMatrix::identity(d, d) * variance, variance, forgetting }
    }

    /// The gain for given features, and its MACs.
    pub fn gain(&mut self, phi: &[f64]) -> (DVector<f64>, u64) {
        let d = phi.len();
        let phi = DVector::from_column_slice(phi);
        let spread = &self.p * &phi;
        let gain = &spread / (self.forgetting + phi.dot(&spread));
        self.p -= &gain * spread.transpose();
        let mut macs = (nonzero(phi.as_slice()) + nonzero(spread.as_slice())) * d;
        macs += forget(&mut self.p, self.variance, self.forgetting);
        (gain, macs as u64)
    }
}

/// A Kalman filter in groups: `M = (I + F Σ H P Hᵀ)⁻¹`, `w ← w − P Hᵀ M ∂L/∂o`,
/// `P ← P − P Hᵀ M F H P`.
pub struct Filter {
    groups: Vec<(Vec<usize>, DMatrix<f64>)>,
    variance: f64,
    forgetting: f64,
    noise: f64,
}

impl Filter {
    pub fn new(groups: Vec<Vec<usize>>, variance: f64, forgetting: f64, noise: f64) -> Self {
        let group = |places: Vec<usize>| {
            let p = DMatrix::identity(places.len(), places.len()) * variance;
            (places, p)
        };
        Self { groups: groups.into_iter().map(group).collect(), variance, forgetting, noise }
    }

    /// Updates `w` by the rows `∂o_k/∂w`. Returns the MACs, and how many more rounding may add:
    /// those of axes with the eigenvalue zero, and of weights that an axis does not change.
    pub fn update(&mut self, w: &mut [f64], rows: &[Vec<f64>], slope: &[f64], f: &[f64]) -> (u64, u64) {
        let k = slope.len();
        let f = DMatrix::from_row_slice(k, k, f);
        let h_of = |places: &[usize]| DMatrix::from_fn(k, places.len(), |o, j| rows[o][places[j]]);
        let mut joint = DMatrix::zeros(k, k);
        for (places, p) in &self.groups {
            let h = h_of(places);
            joint += &h * p * h.transpose();
        }
        let m = (DMatrix::identity(k, k) + &f * joint).try_inverse().expect("an inverse");
        let mf = &m * &f;
        let axes = SymmetricEigen::new((&mf + mf.transpose()) * 0.5);
        let largest = axes.eigenvalues.max();
        let (mut macs, mut slack) = (0, 0);
        for (places, p) in &mut self.groups {
            let (g, h) = (places.len(), h_of(places));
            let spread = &*p * h.transpose();
            macs += g * nonzero(h.as_slice()) + k * k * g + k * g;
            for (axis, value) in axes.eigenvalues.iter().enumerate() {
                let along = &spread * axes.eigenvectors.column(axis);
                let tiny = if k == 1 { 0.0 } else { 1e-12 * spread.amax() };
                let changed = along.iter().filter(|x| x.abs() > tiny).count();
                let possible = spread.row_iter().filter(|row| row.amax() > 0.0).count();
                let (least, most) = (k * g + g * changed, k * g + g * possible);
                if *value > 1e-12 * largest {
                    (macs, slack) = (macs + least, slack + most - least);
                } else {
                    slack += most;
                }
            }
            let change = &spread * &m * DVector::from_column_slice(slope);
            places.iter().zip(change.iter()).for_each(|(&place, change)| w[place] -= change);
            *p -= &spread * &mf * spread.transpose();
            macs += forget(p, self.variance, self.forgetting);
            for i in 0..g {
                p[(i, i)] = (p[(i, i)] + self.noise).min(self.variance.max(p[(i, i)]));
            }
        }
        (macs as u64, slack as u64)
    }
}

/// `P ← D P D` with `D_ii² = min(1/λ, v / P_ii)`.
fn forget(p: &mut DMatrix<f64>, variance: f64, forgetting: f64) -> usize {
    if forgetting == 1.0 {
        return 0;
    }
    let g = p.nrows();
    let d: Vec<f64> = (0..g).map(|i| (1.0 / forgetting).min(variance / p[(i, i)]).sqrt()).collect();
    for i in 0..g {
        for j in 0..g {
            p[(i, j)] *= d[i] * d[j];
        }
    }
    g * g
}

fn nonzero(values: &[f64]) -> usize {
    values.iter().filter(|x| **x != 0.0).count()
}
