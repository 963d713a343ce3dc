//! Blocks of consecutive columns of one row of an influence matrix, and their update
//!
//! `sum ← sum + Σ_j a_j row_j`.
//!
//! Columns are independent, so a step can be computed for one block of columns after another. The
//! blocks of all rows then fit into the first-level cache, and a sum stays in registers. With
//! `FUSED`, a product and its sum are one fused multiply-add with one rounding; otherwise they are
//! two operations.

use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::{Real, flush};

/// `C` consecutive columns of one row, aligned for vector units.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Lanes<T, const C: usize>(pub [T; C]);

impl<T: Real, const C: usize> Lanes<T, C> {
    /// Returns a block of zeros.
    pub fn zero() -> Self {
        Self([T::zero(); C])
    }
}

/// Returns the block with entries below [`Real::LEAST`] in magnitude set to zero.
#[inline(always)]
pub fn flushed<T: Real, const C: usize>(mut block: [T; C]) -> [T; C] {
    flush(&mut block);
    block
}

/// Returns the block with subnormal entries set to zero.
#[inline(always)]
pub fn normal<T: Real, const C: usize>(mut block: [T; C]) -> [T; C] {
    block.iter_mut().for_each(|x| *x = x.normal());
    block
}

/// Writes blocks to an archive, or restores them.
///
/// # Errors
/// If the archive holds another number of blocks.
pub fn archive<T: Real, const C: usize>(
    archive: &mut Archive,
    name: &'static str,
    blocks: &mut [Lanes<T, C>],
) -> Result<()> {
    let mut values: Vec<T> = blocks.iter().flat_map(|block| block.0).collect();
    archive.list(name, &mut values)?;
    blocks.iter_mut().zip(values.chunks_exact(C)).for_each(|(block, values)| block.0.copy_from_slice(values));
    Ok(())
}

/// A loop over blocks that is compiled for several kinds of vector units. `FUSED` states whether
/// they have fused multiply-add; `WIDTH` is the number of columns that fit into their registers for
/// several rows. Implementations must be `#[inline(always)]`.
pub trait Loop {
    /// Result of the loop.
    type Output;

    /// Runs the loop.
    fn run<const FUSED: bool, const WIDTH: usize>(self) -> Self::Output;
}

/// Runs a loop on the widest vector units of the machine.
pub fn dispatch<L: Loop>(arch: pulp::Arch, work: L) -> L::Output {
    arch.dispatch(OnVectors(work))
}

struct OnVectors<L>(L);

impl<L: Loop> pulp::WithSimd for OnVectors<L> {
    type Output = L::Output;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> L::Output {
        if S::IS_SCALAR || cfg!(target_family = "wasm") {
            self.0.run::<false, 16>()
        } else if S::F32_LANES >= 16 {
            self.0.run::<true, 64>()
        } else {
            self.0.run::<true, 16>()
        }
    }
}

/// Returns `sum + a x`.
#[inline(always)]
pub fn add_product<T: Real, const FUSED: bool>(sum: T, a: T, x: T) -> T {
    if FUSED { a.mul_add(x, sum) } else { sum + a * x }
}

/// Returns `sum + Σ_j a_j from_j` over the pairs `(a_j, j)` in `terms`. Cost: `C` MACs per pair.
///
/// # Panics
/// If an index is not below the number of blocks in `from`.
#[inline(always)] // so that callers compiled for the machine's vector units include it
pub fn combine<T: Real, const FUSED: bool, const C: usize>(
    mut sum: [T; C],
    terms: &[(T, u32)],
    from: &[Lanes<T, C>],
) -> [T; C] {
    for &(a, j) in terms {
        let row = &from[j as usize].0;
        for k in 0..C {
            sum[k] = add_product::<T, FUSED>(sum[k], a, row[k]);
        }
    }
    sum
}

/// Computes [`combine`] for two sums. Their operations are interleaved, so that the latencies of
/// the two independent sums overlap. Cost: `C` MACs per pair.
///
/// # Panics
/// If an index is not below the number of blocks in `from`.
#[inline(always)]
pub fn combine_two<T: Real, const FUSED: bool, const C: usize>(
    [mut one, mut two]: [[T; C]; 2],
    [ones, twos]: [&[(T, u32)]; 2],
    from: &[Lanes<T, C>],
) -> [[T; C]; 2] {
    for (&(a, i), &(b, j)) in ones.iter().zip(twos) {
        let (x, y) = (&from[i as usize].0, &from[j as usize].0);
        for k in 0..C {
            one[k] = add_product::<T, FUSED>(one[k], a, x[k]);
        }
        for k in 0..C {
            two[k] = add_product::<T, FUSED>(two[k], b, y[k]);
        }
    }
    let both = ones.len().min(twos.len());
    one = combine::<T, FUSED, C>(one, &ones[both..], from);
    two = combine::<T, FUSED, C>(two, &twos[both..], from);
    [one, two]
}

/// Number of sums in [`combine_dense`].
pub const ROWS: usize = 4;

