//! `Σ_s δ_s φ_s` of a unit whose parameters read few sources: a dot product over steps per column,
//! sixteen steps at a time.

use super::super::adjoint::StepRange;
use super::super::influence::UnitInfluence;
use super::super::tape::STEP_LANES;
use crate::scalar::Real;
use crate::sparse::lanes::add_product;

/// Scratch for λ and δ.
pub struct SparseScratch<T> {
    /// `[K, rounded up]`, λ of the unit's row.
    lambda: Vec<T>,
    /// `[K, rounded up]`, δ of one pre-activation.
    delta: Vec<T>,
}

impl<T: Real> SparseScratch<T> {
    /// Creates the scratch for blocks of `steps` steps.
    pub fn new(steps: usize) -> Self {
        let zeros = || vec![T::zero(); steps.next_multiple_of(STEP_LANES)];
        Self { lambda: zeros(), delta: zeros() }
    }

    /// Computes `sums ← sums + Σ_s δ_s φ_s` over a range of steps. `sums` is `[columns]`.
    #[inline(always)]
    pub fn add<const FUSED: bool>(
        &mut self,
        unit: &UnitInfluence<T>,
        range: &StepRange<'_, T>,
        sums: &mut [T],
    ) {
        let Self { lambda, delta } = self;
        let StepRange { tape, steps, .. } = range;
        // λ is zero after the last step, up to a multiple of sixteen steps.
        let (stride, last) = (tape.stride / STEP_LANES, steps.div_ceil(STEP_LANES));
        lambda[..last * STEP_LANES].fill(T::zero());
        range.lambda_of(unit.row, &mut lambda[..*steps]);
        let (gains, phis) = (tape.gains.as_chunks::<STEP_LANES>().0, tape.phis.as_chunks().0);
        let (lambda, delta) = (&lambda.as_chunks::<STEP_LANES>().0[..last], delta.as_chunks_mut().0);
        for gate in &unit.gates {
            let gains = &gains[gate.pre * stride..][..last];
            for (delta, (gain, lambda)) in delta.iter_mut().zip(gains.iter().zip(lambda)) {
                for k in 0..STEP_LANES {
                    delta[k] = gain[k] * lambda[k];
                }
            }
            let phi = |column: usize| &phis[unit.columns[column].1 as usize * stride..][..last];
            for start in gate.columns.clone().step_by(4) {
                // The last group of four may repeat the last column.
                let fours = [0, 1, 2, 3].map(|k| gate.columns.end.min(start + k + 1) - 1);
                let found = dots::<T, FUSED>(&delta[..last], fours.map(phi));
                for (column, dot) in (start..gate.columns.end).zip(found) {
                    sums[column] += dot;
                }
            }
        }
    }
}

/// Returns `Σ_s x_s y_s` of four independent columns. Each dot product is computed in sixteen
/// partial sums that are added by halves. This order does not depend on the width of vectors.
#[inline(always)]
fn dots<T: Real, const FUSED: bool>(x: &[[T; STEP_LANES]], y: [&[[T; STEP_LANES]]; 4]) -> [T; 4] {
    let [p, q, r, s] = y.map(|y| &y[..x.len()]);
    // Four variables, not an array: an array would be stored in memory.
    let (mut a, mut b, mut c, mut d) =
        ([T::zero(); STEP_LANES], [T::zero(); STEP_LANES], [T::zero(); STEP_LANES], [T::zero(); STEP_LANES]);
    for (k, x) in x.iter().enumerate() {
        a = add::<T, FUSED>(a, x, &p[k]);
        b = add::<T, FUSED>(b, x, &q[k]);
        c = add::<T, FUSED>(c, x, &r[k]);
        d = add::<T, FUSED>(d, x, &s[k]);
    }
    [by_halves(a), by_halves(b), by_halves(c), by_halves(d)]
}

/// Returns `sums + x ⊙ y`.
#[inline(always)]
fn add<T: Real, const FUSED: bool>(
    mut sums: [T; STEP_LANES],
    x: &[T; STEP_LANES],
    y: &[T; STEP_LANES],
) -> [T; STEP_LANES] {
    for k in 0..STEP_LANES {
        sums[k] = add_product::<T, FUSED>(sums[k], x[k], y[k]);
    }
    sums
}

/// Returns the sum of sixteen numbers, added by halves.
#[inline(always)]
fn by_halves<T: Real>(sums: [T; STEP_LANES]) -> T {
    // Without the black box, the compiler vectorises the loop of the caller in pairs of numbers
    // instead of sixteen. The black box costs one store.
    let mut sums = std::hint::black_box(sums);
    let mut half = STEP_LANES / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
}
