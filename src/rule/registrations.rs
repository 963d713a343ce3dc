//! The registrations of all rules: name, claim, cost model, mean cost and memory.

use super::cost::{
    BlockCost, OracleCost, PanelCost, PatternCost, TapeCost, UnmaskedCost, UoroCost, block, oracle, pattern,
    rtrl, tape, uoro,
};
use super::{
    BlockRtrl, Bptt, Claim, Dimensions, PatternRtrl, Reach, Rtrl, RtrlDense, RuleEntry, Tbptt, Unmasked,
    Uoro, best_steps,
};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::sync::Arc;

/// A registration of a rule, or of a family of rules with a number in the name.
pub(super) enum Registration<T> {
    /// One rule.
    Rule(fn() -> RuleEntry<T>),
    /// Rules `{prefix}{number}`.
    Family {
        /// Prefix of the names.
        prefix: &'static str,
        /// Letter for the number in help texts.
        letter: char,
        /// Numbers of the members in the registry.
        listed: &'static [usize],
        /// Returns the member with a number.
        member: fn(usize) -> RuleEntry<T>,
    },
}

/// Returns all registrations, in the order of help texts.
pub(super) fn all<T: Real>() -> Vec<Registration<T>> {
    use Registration::{Family, Rule};
    vec![
        Rule(skipping),
        Rule(param),
        Rule(activity),
        Rule(dense),
        Rule(bptt),
        Family { prefix: "rtrl-blocked-", letter: 'K', listed: &[6], member: blocked },
        Rule(auto),
        Family { prefix: "snap-", letter: 'N', listed: &[1, 2], member: snap },
        Rule(rflo),
        Rule(e_prop),
        Family { prefix: "tbptt-", letter: 'K', listed: &[8], member: tbptt },
        Rule(uoro_rule),
    ]
}

fn skipping<T: Real>() -> RuleEntry<T> {
    let about = "exact RTRL that skips all zero rows and columns and pruned parameters";
    RuleEntry::maskable("rtrl", about, Claim::Exact, Rtrl::new)
        .with_cost(|wiring| PanelCost::new(wiring.clone(), true))
        .with_mean_cost(|means| rtrl::mean(means, means.parameters))
        .with_memory(matrix)
}

fn param<T: Real>() -> RuleEntry<T> {
    let about = "exact RTRL that skips pruned parameters only";
    RuleEntry::new("rtrl-param", about, Claim::Exact, |wiring, _, _| Rtrl::new(wiring.clone(), false))
        .with_cost(|wiring| PanelCost::new(wiring.clone(), false))
        .with_mean_cost(rtrl::mean_of_masks)
        .with_memory(matrix)
}

fn activity<T: Real>() -> RuleEntry<T> {
    let about = "exact RTRL that skips zero rows and columns, but stores columns of pruned parameters";
    let build = |wiring: &Arc<Wiring>, _, _| Unmasked::new(wiring, |full| Rtrl::new(full, true));
    RuleEntry::new("rtrl-activity", about, Claim::Exact, build)
        .with_cost(|wiring| UnmaskedCost::new(wiring, |full| PanelCost::new(full, true)))
        .with_mean_cost(|means| rtrl::mean(means, means.dense_parameters))
        .with_memory(|size| size.rows * size.dense_parameters)
}

fn dense<T: Real>() -> RuleEntry<T> {
    let about = "exact RTRL without skips; reference implementation of the tests";
    RuleEntry::new("rtrl-dense", about, Claim::Exact, |wiring, _, _| Unmasked::new(wiring, RtrlDense::new))
        .with_cost(|wiring| OracleCost::new(wiring))
        .with_mean_cost(oracle::mean)
        .with_memory(|size| 4.0 * size.rows * size.dense_parameters)
}

fn bptt<T: Real>() -> RuleEntry<T> {
    let about = "back-propagation through the whole sequence, whose steps are stored";
    RuleEntry::maskable("bptt", about, Claim::Exact, Bptt::new)
        .with_cost(|wiring| TapeCost::new(wiring.clone(), None))
        .with_mean_cost(|means| tape::mean(means, None))
        .with_memory(few)
        .growing()
}

fn blocked<T: Real>(steps: usize) -> RuleEntry<T> {
    let about =
        "exact RTRL that updates the influence matrix every K steps (Schmidhuber 1992); any rtrl-blocked-K";
    let build = move |wiring, activity| BlockRtrl::new(wiring, steps, activity);
    RuleEntry::maskable(format!("rtrl-blocked-{steps}"), about, Claim::Exact, build)
        .with_cost(move |wiring| BlockCost::new::<T>(wiring.clone(), steps))
        .with_mean_cost(move |means| block::mean(means, steps as f64))
        .with_memory(move |size| blocks(size, steps as f64))
}

