//! The hot kernels, on plain slices. Each opens with its equation and returns the MACs it did.
//!
//! None of them reduces in an order that depends on the width of the machine's vectors, so a result is the same
//! to the last bit on every machine.

use super::Pattern;
use crate::scalar::Real;

/// `dst ← k dst + Σ_j a_j row_j`, the update of one row of an influence matrix.
///
/// `terms` holds the pairs `(a_j, j)`, and `row(j)` gives `row_j`, at least as long as `dst`. A block of `dst`
/// stays in registers while all sources pass by, so that it is read and written once. Cost: `dst.len()` MACs a term, and as many
/// for `k` unless it is one.
///
/// # Panics
/// If a row is shorter than `dst`.
#[inline(always)] // into callers that are compiled for the machine's vector units
pub fn combine<'a, T: Real>(
    dst: &mut [T],
    k: T,
    terms: &[(T, usize)],
    row: impl Fn(usize) -> &'a [T],
) -> u64 {
    let len = dst.len();
    for &(_, j) in terms {
        assert!(row(j).len() >= len, "a source row has {} entries, its target {len}", row(j).len());
    }
    let wide = combine_blocks::<T, 64>(dst, 0, k, terms, &row);
    let narrow = combine_blocks::<T, 16>(dst, wide, k, terms, &row);
    combine_blocks::<T, 1>(dst, narrow, k, terms, &row);
    (len * (terms.len() + usize::from(k != T::one()))) as u64
}

/// [`combine`] from `start` on, as far as whole blocks of `N` go; returns where they end. A fixed-size block stays in
/// vector registers while all sources pass by.
#[inline(always)]
fn combine_blocks<'a, T: Real, const N: usize>(
    dst: &mut [T],
    mut start: usize,
    k: T,
    terms: &[(T, usize)],
    row: &impl Fn(usize) -> &'a [T],
) -> usize {
    for block in dst[start..].chunks_exact_mut(N) {
        let mut sum = [T::zero(); N];
        for (x, &y) in sum.iter_mut().zip(block.iter()) {
            *x = k * y;
        }
        for &(a, j) in terms {
            for (x, &y) in sum.iter_mut().zip(&row(j)[start..start + N]) {
                *x += a * y;
            }
        }
        block.copy_from_slice(&sum);
        start += N;
    }
    start
}

/// `out ← out + A x` over the columns in `active`, skipping every `x_j = 0`.
///
/// `values` holds A's entries at the pattern's positions. Cost: the entries of the columns with `x_j ≠ 0`.
///
/// # Panics
/// If `x` is not as long as A has columns, or `out` as it has rows.
pub fn product<T: Real>(
    out: &mut [T],
    a: &Pattern,
    values: &[T],
    x: &[T],
    active: std::ops::Range<usize>,
) -> u64 {
    assert_eq!(x.len(), a.cols(), "x must have one entry per column of A");
    assert_eq!(out.len(), a.rows(), "out must have one entry per row of A");
    let mut macs = 0;
    for j in active {
        let x_j = x[j];
        if x_j != T::zero() {
            for (i, at) in a.col(j) {
                out[i] += values[at] * x_j;
                macs += 1;
            }
        }
    }
    macs
}

/// `(Aᵀ x)_j`, one entry of a transposed product. Cost: the entries of column `j`.
///
/// # Panics
/// If `x` is not as long as A has rows.
pub fn transposed_entry<T: Real>(a: &Pattern, values: &[T], x: &[T], j: usize) -> (T, u64) {
    assert_eq!(x.len(), a.rows(), "x must have one entry per row of A");
    let mut macs = 0;
    let sum = a.col(j).fold(T::zero(), |sum, (i, at)| {
        macs += 1;
        sum + values[at] * x[i]
    });
    (sum, macs)
}
