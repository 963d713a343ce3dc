//! The simple recurrent network with tanh units (J. L. Elman 1990):
//!
//! `c = tanh(W c⁻ + U x + b)`, `y = c`.
//!
//! | | |
//! |---|---|
//! | carry | `d = 0` |
//! | emission | `e = 1`: there are no events, and every row is live |
//! | gain | `∂c/∂s = 1 − c²` |
//!
//! # Symbols
//!
//! A layer has n units and m inputs. c, y and b have n entries; W is n × n and U is n × m.
//!
//! # Cost
//!
//! MACs per step: one per kept weight whose source is nonzero, and for the couplings A and B one
//! per kept weight that reads an emission.
//!
//! # References
//!
//! J. L. Elman, *Finding structure in time*, Cognitive Science 14(2), 1990.

use super::{Cell, CellConfig, integrate_layer};
use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use std::ops::Range;

/// A layer of tanh units, as ranges of rows, sources and pre-activations.
pub(super) struct Rnn {
    input: LayerInput,
    units: Range<usize>,
    sources: Range<usize>,
    s: Range<usize>,
}

/// Returns the only variant: the cell has no settings.
pub(super) fn variants() -> Vec<CellConfig> {
    vec![CellConfig { activity: false, ..CellConfig::default() }]
}

impl Rnn {
    /// Places a layer of `n` units on a plan.
    pub(super) fn place(plan: &mut Plan, n: usize, input: &LayerInput) -> Self {
        plan.begin_layer();
        let units = plan.unit_rows(n, false);
        let sources = plan.previous(units.clone());
        let s = plan.gate(units.clone());
        plan.block("w", Kind::Recurrent, &s, &sources);
        plan.block("u", Kind::Input, &s, &input.sources);
        plan.bias("b", &s);
        Self { input: input.clone(), units, sources, s }
    }
}

impl<T: Real> Cell<T> for Rnn {
    fn advance(&self, wiring: &Wiring, w: &[T], before: &State<T>, step: &mut Step<T>) -> u64 {
        let macs = integrate_layer(wiring, w, &self.input, &self.sources, &self.units, before, step);
        for (row, s) in self.units.clone().zip(self.s.clone()) {
            let c = step.pre[s].tanh();
            step.c[row] = c;
            step.y[row] = c;
            step.e[row] = T::one();
            step.slope[row] = T::one();
            step.gain[s] = T::one() - c * c;
        }
        macs
    }

    fn rows(&self) -> Range<usize> {
        self.units.clone()
    }
}
