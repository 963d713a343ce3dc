//! The transitions Λ: the derivatives of rows of S at the end of a block with respect to every row
//! at every step of the block. This is the backward pass of `adjoint.rs` for 64 rows together. It
//! computes transposes,
//!
//! `M_s = A_{s+1}ᵀ Λ_{s+1}ᵀ + B_sᵀ Λ_sᵀ`,  `Λ_sᵀ = diag(e_s) M_s + diag(d_{s+1}) Λ_{s+1}ᵀ`,
//! `Λ_Kᵀ ← Λ_Kᵀ + 1`,
//!
//! and at the start of the block `Pᵀ = diag(d_1) Λ_1ᵀ + diag(e_0) M_0`. The pass is executed in
//! several calls; M is stored between them.

use super::anchor::Anchor;
use super::coupling::LiveColumn;
use super::tape::TapeStep;
use super::tile::{COLUMNS, UnitLanes};
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;
use crate::sparse::lanes::{self, add_product, flushed};
use crate::wiring::Wiring;
use std::ops::Range;

/// Λ of 64 rows at the end of a block.
pub struct Transition<T> {
    /// `[K][rows][64]`, Λᵀ.
    pub lambda: Vec<UnitLanes<T>>,
    /// `[rows][64]`, M of one step.
    mu: Vec<UnitLanes<T>>,
    /// `[slots][64]`, Pᵀ, for the rows at the start of the block.
    pub p: Vec<UnitLanes<T>>,
    /// `[rows][64]`, the contribution of Ē to each row's threshold.
    pub theta: Vec<UnitLanes<T>>,
}

impl<T: Real> Transition<T> {
    /// Creates zeros for blocks of `steps` steps.
    pub fn new(rows: usize, slots: usize, steps: usize) -> Self {
        let zeros = |n: usize| vec![UnitLanes::zero(); n];
        Self { lambda: zeros(rows * steps), mu: zeros(rows), p: zeros(slots), theta: zeros(rows) }
    }

    /// Writes the transition to an archive, or restores it.
    ///
    /// # Errors
    /// If the archive holds a transition of another size.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let Self { lambda, mu, p, theta } = self;
        [lambda, mu, p, theta]
            .into_iter()
            .try_for_each(|blocks| lanes::archive(archive, "transition.chunk", blocks))
    }

    /// Returns the number of values.
    pub fn numbers(&self) -> usize {
        (self.lambda.len() + self.mu.len() + self.p.len() + self.theta.len()) * COLUMNS
    }
}

/// A part of the backward pass of up to 64 rows of S.
pub struct TransitionPass<'a, T> {
    /// The wiring of the network.
    pub wiring: &'a Wiring,
    /// The transition to compute.
    pub transition: &'a mut Transition<T>,
    /// `[at most 64]`, the rows at the end of the block, ascending.
    pub slots: &'a [usize],
    /// `[K]`, the steps of the block.
    pub steps: &'a [TapeStep<T>],
    /// The steps of this call. The last step is processed first.
    pub taken: Range<usize>,
    /// The anchor at the start of the block.
    pub start: &'a Anchor<T>,
}

impl<T: Real> lanes::Loop for TransitionPass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(mut self) {
        if self.taken.end == self.steps.len() {
            self.transition.theta.fill(UnitLanes::zero());
            self.transition.mu.fill(UnitLanes::zero());
        }
        for s in self.taken.clone().rev() {
            self.step::<FUSED>(s);
        }
        if self.taken.start == 0 && self.start.present {
            self.reach_anchor::<FUSED>();
        }
    }
}

impl<T: Real> TransitionPass<'_, T> {
    /// Computes Λ of step `s`, and M of the step before it.
    #[inline(always)]
    fn step<const FUSED: bool>(&mut self, s: usize) {
        let Transition { lambda, mu, theta, .. } = &mut *self.transition;
        let (step, next, n) = (&self.steps[s], self.steps.get(s + 1), mu.len());
        let (past, later) = lambda.split_at_mut((s + 1) * n);
        let own = &mut past[s * n..];
        let nothing = [T::zero(); COLUMNS];
        let mut coupling_current = step.coupling_current.columns(self.wiring.current()).peekable();
        let mut seeds = self.slots.iter().enumerate().rev().peekable();
        for row in (0..n).rev() {
            if let Some(column) = coupling_current.next_if(|column| column.row == row) {
                mu[row].0 = flushed(read::<T, FUSED>(mu[row].0, &column, own));
            }
            let mut sum = nothing;
            let (kept, e) = (next.map_or(T::zero(), |next| next.d[row]), step.e[row]);
            if kept != T::zero() {
                scale_add::<T, FUSED>(&mut sum, kept, &later[row].0);
            }
            if let (None, Some((k, _))) = (next, seeds.next_if(|seed| *seed.1 == row)) {
                sum[k] = T::one();
            }
            if step.live[row] {
                scale_add::<T, FUSED>(&mut sum, e, &mu[row].0);
                if step.e_bar[row] != T::zero() {
                    scale_add::<T, FUSED>(&mut theta[row].0, step.e_bar[row], &mu[row].0);
                }
            }
            own[row].0 = flushed(sum);
        }
        mu.fill(UnitLanes::zero());
        for column in step.coupling_previous.columns(self.wiring.previous()) {
            mu[column.row].0 = flushed(read::<T, FUSED>(nothing, &column, own));
        }
    }

    /// Computes P and the contribution of Ē at the start of the block.
    #[inline(always)]
    fn reach_anchor<const FUSED: bool>(&mut self) {
        let Transition { lambda, mu, p, theta } = &mut *self.transition;
        let (first, start) = (&self.steps[0], self.start);
        for (p, &row) in p.iter_mut().zip(&start.rows) {
            p.0 = [T::zero(); COLUMNS];
            scale_add::<T, FUSED>(&mut p.0, first.d[row], &lambda[row].0);
            scale_add::<T, FUSED>(&mut p.0, start.e[row], &mu[row].0);
            p.0 = flushed(p.0);
        }
        for row in (0..mu.len()).filter(|&row| start.live[row]) {
            scale_add::<T, FUSED>(&mut theta[row].0, start.e_bar[row], &mu[row].0);
            theta[row].0 = flushed(theta[row].0);
        }
    }
}

/// Returns `sum + Σ_i a_i λ_i` over the rows that read a column.
#[inline(always)]
fn read<T: Real, const FUSED: bool>(
    mut sum: [T; COLUMNS],
    column: &LiveColumn<'_, T>,
    lambda: &[UnitLanes<T>],
) -> [T; COLUMNS] {
    for (&a, &i) in column.values.iter().zip(column.rows) {
        let from = &lambda[i as usize].0;
        for k in 0..COLUMNS {
            sum[k] = add_product::<T, FUSED>(sum[k], a, from[k]);
        }
    }
    sum
}

/// Computes `sum ← sum + a x`.
#[inline(always)]
fn scale_add<T: Real, const FUSED: bool>(sum: &mut [T; COLUMNS], a: T, x: &[T; COLUMNS]) {
    for k in 0..COLUMNS {
        sum[k] = add_product::<T, FUSED>(sum[k], a, x[k]);
    }
}
