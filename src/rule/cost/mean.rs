//! Sizes and sparsities for the mean cost of a rule.

/// Sizes and sparsities of one layer, for an estimate of costs without a network.
///
/// [`RuleEntry::mean_cost`](crate::rule::RuleEntry::mean_cost) returns the mean MACs per step of
/// one layer of n units with m inputs, with a credit for every unit at every step. Each coupling is
/// a single weight (all cells except those with a reset gate before the product).
///
/// # Equation
///
/// | rule | MACs per step |
/// |---|---|
/// | `rtrl` | `κ p (l + c + η \|A\|) + h s p + κ ν n p` |
/// | `rtrl-param` | `p (2 c + \|A\|) + p + n p` |
/// | `rtrl-activity` | `rtrl` with P instead of p; zero couplings of pruned weights are skipped |
/// | `rtrl-dense` | `(n² + 2 n) P + P + n P` |
/// | `bptt` | `ν \|A\| + s p` |
/// | `tbptt-K` | `(K − 1) ν \|A\| + K s p` |
/// | `rtrl-blocked-K` | `ν \|A\| (1 + r) + 2 p + r p + (r + r²) p/K`, drained every K steps |
/// | `snap-1`, `rflo`, `e-prop` | `h p + h s p + ν p` |
/// | `uoro` | `\|A\| + ϑ \|A\| + 2 p + p`, where ϑ is 1 for cells with thresholds, else 0 |
///
/// # Symbols
///
/// | symbol | meaning |
/// |---|---|
/// | p | number of kept parameters: `G_y ω̃ n² + G_x m n + G_b n` |
/// | G_y, G_x, G_b | number of gates with recurrent weights, input weights, biases and thresholds |
/// | P | number of parameters without masks: p with ω̃ = 1 |
/// | \|A\| | number of couplings |
/// | ν, h | share of live units (`e ≠ 0`); share of rows held: 1 with carry, else ν |
/// | c, l | n and ν n with carry, else 0 |
/// | r | n with carry, else ν n |
/// | η | mean of `ν(t−1) h(t)`: for the event RNN `β̃(t−1) β̃(t)`, for an EGRU `ν(t−1)` |
/// | κ | share of parameters in active columns |
/// | s | share of parameters whose source is nonzero; for recurrent weights α̃ |
///
/// The number of couplings is `n² (1 − ω^{G_y})` with a mask per gate (plus n if units are coupled
/// to themselves), and `ω̃ n²` with one mask for all gates.
///
/// With p ∝ ω̃ n² and |A| ∝ ω̃ n², the leading term of `rtrl` is `ω̃² β̃² n² p` for the event RNN,
/// as in the RTRL paper, and `ω̃ ω̃′ ν n² p` for an EGRU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// n, number of units.
    pub units: f64,
    /// p, number of kept parameters.
    pub parameters: f64,
    /// P, number of parameters without masks.
    pub dense_parameters: f64,
    /// |A|, number of couplings.
    pub couplings: f64,
    /// Whether rows have a carry: all cells except the event RNN and the tanh RNN.
    pub carry: bool,
    /// Whether the cell has thresholds.
    pub thresholds: bool,
    /// ν, share of live units.
    pub live: f64,
    /// η, mean of `ν(t−1) h(t)`.
    pub live_pairs: f64,
    /// κ, share of parameters in active columns.
    pub active: f64,
    /// s, share of parameters whose source is nonzero.
    pub nonzero: f64,
}

impl Means {
    /// Returns c, the number of rows with a carry.
    pub(super) fn carrying(&self) -> f64 {
        if self.carry { self.units } else { 0.0 }
    }

    /// Returns h, the share of rows held.
    pub(super) fn held(&self) -> f64 {
        if self.carry { 1.0 } else { self.live }
    }
}
