//! What rules cost in the mean, from sizes and measured sparsities alone: for planning, before a network exists.
//!
//! One layer of n units with m inputs, whose couplings are single weights (all cells but those with a reset gate before the
//! product), a credit to every unit at every step:
//!
//! | rule | MACs a step |
//! |---|---|
//! | rtrl | `κ p (l + c + η \|A\|) + h s p + κ ν n p` |
//! | rtrl-param | `p (2 c + \|A\|) + p + n p` |
//! | rtrl-activity | rtrl's with the unmasked P for p: a masked coupling is zero at every step, and skipped as such |
//! | rtrl-dense | `(n² + 2 n) P + P + n P` |
//! | bptt, tbptt-K | `ν \|A\| + s p`, and `(K − 1) ν \|A\| + K s p` |
//! | rtrl-blocked-K | `ν \|A\| (1 + r) + 2 p + r p + (r + r²) p/K`, drained every K steps |
//! | snap-1, rflo, e-prop | `h p + h s p + ν p` |
//! | uoro | `\|A\| + ϑ \|A\| + 2 p + p`, ϑ being 1 for cells with thresholds, else 0 |
//!
//! | symbol | |
//! |---|---|
//! | p | kept parameters: `G_y ω̃ n² + G_x m n + G_b n` for G gates with recurrent weights, input weights, biases and thresholds; P with ω̃ = 1 |
//! | \|A\| | couplings: `n² (1 − ω^{G_y})` with a mask per gate (and n for a coupling of units to themselves), `ω̃ n²` with one for all |
//! | ν, h | share of units that are live (`e ≠ 0`); share of rows held: 1 with carry, else ν |
//! | c, l | n and ν n with carry, else 0 |
//! | r | n with carry, else ν n |
//! | η | mean of `ν(t−1) h(t)`: for the event RNN `β̃(t−1) β̃(t)`, for an EGRU `ν(t−1)` |
//! | κ, s | share of parameters whose source has spoken since the reset; whose source speaks (for recurrent weights α̃) |
//!
//! With p ∝ ω̃ n² and |A| ∝ ω̃ n², the leading term of rtrl is the paper's `ω̃² β̃² n² p` for the event RNN, and `ω̃ ω̃′ ν n² p` for an EGRU.

/// Sizes and measured sparsities of one layer; see the table of symbols above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// n.
    pub units: f64,
    /// p.
    pub parameters: f64,
    /// P, without masks.
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
    pub awake: f64,
    /// s.
    pub spoken: f64,
}

/// MACs a step of a rule in the mean; none for rules whose pattern is not a matter of these numbers (SnAp-n from n = 2).
pub fn expected(rule: &str, of: &Means) -> Option<f64> {
    let Means { units: n, parameters: p, dense_parameters: dense, couplings: a, .. } = *of;
    let (c, h) = if of.carry { (n, 1.0) } else { (0.0, of.live) };
    let sparse = |p: f64, a: f64| {
        let copied = if of.carry { of.live * n } else { 0.0 };
        of.awake * p * (copied + c + of.live_pairs * a) + h * of.spoken * p + of.awake * of.live * n * p
    };
    let walk = of.live * a + of.spoken * p;
    Some(match rule {
        "rtrl" => sparse(p, a),
        "rtrl-param" => p * (2.0 * c + a) + p + n * p,
        "rtrl-activity" => sparse(dense, a),
        "rtrl-dense" => (n * n + 2.0 * n) * dense + dense + n * dense,
        "bptt" => walk,
        "snap-1" | "rflo" | "e-prop" => h * p + h * of.spoken * p + of.live * p,
        "uoro" => (if of.thresholds { 2.0 } else { 1.0 }) * a + 3.0 * p,
        _ => {
            let number = |family: &str| rule.strip_prefix(family)?.parse::<f64>().ok();
            if let Some(steps) = number("rtrl-blocked-") {
                let rows = h * n;
                let ends = (rows + rows * rows) / steps;
                return Some(of.live * a * (1.0 + rows) + (2.0 + rows + ends) * p);
            }
            let window = number("tbptt-")?;
            (window - 1.0) * of.live * a + window * of.spoken * p
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n = 10, p = 1000, P = 3000, |A| = 40, ν = .4, η = .2, κ = .5, s = .1, every term by hand.
    fn means(carry: bool, thresholds: bool) -> Means {
        Means {
            units: 10.0,
            parameters: 1000.0,
            dense_parameters: 3000.0,
            couplings: 40.0,
            carry,
            thresholds,
            live: 0.4,
            live_pairs: 0.2,
            awake: 0.5,
            spoken: 0.1,
        }
    }

    #[test]
    fn expected_equals_the_table_by_hand_for_every_rule() {
        for (rule, carry, expected) in [
            // κ p (l + c + η |A|) + h s p + κ ν n p
            ("rtrl", true, 500.0 * (4.0 + 10.0 + 8.0) + 100.0 + 2000.0),
            ("rtrl", false, 500.0 * 8.0 + 40.0 + 2000.0),
            ("rtrl-param", true, 1000.0 * (20.0 + 40.0) + 1000.0 + 10_000.0),
            ("rtrl-param", false, 1000.0 * 40.0 + 1000.0 + 10_000.0),
            ("rtrl-activity", true, 1500.0 * (4.0 + 10.0 + 8.0) + 300.0 + 6000.0),
            ("rtrl-activity", false, 1500.0 * 8.0 + 120.0 + 6000.0),
            ("rtrl-dense", true, 120.0 * 3000.0 + 3000.0 + 30_000.0),
            ("bptt", true, 16.0 + 100.0),
            ("tbptt-4", false, 3.0 * 16.0 + 4.0 * 100.0),
            ("rtrl-blocked-5", true, 16.0 * 11.0 + 2000.0 + 10_000.0 + 110.0 * 200.0),
            ("rtrl-blocked-5", false, 16.0 * 5.0 + 2000.0 + 4000.0 + 20.0 * 200.0),
            ("snap-1", true, 1000.0 + 100.0 + 400.0),
            ("rflo", false, 400.0 + 40.0 + 400.0),
            ("e-prop", true, 1000.0 + 100.0 + 400.0),
            ("uoro", true, 2.0 * 40.0 + 3000.0),
        ] {
            let found = expected_of(rule, carry, true);
            assert!((found - expected).abs() < 1e-9, "{rule}, carry {carry}: {found}, not {expected}");
        }
        assert_eq!(expected_of("uoro", false, false), 40.0 + 3000.0);
        assert!(super::expected("snap-2", &means(true, true)).is_none());
    }

    fn expected_of(rule: &str, carry: bool, thresholds: bool) -> f64 {
        super::expected(rule, &means(carry, thresholds)).expect("a rule with a closed form")
    }
}
