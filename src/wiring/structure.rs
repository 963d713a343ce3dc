//! The structure of a network. [`Wiring`] has the equations.

use super::plan::{Plan, Source};
use crate::params::{Layout, Pattern};
use crate::scalar::Real;
use std::ops::Range;
use std::sync::Arc;

/// Consecutive weights of one pre-activation that belong to consecutive entries of a coupling:
/// `value[at..at + len] += gain[pre] · w[column..column + len]`.
#[derive(Clone, Copy, Debug)]
struct Run {
    column: u32,
    pre: u32,
    at: u32,
    len: u32,
}

/// A coupling matrix: its pattern, the weights of its entries, and its direct couplings.
#[derive(Clone, Debug)]
pub(super) struct Coupling {
    pattern: Pattern,
    runs: Vec<Run>,
    /// Whether runs have at least three weights on average.
    long: bool,
    terms: usize,
    direct: Vec<usize>,
}

/// The structure of a network with its masks drawn. It is immutable and shared.
///
/// # Equation
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`
///
/// A *row* is a row of S: the state of a unit, or a quantity within a step. A couples rows to
/// emissions of the previous step, B (strictly lower triangular) to emissions of earlier rows of
/// the same step. A weight `w` from the emission of row l to pre-activation s of row i adds
/// `∂c_i/∂s · w` to entry (i, l) of A or B. Its only entry of M̄ is `∂c_i/∂s · φ`. A cell therefore
/// computes one *gain* `∂c/∂s` per pre-activation, and A, B and M̄ follow.
///
/// # Symbols
///
/// [`Plan`] sets the numbers of rows, sources and pre-activations. W is pre-activations × sources,
/// with p kept entries. A and B are rows × rows. S, Y, M̄ and Ē are rows × p; d and e have one
/// value per row.
#[derive(Clone, Debug)]
pub struct Wiring {
    plan: Arc<Plan>,
    layout: Layout,
    previous: Coupling,
    current: Coupling,
    thresholds: Vec<Option<usize>>,
    gates_of_row: Vec<Vec<usize>>,
}

impl Wiring {
    /// Creates the wiring of a plan. `kept` holds the kept entries of each block, in the order of
    /// [`Plan::blocks`].
    ///
    /// # Panics
    /// If the number of patterns differs from the number of blocks, if a pattern differs in shape
    /// from its block, or if a row reads a later row of the same step.
    pub fn new(plan: Arc<Plan>, kept: &[Pattern]) -> Self {
        let layout = Layout::new(plan.pre_rows.len(), plan.sources.len(), &plan.blocks, kept);
        let from_previous = |s| if let Source::Previous(row) = s { Some(row) } else { None };
        let from_current = |s| if let Source::Current(row) = s { Some(row) } else { None };
        let previous = Coupling::new(&plan, &layout, &plan.direct_previous, from_previous);
        let current = Coupling::new(&plan, &layout, &plan.direct_current, from_current);
        let ordered = current.pattern.entries().all(|(row, source)| source < row);
        assert!(ordered, "a row may read only earlier rows of the same step");
        let mut thresholds = vec![None; plan.carries.len()];
        for (rows, gate) in &plan.thresholds {
            for (row, pre) in rows.clone().zip(gate.clone()) {
                thresholds[row] = layout.weights().position(pre, 0);
            }
        }
        let mut gates_of_row = vec![Vec::new(); plan.carries.len()];
        for (pre, &row) in plan.pre_rows.iter().enumerate() {
            gates_of_row[row].push(pre);
        }
        Self { plan, layout, previous, current, thresholds, gates_of_row }
    }

    /// Returns the wiring of this network without masks: every parameter is kept.
    pub fn unmasked(&self) -> Self {
        let full = |b: &crate::params::ParamBlockSpec| Pattern::full(b.rows.len(), b.cols.len());
        Self::new(self.plan.clone(), &self.plan.blocks.iter().map(full).collect::<Vec<_>>())
    }

    /// Returns the number of rows of the influence matrix, inner rows included.
    pub fn rows(&self) -> usize {
        self.plan.carries.len()
    }

    /// Returns the rows that are units, ascending.
    pub fn units(&self) -> &[usize] {
        &self.plan.units
    }

    /// Returns the outputs: the rows whose emissions the readout reads.
    pub fn outputs(&self) -> Range<usize> {
        self.plan.outputs.clone()
    }

    /// Returns m, the number of external inputs.
    pub fn inputs(&self) -> usize {
        self.plan.inputs
    }

    /// Returns p, the number of kept parameters.
    pub fn parameters(&self) -> usize {
        self.layout.len()
    }

    /// Returns whether `d` of this row can differ from zero.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn carries(&self, row: usize) -> bool {
        self.plan.carries[row]
    }

    /// Returns the sources, by index.
    pub fn sources(&self) -> &[Source] {
        &self.plan.sources
    }

    /// Returns, for every pre-activation, the row whose state it influences.
    pub fn pre_rows(&self) -> &[usize] {
        &self.plan.pre_rows
    }

    /// Returns the pre-activations of this row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn gates_of(&self, row: usize) -> &[usize] {
        &self.gates_of_row[row]
    }

    /// Returns the number of layers. Traces do not count.
    pub fn layers(&self) -> usize {
        self.plan.layers
    }

    /// Returns the layer of this pre-activation, from 0; 0 if no block feeds it.
    pub fn layer_of(&self, pre: usize) -> usize {
        let feeds = |block: &&crate::params::ParamBlockSpec| block.rows.contains(&pre);
        self.plan.blocks.iter().find(feeds).map_or(0, |block| block.layer)
    }

    /// Returns the layout: the parameter blocks and the pattern of `W`.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the pattern of `A`, rows × rows: the coupling to the step before.
    pub fn previous(&self) -> &Pattern {
        &self.previous.pattern
    }

    /// Returns the pattern of `B`, rows × rows and strictly lower triangular: the coupling within
    /// the step.
    pub fn current(&self) -> &Pattern {
        &self.current.pattern
    }

    /// Returns the parameter index of this row's threshold, the only parameter with a nonzero Ē in
    /// this row, or `None` if the row has no threshold.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn threshold(&self, row: usize) -> Option<usize> {
        self.thresholds[row]
    }

    /// Returns the direct coupling of a row to its own previous emission, as an index of
    /// [`Step::direct_previous`](super::Step::direct_previous), or `None` if there is no such
    /// coupling.
    pub fn direct_to_itself(&self, row: usize) -> Option<usize> {
        self.plan.direct_previous.iter().position(|&pair| pair == (row, row))
    }

    /// Returns the numbers of direct couplings in A and in B.
    pub(crate) fn direct_len(&self) -> (usize, usize) {
        (self.previous.direct.len(), self.current.direct.len())
    }

    /// Returns A and B.
    pub(super) fn couplings(&self) -> [&Coupling; 2] {
        [&self.previous, &self.current]
    }
}

impl Coupling {
    fn new(
        plan: &Plan,
        layout: &Layout,
        direct: &[(usize, usize)],
        row_behind: impl Fn(Source) -> Option<usize>,
    ) -> Self {
        let weights = || layout.weights().entries().enumerate();
        let pair = |(pre, source): (usize, usize)| {
            row_behind(plan.sources[source]).map(|from| (plan.pre_rows[pre], from))
        };
        let mut entries: Vec<_> = weights().filter_map(|(_, e)| pair(e)).collect();
        entries.extend(direct);
        let pattern = Pattern::new(plan.carries.len(), plan.carries.len(), entries);
        let at = |(i, j)| pattern.position(i, j).expect("the pattern contains every entry");
        let (mut runs, mut terms): (Vec<Run>, usize) = (Vec::new(), 0);
        for (column, e) in weights() {
            let Some(pair) = pair(e) else { continue };
            let next = Run { column: column as u32, pre: e.0 as u32, at: at(pair) as u32, len: 1 };
            terms += 1;
            match runs.last_mut() {
                Some(run)
                    if (run.column + run.len, run.pre, run.at + run.len)
                        == (next.column, next.pre, next.at) =>
                {
                    run.len += 1;
                }
                _ => runs.push(next),
            }
        }
        let direct = direct.iter().map(|&e| at(e)).collect();
        let long = terms >= 3 * runs.len();
        Self { pattern, runs, long, terms, direct }
    }

    /// Computes the values from gains, weights and direct couplings. Returns the MACs: one per
    /// weight.
    pub(super) fn fill<T: Real>(&self, w: &[T], gain: &[T], direct: &[T], values: &mut [T]) -> u64 {
        values.fill(T::zero());
        for (&at, &value) in self.direct.iter().zip(direct) {
            values[at] = value;
        }
        if !self.long {
            // Most runs have one weight; slices and iterators would cost more than they save.
            for run in &self.runs {
                let gain = gain[run.pre as usize];
                for k in 0..run.len {
                    values[(run.at + k) as usize] += gain * w[(run.column + k) as usize];
                }
            }
            return self.terms as u64;
        }
        for run in &self.runs {
            let (gain, len) = (gain[run.pre as usize], run.len as usize);
            let from = &w[run.column as usize..][..len];
            for (value, &w) in values[run.at as usize..][..len].iter_mut().zip(from) {
                *value += gain * w;
            }
        }
        self.terms as u64
    }
}
