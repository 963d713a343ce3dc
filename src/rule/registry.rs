//! All rules by name. Tests go through this list: what is registered is held to its claim on arrival.

use super::cost::{
    BlockCost, CostModel, OracleCost, PanelCost, PatternCost, TapeCost, UnmaskedCost, UoroCost,
};
use super::{
    BlockRtrl, Bptt, Claim, Reach, Rtrl, RtrlDense, Rule, Skips, Tbptt, Unmasked, Uoro, best_steps, local,
    snap,
};
use crate::error::{Error, Result};
use crate::scalar::{Real, compiled_once};
use crate::wiring::Wiring;
use std::sync::Arc;

/// Builds a rule for one stream over a wiring; the seed is for rules that draw random numbers.
type Build<T> = Box<dyn Fn(&Arc<Wiring>, Skips, u64) -> Box<dyn Rule<T>> + Send + Sync>;

/// Builds what predicts a rule's cost, all skips on.
type Foresee<T> = Box<dyn Fn(&Arc<Wiring>) -> Box<dyn CostModel<T>> + Send + Sync>;

/// A rule that can be chosen by name.
pub struct RuleEntry<T> {
    /// The name on the command line and in configurations.
    pub name: String,
    /// One line for `--help`.
    pub about: &'static str,
    /// What it says of its gradient.
    pub claim: Claim,
    /// Whether it keeps every step since the reset, so that an endless stream would fill the memory.
    pub grows: bool,
    /// A rule for one stream over that wiring; the seed is for rules that draw random numbers.
    pub build: Build<T>,
    /// What predicts its cost over that wiring, all skips on.
    pub predict: Foresee<T>,
}

impl<T: Real> RuleEntry<T> {
    fn new<R: Rule<T> + 'static, P: CostModel<T> + 'static>(
        name: impl Into<String>,
        about: &'static str,
        claim: Claim,
        build: impl Fn(&Arc<Wiring>, Skips, u64) -> R + Send + Sync + 'static,
        predict: impl Fn(&Arc<Wiring>) -> P + Send + Sync + 'static,
    ) -> Self {
        let build: Build<T> = Box::new(move |wiring, skips, seed| Box::new(build(wiring, skips, seed)));
        let predict: Foresee<T> = Box::new(move |wiring| Box::new(predict(wiring)));
        Self { name: name.into(), about, claim, grows: false, build, predict }
    }

    /// A rule that can also be run as if nothing were masked.
    fn maskable<R: Rule<T> + 'static, P: CostModel<T> + 'static>(
        name: impl Into<String>,
        about: &'static str,
        claim: Claim,
        build: impl Fn(Arc<Wiring>, bool) -> R + Send + Sync + 'static,
        predict: impl Fn(&Arc<Wiring>) -> P + Send + Sync + 'static,
    ) -> Self {
        let build: Build<T> = Box::new(move |wiring, skips, _| match skips.parameters {
            true => Box::new(build(wiring.clone(), skips.activity)),
            false => Box::new(Unmasked::new(wiring, |full| build(full, skips.activity))),
        });
        let predict: Foresee<T> = Box::new(move |wiring| Box::new(predict(wiring)));
        Self { name: name.into(), about, claim, grows: false, build, predict }
    }

    fn growing(self) -> Self {
        Self { grows: true, ..self }
    }
}

/// All rules; of families with a number, the members people use.
pub fn registry<T: Real>() -> Vec<RuleEntry<T>> {
    compiled_once(in_single, in_double)
}

#[inline(never)]
fn in_single() -> Vec<RuleEntry<f32>> {
    all()
}

#[inline(never)]
fn in_double() -> Vec<RuleEntry<f64>> {
    all()
}

fn all<T: Real>() -> Vec<RuleEntry<T>> {
    vec![
        RuleEntry::maskable(
            "rtrl",
            "exact RTRL that skips every row and column that is zero",
            Claim::Exact,
            Rtrl::new,
            |wiring| PanelCost::new(wiring.clone(), true),
        ),
        RuleEntry::new(
            "rtrl-param",
            "exact RTRL that skips masked parameters only",
            Claim::Exact,
            |wiring, _, _| Rtrl::new(wiring.clone(), false),
            |wiring| PanelCost::new(wiring.clone(), false),
        ),
        RuleEntry::new(
            "rtrl-activity",
            "exact RTRL that skips what is zero at a step, with columns for masked parameters too",
            Claim::Exact,
            |wiring, _, _| Unmasked::new(wiring, |full| Rtrl::new(full, true)),
            |wiring| UnmaskedCost::new(wiring, |full| PanelCost::new(full, true)),
        ),
        RuleEntry::new(
            "rtrl-dense",
            "exact RTRL that multiplies by every zero: the oracle",
            Claim::Exact,
            |wiring, _, _| Unmasked::new(wiring, RtrlDense::new),
            |wiring| OracleCost::new(wiring),
        ),
        RuleEntry::maskable(
            "bptt",
            "back-propagation through a tape of the whole sequence",
            Claim::Exact,
            Bptt::new,
            |wiring| TapeCost::new(wiring.clone(), None),
        )
        .growing(),
        blocked_entry(6),
        auto_entry(),
        snap_entry(1),
        snap_entry(2),
        RuleEntry::new(
            "rflo",
            "influence along each unit's carry only (Murray 2019)",
            Claim::Heuristic,
            |wiring, _, _| local::rflo(wiring.clone()),
            |wiring| PatternCost::new(wiring.clone(), Reach::Carry),
        ),
        RuleEntry::new(
            "e-prop",
            "influence along each unit's own dynamics, its reset included (Bellec et al. 2020)",
            Claim::Heuristic,
            |wiring, _, _| local::e_prop(wiring.clone()),
            |wiring| PatternCost::new(wiring.clone(), Reach::Unit),
        ),
        tbptt_entry(8),
        RuleEntry::new(
            "uoro",
            "a random rank-one stand-in for the influence matrix (Tallec & Ollivier 2018)",
            Claim::Unbiased,
            |wiring, _, seed| Uoro::new(wiring.clone(), seed),
            |wiring| UoroCost::new(wiring),
        ),
    ]
}

