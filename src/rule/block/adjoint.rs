//! The backward pass from the last step with credit to an anchor:
//!
//! `μ_s = c̄_s + A_{s+1}ᵀ λ_{s+1} + B_sᵀ λ_s`,  `λ_s = e_s ⊙ μ_s + d_{s+1} ⊙ λ_{s+1}`,
//!
//! and at the anchor `∂L/∂S = d_{1} ⊙ λ_1 + e_0 ⊙ A_1ᵀ λ_1`. The equations are the same as in
//! `rule/adjoint.rs`. λ of every step is stored for the gradient. While S is advanced there are two
//! anchors, at the end and at the start of the previous block. One pass computes both.

use super::anchor::Anchor;
use super::ended::EndedBlock;
use super::tape::{Tape, TapeStep};
use crate::scalar::Real;
use crate::sparse::lanes::{self, add_product};
use crate::wiring::Wiring;

/// The adjoints of the steps of one block.
pub struct BlockAdjoints<T> {
    /// `[K][rows]`, λ.
    lambdas: Vec<T>,
    /// `[slots]`, pairs (∂L/∂S, slot) at the anchor before these steps.
    pub terms: Vec<(T, u32)>,
    /// `[rows]`, the gradient of each row's threshold through Ē since that anchor.
    pub thetas: Vec<T>,
}

impl<T> BlockAdjoints<T> {
    /// Returns λ of the steps, oldest first. `[K][rows]`
    fn lambdas(&self) -> impl Iterator<Item = &[T]> {
        self.lambdas.chunks_exact(self.thetas.len())
    }
}

/// The adjoints of the current and of the previous block.
pub struct Adjoints<T> {
    /// `[rows]`, μ of one step.
    mu: Vec<T>,
    /// Adjoints of the current block.
    pub now: BlockAdjoints<T>,
    /// Adjoints of the previous block.
    pub past: BlockAdjoints<T>,
}

impl<T: Real> Adjoints<T> {
    /// Creates zero adjoints for blocks of `steps` steps.
    pub fn new(wiring: &Wiring, steps: usize) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let n = wiring.rows();
        let block =
            || BlockAdjoints { lambdas: zeros(n * steps), terms: Vec::with_capacity(n), thetas: zeros(n) };
        Self { mu: zeros(n), now: block(), past: block() }
    }
}

/// The first steps of a block, and their adjoints.
pub struct StepRange<'a, T> {
    /// The steps of the block.
    pub tape: &'a Tape<T>,
    /// The adjoints of the block.
    pub adjoints: &'a BlockAdjoints<T>,
    /// Number of steps of the range, at most the length of the tape.
    pub steps: usize,
}

impl<T: Real> StepRange<'_, T> {
    /// Writes λ of a row at every step to `lambda`, oldest first. `[steps]`
    #[inline(always)]
    pub fn lambda_of(&self, row: usize, lambda: &mut [T]) {
        for (lambda, of_step) in lambda.iter_mut().zip(self.adjoints.lambdas()) {
            *lambda = of_step[row];
        }
    }
}

/// A backward pass from the last step with credit to the anchor at the start of the current block
/// and, with `further`, to the anchor at the start of the previous block. Returns the MACs.
pub struct AdjointPass<'a, T> {
    /// The adjoints to compute.
    pub adjoints: &'a mut Adjoints<T>,
    /// The previous block.
    pub block: EndedBlock<'a, T>,
    /// The steps of the current block.
    pub now: &'a Tape<T>,
    /// The last step with credit, from 1.
    pub last: usize,
    /// Whether the pass continues through the previous block.
    pub further: bool,
}

impl<T: Real> lanes::Loop for AdjointPass<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) -> u64 {
        let Self { block: EndedBlock { wiring, tape: past, start, end }, now, last, further, .. } = self;
        let Adjoints { mu, now: adjoints, past: longer } = self.adjoints;
        let first = &now.steps()[0];
        adjoints.thetas.fill(T::zero());
        let mut macs = pass_through::<T, FUSED>(wiring, &now.steps()[..last], None, mu, adjoints);
        // Copied before `reach_anchor` adds Ē of the anchor: a further pass adds Ē of that step
        // itself.
        longer.thetas.copy_from_slice(&adjoints.thetas);
        macs += reach_anchor::<T, FUSED>(wiring, first, end, mu, adjoints);
        if further {
            macs +=
                pass_through::<T, FUSED>(wiring, past.steps(), Some((first, &adjoints.lambdas)), mu, longer);
            macs += reach_anchor::<T, FUSED>(wiring, &past.steps()[0], start, mu, longer);
        }
        macs
    }
}

