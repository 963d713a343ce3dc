//! The event-based gated recurrent unit (LM paper, eqs. 3–5). With the reset gate before the matrix
//! product ([`ResetGate::Before`]):
//!
//! `u = σ(W_u [x, y⁻] + b_u)`, `r = σ(W_r [x, y⁻] + b_r)`, `z = tanh(W_z [x, r ⊙ y⁻] + b_z)`,
//! `c = u ⊙ z + (1 − u) ⊙ c⁻ − y⁻`, `y = c ⊙ H(c − ϑ)`.
//!
//! With the reset gate after the product ([`ResetGate::After`]; EvNN, cuDNN):
//! `q = W_zy y⁻ + b_zr`, `z = tanh(W_zx x + b_z + r ⊙ q)`.
//!
//! The equation of c above subtracts y⁻ ([`EventReset::Output`]). [`EventReset::Threshold`]
//! subtracts the threshold instead: `o⁻ = H(c⁻ − ϑ)`, `c = u ⊙ z + (1 − u) ⊙ (c⁻ − o⁻ϑ)`.
//!
//! Local derivatives, where `k = c⁻` (output reset) or `k = c⁻ − o⁻ϑ` (threshold reset):
//!
//! | | |
//! |---|---|
//! | carry | `d = 1 − u`, or `(1 − u)(1 − ϑ H'(c⁻ − ϑ))` |
//! | emission | `e = H(c − ϑ) + c H'(c − ϑ)`; far above the threshold H' = 0 and e = 1 |
//! | threshold | `Ē = −c H'(c − ϑ)`; gain 0, or `−(1 − u)(o⁻ − ϑ H'(c⁻ − ϑ))` |
//! | gains | `∂c/∂s_u = (z − k) u(1−u)`, `∂c/∂s_z = u(1−z²)`, and after the product `∂c/∂s_r = u(1−z²) q r(1−r)`, `∂c/∂s_q = u(1−z²) r` |
//!
//! With the reset gate before the product, W_r influences c through W_z. The product of these two
//! sparse matrices would be dense. It is avoided: the gated activity `g = r ⊙ y⁻` is a row, with
//! `∂g/∂s_r = y⁻ r(1−r)` and a direct coupling r to y⁻. W_z couples the unit to g within the step.
//! If a unit is silent, its g is zero and costs no MACs.
//!
//! # Symbols
//!
//! A layer has n units and m inputs. x has m entries; u, r, z, c, y, q, ϑ and all b have n entries.
//! W_u, W_r and W_z are n × (m + n), W_zx n × m and W_zy n × n. ⁻ marks the previous step.
//!
//! # Cost
//!
//! MACs per step: one per kept weight whose source is nonzero, and for the couplings A and B one
//! per kept weight that reads an emission.
//!
//! # References
//!
//! - LM paper: M. Schöne et al., *An efficient RNN language model using activity sparsity and
//!   sparse back-propagation through time*, 2023
//! - A. Subramoney et al., *Efficient recurrent architectures through activity sparsity and sparse
//!   back-propagation through time*, ICLR 2023

use super::egru_unit::{UnitInput, gated_activity, unit};
use super::{Cell, CellConfig, EventReset, ResetGate, integrate_layer, read};
use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use std::ops::Range;

/// Indices of `g = r ⊙ y⁻`: its rows, its sources, and its direct couplings to y⁻.
struct Gated {
    rows: Range<usize>,
    sources: Range<usize>,
    direct: Range<usize>,
}

/// A layer of EGRU units, as ranges of rows, sources and pre-activations.
pub(super) struct Egru {
    config: CellConfig,
    input: LayerInput,
    units: Range<usize>,
    /// Sources that read y⁻.
    sources: Range<usize>,
    u: Range<usize>,
    r: Range<usize>,
    z: Range<usize>,
    /// Reset gate before the product.
    gated: Option<Gated>,
    /// Reset gate after the product: the recurrent pre-activation of the candidate.
    q: Option<Range<usize>>,
    theta: Option<Range<usize>>,
    /// Direct couplings `−1` to y⁻, if an event subtracts its output.
    output_reset: Option<Range<usize>>,
}

/// Returns every setting that changes the equations.
pub(super) fn variants() -> Vec<CellConfig> {
    let mut all = Vec::new();
    for reset_gate in [ResetGate::Before, ResetGate::After] {
        for event_reset in [EventReset::Output, EventReset::Threshold] {
            all.push(CellConfig { reset_gate, event_reset, ..CellConfig::default() });
        }
        all.push(CellConfig { reset_gate, activity: false, ..CellConfig::default() });
    }
    all
}