/// Updates the first `R` of `ROWS` sums: `sum_r ← sum_r + Σ_j a_jr from_j`. Every source is read
/// once for all sums, and `WIDTH` columns are in registers. Cost: `R · C` MACs per source.
///
/// # Panics
/// If the number of sets of coefficients differs from the number of sources.
#[inline(always)]
pub fn combine_dense<T: Real, const FUSED: bool, const WIDTH: usize, const C: usize, const R: usize>(
    sums: &mut [[T; C]; ROWS],
    coefficients: &[[T; ROWS]],
    from: &[Lanes<T, C>],
) {
    assert_eq!(coefficients.len(), from.len(), "there must be one set of coefficients per source");
    for start in (0..C).step_by(WIDTH) {
        // Four variables, since the compiler would put an array of sums into memory.
        let [mut a, mut b, mut c, mut d] = sums.each_ref().map(|sum| part::<T, WIDTH>(sum, start));
        for (k, row) in coefficients.iter().zip(from) {
            let x = part::<T, WIDTH>(&row.0, start);
            for i in 0..WIDTH {
                a[i] = add_product::<T, FUSED>(a[i], k[0], x[i]);
            }
            for i in 0..if R > 1 { WIDTH } else { 0 } {
                b[i] = add_product::<T, FUSED>(b[i], k[1], x[i]);
            }
            for i in 0..if R > 2 { WIDTH } else { 0 } {
                c[i] = add_product::<T, FUSED>(c[i], k[2], x[i]);
            }
            for i in 0..if R > 3 { WIDTH } else { 0 } {
                d[i] = add_product::<T, FUSED>(d[i], k[3], x[i]);
            }
        }
        for (sum, own) in sums.iter_mut().zip([a, b, c, d]) {
            sum[start..start + WIDTH].copy_from_slice(&own);
        }
    }
}

/// Returns `WIDTH` columns, starting at `start`.
#[inline(always)]
fn part<T: Real, const WIDTH: usize>(row: &[T], start: usize) -> [T; WIDTH] {
    row[start..start + WIDTH].try_into().expect("the slice has WIDTH entries")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Generator, Purpose, generator};
    use rand::RngExt;

    const COLUMNS: usize = 128;

    /// Small integers, so that every sum is exact in any order and with any rounding.
    fn blocks(n: usize, rng: &mut Generator) -> Vec<Lanes<f64, COLUMNS>> {
        let mut one = || Lanes(std::array::from_fn(|_| f64::from(rng.random_range(-3..=3))));
        (0..n).map(|_| one()).collect()
    }

    #[test]
    fn combine_of_blocks_equals_the_dense_product() {
        let mut rng = generator(8, Purpose::Data);
        for sources in 0..=6 {
            let from = blocks(sources, &mut rng);
            let starts = blocks(ROWS, &mut rng);
            let mut draw = || std::array::from_fn(|_| f64::from(rng.random_range(-3..=3)));
            let coefficients: Vec<[f64; ROWS]> = (0..sources).map(|_| draw()).collect();
            let expected: [[f64; COLUMNS]; ROWS] = std::array::from_fn(|r| {
                let entry =
                    |k: usize| -> f64 { (0..sources).map(|j| coefficients[j][r] * from[j].0[k]).sum() };
                std::array::from_fn(|k| starts[r].0[k] + entry(k))
            });
            let sums: [[f64; COLUMNS]; ROWS] = std::array::from_fn(|r| starts[r].0);
            let (mut wide, mut narrow) = (sums, sums);
            combine_dense::<f64, true, 64, COLUMNS, ROWS>(&mut wide, &coefficients, &from);
            combine_dense::<f64, false, 16, COLUMNS, ROWS>(&mut narrow, &coefficients, &from);
            assert_eq!((wide, narrow), (expected, expected));
            let mut some = sums;
            combine_dense::<f64, true, 16, COLUMNS, 2>(&mut some, &coefficients, &from);
            assert_eq!(some, [expected[0], expected[1], sums[2], sums[3]]);
            let terms_of = |r: usize| -> Vec<_> {
                coefficients.iter().enumerate().map(|(j, c)| (c[r], j as u32)).collect()
            };
            for r in 0..ROWS {
                let terms = terms_of(r);
                assert_eq!(combine::<f64, true, COLUMNS>(sums[r], &terms, &from), expected[r]);
                assert_eq!(combine::<f64, false, COLUMNS>(sums[r], &terms, &from), expected[r]);
                // One of the two rows has fewer terms than the other.
                let (other, fewer) = ((r + 1) % ROWS, sources / 2);
                let others = terms_of(other);
                let alone = combine::<f64, true, COLUMNS>(sums[other], &others[..fewer], &from);
                let two = [sums[r], sums[other]];
                let two = combine_two::<f64, true, COLUMNS>(two, [&terms, &others[..fewer]], &from);
                assert_eq!(two, [expected[r], alone]);
                let two = [sums[other], sums[r]];
                let two = combine_two::<f64, false, COLUMNS>(two, [&others[..fewer], &terms], &from);
                assert_eq!(two, [alone, expected[r]]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "one set of coefficients per source")]
    fn combine_dense_with_too_few_coefficients_panics() {
        combine_dense::<f32, true, 16, COLUMNS, ROWS>(&mut [[0.0; COLUMNS]; ROWS], &[], &[Lanes::zero()]);
    }
}
