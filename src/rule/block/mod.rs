//! Exact RTRL in blocks of K steps ([`BlockRtrl`]).

mod adjoint;
mod advance;
mod anchor;
mod cost_model;
mod coupling;
mod ended;
mod execute;
mod gradient;
mod influence;
pub(super) mod schedule;
mod tape;
mod tile;
mod transition;
mod update;

pub use cost_model::best_steps;

use super::{Claim, Rule};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use adjoint::Adjoints;
use advance::Advance;
use ended::EndedBlock;
use gradient::UnitGradient;
use influence::AnchorInfluence;
use std::sync::Arc;
use tape::Tape;

/// Exact RTRL for one stream that advances the influence matrix every K steps (`rtrl-blocked-K`).
///
/// # Equation
///
/// The gradient at a step does not need S at that step. Credit is carried back over the steps since
/// the end of the last block, at most K, to the anchor influence S₀ stored there:
///
/// `∂L/∂w = λ_0ᵀ S_0 + Σ_s (M̄_sᵀ λ_s + Ē_sᵀ μ_s)`,  `μ_s = c̄_s + A_{s+1}ᵀ λ_{s+1} + B_sᵀ λ_s`,
/// `λ_s = e_s ⊙ μ_s + d_{s+1} ⊙ λ_{s+1}`.
///
/// S is advanced over a block of K steps by matrix products, with the transitions
/// `Λ_s = ∂S_K/∂S_s`:
///
/// `S_K = Λ_0 S_0 + Σ_s Λ_s M̄_s + …`.
///
/// The couplings of every step of the block are stored, since the weights may change within a
/// block.
///
/// # Symbols
///
/// | symbol | shape | meaning |
/// |---|---|---|
/// | K | | steps per block |
/// | S, S₀ | rows × p | influence matrix, anchor influence |
/// | λ, μ | rows | adjoints `∂L/∂c` and `∂L/∂y` |
/// | Λ | rows × rows | transition |
/// | A, B, d, e, M̄, Ē, c̄ | | see [`Rtrl`](super::Rtrl) |
///
/// # What is skipped
///
/// - Pruned parameters: their columns of S and their couplings
/// - Rows with `e = 0` and `Ē = 0`: as sources in the backward pass and, without carry, in storage
/// - Inner rows that do not contribute to the gradient
/// - Rows of lower layers for parameters of an upper layer
///
/// Inactive columns are *not* skipped.
///
/// # Cost
///
/// With p the number of parameters, l of stored rows of S, and a of nonzero couplings from live
/// rows per step, the MACs are:
///
/// - backward pass over k steps: `k (a + p) + l p`
/// - advance over a block: `K a l + l² p + K l p + K p`
///
/// With a gradient at every step, this is about `K a + (l + 3 K/4) p + (l/K + 1) l p` MACs per
/// step, compared to `η |A| p` of [`Rtrl`](super::Rtrl), where |A| is the number of entries of A
/// and η the share of them from a live row to a stored row. Blocks are cheaper for large networks
/// whose rows of A have many live sources ([`best_steps`]). Credit of several steps that is drained
/// together needs one backward pass: with a weight update every K steps, there is one backward pass
/// per block. If S does not fit into the caches, the time to read S once per step with a gradient
/// dominates.
///
/// The advance over a finished block is distributed over the next K/2 steps, so that all steps take
/// similar times. During the advance, units that have been advanced store S at the end of the
/// finished block, and the other units store S at its start. One backward pass serves both: it
/// computes ∂L/∂S at the end of the block and continues to its start.
///
/// # Exactness
///
/// [`Claim::Exact`] for every K: the gradient of RTRL up to rounding. The result does not depend on
/// the number of threads.
///
/// # References
///
/// J. Schmidhuber, *A fixed size storage O(n³) time complexity learning algorithm for fully
/// recurrent continually running networks*, Neural Computation 4(2), 1992.
pub struct BlockRtrl<T> {
    wiring: Arc<Wiring>,
    /// The vector instructions of this machine.
    arch: pulp::Arch,
    /// K.
    steps: usize,
    /// The steps of the current block.
    now: Tape<T>,
    /// The steps of the previous block, while S is advanced over it.
    past: Tape<T>,
    /// The anchor influence.
    influence: AnchorInfluence<T>,
    /// `[units of influence]`, the gradient of the last backward pass.
    gradients: Vec<UnitGradient<T>>,
    /// The adjoints of the last backward pass.
    adjoints: Adjoints<T>,
    /// The advance over the previous block.
    advance: Advance<T>,
    /// Whether the last step's share of the advance has not been executed.
    due: bool,
    /// Number of leading steps of the current block that may have pending credit, at most K.
    credited: usize,
    /// `[p]`, the gradient of credit that was carried back and not drained; zero unless `kept`.
    gradient: Vec<T>,
    /// Whether `gradient` may be nonzero.
    kept: bool,
    /// MACs of resets. The next call with a ledger reports them.
    unreported: Macs,
}

