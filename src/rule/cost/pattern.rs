//! Cost of rules on a pattern: SnAp-n, RFLO and e-prop.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::rule::Reach;
use crate::rule::pattern::{Group, Own, groups};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// Cost model of [`PatternRtrl`](crate::rule::PatternRtrl).
///
/// # Equation
/// `(l + c + a + b) k + m` MACs per step and `o k` MACs per credit for each pre-activation with k
/// parameters, and f MACs per step for folding. Memory: `|P| + max + p` numbers.
///
/// # Symbols
/// - l: number of live blocks that another block reads
/// - c: number of blocks that are held and whose factor `d + a e` is not 1
/// - a, b: number of nonzero couplings of A and of B from live blocks
/// - m: number of parameters whose source is nonzero, in blocks with a gain
/// - f: number of folded entries whose factor is nonzero
/// - o: number of live output rows
/// - |P|, max: number of entries of the pattern and of the largest group
pub(in crate::rule) struct PatternCost<T> {
    wiring: Arc<Wiring>,
    form: Form<T>,
    groups: Vec<Group>,
    /// The previous step; `None` after a reset.
    last: Option<Step<T>>,
}

/// Returns the mean MACs per step with one block per pre-activation: `h p + h s p + ν p`.
pub(in crate::rule) fn mean(of: &Means) -> f64 {
    let (p, h) = (of.parameters, of.held());
    h * p + h * of.nonzero * p + of.live * p
}

impl<T: Real> PatternCost<T> {
    /// Creates the cost model of a pattern.
    pub fn new(wiring: Arc<Wiring>, reach: Reach) -> Self {
        let form = Form::folded(&wiring);
        Self { groups: groups(&wiring, &form, reach), form, last: None, wiring }
    }

    /// Returns the MACs of a step of one group.
    fn of_group(&self, group: &Group, step: &Step<T>) -> usize {
        let values = self.form.values(step);
        let was = |row: usize| self.last.as_ref().is_some_and(|last| last.is_live(row));
        let (mut products, mut injected) = (0, 0);
        for block in &group.blocks {
            products += usize::from(block.feeds && was(block.row));
            if !self.wiring.carries(block.row) && !step.is_live(block.row) {
                continue;
            }
            let own = block.own.as_ref().filter(|_| was(block.row)).map_or(T::zero(), |own| match own {
                Own::Coupling(at) => values.a[*at],
                Own::Direct(k) => step.direct_previous[*k],
            });
            let e = self.last.as_ref().map_or(T::zero(), |last| last.e[block.row]);
            products += usize::from(step.d[block.row] + own * e != T::one());
            let across = |&&(at, source): &&(u32, u32)| {
                was(group.blocks[source as usize].row) && values.a[at as usize] != T::zero()
            };
            let within = |&&(at, source): &&(u32, u32)| {
                step.is_live(group.blocks[source as usize].row) && values.b[at as usize] != T::zero()
            };
            products += block.previous.iter().filter(across).count();
            products += block.current.iter().filter(within).count();
            if block.gain.is_some() {
                injected += group.sources.iter().filter(|&&s| step.phi[s] != T::zero()).count();
            }
        }
        products * group.columns.len() + injected
    }
}

impl<T: Real> CostModel<T> for PatternCost<T> {
    fn reset(&mut self) {
        self.last = None;
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let coupling = self.form.evaluate(step, true);
        let influence: usize = self.groups.iter().map(|group| self.of_group(group, step)).sum();
        self.last = Some(step.clone());
        Macs { coupling, influence: influence as u64, ..Macs::default() }
    }

    fn credit(&mut self, _: &[T]) -> Macs {
        let outputs = self.wiring.outputs();
        let live = |row: usize| self.last.as_ref().is_some_and(|last| last.is_live(row));
        let read = |group: &Group| {
            let rows = group.blocks.iter().map(|block| block.row);
            rows.filter(|&row| outputs.contains(&row) && live(row)).count() * group.columns.len()
        };
        Macs { gradient: self.groups.iter().map(read).sum::<usize>() as u64, ..Macs::default() }
    }

    fn footprint(&self) -> usize {
        let entries = |group: &Group| group.blocks.len() * group.columns.len();
        let largest = self.groups.iter().map(entries).max().unwrap_or(0);
        self.groups.iter().map(entries).sum::<usize>() + largest + self.wiring.parameters()
    }
}
