//! The event-based gated recurrent unit (LM paper, eqs. 3–5), with the reset gate before the product:
//!
//! `u = σ(W_u [x, y⁻] + b_u)`, `r = σ(W_r [x, y⁻] + b_r)`, `z = tanh(W_z [x, r ⊙ y⁻] + b_z)`,
//! `c = u ⊙ z + (1 − u) ⊙ c⁻ − y⁻`, `y = c ⊙ H(c − ϑ)`;
//!
//! or after it (EvNN, cuDNN): `q = W_zy y⁻ + b_zr`, `z = tanh(W_zx x + b_z + r ⊙ q)`;
//! and with either reset: `y⁻` outside the leak as above, or the threshold inside it,
//! `o⁻ = H(c⁻ − ϑ)`, `c = u ⊙ z + (1 − u) ⊙ (c⁻ − o⁻ϑ)`.
//!
//! Local derivatives, with `k` for `c⁻` or `c⁻ − o⁻ϑ`:
//!
//! | | |
//! |---|---|
//! | carry | `d = 1 − u`, or `(1 − u)(1 − ϑ H'(c⁻ − ϑ))` |
//! | emission | `e = H(c − ϑ) + c H'(c − ϑ)`: not H' alone, a unit far above threshold has e = 1 |
//! | threshold | `Ē = −c H'(c − ϑ)`; gain 0, or `−(1 − u)(o⁻ − ϑ H'(c⁻ − ϑ))` |
//! | gains | `∂c/∂s_u = (z − k) u(1−u)`, `∂c/∂s_z = u(1−z²)`, and after the product `∂c/∂s_r = u(1−z²) q r(1−r)`, `∂c/∂s_q = u(1−z²) r` |
//!
//! Before the product, W_r reaches c through W_z. Instead of forming that product of matrices, which fills in, the
//! gated activity `g = r ⊙ y⁻` is a row of its own: `∂g/∂s_r = y⁻ r(1−r)`, coupled to y⁻ directly by r, and W_z
//! couples the unit to g within the step. A silent unit's g costs nothing.

use super::{Cell, CellConfig, EventReset, ResetGate, listen, read};
use crate::params::Kind;
use crate::scalar::{Real, sigmoid};
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use std::ops::Range;

/// Rows and sources of `g = r ⊙ y⁻`, and where its direct coupling to y⁻ is.
struct Gated {
    rows: Range<usize>,
    sources: Range<usize>,
    direct: Range<usize>,
}

/// A layer of EGRU units and where its parts are.
pub(super) struct Egru {
    config: CellConfig,
    feed: LayerInput,
    units: Range<usize>,
    /// Sources that read y⁻.
    own: Range<usize>,
    u: Range<usize>,
    r: Range<usize>,
    z: Range<usize>,
    /// Reset gate before the product.
    gated: Option<Gated>,
    /// Reset gate after it: the recurrent pre-activation of the candidate.
    q: Option<Range<usize>>,
    theta: Option<Range<usize>>,
    /// `−y⁻`, where the event resets by its output.
    output_reset: Option<Range<usize>>,
}

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
    pub(super) fn place(plan: &mut Plan, n: usize, config: CellConfig, feed: &LayerInput) -> Self {
        plan.begin_layer();
        let before = config.reset_gate == ResetGate::Before;
        let inner = before.then(|| plan.inner_rows(n, false));
        let units = plan.unit_rows(n, true);
        let own = plan.previous(units.clone());
        let (u, r, z) = (
            plan.gate(units.clone()),
            plan.gate(inner.clone().unwrap_or(units.clone())),
            plan.gate(units.clone()),
        );
        for (gate, x, y, bias) in [(&u, "wu_x", "wu_y", "bu"), (&r, "wr_x", "wr_y", "br")] {
            plan.block(x, Kind::Input, gate, &feed.sources);
            plan.block(y, Kind::Recurrent, gate, &own);
            plan.bias(bias, gate);
        }
        plan.block("wz_x", Kind::Input, &z, &feed.sources);
        let gated = inner.map(|rows| {
            let sources = plan.current(rows.clone());
            plan.block("wz_y", Kind::Recurrent, &z, &sources);
            Gated { sources, direct: plan.direct_previous(&rows, &units), rows }
        });
        plan.bias("bz", &z);
        let q = (!before).then(|| {
            let q = plan.gate(units.clone());
            plan.block("wz_y", Kind::Recurrent, &q, &own);
            plan.bias("bz_rec", &q);
            q
        });
        let theta = config.activity.then(|| plan.threshold(&units));
        let by_output = config.activity && config.event_reset == EventReset::Output;
        let output_reset = by_output.then(|| plan.direct_previous(&units, &units));
        Self { config, feed: feed.clone(), units, own, u, r, z, gated, q, theta, output_reset }
    }

    /// `g = r ⊙ y⁻` and its derivatives; then what it contributes to the candidate.
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

    /// The candidate `z`, having set the gains of r and q relative to ∂c/∂s_z = 1.
    fn candidate<T: Real>(&self, i: usize, step: &mut Step<T>) -> T {
        let s = step.pre[self.z.start + i];
        let Some(q) = &self.q else { return s.tanh() };
        let r = sigmoid(step.pre[self.r.start + i]);
        let q_i = step.pre[q.start + i];
        step.gain[self.r.start + i] = q_i * r * (T::one() - r);
        step.gain[q.start + i] = r;
        (s + r * q_i).tanh()
    }

    /// Unit `i`: its new state and all that depends on it.
    fn unit<T: Real>(&self, i: usize, before: &State<T>, step: &mut Step<T>) {
        let one = T::one();
        let event = &self.config.surrogate;
        let row = self.units.start + i;
        let (c0, y0) = (before.c[row], before.y[row]);
        let theta = self.theta.as_ref().map(|gate| step.pre[gate.start + i]);

        let u = sigmoid(step.pre[self.u.start + i]);
        let z = self.candidate(i, step);
        // k: what the leak works on. With the threshold reset it depends on c⁻ and ϑ through the last event.
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
        let mut macs = listen(wiring, w, &self.feed, (&self.own, &self.units), before, step);
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