/// Computes the adjoints of some steps. `after` is the next step after them, with its λ. Returns
/// the MACs.
#[inline(always)]
fn pass_through<T: Real, const FUSED: bool>(
    wiring: &Wiring,
    steps: &[TapeStep<T>],
    after: Option<(&TapeStep<T>, &[T])>,
    mu: &mut [T],
    adjoints: &mut BlockAdjoints<T>,
) -> u64 {
    let n = wiring.rows();
    let mut macs = 0;
    for (s, step) in steps.iter().enumerate().rev() {
        let (lambda, later) = adjoints.lambdas[s * n..].split_at_mut(n);
        let next = match steps.get(s + 1) {
            Some(next) => Some((next, &later[..n])),
            None => after.map(|(next, lambda)| (next, &lambda[..n])),
        };
        mu.fill(T::zero());
        match next {
            Some((next, after)) => {
                macs += back_coupling::<T, FUSED>(wiring, next, after, mu);
                lambda.iter_mut().zip(next.d.iter().zip(after)).for_each(|(x, (&d, &after))| *x = d * after);
            }
            None => lambda.fill(T::zero()),
        }
        for (mu, &credit) in mu[wiring.outputs()].iter_mut().zip(&step.credit) {
            *mu += credit;
        }
        // μ of a row needs λ of all rows that read it within the step, which have larger indices.
        let mut known = n;
        for column in step.coupling_current.columns(wiring.current()) {
            add_emission::<T, FUSED>(step, lambda, mu, column.row + 1..known);
            mu[column.row] += column.dot::<FUSED>(lambda);
            known = column.row + 1;
        }
        add_emission::<T, FUSED>(step, lambda, mu, 0..known);
        for (theta, (&e_bar, &mu)) in adjoints.thetas.iter_mut().zip(step.e_bar.iter().zip(&*mu)) {
            *theta += e_bar * mu;
        }
        macs += step.coupling_current.len();
    }
    macs as u64
}

/// Computes ∂L/∂S at the anchor before step `first`. `adjoints` holds λ of `first`. Returns the
/// MACs.
#[inline(always)]
fn reach_anchor<T: Real, const FUSED: bool>(
    wiring: &Wiring,
    first: &TapeStep<T>,
    anchor: &Anchor<T>,
    mu: &mut [T],
    adjoints: &mut BlockAdjoints<T>,
) -> u64 {
    adjoints.terms.clear();
    if !anchor.present {
        return 0;
    }
    mu.fill(T::zero());
    let macs = back_coupling::<T, FUSED>(wiring, first, &adjoints.lambdas, mu);
    for (line, &row) in anchor.rows.iter().enumerate() {
        let slope = first.d[row] * adjoints.lambdas[row] + anchor.e[row] * mu[row];
        adjoints.terms.push((slope.flushed(), line as u32));
    }
    for (theta, (&e_bar, &mu)) in adjoints.thetas.iter_mut().zip(anchor.e_bar.iter().zip(&*mu)) {
        *theta += e_bar * mu;
    }
    macs as u64
}

/// Computes `λ ← λ + e ⊙ μ` for some rows.
#[inline(always)]
fn add_emission<T: Real, const FUSED: bool>(
    step: &TapeStep<T>,
    lambda: &mut [T],
    mu: &[T],
    rows: std::ops::Range<usize>,
) {
    let factors = step.e[rows.clone()].iter().zip(&mu[rows.clone()]);
    lambda[rows].iter_mut().zip(factors).for_each(|(lambda, (&e, &mu))| {
        *lambda = add_product::<T, FUSED>(*lambda, e, mu).flushed();
    });
}

/// Computes `μ = Aᵀ λ` at the step before `step`, for live rows of that step. Returns the MACs.
#[inline(always)]
fn back_coupling<T: Real, const FUSED: bool>(
    wiring: &Wiring,
    step: &TapeStep<T>,
    lambda: &[T],
    mu: &mut [T],
) -> usize {
    for column in step.coupling_previous.columns(wiring.previous()) {
        mu[column.row] = column.dot::<FUSED>(lambda);
    }
    step.coupling_previous.len()
}
