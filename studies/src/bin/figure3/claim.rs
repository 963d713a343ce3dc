//! Test of the paper's claim that its sparsest setting learns with the least compute.

use crate::curve::{Estimate, Setting};
use crate::store::Point;

/// Loss at which a run counts as having learned.
pub const LEARNED: f64 = 0.1;
/// Number of standard errors from which a difference is significant: the two-sided 5 % bound of
/// Student's t with 4 degrees of freedom, the minimum of Welch's test for five seeds per setting.
pub const SIGNIFICANT: f64 = 2.78;

/// A measure of compute.
pub struct Measure {
    pub name: &'static str,
    pub of: fn(&Point) -> f64,
}

/// All measures of compute.
pub const MEASURES: [Measure; 3] = [
    Measure {
        name: "Σ (1−ω)²β̃(t)β̃(t−1), the paper's factor", of: |p| p.compute_adjusted_iteration
    },
    Measure { name: "Σ density of the influence matrix", of: |p| p.density_adjusted_iteration },
    Measure { name: "MACs counted", of: |p| p.macs as f64 },
];

/// Returns the name of a setting, for example `ω = 0.9 with activity sparsity`.
pub fn name(setting: &Setting) -> String {
    let with = if setting.activity { "with" } else { "without" };
    format!("ω = {} {with} activity sparsity", setting.omega)
}

/// Formats mean ± standard error with about three digits, and with `≥` for a lower bound.
pub fn show(cost: Estimate, bound: bool) -> String {
    let sign = if bound { "≥ " } else { "" };
    let digits = |x: f64| match x.abs() {
        0.0 => "0".into(),
        1e6.. => format!("{x:.2e}"),
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    };
    match cost.error.is_finite() {
        true => format!("{sign}{} ± {}", digits(cost.mean), digits(cost.error)),
        false => format!("{sign}{}", digits(cost.mean)),
    }
}

/// Result for the claim that the sparsest setting with activity sparsity learns with the least
/// compute.
pub struct ClaimCheck {
    pub result: &'static str,
    /// Compute of the claimed setting, name of the cheapest other setting, and compute of that
    /// setting.
    pub claimed: String,
    pub rival: String,
    pub rival_cost: String,
    /// Compute of the other setting minus compute of the claimed setting, in standard errors of the
    /// difference.
    pub gap: f64,
}

/// Compares the claimed setting with the others; returns `None` if there are no others.
pub fn sparsest_is_cheapest(settings: &[&Setting], measure: &Measure) -> Option<ClaimCheck> {
    let cost = |setting: &&Setting| {
        let (cost, reached) = setting.when(LEARNED, measure.of);
        (name(setting), cost, reached < setting.runs.len())
    };
    let sparsest = settings.iter().filter(|s| s.activity).map(|s| s.omega).fold(0.0, f64::max);
    let is_claimed = |s: &&&Setting| s.activity && s.omega == sparsest;
    let (_, claimed, bound) = cost(settings.iter().find(is_claimed)?);
    let rivals = settings.iter().filter(|s| !is_claimed(s)).map(cost);
    // Settings in which every run learned come before settings whose cost is a lower bound.
    let rival = rivals.min_by(|a, b| a.2.cmp(&b.2).then(a.1.mean.total_cmp(&b.1.mean)))?;
    let gap = claimed.below(rival.1);
    let result = match gap {
        g if g.is_nan() => "undecided: one seed",
        // A lower bound does not show that the cost is low.
        _ if bound => "undecided: not every run learned",
        g if g >= SIGNIFICANT => "**confirmed**",
        g if g <= -SIGNIFICANT && !rival.2 => "**refuted**",
        g if g > 0.0 => "least, not significant",
        _ => "not least, not significant",
    };
    Some(ClaimCheck {
        result,
        claimed: show(claimed, bound),
        rival: rival.0,
        rival_cost: show(rival.1, rival.2),
        gap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Point;
    use crate::store::tests::point;

    /// Two settings with three seeds each, which learn in one iteration at the given costs.
    fn check(claimed: [f64; 3], rival: [f64; 3], learns: bool) -> ClaimCheck {
        let run = |cost: &f64, loss| vec![Point { loss, compute_adjusted_iteration: *cost, ..point() }];
        let own: Vec<_> = claimed.iter().map(|c| run(c, if learns { 0.05 } else { 0.2 })).collect();
        let other: Vec<_> = rival.iter().map(|c| run(c, 0.05)).collect();
        fn slices(runs: &[Vec<Point>]) -> Vec<&[Point]> {
            runs.iter().map(Vec::as_slice).collect()
        }
        let a = Setting { omega: 0.9, activity: true, runs: slices(&own) };
        let b = Setting { omega: 0.9, activity: false, runs: slices(&other) };
        sparsest_is_cheapest(&[&a, &b], &MEASURES[0]).unwrap()
    }

    #[test]
    fn claim_check_without_significance_or_every_run_is_not_confirmed() {
        let (low, high) = ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2]);
        assert_eq!(check(low, high, true).result, "**confirmed**");
        assert_eq!(check(high, low, true).result, "**refuted**");
        assert_eq!(check(low, [1.05, 1.15, 1.25], true).result, "least, not significant");
        assert_eq!(check([1.05, 1.15, 1.25], low, true).result, "not least, not significant");
        // A setting that did not learn does not confirm the claim.
        let bound = check(low, high, false);
        assert_eq!(bound.result, "undecided: not every run learned");
        assert!(bound.claimed.starts_with('≥'));
    }
}
