//! Exact RTRL in blocks of K steps (J. Schmidhuber 1992): an exact gradient at any step does not need S advanced at every step. Credit is
//! carried back through the steps since the last block's end, at most K, and S is read there once:
//!
//! `∂L/∂w = (∂L/∂S_0)ᵀ S_0 + Σ_s M̄_sᵀ λ_s + Ē_sᵀ μ_s`,
//!
//! with λ, μ from [`walk`]; and S is advanced every K steps, by products of matrices ([`advance`]). The gradient is the one of RTRL, up to
//! rounding. The couplings of every step are kept, not the weights, which may change inside a block.
//!
//! # What is skipped
//!
//! Masked parameters have no columns and no couplings; rows without derivative are no sources in the walk, and no lines of S where they
//! do not carry; an upper layer's parameters have no lines below it. Columns nothing has influenced yet are not skipped.
//!
//! # Cost
//!
//! In MACs, for p parameters, l lines of S, a couplings out of live rows: a walk over k steps `k (a + p) + l p`, the end of a block
//! `K a l + l² p + K l p + K p`. So a gradient at every step costs about `(l + K/2) p + (l/K + 1) l p` instead of the `η |A| p` of the direct
//! recursion: worth it for large nets whose rows of A have many live sources (see [`best_steps`]). Credit of several steps that is drained
//! at once is carried back at once: with weights updated every K steps only, a block costs one walk.
//!
//! J. Schmidhuber, *A fixed size storage O(n³) time complexity learning algorithm for fully recurrent continually running networks*, Neural
//! Computation 4(2), 1992.

mod advance;
mod back;
mod base;
mod choose;
mod history;
mod walk;

pub use choose::best_steps;

use super::{Claim, Rule};
use crate::archive::Archive;
use crate::cell::{Step, Wiring};
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::sparse::block;
use advance::Advance;
use base::{Base, Gather};
use history::History;
use rayon::prelude::*;
use std::sync::Arc;
use walk::Walk;

/// MACs from which on a second thread is worth its start. Fewer than in the direct recursion, since most of them wait for memory.
const WORTH_A_THREAD: usize = 1_500_000;

/// Threads for that much work.
fn threads(macs: usize) -> usize {
    if macs < WORTH_A_THREAD { 1 } else { rayon::current_num_threads() }
}

/// Exact RTRL in blocks, for one stream.
pub struct Blocked<T> {
    wiring: Arc<Wiring>,
    arch: pulp::Arch,
    steps: usize,
    history: History<T>,
    base: Base<T>,
    walk: Walk<T>,
    advance: Advance<T>,
    /// Steps of the block up to which there may be credit that was not carried back.
    credited: usize,
    gradient: Vec<T>,
    /// MACs of walks that a reset made and nobody has asked for yet.
    unreported: u64,
}

impl<T: Real> Blocked<T> {
    /// A rule for one stream over `wiring` with blocks of that many steps; with `activity`, rows that are zero are skipped.
    ///
    /// # Panics
    /// If a block has no step.
    pub fn new(wiring: Arc<Wiring>, steps: usize, activity: bool) -> Self {
        assert!(steps > 0, "a block must have at least one step");
        let (history, base) = (History::new(&wiring, steps, activity), Base::new(&wiring, steps));
        Self {
            arch: pulp::Arch::new(),
            walk: Walk::new(&wiring, &history),
            advance: Advance::new(&wiring, &base, steps),
            gradient: vec![T::zero(); wiring.parameters()],
            steps,
            history,
            base,
            credited: 0,
            unreported: 0,
            wiring,
        }
    }

    /// Carries credit back and gathers what it earns. Returns the MACs.
    fn carry_back(&mut self) -> u64 {
        let last = std::mem::take(&mut self.credited);
        if last == 0 {
            return 0;
        }
        let Self { wiring, arch, history, base, walk, gradient, .. } = self;
        let mut macs = walk.back(wiring, history, base, last, gradient);
        let (arch, walk, history_read) = (*arch, &*walk, &*history);
        let Base { units, rows, present, .. } = base;
        let rows = if *present { &rows[..] } else { &[] };
        let gather = |unit: &mut base::Unit<T>| {
            block::dispatch(arch, Gather { unit, rows, walk, history: history_read, last });
        };
        match threads(wiring.parameters() * (walk.terms.len() + last)) {
            1 => units.iter_mut().for_each(gather),
            threads => {
                let share = units.len().div_ceil(threads).max(1);
                units.par_chunks_mut(share).for_each(|units| units.iter_mut().for_each(gather));
            }
        }
        for unit in units {
            let terms =
                walk.terms.len() - walk.terms.partition_point(|term| rows[term.1 as usize] < unit.first);
            for tile in &unit.tiles {
                macs += (tile.columns.len() * (terms + last)) as u64;
                for (column, &sum) in tile.columns.iter().zip(&tile.gradient.0) {
                    gradient[column.parameter] += sum;
                }
            }
        }
        history.steps_mut()[..last].iter_mut().for_each(|step| step.credit.fill(T::zero()));
        macs
    }
}

impl<T: Real> Rule<T> for Blocked<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.unreported += self.carry_back();
        self.history.forget();
        self.base.present = false;
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        if self.history.len == self.steps {
            macs.backward += self.carry_back();
            macs.influence += self.advance.run(self.arch, &self.wiring, &self.history, &mut self.base);
            self.history.clear();
        }
        let before = self.base.present.then_some(&self.base.live[..]);
        self.history.push(&self.wiring, step, before);
    }

    fn credit(&mut self, credit: &[T], _: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        let last = self.history.steps_mut().last_mut();
        let step = last.expect("credit needs an observed step");
        step.credit.iter_mut().zip(credit).for_each(|(to, &c)| *to += c);
        self.credited = self.history.len;
    }

    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs) {
        macs.backward += self.carry_back() + std::mem::take(&mut self.unreported);
        super::hand_over(&mut self.gradient, gradient);
    }

    fn archive(&mut self, _: &mut Archive) -> Result<()> {
        todo!("at the merge")
    }

    fn bytes(&self) -> usize {
        let numbers =
            self.base.held() + self.history.numbers() + self.advance.numbers() + self.gradient.len();
        numbers * std::mem::size_of::<T>()
    }
}
