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

use super::{Cell, CellConfig, EventReset, ResetGate, integrate_layer, read};
use crate::params::Kind;
use crate::scalar::{Real, sigmoid};
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
            let r = sigmoid(step.pre[self.r.start + i]);
            let y0 = y[self.units.start + i];
            step.c[row] = r * y0;
            step.y[row] = r * y0;
            step.e[row] = T::one();
            step.slope[row] = T::one();
            step.gain[self.r.start + i] = y0 * r * (T::one() - r);
            step.direct_previous[gated.direct.start + i] = r;
        }
        read(&mut step.phi, &gated.sources, &step.c, &gated.rows);
        step.integrate(wiring, w, gated.sources.clone())
    }

    /// Computes the candidate `z` of unit `i`. Sets the gains of r and q for ∂c/∂s_z = 1; the
    /// caller multiplies them by ∂c/∂s_z.
    fn candidate<T: Real>(&self, i: usize, step: &mut Step<T>) -> T {
        let s = step.pre[self.z.start + i];
        let Some(q) = &self.q else { return s.tanh() };
        let r = sigmoid(step.pre[self.r.start + i]);
        let q_i = step.pre[q.start + i];
        step.gain[self.r.start + i] = q_i * r * (T::one() - r);
        step.gain[q.start + i] = r;
        (s + r * q_i).tanh()
    }

    /// Computes state, emission and local derivatives of unit `i`.
    fn unit<T: Real>(&self, i: usize, before: &State<T>, step: &mut Step<T>) {
        let one = T::one();
        let event = &self.config.surrogate;
        let row = self.units.start + i;
        let (c0, y0) = (before.c[row], before.y[row]);
        let theta = self.theta.as_ref().map(|gate| step.pre[gate.start + i]);

        let u = sigmoid(step.pre[self.u.start + i]);
        let z = self.candidate(i, step);
        // k is the argument of the leak. With the threshold reset it depends on ϑ, and on c⁻ also
        // through the last event.
        let (k, dk_dc, dk_dtheta) = match theta {
            Some(theta) if self.output_reset.is_none() => {
                let (o, slope) = (event.event(c0 - theta), event.slope(c0 - theta));
                (c0 - o * theta, one - theta * slope, theta * slope - o)
            }
            _ => (c0, one, T::zero()),
        };
        let mut c = u * z + (one - u) * k;
        if let Some(direct) = &self.output_reset {
            c -= y0;
            step.direct_previous[direct.start + i] = -one;
        }
        step.d[row] = (one - u) * dk_dc;
        step.gain[self.u.start + i] = (z - k) * u * (one - u);
        let gain_z = u * (one - z * z);
        step.gain[self.z.start + i] = gain_z;
        if let Some(q) = &self.q {
            step.gain[self.r.start + i] *= gain_z;
            step.gain[q.start + i] *= gain_z;
        }

        step.c[row] = c;
        (step.y[row], step.e[row], step.e_bar[row], step.slope[row]) = match (&self.theta, theta) {
            (Some(gate), Some(theta)) => {
                step.gain[gate.start + i] = (one - u) * dk_dtheta;
                let (h, slope) = (event.event(c - theta), event.slope(c - theta));
                (c * h, h + c * slope, -c * slope, slope)
            }
            _ => (c, one, T::zero(), one),
        };
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