impl<T: Real> BlockRtrl<T> {
    /// Creates a rule for one stream with blocks of `steps` steps. With `activity`, rows that are
    /// zero are skipped.
    ///
    /// # Panics
    /// If `steps` is 0.
    pub fn new(wiring: Arc<Wiring>, steps: usize, activity: bool) -> Self {
        assert!(steps > 0, "a block must have at least one step");
        let influence = AnchorInfluence::new(&wiring);
        Self {
            arch: pulp::Arch::new(),
            now: Tape::new(&wiring, steps, activity),
            past: Tape::new(&wiring, steps, activity),
            gradients: influence.units.iter().map(|unit| UnitGradient::new(unit, steps)).collect(),
            adjoints: Adjoints::new(&wiring, steps),
            advance: Advance::new(&wiring, &influence, steps),
            gradient: vec![T::zero(); wiring.parameters()],
            kept: false,
            steps,
            influence,
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
        // The result of the advance is not used after a reset.
        self.due = false;
        let mut macs = std::mem::take(&mut self.unreported);
        self.execute_and_keep(&mut macs);
        self.unreported = macs;
        self.now.clear_all();
        self.past.clear_all();
        self.influence.clear();
        self.advance.clear();
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        if self.now.len == self.steps {
            self.execute_and_keep(macs);
            std::mem::swap(&mut self.now, &mut self.past);
            self.now.clear();
            self.advance.begin(&self.wiring, &self.past, &mut self.influence);
        } else if self.due {
            // Pending credit needs no backward pass before the end of the block.
            let share = self.advance.next_share();
            macs.influence += share.macs;
            let Self {
                wiring,
                arch,
                past,
                influence: AnchorInfluence { units, start, end, .. },
                advance,
                ..
            } = self;
            let moving = &mut units[advance.units(&share.pieces)];
            advance.execute(*arch, EndedBlock { wiring, tape: past, start, end }, moving, share);
        }
        let end = &self.influence.end;
        self.now.push(&self.wiring, step, end.present.then_some(&end.live[..]));
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
        assert_eq!(gradient.len(), self.gradient.len(), "the gradient must have p entries");
        if self.credited > 0 && self.execute(macs) {
            let units = self.influence.units.iter().zip(&self.gradients);
            units.for_each(|(unit, own)| own.drain_into(unit, gradient));
        }
        if std::mem::take(&mut self.kept) {
            super::drain_into(&mut self.gradient, gradient);
        }
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("block.due", &mut self.due)?;
        archive.field("block.credited", &mut self.credited)?;
        archive.field("block.unreported", &mut self.unreported)?;
        archive.list("block.gradient", &mut self.gradient)?;
        self.kept = true;
        self.now.archive(&self.wiring, archive)?;
        self.past.archive(&self.wiring, archive)?;
        self.advance.archive(archive, self.influence.units.len())?;
        self.influence.archive(self.advance.moved(), archive)?;
        // An unfinished advance needs a whole block and an anchor at its end.
        let whole = self.past.len == self.steps && self.influence.end.present;
        if !(whole || self.advance.is_done()) {
            return Err(Error::State {
                field: "advance.schedule",
                found: "an advance without a whole block".into(),
            });
        }
        if self.credited > self.now.len {
            let found = format!("step {}", self.credited);
            return Err(Error::State { field: "block.credited", found });
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let past = if self.advance.is_done() { 0 } else { self.past.numbers() };
        let held = self.influence.held(self.advance.moved());
        let numbers = held + self.now.numbers() + past + self.advance.numbers() + self.gradient.len();
        numbers * std::mem::size_of::<T>()
    }
}
