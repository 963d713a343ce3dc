//! A trace: the exponential moving average of a layer's emissions,
//!
//! `ȳ_t = κ ȳ_{t-1} + (1 − κ) y_t`,
//!
//! with `d = κ`, `B = (1 − κ) I`, `e = 1`; ȳ and y have one entry per unit of the layer. If a
//! readout reads a trace, the trace is part of the state, and an exact rule must also compute its
//! influence `R_t = κ R_{t-1} + (1 − κ) Y_t`, whose rows are always live. The traces are rows of
//! the network, so no rule handles them separately.

use super::Cell;
use crate::scalar::Real;
use crate::wiring::{Plan, State, Step, Wiring};
use std::ops::Range;

/// Traces of a layer's emissions, one per unit; `keep` is κ.
pub(crate) struct Trace {
    keep: f64,
    below: Range<usize>,
    rows: Range<usize>,
    direct: Range<usize>,
}

impl Trace {
    /// Places one trace per row of `below` on a plan and makes the traces the outputs.
    pub(crate) fn place(plan: &mut Plan, below: Range<usize>, keep: f64) -> Self {
        let rows = plan.inner_rows(below.len(), true);
        let direct = plan.direct_current(&rows, &below);
        plan.outputs(rows.clone());
        Self { keep, below, rows, direct }
    }
}

impl<T: Real> Cell<T> for Trace {
    fn advance(&self, _: &Wiring, _: &[T], before: &State<T>, step: &mut Step<T>) -> u64 {
        let keep = T::of(self.keep);
        for (i, (row, below)) in self.rows.clone().zip(self.below.clone()).enumerate() {
            step.c[row] = keep * before.c[row] + (T::one() - keep) * step.y[below];
            step.y[row] = step.c[row];
            step.d[row] = keep;
            step.e[row] = T::one();
            step.slope[row] = T::one();
            step.direct_current[self.direct.start + i] = T::one() - keep;
        }
        0
    }

    fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }
}