fn blocked_entry<T: Real>(steps: usize) -> RuleEntry<T> {
    RuleEntry::maskable(
        format!("rtrl-blocked-{steps}"),
        "exact RTRL that advances the influence matrix every K steps (Schmidhuber 1992); any rtrl-blocked-K",
        Claim::Exact,
        move |wiring, activity| BlockRtrl::new(wiring, steps, activity),
        move |wiring| BlockCost::new::<T>(wiring.clone(), steps),
    )
}

/// Share of live rows that the cost model reckons with before a network has run.
const USUALLY_LIVE: f64 = 0.3;

const AUTO: &str = "rtrl-auto";

/// The name of the rule that `name` stands for on this wiring: what `rtrl-auto` chooses, and any other name as it is. The choice depends on
/// the wiring alone, not on the machine. It is what a checkpoint keeps.
pub fn resolve(name: &str, wiring: &Wiring) -> String {
    match name {
        AUTO => {
            best_steps(wiring, USUALLY_LIVE).map_or("rtrl".into(), |steps| format!("rtrl-blocked-{steps}"))
        }
        other => other.into(),
    }
}

fn auto_entry<T: Real>() -> RuleEntry<T> {
    let of = |wiring: &Wiring| find(&resolve(AUTO, wiring)).expect("it is in the registry");
    RuleEntry {
        name: AUTO.into(),
        about: "exact RTRL, at every step or in blocks, whichever should be cheaper with a gradient at every step",
        claim: Claim::Exact,
        grows: false,
        build: Box::new(move |wiring, skips, seed| (of(wiring).build)(wiring, skips, seed)),
        predict: Box::new(move |wiring| (of(wiring).predict)(wiring)),
    }
}

fn snap_entry<T: Real>(n: usize) -> RuleEntry<T> {
    RuleEntry::new(
        format!("snap-{n}"),
        "RTRL on the entries reachable in N steps of the pattern (Menick et al. 2021); any snap-N",
        Claim::Pattern(n),
        move |wiring, _, _| snap::snap(wiring.clone(), n),
        move |wiring| PatternCost::new(wiring.clone(), Reach::Steps(n)),
    )
}

fn tbptt_entry<T: Real>(window: usize) -> RuleEntry<T> {
    RuleEntry::maskable(
        format!("tbptt-{window}"),
        "back-propagation over the last K steps (Williams & Peng 1990); any tbptt-K",
        Claim::Heuristic,
        move |wiring, activity| Tbptt::new(wiring, window, activity),
        move |wiring| TapeCost::new(wiring.clone(), Some(window)),
    )
}

/// The largest number in the name of a rule: more than anybody's memory holds.
const MOST: usize = 1_000_000;

/// The rule of that name; `rtrl-blocked-K`, `snap-N` and `tbptt-K` for any number from 1 to a million.
///
/// # Errors
/// If there is none.
pub fn find<T: Real>(name: &str) -> Result<RuleEntry<T>> {
    compiled_once(|| find_single(name), || find_double(name))
}

#[inline(never)]
fn find_single(name: &str) -> Result<RuleEntry<f32>> {
    find_in(name)
}

#[inline(never)]
fn find_double(name: &str) -> Result<RuleEntry<f64>> {
    find_in(name)
}

fn find_in<T: Real>(name: &str) -> Result<RuleEntry<T>> {
    let number = |family: &str| {
        let digits = name.strip_prefix(family)?;
        // As it would be printed: no sign, no leading zero.
        digits.parse().ok().filter(|n: &usize| (1..=MOST).contains(n) && n.to_string() == digits)
    };
    if let Some(steps) = number("rtrl-blocked-") {
        return Ok(blocked_entry(steps));
    }
    if let Some(n) = number("snap-") {
        return Ok(snap_entry(n));
    }
    if let Some(window) = number("tbptt-") {
        return Ok(tbptt_entry(window));
    }
    let mut known = all::<T>();
    let names: Vec<_> = known.iter().map(|rule| rule.name.clone()).collect();
    match names.iter().position(|known| known == name) {
        Some(at) => Ok(known.swap_remove(at)),
        None => {
            let families = ["any rtrl-blocked-K", "any snap-N", "any tbptt-K"];
            Err(Error::unknown("rule", name, names.iter().map(String::as_str).chain(families)))
        }
    }
}
