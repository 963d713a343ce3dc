//! Credit carried back from the newest step to the base:
//!
//! `μ_s = c̄_s + A_{s+1}ᵀ λ_{s+1} + B_sᵀ λ_s`,  `λ_s = e_s ⊙ μ_s + d_{s+1} ⊙ λ_{s+1}`,
//!
//! and at the base `∂L/∂S = d_{1} ⊙ λ_1 + e_0 ⊙ A_1ᵀ λ_1`. λ of every step is left for what M̄ earns. While the base is being advanced there
//! are two of them, one at either end of the block before: one walk passes both.

use super::base::Anchor;
use super::history::{History, Record};
use crate::scalar::Real;
use crate::sparse::lanes::{self, add_product};
use crate::wiring::Wiring;

/// What a walk through the steps of one block has left.
pub struct Trail<T> {
    /// λ of every row, step by step.
    lambdas: Vec<T>,
    /// ∂L/∂S at the base before these steps, line by line.
    pub terms: Vec<(T, u32)>,
    /// What Ē of every row has earned since that base.
    pub thetas: Vec<T>,
}

impl<T> Trail<T> {
    /// λ at the steps, oldest first.
    pub fn lambdas(&self) -> impl Iterator<Item = &[T]> {
        self.lambdas.chunks_exact(self.thetas.len())
    }
}

/// λ on its way back.
pub struct Walk<T> {
    mu: Vec<T>,
    /// Through the running block, and through the one before it.
    pub now: Trail<T>,
    pub past: Trail<T>,
}

impl<T: Real> Walk<T> {
    pub fn new(wiring: &Wiring, steps: usize) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let n = wiring.rows();
        let trail = || Trail { lambdas: zeros(n * steps), terms: Vec::with_capacity(n), thetas: zeros(n) };
        Self { mu: zeros(n), now: trail(), past: trail() }
    }
}

/// A walk from step `last` (counted from one) of the running block to its base and, if that is wanted, further through the block before to
/// the base before. Returns the MACs.
pub struct Back<'a, T> {
    pub walk: &'a mut Walk<T>,
    pub wiring: &'a Wiring,
    pub now: &'a History<T>,
    pub past: &'a History<T>,
    /// The base before, and that of the running block.
    pub base: (&'a Anchor<T>, &'a Anchor<T>),
    pub last: usize,
    pub further: bool,
}

impl<T: Real> lanes::Loop for Back<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) -> u64 {
        let Self { wiring, now, past, base, last, further, .. } = self;
        let Walk { mu, now: trail, past: longer } = self.walk;
        let first = &now.steps()[0];
        trail.thetas.fill(T::zero());
        let mut macs = through::<T, FUSED>(wiring, &now.steps()[..last], None, mu, trail);
        // Ē of the base itself is met again by a walk that goes on.
        longer.thetas.copy_from_slice(&trail.thetas);
        macs += arrive::<T, FUSED>(wiring, first, base.1, mu, trail);
        if further {
            macs += through::<T, FUSED>(wiring, past.steps(), Some((first, &trail.lambdas)), mu, longer);
            macs += arrive::<T, FUSED>(wiring, &past.steps()[0], base.0, mu, longer);
        }
        macs
    }
}

/// Walks back through some steps; `after` is the step that follows them, and λ there.
#[inline(always)]
fn through<T: Real, const FUSED: bool>(
    wiring: &Wiring,
    steps: &[Record<T>],
    after: Option<(&Record<T>, &[T])>,
    mu: &mut [T],
    trail: &mut Trail<T>,
) -> u64 {
    let n = wiring.rows();
    let mut macs = 0;
    for (s, step) in steps.iter().enumerate().rev() {
        let (lambda, later) = trail.lambdas[s * n..].split_at_mut(n);
        let next = match steps.get(s + 1) {
            Some(next) => Some((next, &later[..n])),
            None => after.map(|(next, lambda)| (next, &lambda[..n])),
        };
        mu.fill(T::zero());
        match next {
            Some((next, after)) => {
                macs += feed::<T, FUSED>(wiring, next, after, mu);
                lambda.iter_mut().zip(next.d.iter().zip(after)).for_each(|(x, (&d, &after))| *x = d * after);
            }
            None => lambda.fill(T::zero()),
        }
        for (mu, &credit) in mu[wiring.outputs()].iter_mut().zip(&step.credit) {
            *mu += credit;
        }
        // Rows above one that others read within the step must be known before it.
        let mut known = n;
        for column in step.relays.columns(wiring.current()) {
            emit::<T, FUSED>(step, lambda, mu, column.row + 1..known);
            mu[column.row] += column.dot::<FUSED>(lambda);
            known = column.row + 1;
        }
        emit::<T, FUSED>(step, lambda, mu, 0..known);
        for (earned, (&e_bar, &mu)) in trail.thetas.iter_mut().zip(step.e_bar.iter().zip(&*mu)) {
            *earned += e_bar * mu;
        }
        macs += step.relays.len();
    }
    macs as u64
}

/// What reaches the base before `first`, whose λ the trail holds. Returns the MACs.
#[inline(always)]
fn arrive<T: Real, const FUSED: bool>(
    wiring: &Wiring,
    first: &Record<T>,
    base: &Anchor<T>,
    mu: &mut [T],
    trail: &mut Trail<T>,
) -> u64 {
    trail.terms.clear();
    if !base.present {
        return 0;
    }
    mu.fill(T::zero());
    let macs = feed::<T, FUSED>(wiring, first, &trail.lambdas, mu);
    for (line, &row) in base.rows.iter().enumerate() {
        let slope = first.d[row] * trail.lambdas[row] + base.e[row] * mu[row];
        trail.terms.push((slope.flushed(), line as u32));
    }
    for (earned, (&e_bar, &mu)) in trail.thetas.iter_mut().zip(base.e_bar.iter().zip(&*mu)) {
        *earned += e_bar * mu;
    }
    macs as u64
}

/// `λ ← λ + e ⊙ μ` for some rows.
#[inline(always)]
fn emit<T: Real, const FUSED: bool>(
    step: &Record<T>,
    lambda: &mut [T],
    mu: &[T],
    rows: std::ops::Range<usize>,
) {
    let factors = step.e[rows.clone()].iter().zip(&mu[rows.clone()]);
    lambda[rows].iter_mut().zip(factors).for_each(|(lambda, (&e, &mu))| {
        *lambda = add_product::<T, FUSED>(*lambda, e, mu).flushed();
    });
}

/// `μ = Aᵀ λ` at the step before `step`, for rows that were live there. Returns the MACs.
#[inline(always)]
fn feed<T: Real, const FUSED: bool>(wiring: &Wiring, step: &Record<T>, lambda: &[T], mu: &mut [T]) -> usize {
    for column in step.feeds.columns(wiring.previous()) {
        mu[column.row] = column.dot::<FUSED>(lambda);
    }
    step.feeds.len()
}
