//! What steps earn in columns that read few of the sources: for each column,
//!
//! `Σ_s δ_s φ_s`,  `δ_s = gain_s ⊙ λ_s`,
//!
//! a dot product over steps, sixteen at a time.

use super::base::Run;
use super::gather::Stretch;
use super::history::LANES;
use crate::scalar::Real;
use crate::sparse::lanes::add_product;

/// Adds what a stretch has earned in the columns of a unit; λ and δ are room.
#[inline(always)]
pub fn earn<T: Real, const FUSED: bool>(
    row: usize,
    runs: &[Run],
    columns: &[(u32, u32)],
    stretch: &Stretch<'_, T>,
    (lambda, delta): (&mut [T], &mut [T]),
    gradient: &mut [T],
) {
    let Stretch { history, steps, .. } = stretch;
    // λ is zero at the steps that make up the last sixteen.
    let (stride, last) = (history.stride / LANES, steps.div_ceil(LANES));
    lambda[..last * LANES].fill(T::zero());
    stretch.lambda_of(row, &mut lambda[..*steps]);
    let (gains, phis) = (history.gains.as_chunks::<LANES>().0, history.phis.as_chunks().0);
    let (lambda, delta) = (&lambda.as_chunks::<LANES>().0[..last], delta.as_chunks_mut().0);
    for run in runs {
        let gains = &gains[run.pre * stride..][..last];
        for (delta, (gain, lambda)) in delta.iter_mut().zip(gains.iter().zip(lambda)) {
            for k in 0..LANES {
                delta[k] = gain[k] * lambda[k];
            }
        }
        let phi = |column: usize| &phis[columns[column].1 as usize * stride..][..last];
        for start in run.columns.clone().step_by(4) {
            // The last four may repeat the last one.
            let fours = [0, 1, 2, 3].map(|k| run.columns.end.min(start + k + 1) - 1);
            let found = dots::<T, FUSED>(&delta[..last], fours.map(phi));
            for (column, dot) in (start..run.columns.end).zip(found) {
                gradient[column] += dot;
            }
        }
    }
}

/// `Σ_s x_s y_s` of four columns at once, none of which waits for another; each in sixteen sums that are added up by halves, an order that no
/// machine's vectors change.
#[inline(always)]
fn dots<T: Real, const FUSED: bool>(x: &[[T; LANES]], y: [&[[T; LANES]]; 4]) -> [T; 4] {
    let [p, q, r, s] = y.map(|y| &y[..x.len()]);
    // Every sum by its own name: an array of them would live in memory.
    let (mut a, mut b, mut c, mut d) =
        ([T::zero(); LANES], [T::zero(); LANES], [T::zero(); LANES], [T::zero(); LANES]);
    for (k, x) in x.iter().enumerate() {
        a = add::<T, FUSED>(a, x, &p[k]);
        b = add::<T, FUSED>(b, x, &q[k]);
        c = add::<T, FUSED>(c, x, &r[k]);
        d = add::<T, FUSED>(d, x, &s[k]);
    }
    [by_halves(a), by_halves(b), by_halves(c), by_halves(d)]
}

/// `sum + x ⊙ y`.
#[inline(always)]
fn add<T: Real, const FUSED: bool>(mut sums: [T; LANES], x: &[T; LANES], y: &[T; LANES]) -> [T; LANES] {
    for k in 0..LANES {
        sums[k] = add_product::<T, FUSED>(sums[k], x[k], y[k]);
    }
    sums
}

/// The sum of them all, by halves.
#[inline(always)]
fn by_halves<T: Real>(sums: [T; LANES]) -> T {
    // An optimiser that sees how the sum ends makes it in pairs from the beginning, two numbers to an instruction and not sixteen. To hide the end
    // costs no more than a store.
    let mut sums = std::hint::black_box(sums);
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
}