const AUTO: &str = "rtrl-auto";

/// Share of live rows that `rtrl-auto` assumes.
const ASSUMED_LIVE: f64 = 0.3;

/// Maximum block length of `rtrl-auto`, for the estimate of its memory.
const LONGEST_CHOICE: f64 = 128.0;

/// Returns the rule that `rtrl-auto` chooses for a wiring.
fn choice<T: Real>(wiring: &Wiring) -> RuleEntry<T> {
    best_steps(wiring, ASSUMED_LIVE).map_or_else(skipping, blocked)
}

fn auto<T: Real>() -> RuleEntry<T> {
    let about = "rtrl or rtrl-blocked-K, chosen by a cost model for a gradient at every step";
    let build = |wiring: &Arc<Wiring>, skips, seed| (choice(wiring).build)(wiring, skips, seed);
    RuleEntry::boxed(AUTO, about, Claim::Exact, Box::new(build))
        .with_boxed_cost(Box::new(|wiring| {
            choice(wiring).cost_model(wiring).expect("both rules must have a cost model")
        }))
        .with_memory(|size| blocks(size, LONGEST_CHOICE))
}

/// Replaces `rtrl-auto` by the name of the rule that it chooses for this wiring. Returns any other
/// name unchanged.
///
/// The choice depends on the wiring and not on the machine. A checkpoint stores the result.
pub fn resolve(name: &str, wiring: &Wiring) -> String {
    if name == AUTO { choice::<f64>(wiring).name } else { name.into() }
}

fn snap<T: Real>(n: usize) -> RuleEntry<T> {
    let about =
        "RTRL on the entries that a parameter reaches within N steps (Menick et al. 2021); any snap-N";
    let entry = pattern_rule(format!("snap-{n}"), about, Claim::Pattern(n), Reach::Steps(n));
    if n > 1 {
        // At most all entries of S, and 8 bytes for every coupling of every block.
        return entry.with_memory(|size| 3.0 * matrix(size));
    }
    entry.with_mean_cost(pattern::mean)
}

fn rflo<T: Real>() -> RuleEntry<T> {
    let about = "influence through each unit's carry only (Murray 2019)";
    pattern_rule("rflo", about, Claim::Heuristic, Reach::Carry).with_mean_cost(pattern::mean)
}

fn e_prop<T: Real>() -> RuleEntry<T> {
    let about = "influence through each unit's own dynamics, including its reset (Bellec et al. 2020)";
    pattern_rule("e-prop", about, Claim::Heuristic, Reach::Unit).with_mean_cost(pattern::mean)
}

fn pattern_rule<T: Real>(
    name: impl Into<String>,
    about: &'static str,
    claim: Claim,
    reach: Reach,
) -> RuleEntry<T> {
    RuleEntry::new(name, about, claim, move |wiring, _, _| PatternRtrl::new(wiring.clone(), reach))
        .with_cost(move |wiring| PatternCost::new(wiring.clone(), reach))
        .with_memory(few)
}

fn tbptt<T: Real>(window: usize) -> RuleEntry<T> {
    let about = "back-propagation over the last K steps (Williams & Peng 1990); any tbptt-K";
    let build = move |wiring, activity| Tbptt::new(wiring, window, activity);
    RuleEntry::maskable(format!("tbptt-{window}"), about, Claim::Heuristic, build)
        .with_cost(move |wiring| TapeCost::new(wiring.clone(), Some(window)))
        .with_mean_cost(move |means| tape::mean(means, Some(window as f64)))
        .with_memory(few)
}

fn uoro_rule<T: Real>() -> RuleEntry<T> {
    let about = "a random rank-one estimate of the influence matrix (Tallec & Ollivier 2018)";
    RuleEntry::new("uoro", about, Claim::Unbiased, |wiring, _, seed| Uoro::new(wiring.clone(), seed))
        .with_cost(|wiring| UoroCost::new(wiring))
        .with_mean_cost(uoro::mean)
        .with_memory(few)
}

/// Returns the size of the influence matrix.
fn matrix(size: &Dimensions) -> f64 {
    size.rows * size.parameters
}

/// Returns the memory of a rule with a few numbers per parameter or a short tape.
fn few(size: &Dimensions) -> f64 {
    16.0 * size.parameters
}

/// Returns the memory of a rule with the influence matrix and two blocks of K steps. Both blocks
/// store couplings, in twice the size of a number; one block stores the transition of every step,
/// rows × rows.
fn blocks(size: &Dimensions, steps: f64) -> f64 {
    let (rows, p) = (size.rows, size.parameters);
    rows * p + steps * (4.0 * p + rows * rows + 32.0 * rows)
}
