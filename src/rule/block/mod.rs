//! Exact RTRL in blocks of K steps (J. Schmidhuber 1992): an exact gradient at any step does not need S advanced at every step. Credit is
//! carried back through the steps since the last block's end, at most K, and S is read there once:
//!
//! `∂L/∂w = (∂L/∂S_0)ᵀ S_0 + Σ_s M̄_sᵀ λ_s + Ē_sᵀ μ_s`,
//!
//! with λ, μ from [`walk`]; and S is advanced every K steps, by products of matrices ([`advance`]). The gradient is the one of RTRL, up to
//! rounding. The couplings of every step are kept, not the weights, which may change inside a block.
//!
//! # No long steps
//!
//! The advance over a block that has ended is carried out in shares at the next K/2 steps ([`schedule`]). Meanwhile S is known at two moments:
//! for units advanced already at the end of that block, for others at its beginning. One walk serves both: it leaves ∂L/∂S as it passes
//! the end, and goes on to the beginning. So a walk is longer for half of the steps, by K, and no step is long.
//!
//! # Threads
//!
//! A step's share of the advance and the walk do not depend on each other, nor does what the walk has earned in units that are not being
//! advanced: they are carried out at once, some units at a time, the advance's products by one thread while another waits for memory.
//!
//! # What is skipped
//!
//! Masked parameters have no columns and no couplings; rows without derivative are no sources in the walk, and no lines of S where they
//! do not carry; rows inside a step are none if nothing comes of them; an upper layer's parameters have no lines below it. Columns nothing has
//! influenced yet are not skipped.
//!
//! # Cost
//!
//! In MACs, for p parameters, l lines of S, a couplings out of live rows: a walk over k steps `k (a + p) + l p`, the advance over a block
//! `K a l + l² p + K l p + K p`. With a gradient at every step, walks are K steps long in the mean, and 3 K/4 of them are read in a column: about
//! `K a + (l + 3 K/4) p + (l/K + 1) l p` instead of the `η |A| p` of the direct recursion: worth it for large nets whose rows of A have many
//! live sources (see [`best_steps`]). Credit of several steps that is drained at once is carried back at once: with weights updated every K
//! steps only, a block costs one walk. Where S does not fit into the caches, what counts is reading it, once a step with a gradient.
//!
//! J. Schmidhuber, *A fixed size storage O(n³) time complexity learning algorithm for fully recurrent continually running networks*, Neural
//! Computation 4(2), 1992.

mod advance;
mod apart;
mod back;
mod base;
mod catch_up;
mod choose;
mod earn;
mod gather;
mod history;
mod live;
mod make;
pub(super) mod schedule;
mod walk;

pub use choose::best_steps;

use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use advance::Advance;
use base::Base;
use history::History;
use std::sync::Arc;
use walk::Walk;

/// Exact RTRL in blocks, for one stream.
pub struct BlockRtrl<T> {
    wiring: Arc<Wiring>,
    arch: pulp::Arch,
    steps: usize,
    /// The running block, and the one before it, while the base is carried over that.
    now: History<T>,
    past: History<T>,
    base: Base<T>,
    walk: Walk<T>,
    advance: Advance<T>,
    /// Whether the newest step's share of the advance is still to be carried out.
    due: bool,
    /// Steps of the block up to which there may be credit that was not carried back.
    credited: usize,
    /// Gradient of credit that was carried back before anybody asked for it, if there is any.
    gradient: Vec<T>,
    kept: bool,
    /// MACs of walks that a reset made and nobody has asked for yet.
    unreported: Macs,
}

impl<T: Real> BlockRtrl<T> {
    /// A rule for one stream over `wiring` with blocks of that many steps; with `activity`, rows that are zero are skipped.
    ///
    /// # Panics
    /// If a block has no step.
    pub fn new(wiring: Arc<Wiring>, steps: usize, activity: bool) -> Self {
        assert!(steps > 0, "a block must have at least one step");
        let base = Base::new(&wiring, steps);
        Self {
            arch: pulp::Arch::new(),
            now: History::new(&wiring, steps, activity),
            past: History::new(&wiring, steps, activity),
            walk: Walk::new(&wiring, steps),
            advance: Advance::new(&wiring, &base, steps),
            gradient: vec![T::zero(); wiring.parameters()],
            kept: false,
            steps,
            base,
            due: false,
            credited: 0,
            unreported: Macs::default(),
            wiring,
        }
    }
}

impl<T: Real> Rule<T> for BlockRtrl<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        // Nobody will read the new base.
        self.due = false;
        let mut macs = std::mem::take(&mut self.unreported);
        self.catch_up_and_keep(&mut macs);
        self.unreported = macs;
        self.now.forget();
        self.past.forget();
        self.base.forget();
        self.advance.forget();
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        if self.now.len == self.steps {
            self.catch_up_and_keep(macs);
            std::mem::swap(&mut self.now, &mut self.past);
            self.now.clear();
            self.advance.begin(&self.wiring, &self.past, &mut self.base);
        } else if self.due {
            // Credit can wait for the end of the block.
            let share = self.advance.due();
            macs.influence += share.1;
            let Self { wiring, arch, past, base, advance, .. } = self;
            let moving = &mut base.units[advance.units(&share.0)];
            advance.carry_out(*arch, (wiring, past), (&base.left, &base.reached), moving, share);
        }
        let reached = &self.base.reached;
        self.now.push(&self.wiring, step, reached.present.then_some(&reached.live[..]));
        self.due = !self.advance.is_done();
    }

    fn credit(&mut self, credit: &[T], _: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        let last = self.now.steps_mut().last_mut();
        let step = last.expect("credit needs an observed step");
        step.credit.iter_mut().zip(credit).for_each(|(to, &c)| *to = (*to + c).normal());
        self.credited = self.now.len;
    }

    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs) {
        *macs += std::mem::take(&mut self.unreported);
        assert_eq!(
            gradient.len(),
            self.gradient.len(),
            "the gradient must have as many entries as there are parameters"
        );
        if self.credited > 0 && self.catch_up(macs) {
            self.base.units.iter().for_each(|unit| unit.hand_over(gradient));
        }
        if std::mem::take(&mut self.kept) {
            super::drain_into(&mut self.gradient, gradient);
        }
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("blocked.due", &mut self.due)?;
        archive.field("blocked.credited", &mut self.credited)?;
        archive.field("blocked.unreported", &mut self.unreported)?;
        archive.list("blocked.gradient", &mut self.gradient)?;
        self.kept = true;
        self.now.archive(&self.wiring, archive)?;
        self.past.archive(&self.wiring, archive)?;
        self.advance.archive(archive, self.base.units.len())?;
        self.base.archive(self.advance.moved(), archive)?;
        // An advance under way is one over a whole block, to a base that is there.
        let whole = self.past.len == self.steps && self.base.reached.present;
        if !(whole || self.advance.is_done()) {
            return Err(Error::State { field: "advance.schedule", found: "an advance over nothing".into() });
        }
        match self.credited <= self.now.len {
            true => Ok(()),
            false => {
                Err(Error::State { field: "blocked.credited", found: format!("step {}", self.credited) })
            }
        }
    }

    fn bytes(&self) -> usize {
        let past = if self.advance.is_done() { 0 } else { self.past.numbers() };
        let held = self.base.held(self.advance.moved());
        let numbers = held + self.now.numbers() + past + self.advance.numbers() + self.gradient.len();
        numbers * std::mem::size_of::<T>()
    }
}
