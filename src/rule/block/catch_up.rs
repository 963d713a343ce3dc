//! What a step leaves to be done, by all threads at once: its share of the advance, the walk back, and then what that has earned,
//!
//! `∂L/∂w = (∂L/∂S_0)ᵀ S_0 + Σ_s M̄_sᵀ λ_s + Ē_sᵀ μ_s`.

use super::BlockRtrl;
use super::base::Base;
use super::gather::{self, Gather, Stretch};
use super::walk::Back;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::sparse::lanes;

/// MACs from which on a second thread is worth its start. Fewer than in the direct recursion, since most of them wait for memory.
const WORTH_A_THREAD: u64 = 1_500_000;

/// Threads for that much work.
pub fn threads(macs: u64) -> usize {
    if macs < WORTH_A_THREAD { 1 } else { rayon::current_num_threads() }
}

impl<T: Real> BlockRtrl<T> {
    /// Carries out the newest step's share of the advance, if that was not done, and meanwhile credit back, if there is any. Returns
    /// whether there was: then units hold what it has earned.
    pub(super) fn catch_up(&mut self, macs: &mut Macs) -> bool {
        let last = std::mem::take(&mut self.credited);
        let share = if std::mem::take(&mut self.due) { self.advance.due() } else { (0..0, 0) };
        macs.influence += share.1;
        let Self { wiring, arch, now, past, base, walk, advance, .. } = self;
        let (arch, further, ended) = (*arch, !advance.is_done(), &*past);
        let Base { units, left, reached, .. } = base;
        let (left, reached) = (&*left, &*reached);
        // Units that were advanced before, those that are now, and the others.
        let moves = advance.units(&share.0).len();
        let moved = advance.moved().min(units.len());
        let (before, others) = units.split_at_mut(moved - moves);
        let (moving, after) = others.split_at_mut(moves);
        if last == 0 {
            advance.carry_out(arch, (wiring, ended), (left, reached), moving, share);
            return false;
        }
        let (lines, old_lines, longer) = (reached.lines(), left.lines(), last + ended.len);
        let of_moved = gather::macs(before, lines, last) + gather::macs(moving, lines, last);
        let gathered = of_moved + gather::macs(after, old_lines, longer);
        let threads = threads(share.1 + gathered);
        let running = &*now;
        let carry_on = || advance.carry_out(arch, (wiring, ended), (left, reached), &mut *moving, share);
        let back = || {
            let base = (left, reached);
            let back = Back { walk: &mut *walk, wiring, now: running, past: ended, base, last, further };
            let macs = lanes::dispatch(arch, back);
            let newest = Stretch { history: running, trail: &walk.now, steps: last };
            let oldest = Stretch { history: ended, trail: &walk.past, steps: ended.len };
            let stretches = [newest, oldest];
            let short = Gather { units: before, lines, stretches: &stretches[..1] };
            let long = Gather { units: after, lines: old_lines, stretches: &stretches };
            both(threads, || short.carry_out(arch, threads), || long.carry_out(arch, threads));
            macs
        };
        let walked = both(threads, carry_on, back).1;
        let newest = [Stretch { history: running, trail: &walk.now, steps: last }];
        Gather { units: moving, lines, stretches: &newest }.carry_out(arch, threads);
        macs.backward += walked + gathered;
        now.steps_mut()[..last].iter_mut().for_each(|step| step.credit.fill(T::zero()));
        true
    }

    /// The same when nobody has asked for the gradient yet: it is kept.
    pub(super) fn catch_up_and_keep(&mut self, macs: &mut Macs) {
        if self.catch_up(macs) {
            self.base.units.iter().for_each(|unit| unit.hand_over(&mut self.gradient));
            self.kept = true;
        }
    }
}

/// Two things that do not depend on each other, at once if there are threads.
fn both<A: Send, B: Send>(
    threads: usize,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    if threads == 1 { (a(), b()) } else { rayon::join(a, b) }
}