impl Egru {
    /// Places a layer of `n` units on a plan.
    pub(super) fn place(plan: &mut Plan, n: usize, config: CellConfig, input: &LayerInput) -> Self {
        plan.begin_layer();
        let before = config.reset_gate == ResetGate::Before;
        let inner = before.then(|| plan.inner_rows(n, false));
        let units = plan.unit_rows(n, true);
        let sources = plan.previous(units.clone());
        let (u, r, z) = (
            plan.gate(units.clone()),
            plan.gate(inner.clone().unwrap_or(units.clone())),
            plan.gate(units.clone()),
        );
        for (gate, x, y, bias) in [(&u, "wu_x", "wu_y", "bu"), (&r, "wr_x", "wr_y", "br")] {
            plan.block(x, Kind::Input, gate, &input.sources);
            plan.block(y, Kind::Recurrent, gate, &sources);
            plan.bias(bias, gate);
        }
        plan.block("wz_x", Kind::Input, &z, &input.sources);
        let gated = inner.map(|rows| {
            let sources = plan.current(rows.clone());
            plan.block("wz_y", Kind::Recurrent, &z, &sources);
            Gated { sources, direct: plan.direct_previous(&rows, &units), rows }
        });
        plan.bias("bz", &z);
        let q = (!before).then(|| {
            let q = plan.gate(units.clone());
            plan.block("wz_y", Kind::Recurrent, &q, &sources);
            plan.bias("bz_rec", &q);
            q
        });
        let theta = config.activity.then(|| plan.threshold(&units));
        let by_output = config.activity && config.event_reset == EventReset::Output;
        let output_reset = by_output.then(|| plan.direct_previous(&units, &units));
        Self { config, input: input.clone(), units, sources, u, r, z, gated, q, theta, output_reset }
    }

    /// Computes `g = r ⊙ y⁻` and its derivatives, and adds its contribution to the candidate's
    /// pre-activations. Returns the MACs.
    fn gate<T: Real>(&self, gated: &Gated, wiring: &Wiring, w: &[T], y: &[T], step: &mut Step<T>) -> u64 {
        for (i, row) in gated.rows.clone().enumerate() {
            let gated_unit = gated_activity(step.pre[self.r.start + i], y[self.units.start + i]);
            step.c[row] = gated_unit.g;
            step.y[row] = gated_unit.g;
            step.e[row] = T::one();
            step.slope[row] = T::one();
            step.gain[self.r.start + i] = gated_unit.gain_r;
            step.direct_previous[gated.direct.start + i] = gated_unit.direct;
        }
        read(&mut step.phi, &gated.sources, &step.c, &gated.rows);
        step.integrate(wiring, w, gated.sources.clone())
    }

    /// Computes state, emission and local derivatives of unit `i`.
    fn unit<T: Real>(&self, i: usize, before: &State<T>, step: &mut Step<T>) {
        let row = self.units.start + i;
        let pre = |gate: &Option<Range<usize>>, step: &Step<T>| {
            gate.as_ref().map_or(T::zero(), |gate| step.pre[gate.start + i])
        };
        let input = UnitInput {
            u: step.pre[self.u.start + i],
            r: step.pre[self.r.start + i],
            z: step.pre[self.z.start + i],
            q: pre(&self.q, step),
            theta: pre(&self.theta, step),
            c: before.c[row],
            y: before.y[row],
        };
        let unit = unit(&self.config, input);
        step.c[row] = unit.c;
        step.y[row] = unit.y;
        step.d[row] = unit.d;
        (step.e[row], step.e_bar[row], step.slope[row]) = (unit.e, unit.e_bar, unit.slope);
        step.gain[self.u.start + i] = unit.gain_u;
        step.gain[self.z.start + i] = unit.gain_z;
        if let Some(q) = &self.q {
            step.gain[self.r.start + i] = unit.gain_r;
            step.gain[q.start + i] = unit.gain_q;
        }
        if let Some(theta) = &self.theta {
            step.gain[theta.start + i] = unit.gain_theta;
        }
        if let Some(direct) = &self.output_reset {
            step.direct_previous[direct.start + i] = unit.direct;
        }
    }
}

impl<T: Real> Cell<T> for Egru {
    fn advance(&self, wiring: &Wiring, w: &[T], before: &State<T>, step: &mut Step<T>) -> u64 {
        let mut macs = integrate_layer(wiring, w, &self.input, &self.sources, &self.units, before, step);
        if let Some(gated) = &self.gated {
            macs += self.gate(gated, wiring, w, &before.y, step);
        }
        (0..self.units.len()).for_each(|i| self.unit(i, before, step));
        macs
    }

    fn rows(&self) -> Range<usize> {
        self.units.clone()
    }
}
