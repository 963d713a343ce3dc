//! Execution of pending work: a share of the advance, the backward pass, and the gradient,
//!
//! `∂L/∂w = (∂L/∂S_0)ᵀ S_0 + Σ_s M̄_sᵀ λ_s + Ē_sᵀ μ_s`.
//!
//! The share and the backward pass are independent and run in parallel.

use super::BlockRtrl;
use super::adjoint::{AdjointPass, StepRange};
use super::advance::{self, Share};
use super::ended::EndedBlock;
use super::gradient::{self, GradientPass};
use super::influence::AnchorInfluence;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::sparse::lanes;

impl<T: Real> BlockRtrl<T> {
    /// Executes the share of the advance of the last step, if it is due, and the backward pass of
    /// pending credit. Returns whether there was credit; `gradients` then hold its gradient.
    pub(super) fn execute(&mut self, macs: &mut Macs) -> bool {
        let last = std::mem::take(&mut self.credited);
        let share = if std::mem::take(&mut self.due) { self.advance.next_share() } else { Share::default() };
        macs.influence += share.macs;
        let Self { wiring, arch, now, past, influence, gradients, adjoints, advance, .. } = self;
        let (arch, further, ended) = (*arch, !advance.is_done(), &*past);
        let AnchorInfluence { units, start, end, .. } = influence;
        let block = EndedBlock { wiring, tape: ended, start: &*start, end: &*end };
        // Units of earlier shares, units of this share, and units of later shares.
        let moves = advance.units(&share.pieces).len();
        let moved = advance.moved().min(units.len());
        let (before, others) = units.split_at_mut(moved - moves);
        let (moving, after) = others.split_at_mut(moves);
        if last == 0 {
            advance.execute(arch, block, moving, share);
            return false;
        }
        let (slots, old_slots, longer) = (block.end.slots(), block.start.slots(), last + ended.len);
        let of_moved = gradient::macs(before, slots, last) + gradient::macs(moving, slots, last);
        let of_gradient = of_moved + gradient::macs(after, old_slots, longer);
        let threads = advance::threads(share.macs + of_gradient);
        let (of_before, of_others) = gradients.split_at_mut(before.len());
        let (of_moving, of_after) = of_others.split_at_mut(moves);
        let running = &*now;
        let advance_share = || advance.execute(arch, block, &mut *moving, share);
        let backward = || {
            let pass = AdjointPass { adjoints: &mut *adjoints, block, now: running, last, further };
            let macs = lanes::dispatch(arch, pass);
            let newest = StepRange { tape: running, adjoints: &adjoints.now, steps: last };
            let oldest = StepRange { tape: ended, adjoints: &adjoints.past, steps: ended.len };
            let ranges = [newest, oldest];
            let short = GradientPass { units: before, gradients: of_before, slots, ranges: &ranges[..1] };
            let long = GradientPass { units: after, gradients: of_after, slots: old_slots, ranges: &ranges };
            both(threads, || short.execute(arch, threads), || long.execute(arch, threads));
            macs
        };
        let passed = both(threads, advance_share, backward).1;
        let newest = [StepRange { tape: running, adjoints: &adjoints.now, steps: last }];
        GradientPass { units: moving, gradients: of_moving, slots, ranges: &newest }.execute(arch, threads);
        macs.backward += passed + of_gradient;
        now.steps_mut()[..last].iter_mut().for_each(|step| step.credit.fill(T::zero()));
        true
    }

    /// Runs [`execute`](Self::execute) and adds the gradient to the kept gradient.
    pub(super) fn execute_and_keep(&mut self, macs: &mut Macs) {
        if self.execute(macs) {
            let units = self.influence.units.iter().zip(&self.gradients);
            units.for_each(|(unit, gradient)| gradient.drain_into(unit, &mut self.gradient));
            self.kept = true;
        }
    }
}

/// Runs two independent functions, in parallel if there are several threads.
fn both<A: Send, B: Send>(
    threads: usize,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    if threads == 1 { (a(), b()) } else { rayon::join(a, b) }
}
