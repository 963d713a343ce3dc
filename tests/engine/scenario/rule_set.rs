//! The rules of a scenario, with the reference, count and cost model of each.

use super::count::{self, Count};
use super::count_blocked::BlockRtrl;
use super::count_tape::{Pattern, Tape};
use super::rank_one::RankOne;
use super::reference::{Kept, Recursion, Reference, Window};
use super::tables::Tables;
use crate::common::resets_by_output;
use sparse_rtrl::network::NetworkSpec;
use sparse_rtrl::rule;
use sparse_rtrl::rule::cost::CostModel;
use sparse_rtrl::rule::{Rtrl, Rule, Skips};
use sparse_rtrl::wiring::{Step, Wiring};
use std::collections::BTreeMap;
use std::sync::Arc;

pub type Build = Box<dyn Fn() -> Box<dyn Rule<f64>>>;

/// A rule under test, with its reference, count and cost model.
pub struct Subject {
    pub name: String,
    pub build: Build,
    pub rule: Box<dyn Rule<f64>>,
    /// Whether it works on the network without masks.
    pub full: bool,
    pub reference: String,
    pub count: Option<Box<dyn Count>>,
    pub predict: Option<Box<dyn CostModel<f64>>>,
}

/// The rules of a scenario and their references.
pub struct RuleSet {
    pub wiring: Arc<Wiring>,
    pub full: Arc<Wiring>,
    own: Vec<Option<usize>>,
    pub subjects: Vec<Subject>,
    pub references: BTreeMap<String, Box<dyn Reference>>,
}

impl RuleSet {
    pub fn new(spec: &NetworkSpec, wiring: &Arc<Wiring>) -> Self {
        let full = Arc::new(wiring.unmasked());
        let (own, subjects, references) = (resets_by_output(spec), Vec::new(), BTreeMap::new());
        let mut rule_set = Self { wiring: wiring.clone(), full, own, subjects, references };
        rule_set.references.insert("exact".into(), Box::new(Recursion::exact(wiring)));
        rule_set
    }

    /// Adds the rule of this name with these skips.
    pub fn add(&mut self, name: &str, skips: Skips) {
        let entry = rule::find::<f64>(name).unwrap();
        let predict = (skips == Skips::ALL).then(|| entry.cost_model(&self.wiring).expect("a cost model"));
        let full =
            name == "rtrl-activity" || name == "rtrl-dense" || (!skips.parameters && name != "rtrl-param");
        let wiring = if full { self.full.clone() } else { self.wiring.clone() };
        if full && !self.references.contains_key("full") {
            self.references.insert("full".into(), Box::new(Recursion::exact(&wiring)));
        }
        let number = |family: &str| name.strip_prefix(family).and_then(|n| n.parse::<usize>().ok());
        let skip = skips.activity && name != "rtrl-param";
        let folding = Tables::folding_is_cheaper(&wiring);
        let own = Kept::Own(self.own.clone());
        let mut reference: (String, Option<Box<dyn Reference>>) = ("exact".into(), None);
        let count: Option<Box<dyn Count>> = match name {
            "rtrl" | "rtrl-param" | "rtrl-activity" => {
                Some(Box::new(count::Exact::new(&wiring, folding, skip)))
            }
            "rtrl-dense" => Some(Box::new(count::Dense::new(&wiring))),
            "bptt" => Some(Box::new(Tape::new(&wiring, None, skip))),
            "rtrl-auto" => None,
            "rflo" => {
                reference = (name.into(), Some(Box::new(Recursion::local(&wiring, Kept::Nothing))));
                Some(Box::new(Pattern::new(&wiring, Kept::Nothing, 1)))
            }
            "e-prop" => {
                reference = (name.into(), Some(Box::new(Recursion::local(&wiring, own.clone()))));
                Some(Box::new(Pattern::new(&wiring, own, 1)))
            }
            "uoro" => {
                reference = (name.into(), Some(Box::new(RankOne::new(&wiring, 5))));
                Some(Box::new(count::RankOne::new(&wiring)))
            }
            _ => {
                if let Some(n) = number("snap-") {
                    reference = (name.into(), Some(Box::new(Recursion::snap(&wiring, n))));
                    Some(Box::new(Pattern::new(&wiring, Kept::All, n)))
                } else if let Some(window) = number("tbptt-") {
                    reference = (name.into(), Some(Box::new(Window::new(&self.wiring, window))));
                    Some(Box::new(Tape::new(&wiring, Some(window), skip)))
                } else {
                    let steps = number("rtrl-blocked-").expect("a rule of a known family");
                    Some(Box::new(BlockRtrl::new(&wiring, steps, skip)))
                }
            }
        };
        if let Some(own) = reference.1 {
            self.references.insert(reference.0.clone(), own);
        }
        let masked = self.wiring.clone();
        let build: Build = Box::new(move || (entry.build)(&masked, skips, 5));
        self.push(format!("{name} {skips:?}"), build, full, reference.0, count, predict);
    }

    /// Adds exact RTRL with inner rows folded or held.
    pub fn add_form(&mut self, folding: bool, activity: bool) {
        let wiring = self.wiring.clone();
        let build: Build = Box::new(move || Box::new(Rtrl::with_folding(wiring.clone(), folding, activity)));
        let count = count::Exact::new(&self.wiring, folding, activity);
        let name = format!("rtrl with folding {folding}, activity {activity}");
        self.push(name, build, false, "exact".into(), Some(Box::new(count)), None);
    }

    fn push(
        &mut self,
        name: String,
        build: Build,
        full: bool,
        reference: String,
        count: Option<Box<dyn Count>>,
        predict: Option<Box<dyn CostModel<f64>>>,
    ) {
        let rule = build();
        self.subjects.push(Subject { name, build, rule, full, reference, count, predict });
    }
}

/// The step of the unmasked network in which masked weights are zero.
pub fn expand(step: &Step<f64>, wiring: &Wiring, full: &Wiring) -> Step<f64> {
    let mut all = Step::new(full);
    all.copy_local(step);
    for ((i, j), &x) in wiring.previous().entries().zip(&step.a) {
        all.a[full.previous().position(i, j).unwrap()] = x;
    }
    for ((i, j), &x) in wiring.current().entries().zip(&step.b) {
        all.b[full.current().position(i, j).unwrap()] = x;
    }
    all
}
