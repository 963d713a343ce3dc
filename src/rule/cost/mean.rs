//! Sizes and measured sparsities from which the mean cost of a rule follows.

/// Sizes and measured sparsities of one layer, for planning before a network exists.
///
/// [`RuleEntry::mean_cost`](crate::rule::RuleEntry::mean_cost) gives the mean MACs per step of one layer of n units with m
/// inputs, whose couplings are single weights (all cells but those with a reset gate before the product), with a credit
/// for every unit at every step.
///
/// # Equation
///
/// | rule | MACs per step |
/// |---|---|
/// | `rtrl` | `κ p (l + c + η \|A\|) + h s p + κ ν n p` |
/// | `rtrl-param` | `p (2 c + \|A\|) + p + n p` |
/// | `rtrl-activity` | as `rtrl`, with P for p: a masked coupling is zero at every step and is skipped |
/// | `rtrl-dense` | `(n² + 2 n) P + P + n P` |
/// | `bptt` | `ν \|A\| + s p` |
/// | `tbptt-K` | `(K − 1) ν \|A\| + K s p` |
/// | `rtrl-blocked-K` | `ν \|A\| (1 + r) + 2 p + r p + (r + r²) p/K`, drained every K steps |
/// | `snap-1`, `rflo`, `e-prop` | `h p + h s p + ν p` |
/// | `uoro` | `\|A\| + ϑ \|A\| + 2 p + p`, where ϑ is 1 for cells with thresholds, else 0 |
///
/// # Symbols
///
/// | symbol | |
/// |---|---|
/// | p | kept parameters: `G_y ω̃ n² + G_x m n + G_b n` for G gates with recurrent weights, input weights, biases and thresholds; P with ω̃ = 1 |
/// | \|A\| | couplings: `n² (1 − ω^{G_y})` with a mask per gate (and n for a coupling of units to themselves), `ω̃ n²` with one mask for all gates |
/// | ν, h | share of live units (`e ≠ 0`); share of rows held: 1 with carry, else ν |
/// | c, l | n and ν n with carry, else 0 |
/// | r | n with carry, else ν n |
/// | η | mean of `ν(t−1) h(t)`: for the event RNN `β̃(t−1) β̃(t)`, for an EGRU `ν(t−1)` |
/// | κ | share of parameters whose source has been nonzero since the reset |
/// | s | share of parameters whose source is nonzero; for recurrent weights α̃ |
///
/// With p ∝ ω̃ n² and |A| ∝ ω̃ n², the leading term of `rtrl` is the RTRL paper's `ω̃² β̃² n² p` for the event RNN, and
/// `ω̃ ω̃′ ν n² p` for an EGRU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// n.
    pub units: f64,
    /// p.
    pub parameters: f64,
    /// P, parameters without masks.
    pub dense_parameters: f64,
    /// |A|.
    pub couplings: f64,
    /// Whether rows carry over from step to step: all cells but the event RNN and the tanh RNN.
    pub carry: bool,
    /// Whether the cell has thresholds.
    pub thresholds: bool,
    /// ν.
    pub live: f64,
    /// η.
    pub live_pairs: f64,
    /// κ.
    pub active: f64,
    /// s.
    pub nonzero: f64,
}

impl Means {
    /// c, rows with a carry.
    pub(super) fn carrying(&self) -> f64 {
        if self.carry { self.units } else { 0.0 }
    }

    /// h, share of rows held.
    pub(super) fn held(&self) -> f64 {
        if self.carry { 1.0 } else { self.live }
    }
}
