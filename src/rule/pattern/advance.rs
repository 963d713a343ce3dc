//! One step of the recursion on a pattern.

use super::blocks::{Group, Own, RowBlock};
use crate::rule::recursion::Form;
use crate::scalar::{Real, flush};
use crate::sparse::kernel;
use crate::wiring::{Step, Wiring};

/// One step of the recursion, compiled for vector instructions. Returns the MACs.
pub(super) struct Advance<'a, T> {
    /// The wiring of the network.
    pub wiring: &'a Wiring,
    /// The form, evaluated for `step`.
    pub form: &'a Form<T>,
    /// The groups of the pattern.
    pub groups: &'a [Group],
    /// The observed step.
    pub step: &'a Step<T>,
    /// `[h]`, whether a row was live at the previous step.
    pub live: &'a [bool],
    /// `[h]`, e of the previous step.
    pub e: &'a [T],
    /// `[h]`, Ē of the previous step.
    pub e_bar: &'a [T],
    /// `[|P|]`, S.
    pub s: &'a mut [T],
    /// `[entries of the largest group]`, scratch: Y of the previous step.
    pub y: &'a mut [T],
    /// Scratch: pairs (coefficient, block).
    pub terms: &'a mut Vec<(T, usize)>,
}

impl<T: Real> pulp::WithSimd for Advance<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> u64 {
        self.groups.iter().map(|group| self.group(group)).sum()
    }
}

impl<T: Real> Advance<'_, T> {
    /// Advances one group. Returns the MACs.
    #[inline(always)]
    fn group(&mut self, group: &Group) -> u64 {
        let mut macs = self.emissions(group);
        for (b, block) in group.blocks.iter().enumerate() {
            macs += self.block(group, b, block);
        }
        macs
    }

    /// Computes `Y_{t−1} = diag(e) S_{t−1} + Ē_{t−1}` of the blocks that another block reads.
    /// Returns the MACs.
    #[inline(always)]
    fn emissions(&mut self, group: &Group) -> u64 {
        let k = group.columns.len();
        let s = &self.s[group.at..][..group.blocks.len() * k];
        let mut macs = 0;
        for (b, block) in group.blocks.iter().enumerate().filter(|(_, b)| b.feeds && self.live[b.row]) {
            let e = self.e[block.row];
            let y = &mut self.y[b * k..][..k];
            y.iter_mut().zip(&s[b * k..]).for_each(|(y, &s)| *y = (e * s).flushed());
            if let Some((_, column)) = group.theta.filter(|theta| theta.0 == b) {
                y[column] += self.e_bar[block.row];
            }
            macs += k as u64;
        }
        macs
    }

    /// Advances block `b` of a group: `S ← (d + a e) S + a Ē + A′ Y_{t−1} + M̄ + B Y_t`, where a is
    /// the coupling of the row to itself. Returns the MACs.
    #[inline(always)]
    fn block(&mut self, group: &Group, b: usize, block: &RowBlock) -> u64 {
        let (k, row, step) = (group.columns.len(), block.row, self.step);
        let values = self.form.values(step);
        let s = &mut self.s[group.at..][..group.blocks.len() * k];
        let (above, rest) = s.split_at_mut(b * k);
        let s = &mut rest[..k];
        if !self.wiring.carries(row) && !step.is_live(row) {
            s.fill(T::zero());
            return 0;
        }
        // The coupling a of the row to itself is added to the carry: d S + a (e S + Ē).
        let own = block.own.as_ref().filter(|_| self.live[row]).map_or(T::zero(), |own| match own {
            Own::Coupling(at) => values.a[*at],
            Own::Direct(k) => step.direct_previous[*k],
        });
        let carry = step.d[row] + own * self.e[row];
        self.terms.clear();
        for &(at, source) in &block.previous {
            let (at, source) = (at as usize, source as usize);
            if self.live[group.blocks[source].row] && values.a[at] != T::zero() {
                self.terms.push((values.a[at], source));
            }
        }
        let mut macs = kernel::combine(s, carry, self.terms, |source| &self.y[source * k..][..k]);
        if let Some((_, column)) = group.theta.filter(|theta| theta.0 == b) {
            s[column] += own * self.e_bar[row];
        }
        if let Some(at) = block.gain {
            macs += inject(s, values.gain[at], &group.sources, &step.phi);
        }
        self.terms.clear();
        for &(at, source) in &block.current {
            let (at, source) = (at as usize, source as usize);
            let from = group.blocks[source].row;
            if step.is_live(from) && values.b[at] != T::zero() {
                self.terms.push((values.b[at] * step.e[from], source));
                if let Some((_, column)) = group.theta.filter(|theta| theta.0 == source) {
                    s[column] += values.b[at] * step.e_bar[from];
                }
            }
        }
        macs += kernel::combine(s, T::one(), self.terms, |source| &above[source * k..][..k]);
        flush(s);
        macs
    }
}

/// Adds the immediate influence `gain · φ` of nonzero sources to `s`. Returns the MACs.
#[inline(always)]
fn inject<T: Real>(s: &mut [T], gain: T, sources: &[usize], phi: &[T]) -> u64 {
    let mut macs = 0;
    for (s, &source) in s.iter_mut().zip(sources) {
        let phi = phi[source];
        if phi != T::zero() {
            *s += gain * phi;
            macs += 1;
        }
    }
    macs
}
