//! The hot kernels, on plain slices. Each opens with its equation and returns the MACs it did.
//!
//! None of them reduces in an order that depends on the width of the machine's vectors, so a result is the same
//! to the last bit on every machine.

use super::Pattern;
use crate::scalar::Real;

/// `dst ← k dst + Σ_j a_j row_j`, the update of one row of an influence matrix.
///
/// `terms` holds the pairs `(a_j, j)`, and `row(j)` gives `row_j`, at least as long as `dst`. Sources are taken four
/// at a time, so that `dst` is read and written once for four of them. Cost: `dst.len()` MACs a term, and as many
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
    let source = |j: usize| {
        let source = row(j);
        assert!(source.len() >= len, "a source row has {} entries, its target {len}", source.len());
        &source[..len]
    };
    let scaled = k != T::one();
    if scaled {
        dst.iter_mut().for_each(|x| *x *= k);
    }
    let mut fours = terms.chunks_exact(4);
    for four in &mut fours {
        let [a, b, c, d] = [four[0].0, four[1].0, four[2].0, four[3].0];
        let [p, q, r, s] = [source(four[0].1), source(four[1].1), source(four[2].1), source(four[3].1)];
        for (i, x) in dst.iter_mut().enumerate() {
            *x += a * p[i] + b * q[i] + (c * r[i] + d * s[i]);
        }
    }
    for &(a, j) in fours.remainder() {
        for (x, &p) in dst.iter_mut().zip(source(j)) {
            *x += a * p;
        }
    }
    (len * (terms.len() + usize::from(scaled))) as u64
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
