//! Numerical kernels on slices. Each function returns its MACs.
//!
//! The order of sums does not depend on the vector width of the machine, so results are
//! bit-identical on all machines.

use super::Pattern;
use crate::scalar::Real;

/// Updates one row of an influence matrix: `dst ← k dst + Σ_j a_j row_j`.
///
/// `terms` holds the pairs `(a_j, j)`, and `row(j)` returns `row_j`, at least as long as `dst`.
/// Every block of `dst` is read and written once; its sum is in registers. Cost: `dst.len()` MACs
/// per term, and `dst.len()` MACs for `k` if `k ≠ 1`.
///
/// # Panics
/// If a row is shorter than `dst`.
#[inline(always)] // so that callers compiled for the machine's vector units include it
pub fn combine<'a, T: Real>(
    dst: &mut [T],
    k: T,
    terms: &[(T, usize)],
    row: impl Fn(usize) -> &'a [T],
) -> u64 {
    let len = dst.len();
    for &(_, j) in terms {
        assert!(row(j).len() >= len, "expected a source row of at least {len} entries, got {}", row(j).len());
    }
    let wide = combine_blocks::<T, 64>(dst, 0, k, terms, &row);
    let narrow = combine_blocks::<T, 16>(dst, wide, k, terms, &row);
    combine_blocks::<T, 1>(dst, narrow, k, terms, &row);
    (len * (terms.len() + usize::from(k != T::one()))) as u64
}

/// Computes [`combine`] for as many complete blocks of `N` entries as fit from `start`. Returns the
/// end of the last block. With a constant `N` the compiler keeps a block in vector registers.
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

/// Smallest number of nonzero sources for which [`product`] may compute row by row.
const ROW_BY_ROW: usize = 8;

/// Computes `out ← out + A x` over the columns in `active`, summed in the order of columns.
///
/// `values` holds the entries of A at the positions of the pattern. Columns with `x_j = 0` are
/// skipped. If `active` starts at column 0 and at least half of its `x_j` are nonzero, the product
/// is computed row by row instead, and includes zeros. Cost: the number of entries in columns with
/// `x_j ≠ 0`, in both cases.
///
/// # Panics
/// If `x` does not have one entry per column of A, or `out` one per row.
pub fn product<T: Real>(
    out: &mut [T],
    a: &Pattern,
    values: &[T],
    x: &[T],
    active: std::ops::Range<usize>,
) -> u64 {
    assert_eq!(x.len(), a.cols(), "x must have one entry per column of A");
    assert_eq!(out.len(), a.rows(), "out must have one entry per row of A");
    let lens = active.clone().filter(|&j| x[j] != T::zero()).map(|j| a.col_of(j).0.len());
    let (nonzero, macs) = lens.fold((0, 0), |(n, sum), len| (n + 1, sum + len as u64));
    if active.start == 0 && nonzero >= ROW_BY_ROW && 2 * nonzero >= active.len() {
        // Values are stored row by row: this loop reads them in order of memory.
        for (i, out) in out.iter_mut().enumerate() {
            let (columns, positions) = a.row_of(i);
            let entries =
                columns.iter().zip(&values[positions]).take_while(|(j, _)| (**j as usize) < active.end);
            *out = entries.fold(*out, |sum, (&j, &value)| sum + value * x[j as usize]);
        }
        return macs;
    }
    for j in active {
        let x_j = x[j];
        if x_j != T::zero() {
            let (rows, positions) = a.col_of(j);
            for (&i, &at) in rows.iter().zip(positions) {
                out[i as usize] += values[at as usize] * x_j;
            }
        }
    }
    macs
}

