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

/// On a linear model with unit noise the filter is recursive least squares, with one group or one
/// group per output.
#[test]
fn filter_on_a_linear_model_equals_recursive_least_squares() {
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
            let filter_slopes = slope(&w);
            assert!(filter.update(&mut w, &row(phi), &filter_slopes, &[1.0, 0.0, 0.0, 1.0]).is_some());
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

/// One step of the full filter equals the formula, with a curvature that is not diagonal.
#[test]
fn filter_one_step_equals_the_formula() {
    let n = 4;
    let rows: Vec<f64> = (0..2 * n).map(|k| (k as f64 * 1.3).sin()).collect();
    let (slope, curvature) = ([0.3, -0.2], [0.21, -0.1, -0.1, 0.24]);
    let mut filter = Kalman::new([((0..n).collect(), 1.5)], 2, 1.0, 0.0);
    let mut w = vec![0.0; n];
    assert!(filter.update(&mut w, &rows, &slope, &curvature).is_some());

    let h = DMatrix::from_row_slice(2, n, &rows);
    let f = DMatrix::from_row_slice(2, 2, &curvature);
    // Information form: P⁻¹ ← P⁻¹ + Hᵀ F H, then w ← w − P Hᵀ ∂L/∂o with the new P.
    let information = DMatrix::identity(n, n) / 1.5 + h.transpose() * &f * &h;
    let p = information.try_inverse().unwrap();
    let expected = -(&p * h.transpose() * DVector::from_column_slice(&slope));
    for j in 0..n {
        assert_relative_eq!(w[j], expected[j], max_relative = 1e-9);
        assert_relative_eq!(filter.groups[0].covariance.variance(j), p[(j, j)], max_relative = 1e-9);
    }
}

#[test]
fn filter_with_non_finite_input_keeps_weights_and_covariance() {
    let mut filter = Kalman::new([(vec![0, 1], 1.0)], 1, 0.99, 1e-6);
    let mut w = vec![0.5, 0.5];
    let before = filter.groups[0].covariance.clone();
    assert!(filter.update(&mut w, &[1.0, f64::INFINITY], &[0.1], &[1.0]).is_none());
    assert!(filter.update(&mut w, &[1.0, 0.0], &[f64::NAN], &[1.0]).is_none());
    assert_eq!((w, &filter.groups[0].covariance), (vec![0.5, 0.5], &before));
}

/// The recursion of one weight and one output: `k = P h / (r + h² P)`, `w ← w − k (o − target)`,
/// `P ← (1 − k h) P`, then
/// `P ← min(P / λ, v)`, `P ← min(P + q, v)`.
#[test]
fn filter_of_one_weight_equals_scalar_recursion() {
    let (r, h, errors) = (0.5, [1.0, -2.0, 0.5, 0.0, 3.0], [1.0, -0.4, 0.3, 2.0, 0.7]);
    for (variance, forgetting, noise) in [(2.0, 1.0, 0.0), (2.0, 0.9, 0.0), (2.0, 1.0, 0.05), (1.0, 0.8, 0.3)]
    {
        let mut filter = Kalman::new([(vec![0], variance)], 1, forgetting, noise);
        let mut w = [0.25];
        let (mut expected, mut p) = (0.25, variance);
        for (h, error) in h.into_iter().zip(errors) {
            let macs = filter.update(&mut w, &[h], &[error / r], &[1.0 / r]).unwrap();
            let gain = p * h / (r + h * h * p);
            expected -= gain * error;
            p *= 1.0 - gain * h;
            p = f64::min(p / forgetting, variance);
            p = f64::min(p + noise, variance);
            assert_relative_eq!(w[0], expected, max_relative = 1e-12);
            assert_relative_eq!(filter.groups[0].covariance.variance(0), p, max_relative = 1e-12);
            // For h = 0 only the operations done for every h are counted: H P Hᵀ, the change, the
            // axis and D P D.
            let any = 3 + u64::from(forgetting < 1.0);
            assert_eq!(macs, if h == 0.0 { any } else { any + 2 });
        }
    }
}

/// Values by hand: v = r = h = 1. P: 1 → 1/2, then 1/2 / λ = 5/8, then 5/8 + 1/8 = 3/4; the next
/// gain is 3/4 / (1 + 3/4) = 3/7.
#[test]
fn filter_of_one_weight_equals_values_by_hand() {
    let mut filter = Kalman::new([(vec![0], 1.0)], 1, 0.8, 0.125);
    let mut w = [0.0];
    filter.update(&mut w, &[1.0], &[-2.0], &[1.0]).unwrap();
    assert_relative_eq!(w[0], 1.0);
    assert_relative_eq!(filter.groups[0].covariance.variance(0), 0.75);
    filter.update(&mut w, &[1.0], &[-7.0], &[1.0]).unwrap();
    assert_relative_eq!(w[0], 4.0);
}

/// Two groups and three outputs over several steps, compared with the filter written with the
/// matrices H, P and r I.
#[test]
fn filter_in_groups_equals_matrix_form() {
    let (r, outputs, steps) = (0.7, 3, 6);
    let groups = [vec![4, 0, 2], vec![1, 3]];
    let mut filter = Kalman::new(groups.iter().cloned().zip([0.9, 0.4]), outputs, 1.0, 0.0);
    let mut w = vec![0.1; 5];
    let mut expected = DVector::from_element(5, 0.1);
    let mut p = DMatrix::zeros(5, 5);
    for (places, v) in groups.iter().zip([0.9, 0.4]) {
        places.iter().for_each(|&k| p[(k, k)] = v);
    }
    for t in 0..steps {
        let rows: Vec<f64> = (0..outputs * 5).map(|k| (1.3 * k as f64 + t as f64).sin()).collect();
        let slope: Vec<f64> = (0..outputs).map(|k| (0.4 * (k + 2 * t) as f64).cos()).collect();
        let scaled_slope: Vec<f64> = slope.iter().map(|s| s / r).collect();
        let f: Vec<f64> = (0..9).map(|at| if at % 4 == 0 { 1.0 / r } else { 0.0 }).collect();
        filter.update(&mut w, &rows, &scaled_slope, &f).unwrap();
        let h = DMatrix::from_row_slice(outputs, 5, &rows);
        let gain = &p
            * h.transpose()
            * (DMatrix::identity(outputs, outputs) * r + &h * &p * h.transpose()).try_inverse().unwrap();
        expected -= &gain * DVector::from_vec(slope);
        p -= &gain * &h * &p;
        // The covariance of weights of different groups is zero.
        for (i, j) in [(0, 1), (0, 3), (2, 1), (2, 3), (4, 1), (4, 3)] {
            (p[(i, j)], p[(j, i)]) = (0.0, 0.0);
        }
        for j in 0..5 {
            assert_relative_eq!(w[j], expected[j], max_relative = 1e-9);
        }
    }
}

#[test]
fn filter_restored_continues_bit_for_bit() {
    let step = |filter: &mut Kalman, w: &mut [f64], t: usize| {
        let h = [(t as f64).sin(), (0.4 * t as f64).cos(), 0.3];
        filter.update(w, &h, &[0.2], &[1.5]).unwrap();
    };
    let fresh = || Kalman::new([(vec![0, 2], 1.0), (vec![1], 2.0)], 1, 0.97, 1e-3);
    let (mut filter, mut w) = (fresh(), vec![0.0; 3]);
    (0..10).for_each(|t| step(&mut filter, &mut w, t));
    let mut writer = Archive::writer();
    filter.archive(&mut writer).unwrap();
    let bytes = writer.into_bytes();
    let mut restored = fresh();
    restored.archive(&mut Archive::reader(bytes.clone())).unwrap();
    let mut w_restored = w.clone();
    for t in 10..20 {
        step(&mut filter, &mut w, t);
        step(&mut restored, &mut w_restored, t);
    }
    assert_eq!(w, w_restored);
    let mut other = Kalman::new([(vec![0, 1, 2], 1.0)], 1, 0.97, 1e-3);
    assert!(other.archive(&mut Archive::reader(bytes)).is_err());
}

/// Weights are f32 and covariances f64: only the change of the weights is rounded.
#[test]
fn filter_in_single_precision_rounds_the_change_only() {
    let (mut filter, mut single) = (Kalman::new([(vec![0, 1], 1.0)], 1, 1.0, 0.0), [0.5f32, -0.25]);
    let (mut same, mut double) = (filter.clone(), [0.5f64, -0.25]);
    let h = [0.3f32, 0.7];
    filter.update(&mut single, &h, &[0.4], &[1.0]).unwrap();
    same.update(&mut double, &h.map(f64::from), &[0.4], &[1.0]).unwrap();
    for (a, b) in single.iter().zip(double) {
        assert_relative_eq!(f64::from(*a), b, max_relative = 1e-7);
    }
    assert_eq!(filter.groups[0].covariance, same.groups[0].covariance);
}

/// In each case one of H P Hᵀ, P Hᵀ and the slope is not finite.
#[test]
fn filter_with_overflowing_gain_keeps_weights_and_covariance() {
    let cases = [([1e200, 0.0], 0.1, 1.0), ([1.0, 0.0], f64::INFINITY, 1.0), ([1.0, 0.0], 0.1, f64::NAN)];
    for (rows, slope, curvature) in cases {
        let mut filter = Kalman::new([(vec![0], 1.0), (vec![1], 1e150)], 1, 0.99, 1e-6);
        let (mut w, before) = (vec![0.5, 0.5], filter.groups.clone());
        assert!(filter.update(&mut w, &rows, &[slope], &[curvature]).is_none(), "{rows:?}");
        assert_eq!(w, [0.5, 0.5]);
        for (group, before) in filter.groups.iter().zip(before) {
            assert_eq!(group.covariance, before.covariance);
        }
    }
}
