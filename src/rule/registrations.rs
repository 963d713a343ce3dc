//! The list of all rules: each with its name, its claim, its cost model, its mean cost and its memory.

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

/// One line of the list: a rule, or a family of rules with a number in the name.
pub(super) enum Registration<T> {
    /// A rule.
    Rule(fn() -> RuleEntry<T>),
    /// Rules `{prefix}{number}`.
    Family {
        /// What the names begin with.
        prefix: &'static str,
        /// The letter of the number in help texts.
        letter: char,
        /// Members that the registry lists.
        listed: &'static [usize],
        /// The member with this number.
        member: fn(usize) -> RuleEntry<T>,
    },
}

/// All rules, in the order of help texts.
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
    let about = "exact RTRL that skips every row and column that is zero";
    RuleEntry::maskable("rtrl", about, Claim::Exact, Rtrl::new)
        .with_cost(|wiring| PanelCost::new(wiring.clone(), true))
        .with_mean_cost(|means| rtrl::mean(means, means.parameters))
        .with_memory(matrix)
}

fn param<T: Real>() -> RuleEntry<T> {
    let about = "exact RTRL that skips masked parameters only";
    RuleEntry::new("rtrl-param", about, Claim::Exact, |wiring, _, _| Rtrl::new(wiring.clone(), false))
        .with_cost(|wiring| PanelCost::new(wiring.clone(), false))
        .with_mean_cost(rtrl::mean_of_masks)
        .with_memory(matrix)
}

fn activity<T: Real>() -> RuleEntry<T> {
    let about =
        "exact RTRL that skips rows and columns that are zero, with columns for masked parameters too";
    let build = |wiring: &Arc<Wiring>, _, _| Unmasked::new(wiring, |full| Rtrl::new(full, true));
    RuleEntry::new("rtrl-activity", about, Claim::Exact, build)
        .with_cost(|wiring| UnmaskedCost::new(wiring, |full| PanelCost::new(full, true)))
        .with_mean_cost(|means| rtrl::mean(means, means.dense_parameters))
        .with_memory(|size| size.rows * size.dense_parameters)
}

fn dense<T: Real>() -> RuleEntry<T> {
    let about = "exact RTRL that multiplies by every zero: the oracle of all tests";
    RuleEntry::new("rtrl-dense", about, Claim::Exact, |wiring, _, _| Unmasked::new(wiring, RtrlDense::new))
        .with_cost(|wiring| OracleCost::new(wiring))
        .with_mean_cost(oracle::mean)
        .with_memory(|size| 4.0 * size.rows * size.dense_parameters)
}

fn bptt<T: Real>() -> RuleEntry<T> {
    let about = "back-propagation through a tape of the whole sequence";
    RuleEntry::maskable("bptt", about, Claim::Exact, Bptt::new)
        .with_cost(|wiring| TapeCost::new(wiring.clone(), None))
        .with_mean_cost(|means| tape::mean(means, None))
        .with_memory(few)
        .growing()
}

fn blocked<T: Real>(steps: usize) -> RuleEntry<T> {
    let about =
        "exact RTRL that advances the influence matrix every K steps (Schmidhuber 1992); any rtrl-blocked-K";
    let build = move |wiring, activity| BlockRtrl::new(wiring, steps, activity);
    RuleEntry::maskable(format!("rtrl-blocked-{steps}"), about, Claim::Exact, build)
        .with_cost(move |wiring| BlockCost::new::<T>(wiring.clone(), steps))
        .with_mean_cost(move |means| block::mean(means, steps as f64))
        .with_memory(move |size| blocks(size, steps as f64))
}

const AUTO: &str = "rtrl-auto";

/// Share of live rows that the choice of `rtrl-auto` assumes before a network has run.
const ASSUMED_LIVE: f64 = 0.3;

/// The longest block that `rtrl-auto` may choose, for the estimate of its memory.
const LONGEST_CHOICE: f64 = 128.0;

/// The rule that `rtrl-auto` chooses for a wiring.
fn choice<T: Real>(wiring: &Wiring) -> RuleEntry<T> {
    best_steps(wiring, ASSUMED_LIVE).map_or_else(skipping, blocked)
}

fn auto<T: Real>() -> RuleEntry<T> {
    let about =
        "exact RTRL, at every step or in blocks, whichever should be cheaper with a gradient at every step";
    let build = |wiring: &Arc<Wiring>, skips, seed| (choice(wiring).build)(wiring, skips, seed);
    RuleEntry::boxed(AUTO, about, Claim::Exact, Box::new(build))
        .with_boxed_cost(Box::new(|wiring| {
            choice(wiring).cost_model(wiring).expect("both have a cost model")
        }))
        .with_memory(|size| blocks(size, LONGEST_CHOICE))
}

/// The name of the rule that `name` stands for on this wiring: the choice of `rtrl-auto`, and any other name unchanged.
///
/// The choice depends on the wiring alone, not on the machine. A checkpoint stores the result.
pub fn resolve(name: &str, wiring: &Wiring) -> String {
    if name == AUTO { choice::<f64>(wiring).name } else { name.into() }
}

fn snap<T: Real>(n: usize) -> RuleEntry<T> {
    let about = "RTRL on the entries reachable in N steps of the pattern (Menick et al. 2021); any snap-N";
    let entry = pattern_rule(format!("snap-{n}"), about, Claim::Pattern(n), Reach::Steps(n));
    if n > 1 {
        // At most all entries, and every coupling of every block listed in eight bytes.
        return entry.with_memory(|size| 3.0 * matrix(size));
    }
    entry.with_mean_cost(pattern::mean)
}

fn rflo<T: Real>() -> RuleEntry<T> {
    let about = "influence along each unit's carry only (Murray 2019)";
    pattern_rule("rflo", about, Claim::Heuristic, Reach::Carry).with_mean_cost(pattern::mean)
}

fn e_prop<T: Real>() -> RuleEntry<T> {
    let about = "influence along each unit's own dynamics, its reset included (Bellec et al. 2020)";
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

/// The whole influence matrix of the kept parameters.
fn matrix(size: &Dimensions) -> f64 {
    size.rows * size.parameters
}

/// Rules that hold a few numbers per parameter, and short tapes.
fn few(size: &Dimensions) -> f64 {
    16.0 * size.parameters
}

/// The influence matrix and two blocks of K steps: couplings are listed in twice the size of a number for every step of
/// both, and the derivative of every row by every other row is kept for each step of one.
fn blocks(size: &Dimensions, steps: f64) -> f64 {
    let (rows, p) = (size.rows, size.parameters);
    rows * p + steps * (4.0 * p + rows * rows + 32.0 * rows)
}
