//! The structure of a network. [`Wiring`] has the equations.

use super::plan::{Plan, Source};
use crate::params::Layout;
use crate::scalar::Real;
use crate::sparse::Pattern;
use std::ops::Range;
use std::sync::Arc;

/// Neighbouring weights of one pre-activation that couple neighbouring pairs of rows: `value[at..] += gain[pre] · w[column..]`.
#[derive(Clone, Copy, Debug)]
struct Run {
    column: u32,
    pre: u32,
    at: u32,
    len: u32,
}

/// A coupling matrix: its pattern, the weights that make it up, and the entries no weight is in.
#[derive(Clone, Debug)]
pub(super) struct Coupling {
    pattern: Pattern,
    runs: Vec<Run>,
    /// Whether most runs are longer than one weight.
    long: bool,
    terms: usize,
    direct: Vec<usize>,
}

/// The structure of a network with its masks drawn: which rows can influence which. It never changes, and is shared by everything that reads it.
///
/// # Equation
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`
///
/// A *row* is a row of S: the state of a unit, or a quantity within a step. A couples rows to emissions of the previous step, B (strictly lower triangular) to emissions of
/// earlier rows of the same step. Both follow from the parameters. A weight `w` from the emission of row l into pre-activation s of row i adds `∂c_i/∂s · w` to entry (i, l) of A or B, and
/// its only entry of M̄ is `∂c_i/∂s · φ`. So a cell gives one *gain* `∂c/∂s` per pre-activation, and the rest is computed here for all cells.
///
/// # Symbols
///
/// rows × sources × pre-activations as planned by [`Plan`]; W is pre-activations × sources with p kept entries; A, B rows × rows.
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
    /// Wires a plan with the kept entries of each of its blocks.
    ///
    /// # Panics
    /// If there is not one pattern per block, of the block's shape.
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

    /// The same network with nothing masked.
    pub fn unmasked(&self) -> Self {
        let full = |b: &crate::params::ParamBlockSpec| Pattern::full(b.rows.len(), b.cols.len());
        Self::new(self.plan.clone(), &self.plan.blocks.iter().map(full).collect::<Vec<_>>())
    }

    /// Rows of the influence matrix, inner ones included.
    pub fn rows(&self) -> usize {
        self.plan.carries.len()
    }

    /// The rows that are units, ascending.
    pub fn units(&self) -> &[usize] {
        &self.plan.units
    }

    /// The rows whose emission is read out.
    pub fn outputs(&self) -> Range<usize> {
        self.plan.outputs.clone()
    }

    /// External inputs, m.
    pub fn inputs(&self) -> usize {
        self.plan.inputs
    }

    /// Kept parameters, p.
    pub fn parameters(&self) -> usize {
        self.layout.len()
    }

    /// Whether `d` of this row may differ from zero.
    pub fn carries(&self, row: usize) -> bool {
        self.plan.carries[row]
    }

    /// What weights read, by index.
    pub fn sources(&self) -> &[Source] {
        &self.plan.sources
    }

    /// For every pre-activation, the row whose state it feeds.
    pub fn pre_rows(&self) -> &[usize] {
        &self.plan.pre_rows
    }

    /// The pre-activations that feed this row.
    pub fn gates_of(&self, row: usize) -> &[usize] {
        &self.gates_of_row[row]
    }

    /// Number of layers that have parameters.
    pub fn layers(&self) -> usize {
        self.plan.layers
    }

    /// The layer whose parameters feed this pre-activation.
    pub fn layer_of(&self, pre: usize) -> usize {
        let feeds = |block: &&crate::params::ParamBlockSpec| block.rows.contains(&pre);
        self.plan.blocks.iter().find(feeds).map_or(0, |block| block.layer)
    }

    /// The parameters by name, and the pattern of `W`.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Pattern of `A`, rows × rows: coupling to the step before.
    pub fn previous(&self) -> &Pattern {
        &self.previous.pattern
    }

    /// Pattern of `B`, rows × rows, strictly lower triangular: coupling within the step.
    pub fn current(&self) -> &Pattern {
        &self.current.pattern
    }

    /// The parameter that Ē of this row belongs to: its threshold, if it has one.
    pub fn threshold(&self, row: usize) -> Option<usize> {
        self.thresholds[row]
    }

    /// The direct coupling of a row to its own previous emission, as an index of
    /// [`Step::direct_previous`](super::Step::direct_previous), if there is one.
    pub fn direct_to_itself(&self, row: usize) -> Option<usize> {
        self.plan.direct_previous.iter().position(|&pair| pair == (row, row))
    }

    pub(crate) fn direct_len(&self) -> (usize, usize) {
        (self.previous.direct.len(), self.current.direct.len())
    }

    /// A and B with the weights that they consist of.
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
        let at = |(i, j)| pattern.position(i, j).expect("just entered");
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

    /// Computes the values from gains, weights and direct couplings. Returns the MACs.
    pub(super) fn fill<T: Real>(&self, w: &[T], gain: &[T], direct: &[T], values: &mut [T]) -> u64 {
        values.fill(T::zero());
        for (&at, &value) in self.direct.iter().zip(direct) {
            values[at] = value;
        }
        if !self.long {
            // Mostly runs of one weight: starting a loop for each costs more than it saves.
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
