//! Comparison of rules with the oracle, with their own results under other skips, and with their
//! cost models.

use super::{Mismatch, Trial, check_equal, normal, relative_error};
use crate::archive::Archive;
use crate::macs::Macs;
use crate::rule::{Claim, RtrlDense, Rule, RuleEntry, Skips, Unmasked};
use crate::wiring::{State, Step, Wiring};
use std::sync::Arc;

/// Tolerance of differences of gradients, relative to the largest entry.
const TOLERANCE: f64 = 1e-10;

const SKIPS: [Skips; 4] = [
    Skips::ALL,
    Skips { activity: true, parameters: false },
    Skips { activity: false, parameters: true },
    Skips::NONE,
];

/// Checks a rule on random networks of every registered cell, with masks, one to three layers and
/// traces. The sequences have credit at some steps, drains, a change of weights and resets.
///
/// - An exact rule must have the gradient of the oracle, [`RtrlDense`].
/// - The gradient must be the same with every combination of skips.
/// - The gradient must be the same if the rule is saved and restored within a sequence.
/// - The MACs and bytes of a rule of this crate must equal the prediction of its cost model after
///   each call.
///
/// ```no_run
/// let rule = sparse_rtrl::rule::find("snap-1")?;
/// sparse_rtrl::check::check_rule(&rule).unwrap();
/// # Ok::<(), sparse_rtrl::Error>(())
/// ```
///
/// # Errors
/// If the rule fails a check.
pub fn check_rule(rule: &RuleEntry<f64>) -> Result<(), Mismatch> {
    check_rules(std::slice::from_ref(rule))
}

/// Checks several rules like [`check_rule`], with one run of the oracle for all of them.
///
/// # Errors
/// If a rule fails a check.
pub fn check_rules(rules: &[RuleEntry<f64>]) -> Result<(), Mismatch> {
    let mut nonzero = 0;
    for (seed, trial) in (0..).zip(Trial::all(4, false)) {
        let sequence = Sequence::new(&trial, seed)?;
        let oracle = Unmasked::new(&sequence.wiring, RtrlDense::new);
        let exact = sequence.gradients(Box::new(oracle), None)?;
        nonzero += exact.iter().filter(|g| **g != 0.0).count();
        for rule in rules {
            sequence.check_gradients(rule, &exact)?;
            sequence.check_cost(rule)?;
        }
    }
    assert!(nonzero > 10_000, "the gradients of the trials must not be zero");
    Ok(())
}

/// Steps of a network over three sequences.
struct Sequence {
    label: String,
    wiring: Arc<Wiring>,
    steps: Vec<Step<f64>>,
}

/// First steps of the second and the third sequence.
const RESETS: [usize; 2] = [13, 19];

/// Steps after which the gradient is drained. At the first reset there is pending credit, at the
/// second there is none.
const DRAINS: [usize; 5] = [4, 6, 10, 18, 25];

/// Step before which the weights change.
const CHANGE: usize = 9;

/// Step after which the rule is saved and restored.
const SAVE: usize = 8;

const STEPS: usize = 26;

/// Returns whether a step has credit.
fn has_credit(t: usize) -> bool {
    t % 3 != 1
}

impl Sequence {
    fn new(trial: &Trial, seed: u64) -> Result<Self, Mismatch> {
        let (network, mut w) = trial.build_with(&[], seed)?;
        let wiring = network.wiring().clone();
        let (mut state, mut step) = (State::new(&wiring), Step::new(&wiring));
        let mut steps = Vec::new();
        for t in 0..STEPS {
            if RESETS.contains(&t) {
                state.reset();
            }
            if t == CHANGE {
                w.iter_mut().for_each(|w| *w *= 1.05);
            }
            let x = normal(wiring.inputs(), 1000 * seed + t as u64);
            network.advance(&w, &x, &state, &mut step, &mut Macs::default());
            state.follow(&step);
            steps.push(step.clone());
        }
        Ok(Self { label: trial.label.clone(), wiring, steps })
    }

    /// Returns the credit of a step. One of its entries is zero.
    fn credit(&self, t: usize) -> Vec<f64> {
        let mut credit = normal(self.wiring.outputs().len(), 77 + t as u64);
        credit[t % self.wiring.outputs().len()] = 0.0;
        credit
    }