/// Returns `(Aᵀ x)_j`, one entry of a transposed product, and its MACs: the number of entries in
/// column `j`.
///
/// # Panics
/// If `x` does not have one entry per row of A.
pub fn transposed_entry<T: Real>(a: &Pattern, values: &[T], x: &[T], j: usize) -> (T, u64) {
    assert_eq!(x.len(), a.rows(), "x must have one entry per row of A");
    let mut macs = 0;
    let sum = a.col(j).fold(T::zero(), |sum, (i, at)| {
        macs += 1;
        sum + values[at] * x[i]
    });
    (sum, macs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Generator, Purpose, generator};
    use rand::RngExt;

    /// Small integers, so that every sum is exact in any order.
    fn integers(n: usize, rng: &mut Generator) -> Vec<f64> {
        (0..n).map(|_| f64::from(rng.random_range(-3..=3))).collect()
    }

    /// A random matrix of small integers, sparse and dense.
    fn matrix(rows: usize, cols: usize, rng: &mut Generator) -> (Pattern, Vec<f64>, Vec<Vec<f64>>) {
        let all = (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j)));
        let pattern = Pattern::new(rows, cols, all.filter(|_| rng.random_bool(0.4)).collect());
        let values = integers(pattern.len(), rng);
        let mut dense = vec![vec![0.0; cols]; rows];
        pattern.entries().zip(&values).for_each(|((i, j), &v)| dense[i][j] = v);
        (pattern, values, dense)
    }

    #[test]
    fn product_of_a_sparse_matrix_equals_the_dense_product() {
        let mut rng = generator(5, Purpose::Data);
        let sizes = || (0..=6).chain([9, 20]);
        for (rows, cols) in sizes().flat_map(|r| sizes().map(move |c| (r, c))) {
            for _ in 0..5 {
                let (a, values, dense) = matrix(rows, cols, &mut rng);
                let (x, start) = (integers(cols, &mut rng), integers(rows, &mut rng));
                let lower = if rng.random() { 0 } else { rng.random_range(0..=cols) };
                let upper = rng.random_range(lower..=cols);
                let mut out = start.clone();
                let macs = product(&mut out, &a, &values, &x, lower..upper);
                let mut expected_macs = 0;
                for i in 0..rows {
                    let sum: f64 = (lower..upper).map(|j| dense[i][j] * x[j]).sum();
                    assert_eq!(out[i], start[i] + sum);
                    let counted = |j: &usize| x[*j] != 0.0 && a.position(i, *j).is_some();
                    expected_macs += (lower..upper).filter(counted).count() as u64;
                }
                assert_eq!(macs, expected_macs);

                let z = integers(rows, &mut rng);
                for j in 0..cols {
                    let sum: f64 = dense.iter().zip(&z).map(|(row, z)| row[j] * z).sum();
                    assert_eq!(transposed_entry(&a, &values, &z, j), (sum, a.col(j).len() as u64));
                }
            }
        }
    }

    #[test]
    fn combine_of_rows_equals_the_dense_product() {
        let mut rng = generator(6, Purpose::Data);
        // Lengths around 16 and 64 use wide, narrow and single blocks.
        for len in (0..=6).chain([15, 16, 17, 63, 64, 65, 150]) {
            for sources in 0..=6 {
                for k in [1.0, 0.0, -2.0] {
                    let rows = integers(sources * 160, &mut rng);
                    let factors = integers(sources, &mut rng);
                    let terms: Vec<_> = factors.iter().copied().zip(0..sources).collect();
                    let start = integers(len, &mut rng);
                    let mut out = start.clone();
                    let macs = combine(&mut out, k, &terms, |j| &rows[j * 160..][..160]);
                    for i in 0..len {
                        let sum: f64 = terms.iter().map(|&(a, j)| a * rows[j * 160 + i]).sum();
                        assert_eq!(out[i], k * start[i] + sum);
                    }
                    assert_eq!(macs, (len * (sources + usize::from(k != 1.0))) as u64);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "expected a source row of at least 4 entries, got 3")]
    fn combine_with_a_short_source_row_panics() {
        combine(&mut [0.0; 4], 1.0, &[(1.0, 0)], |_| &[1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "x must have one entry per column of A")]
    fn product_with_a_vector_of_wrong_length_panics() {
        product(&mut [0.0; 2], &Pattern::full(2, 3), &[1.0; 6], &[1.0; 2], 0..2);
    }

    #[test]
    #[should_panic(expected = "x must have one entry per row of A")]
    fn transposed_entry_with_a_vector_of_wrong_length_panics() {
        transposed_entry(&Pattern::full(2, 3), &[1.0; 6], &[1.0; 3], 0);
    }
}
