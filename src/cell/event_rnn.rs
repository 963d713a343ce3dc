//! The event RNN (RTRL paper, eq. 5):
//!
//! `v = W a⁻ + U x + b − ϑ`, `a = H(v)`.
//!
//! | | |
//! |---|---|
//! | carry | `d = 0`: a row of S is needed only if `e ≠ 0`; this gives the factor β̃² of the paper |
//! | emission | `e = H'(v)`; a is 0 or 1 |
//! | gains | `∂v/∂s = 1`, and −1 for ϑ |
//!
//! Without activity sparsity `a = v`, and the network is linear and has no thresholds.
//!
//! # Symbols
//!
//! A layer has n units and m inputs. v, a, b and ϑ have n entries; W is n × n and U is n × m. v is
//! the state c, and a the emission y.
//!
//! # Cost
//!
//! MACs per step: one per kept weight whose source is nonzero, and for the couplings A and B one
//! per kept weight that reads an emission.
//!
//! # References
//!
//! RTRL paper: A. Subramoney, *Efficient real time recurrent learning through combined activity and
//! parameter sparsity*, 2023

use super::{Cell, CellConfig, integrate_layer};
use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use std::ops::Range;

/// A layer of threshold units, as ranges of rows, sources and pre-activations.
pub(super) struct EventRnn {
    config: CellConfig,
    input: LayerInput,
    units: Range<usize>,
    sources: Range<usize>,
    v: Range<usize>,
    theta: Option<Range<usize>>,
}

/// Returns every setting that changes the equations.
pub(super) fn variants() -> Vec<CellConfig> {
    vec![CellConfig::default(), CellConfig { activity: false, ..CellConfig::default() }]
}

impl EventRnn {
    /// Places a layer of `n` units on a plan.
    pub(super) fn place(plan: &mut Plan, n: usize, config: CellConfig, input: &LayerInput) -> Self {
        plan.begin_layer();
        let units = plan.unit_rows(n, false);
        let sources = plan.previous(units.clone());
        let v = plan.gate(units.clone());
        plan.block("w", Kind::Recurrent, &v, &sources);
        plan.block("u", Kind::Input, &v, &input.sources);
        plan.bias("b", &v);
        let theta = config.activity.then(|| plan.threshold(&units));
        Self { config, input: input.clone(), units, sources, v, theta }
    }
}

impl<T: Real> Cell<T> for EventRnn {
    fn advance(&self, wiring: &Wiring, w: &[T], before: &State<T>, step: &mut Step<T>) -> u64 {
        let macs = integrate_layer(wiring, w, &self.input, &self.sources, &self.units, before, step);
        let event = &self.config.surrogate;
        for (i, row) in self.units.clone().enumerate() {
            step.gain[self.v.start + i] = T::one();
            let s = step.pre[self.v.start + i];
            (step.c[row], step.y[row], step.e[row]) = match &self.theta {
                Some(theta) => {
                    step.gain[theta.start + i] = -T::one();
                    let v = s - step.pre[theta.start + i];
                    (v, event.event(v), event.slope(v))
                }
                None => (s, s, T::one()),
            };
            step.e_bar[row] = T::zero();
            step.slope[row] = step.e[row];
        }
        macs
    }

    fn rows(&self) -> Range<usize> {
        self.units.clone()
    }
}
