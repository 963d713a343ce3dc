//! What a walk has earned in the columns of a unit,
//!
//! `∂L/∂w = (∂L/∂S)ᵀ S + Σ_s δ_s φ_s`,  `δ_s = gain_s ⊙ λ_s`,
//!
//! the sum over the steps between S and the newest one that has credit. S is read once, from memory: the rest is small beside that.

use super::base::{COLUMNS, Unit};
use super::history::{History, LANES};
use super::walk::Trail;
use crate::scalar::Real;
use crate::sparse::block::{self, combine};

/// Some steps and what a walk through them has left.
pub struct Stretch<'a, T> {
    pub history: &'a History<T>,
    pub trail: &'a Trail<T>,
    pub steps: usize,
}

/// A unit that is to have its gradient.
pub struct Gather<'a, T> {
    pub unit: &'a mut Unit<T>,
    /// The lines of S in its tiles.
    pub lines: &'a [usize],
    /// The steps since then, newest block first; the walk through the last of them knows ∂L/∂S.
    pub stretches: &'a [Stretch<'a, T>],
}

impl<T: Real> block::Loop for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { unit, lines, stretches } = self;
        let Some(Stretch { trail, .. }) = stretches.last() else { return };
        let start = lines.partition_point(|&row| row < unit.first);
        let terms = trail.terms.get(start..).unwrap_or_default();
        for tile in &mut unit.tiles {
            tile.gradient.0 = combine::<T, FUSED, COLUMNS>([T::zero(); COLUMNS], terms, &tile.blocks);
            if let Some((column, row)) = tile.theta {
                tile.gradient.0[column] += trail.thetas[row];
            }
        }
        for stretch in stretches {
            unit.follow::<FUSED>(stretch);
        }
    }
}

impl<T: Real> Unit<T> {
    /// Adds what M̄ of some steps has earned.
    #[inline(always)]
    fn follow<const FUSED: bool>(&mut self, stretch: &Stretch<'_, T>) {
        let Self { row, tiles, lambda, delta, .. } = self;
        let Stretch { history, trail, steps } = stretch;
        // λ is zero at the steps that make up the last sixteen.
        let (stride, last) = (history.stride / LANES, steps.div_ceil(LANES));
        lambda[..last * LANES].fill(T::zero());
        let rows = trail.thetas.len();
        for (lambda, of_step) in lambda.iter_mut().zip(trail.lambdas.chunks_exact(rows)).take(*steps) {
            *lambda = of_step[*row];
        }
        let (gains, phis) = (history.gains.as_chunks::<LANES>().0, history.phis.as_chunks().0);
        let (lambda, delta) = (&lambda.as_chunks::<LANES>().0[..last], delta.as_chunks_mut().0);
        for tile in tiles {
            let (mut sums, mut sources) = (&mut tile.gradient.0[..], &tile.sources[..]);
            for run in &tile.runs {
                let gains = &gains[run.pre * stride..][..last];
                for (delta, (gain, lambda)) in delta.iter_mut().zip(gains.iter().zip(lambda)) {
                    for k in 0..LANES {
                        delta[k] = gain[k] * lambda[k];
                    }
                }
                let (own_sums, own_sources);
                (own_sums, sums) = sums.split_at_mut(run.len);
                (own_sources, sources) = sources.split_at(run.len);
                let phi = |source: u32| &phis[source as usize * stride..][..last];
                let (fours, rest) = own_sources.as_chunks::<4>();
                let (sum_fours, sum_rest) = own_sums.as_chunks_mut::<4>();
                for (sums, sources) in sum_fours.iter_mut().zip(fours) {
                    let found = dots::<T, FUSED>(&delta[..last], sources.map(phi));
                    sums.iter_mut().zip(found).for_each(|(sum, dot)| *sum += dot);
                }
                for (sum, &source) in sum_rest.iter_mut().zip(rest) {
                    *sum += dot::<T, FUSED>(&delta[..last], phi(source));
                }
            }
        }
    }

    /// Adds what the last gathering found to the gradient.
    pub fn hand_over(&self, gradient: &mut [T]) {
        for tile in &self.tiles {
            let mut sums = &tile.gradient.0[..];
            for run in &tile.runs {
                let (own, others) = sums.split_at(run.len);
                gradient[run.parameter..][..run.len].iter_mut().zip(own).for_each(|(to, &sum)| *to += sum);
                sums = others;
            }
        }
    }
}

/// `sum + Σ_s x_s y_s`, in sixteen sums that are added up by halves: an order that no machine's vectors change.
#[inline(always)]
fn dot<T: Real, const FUSED: bool>(x: &[[T; LANES]], y: &[[T; LANES]]) -> T {
    let mut sums = [T::zero(); LANES];
    for (x, y) in x.iter().zip(y) {
        sums = add::<T, FUSED>(sums, x, y);
    }
    by_halves(sums)
}

/// The same for four columns at once, none of which waits for another.
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

#[inline(always)]
fn add<T: Real, const FUSED: bool>(mut sums: [T; LANES], x: &[T; LANES], y: &[T; LANES]) -> [T; LANES] {
    for k in 0..LANES {
        sums[k] = block::add_product::<T, FUSED>(sums[k], x[k], y[k]);
    }
    sums
}

#[inline(always)]
fn by_halves<T: Real>(mut sums: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
}
