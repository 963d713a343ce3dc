//! Λ, the derivative of some lines of a new base by the state of every row at every step of the block: the walk of `rule/blocked/walk.rs` for
//! 64 lines at once,
//!
//! `M_s = A_{s+1}ᵀ Λ_{s+1} + B_sᵀ Λ_s`,  `Λ_s = diag(e_s) M_s + diag(d_{s+1}) Λ_{s+1}`,  `Λ_K ← Λ_K + 1`,
//!
//! and with M_0 at the old base `P = diag(d_1) Λ_1 + diag(e_0) M_0`. A step is taken when its turn comes: M is kept in between.

use super::base::{Anchor, COLUMNS, Lanes};
use super::history::Record;
use super::live::Column;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::Real;
use crate::sparse::lanes::{self, add_product, flushed};
use crate::wiring::Wiring;
use std::ops::Range;

/// Λ of some lines of the new base: 64 of them, side by side.
pub struct Chunk<T> {
    /// Λ of every row at every step, step by step.
    pub lambda: Vec<Lanes<T>>,
    mu: Vec<Lanes<T>>,
    /// P of every line of the old base, and what Ē brings to each row's threshold.
    pub p: Vec<Lanes<T>>,
    pub theta: Vec<Lanes<T>>,
}

impl<T: Real> Chunk<T> {
    /// Room for blocks of that many steps.
    pub fn new(rows: usize, lines: usize, steps: usize) -> Self {
        let zeros = |n: usize| vec![Lanes::zero(); n];
        Self { lambda: zeros(rows * steps), mu: zeros(rows), p: zeros(lines), theta: zeros(rows) }
    }

    /// # Errors
    /// If what is read is of another size.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let Self { lambda, mu, p, theta } = self;
        [lambda, mu, p, theta]
            .into_iter()
            .try_for_each(|blocks| lanes::archive(archive, "advance.chunk", blocks))
    }

    /// Numbers it holds.
    pub fn numbers(&self) -> usize {
        (self.lambda.len() + self.mu.len() + self.p.len() + self.theta.len()) * COLUMNS
    }
}

/// Some steps of the walk of `rule/blocked/walk.rs`, for the state of some lines instead of a loss.
pub struct Back<'a, T> {
    pub wiring: &'a Wiring,
    pub chunk: &'a mut Chunk<T>,
    pub lines: &'a [usize],
    /// All steps of the block, and which of them: the newest not taken yet, to be taken newest first.
    pub steps: &'a [Record<T>],
    pub taken: Range<usize>,
    pub base: &'a Anchor<T>,
}

impl<T: Real> lanes::Loop for Back<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(mut self) {
        if self.taken.end == self.steps.len() {
            self.chunk.theta.fill(Lanes::zero());
            self.chunk.mu.fill(Lanes::zero());
        }
        for s in self.taken.clone().rev() {
            self.step::<FUSED>(s);
        }
        if self.taken.start == 0 && self.base.present {
            self.arrive::<FUSED>();
        }
    }
}

impl<T: Real> Back<'_, T> {
    /// Λ of step `s`, and M of the step before it.
    #[inline(always)]
    fn step<const FUSED: bool>(&mut self, s: usize) {
        let Chunk { lambda, mu, theta, .. } = &mut *self.chunk;
        let (step, next, n) = (&self.steps[s], self.steps.get(s + 1), mu.len());
        let (past, later) = lambda.split_at_mut((s + 1) * n);
        let own = &mut past[s * n..];
        let nothing = [T::zero(); COLUMNS];
        let mut relays = step.relays.columns(self.wiring.current()).peekable();
        let mut seeds = self.lines.iter().enumerate().rev().peekable();
        for row in (0..n).rev() {
            if let Some(column) = relays.next_if(|column| column.row == row) {
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
        mu.fill(Lanes::zero());
        for column in step.feeds.columns(self.wiring.previous()) {
            mu[column.row].0 = flushed(read::<T, FUSED>(nothing, &column, own));
        }
    }

    /// P, and what Ē of the old base brings.
    #[inline(always)]
    fn arrive<const FUSED: bool>(&mut self) {
        let Chunk { lambda, mu, p, theta } = &mut *self.chunk;
        let (first, base) = (&self.steps[0], self.base);
        for (p, &row) in p.iter_mut().zip(&base.rows) {
            p.0 = [T::zero(); COLUMNS];
            scale_add::<T, FUSED>(&mut p.0, first.d[row], &lambda[row].0);
            scale_add::<T, FUSED>(&mut p.0, base.e[row], &mu[row].0);
            p.0 = flushed(p.0);
        }
        for row in (0..mu.len()).filter(|&row| base.live[row]) {
            scale_add::<T, FUSED>(&mut theta[row].0, base.e_bar[row], &mu[row].0);
            theta[row].0 = flushed(theta[row].0);
        }
    }
}

/// `sum + Σ_i a_i λ_i` over the rows that read a column.
#[inline(always)]
fn read<T: Real, const FUSED: bool>(
    mut sum: [T; COLUMNS],
    column: &Column<'_, T>,
    lambda: &[Lanes<T>],
) -> [T; COLUMNS] {
    for (&a, &i) in column.values.iter().zip(column.rows) {
        let from = &lambda[i as usize].0;
        for k in 0..COLUMNS {
            sum[k] = add_product::<T, FUSED>(sum[k], a, from[k]);
        }
    }
    sum
}

/// `sum ← sum + a x`.
#[inline(always)]
fn scale_add<T: Real, const FUSED: bool>(sum: &mut [T; COLUMNS], a: T, x: &[T; COLUMNS]) {
    for k in 0..COLUMNS {
        sum[k] = add_product::<T, FUSED>(sum[k], a, x[k]);
    }
}
