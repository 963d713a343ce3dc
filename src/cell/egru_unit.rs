//! The equations of one EGRU unit: state, emission and local derivatives from pre-activations. The
//! module [`egru`](super::egru) states them.

use super::{CellConfig, EventReset, ResetGate};
use crate::scalar::{Real, sigmoid};

/// Pre-activations and previous values of a unit.
#[derive(Clone, Copy, Debug)]
pub struct UnitInput<T> {
    /// s_u, of the update gate.
    pub u: T,
    /// s_r, of the reset gate. Not used if the reset gate is before the product.
    pub r: T,
    /// s_z, of the candidate.
    pub z: T,
    /// q, the recurrent pre-activation of the candidate. Not used if the reset gate is before the
    /// product.
    pub q: T,
    /// ϑ. Not used without activity sparsity.
    pub theta: T,
    /// c⁻.
    pub c: T,
    /// y⁻.
    pub y: T,
}

/// State, emission and local derivatives of a unit.
#[derive(Clone, Copy, Debug)]
pub struct UnitOutput<T> {
    /// c.
    pub c: T,
    /// y.
    pub y: T,
    /// d = ∂c/∂c⁻.
    pub d: T,
    /// ∂c/∂y⁻ with constant pre-activations: −1 for the output reset, else 0.
    pub direct: T,
    /// e = ∂y/∂c.
    pub e: T,
    /// Ē = ∂y/∂ϑ with constant c.
    pub e_bar: T,
    /// H'(c − ϑ), or 1 without activity sparsity.
    pub slope: T,
    /// ∂c/∂s_u.
    pub gain_u: T,
    /// ∂c/∂s_r; 0 if the reset gate is before the product.
    pub gain_r: T,
    /// ∂c/∂s_z.
    pub gain_z: T,
    /// ∂c/∂q; 0 if the reset gate is before the product.
    pub gain_q: T,
    /// ∂c/∂ϑ.
    pub gain_theta: T,
}

/// Computes one step of a unit.
#[inline(always)]
pub fn unit<T: Real>(config: &CellConfig, at: UnitInput<T>) -> UnitOutput<T> {
    let (one, zero) = (T::one(), T::zero());
    let event = &config.surrogate;
    let u = sigmoid(at.u);
    let (z, dz_dr, dz_dq) = if config.reset_gate == ResetGate::After {
        let r = sigmoid(at.r);
        ((at.z + r * at.q).tanh(), at.q * r * (one - r), r)
    } else {
        (at.z.tanh(), zero, zero)
    };
    // k is the argument of the leak. With the threshold reset it depends on ϑ, and on c⁻ also
    // through the last event.
    let by_threshold = config.activity && config.event_reset == EventReset::Threshold;
    let (k, dk_dc, dk_dtheta) = if by_threshold {
        let (o, slope) = (event.event(at.c - at.theta), event.slope(at.c - at.theta));
        (at.c - o * at.theta, one - at.theta * slope, at.theta * slope - o)
    } else {
        (at.c, one, zero)
    };
    let mut c = u * z + (one - u) * k;
    let mut direct = zero;
    if config.activity && !by_threshold {
        c -= at.y;
        direct = -one;
    }
    let gain_z = u * (one - z * z);
    let (y, e, e_bar, slope) = if config.activity {
        let (h, slope) = (event.event(c - at.theta), event.slope(c - at.theta));
        (c * h, h + c * slope, -c * slope, slope)
    } else {
        (c, one, zero, one)
    };
    UnitOutput {
        c,
        y,
        d: (one - u) * dk_dc,
        direct,
        e,
        e_bar,
        slope,
        gain_u: (z - k) * u * (one - u),
        gain_r: dz_dr * gain_z,
        gain_z,
        gain_q: dz_dq * gain_z,
        gain_theta: (one - u) * dk_dtheta,
    }
}

/// The gated activity `g = r ⊙ y⁻` of a unit, for a reset gate before the product.
#[derive(Clone, Copy, Debug)]
pub struct GatedActivity<T> {
    /// g.
    pub g: T,
    /// ∂g/∂s_r.
    pub gain_r: T,
    /// ∂g/∂y⁻ = r.
    pub direct: T,
}

/// Computes the gated activity from s_r and y⁻.
#[inline(always)]
pub fn gated_activity<T: Real>(r: T, y: T) -> GatedActivity<T> {
    let r = sigmoid(r);
    GatedActivity { g: r * y, gain_r: y * r * (T::one() - r), direct: r }
}