    /// Returns the gradients of all drains, concatenated. If there is a `successor`, the rule is
    /// saved after step `SAVE` and restored into the successor, which computes the remaining steps.
    fn gradients(
        &self,
        mut rule: Box<dyn Rule<f64>>,
        mut successor: Option<Box<dyn Rule<f64>>>,
    ) -> Result<Vec<f64>, Mismatch> {
        let mut macs = Macs::default();
        let mut gradients = Vec::new();
        for (t, step) in self.steps.iter().enumerate() {
            if RESETS.contains(&t) {
                rule.reset();
            }
            rule.observe(step, &mut macs);
            if has_credit(t) {
                rule.credit(&self.credit(t), &mut macs);
            }
            if t == SAVE
                && let Some(mut next) = successor.take()
            {
                let mut writer = Archive::writer();
                let saved = rule.archive(&mut writer);
                let restored = saved.and_then(|()| next.archive(&mut Archive::reader(writer.into_bytes())));
                let message = |error| Mismatch::new("saved state", &self.label, "restored state", error);
                restored.map_err(message)?;
                rule = next;
            }
            if DRAINS.contains(&t) {
                let mut gradient = vec![0.0; self.wiring.parameters()];
                rule.drain(&mut gradient, &mut macs);
                gradients.extend(gradient);
            }
        }
        Ok(gradients)
    }

    fn check_gradients(&self, rule: &RuleEntry<f64>, exact: &[f64]) -> Result<(), Mismatch> {
        let build = |skips| (rule.build)(&self.wiring, skips, 1);
        let name = |what: &str, skips| format!("{what} of {} with {skips:?}", rule.name);
        let mut first: Option<Vec<f64>> = None;
        for skips in SKIPS {
            check_equal(name("claim", skips), &self.label, rule.claim, build(skips).claim())?;
            let gradients = self.gradients(build(skips), None)?;
            let expected = match &first {
                _ if rule.claim == Claim::Exact => exact,
                Some(first) => first,
                None => &gradients,
            };
            self.compare(name("gradient", skips), &gradients, expected)?;
            first.get_or_insert(gradients);
        }
        let restored = self.gradients(build(Skips::ALL), Some(build(Skips::ALL)))?;
        let first = first.expect("there are four settings of skips");
        self.compare(name("gradient after a restore", Skips::ALL), &restored, &first)
    }

    fn compare(&self, what: String, got: &[f64], expected: &[f64]) -> Result<(), Mismatch> {
        let error = relative_error(got, expected);
        if error <= TOLERANCE {
            return Ok(());
        }
        let difference = |k: &usize| (got[*k] - expected[*k]).abs();
        let worst = (0..got.len()).max_by(|a, b| difference(a).total_cmp(&difference(b))).unwrap_or(0);
        let p = self.wiring.parameters();
        let place = format!("{}, parameter {} after step {}", self.label, worst % p, DRAINS[worst / p]);
        let found = format!("{} (relative error {error:e})", got[worst]);
        Err(Mismatch::new(what, &place, expected[worst], found))
    }

    /// Compares MACs and bytes with the cost model at every call.
    fn check_cost(&self, entry: &RuleEntry<f64>) -> Result<(), Mismatch> {
        let Some(mut model) = entry.cost_model(&self.wiring) else { return Ok(()) };
        let mut rule = (entry.build)(&self.wiring, Skips::ALL, 1);
        let (mut counted, mut predicted) = (Macs::default(), Macs::default());
        for (t, step) in self.steps.iter().enumerate() {
            let place = || format!("{} at step {t}", self.label);
            if RESETS.contains(&t) {
                rule.reset();
                model.reset();
            }
            rule.observe(step, &mut counted);
            predicted += model.observe(step);
            check_equal(format!("MACs of {}", entry.name), &place(), predicted, counted)?;
            if has_credit(t) {
                let credit = self.credit(t);
                rule.credit(&credit, &mut counted);
                predicted += model.credit(&credit);
            }
            if DRAINS.contains(&t) {
                rule.drain(&mut vec![0.0; self.wiring.parameters()], &mut counted);
                predicted += model.drain();
            }
            check_equal(format!("MACs of {}", entry.name), &place(), predicted, counted)?;
            let bytes = size_of::<f64>() * model.footprint();
            check_equal(format!("bytes of {}", entry.name), &place(), bytes, rule.bytes())?;
        }
        Ok(())
    }
}
