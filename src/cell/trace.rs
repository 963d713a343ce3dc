//! A running trace of the emissions below it:
//!
//! `ȳ_t = κ ȳ_{t-1} + (1 − κ) y_t`,
//!
//! so `d = κ`, `B = (1 − κ) I`, `e = 1`. A readout that reads a trace makes the trace part of the state: exact
//! gradients carry its influence `R_t = κ R_{t-1} + (1 − κ) Y_t` as well, whose rows never vanish.
//! As rows of the network it needs no special care in any rule.

use super::Cell;
use crate::scalar::Real;
use crate::wiring::{Plan, State, Step, Wiring};
use std::ops::Range;

/// Traces of a layer's emissions.
pub(crate) struct Trace {
    keep: f64,
    below: Range<usize>,
    rows: Range<usize>,
    direct: Range<usize>,
}

impl Trace {
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
