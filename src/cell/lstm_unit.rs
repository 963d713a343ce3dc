//! The equations of one LSTM unit (Hochreiter & Schmidhuber 1997; Gers et al. 2000), with local
//! derivatives:
//!
//! `i, f, o = σ(s_i), σ(s_f), σ(s_o)`, `g = tanh(s_g)`, `c = f c⁻ + i g`, `y = o tanh(c)`.
//!
//! | | |
//! |---|---|
//! | carry | `d = f` |
//! | emission | `e = ∂y/∂c = o (1 − tanh² c)` |
//! | gains of c | `∂c/∂s_i = g i(1−i)`, `∂c/∂s_f = c⁻ f(1−f)`, `∂c/∂s_g = i (1−g²)` |
//! | gain of y | `∂y/∂s_o = tanh(c) o(1−o)` |

use crate::scalar::{Real, sigmoid};

/// State, emission and local derivatives of a unit.
#[derive(Clone, Copy, Debug)]
pub struct LstmOutput<T> {
    /// c.
    pub c: T,
    /// y, often called h.
    pub y: T,
    /// d = ∂c/∂c⁻.
    pub d: T,
    /// e = ∂y/∂c.
    pub e: T,
    /// ∂c/∂s_i, ∂c/∂s_f, ∂c/∂s_g, ∂y/∂s_o.
    pub gains: [T; 4],
}

/// Computes one step of a unit from its pre-activations `[s_i, s_f, s_g, s_o]` and c⁻.
#[inline(always)]
pub fn unit<T: Real>([s_i, s_f, s_g, s_o]: [T; 4], before: T) -> LstmOutput<T> {
    let one = T::one();
    let (i, f, g, o) = (sigmoid(s_i), sigmoid(s_f), s_g.tanh(), sigmoid(s_o));
    let c = f * before + i * g;
    let tanh = c.tanh();
    LstmOutput {
        c,
        y: o * tanh,
        d: f,
        e: o * (one - tanh * tanh),
        gains: [g * i * (one - i), before * f * (one - f), i * (one - g * g), tanh * o * (one - o)],
    }
}
