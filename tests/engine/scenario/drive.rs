//! A scenario runs every rule on the same steps, credits, drains, resets, saves and measurements,
//! and compares it with its reference at every drain and with its count at every call.

use super::rule_set::{RuleSet, Subject, expand};
use super::steps::{Regions, Steps};
use crate::common::relative_error;
use rand::RngExt;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::params::{Generator, Purpose, generator};
use sparse_rtrl::rule::Rule;
use sparse_rtrl::wiring::Step;
use std::collections::BTreeMap;

/// Probabilities of events per step.
pub struct Schedule {
    pub steps: usize,
    pub reset: f64,
    /// The steps at which a reset may happen.
    pub resets: std::ops::Range<usize>,
    pub drain: f64,
    pub save: f64,
    pub non_finite: f64,
}

/// Numbers of events in the scenarios.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventCounts {
    pub drains: usize,
    pub drains_after_two_resets: usize,
    pub saves_with_credit: usize,
    pub saves_after_reset_with_credit: usize,
    pub influences: usize,
    pub macs: u64,
    pub nonzero: usize,
    pub local_rules_differ: usize,
}

impl std::ops::AddAssign for EventCounts {
    fn add_assign(&mut self, other: Self) {
        self.drains += other.drains;
        self.drains_after_two_resets += other.drains_after_two_resets;
        self.saves_with_credit += other.saves_with_credit;
        self.saves_after_reset_with_credit += other.saves_after_reset_with_credit;
        self.influences += other.influences;
        self.macs += other.macs;
        self.nonzero += other.nonzero;
        self.local_rules_differ += other.local_rules_differ;
    }
}

/// A running scenario.
pub struct Drive {
    pub seed: u64,
    pub steps: Steps,
    pub rule_set: RuleSet,
    pub events: EventCounts,
    rng: Generator,
    /// Credits and resets since the last drain, and steps since the reset.
    credits: usize,
    resets: usize,
    age: usize,
    last: Option<Step<f64>>,
}

impl Drive {
    pub fn new(seed: u64, steps: Steps, rule_set: RuleSet) -> Self {
        let rng = generator(seed, Purpose::Order);
        Self {
            seed,
            steps,
            rule_set,
            events: EventCounts::default(),
            rng,
            credits: 0,
            resets: 0,
            age: 0,
            last: None,
        }
    }

    pub fn run(mut self, schedule: &Schedule) -> (EventCounts, Regions) {
        for t in 0..schedule.steps {
            let non_finite = self.age > 0 && self.rng.random_bool(schedule.non_finite);
            if non_finite {
                self.observe_non_finite(t);
            }
            while self.age > 0 && schedule.resets.contains(&t) && self.rng.random_bool(schedule.reset) {
                self.reset(t);
                // Some sequences are empty.
                self.age = usize::from(self.rng.random_bool(0.2));
            }
            self.observe(t);
            while self.rng.random_bool(0.45) {
                self.credit(t);
            }
            if self.rng.random_bool(0.1) {
                self.measure(t);
            }
            if self.rng.random_bool(schedule.save) {
                self.save(t);
            }
            if self.rng.random_bool(schedule.drain) {
                self.drain(t);
            }
        }
        self.drain(schedule.steps);
        (self.events, self.steps.regions)
    }

    /// The place of a failure.
    fn at(&self, t: usize, name: &str) -> String {
        format!("seed {}, step {t}: {name} on {}", self.seed, self.steps.label)
    }

    fn reset(&mut self, t: usize) {
        self.steps.reset();
        self.resets += 1;
        self.age = 0;
        self.rule_set.references.values_mut().for_each(|reference| reference.reset());
        for subject in &mut self.rule_set.subjects {
            subject.rule.reset();
            subject.count.iter_mut().for_each(|count| count.reset());
            subject.predict.iter_mut().for_each(|predict| predict.reset());
        }
        if self.rng.random_bool(0.3) {
            self.measure(t);
        }
        if self.rng.random_bool(0.15) {
            self.save(t);
        }
    }

    fn observe(&mut self, t: usize) {
        let step = self.steps.next();
        self.observe_step(&step, t);
        self.age += 1;
        self.last = Some(step);
    }

    fn observe_step(&mut self, step: &Step<f64>, t: usize) {
        let unmasked = self.rule_set.references.contains_key("full");
        let all =
            if unmasked { expand(step, &self.rule_set.wiring, &self.rule_set.full) } else { step.clone() };
        for (name, reference) in &mut self.rule_set.references {
            reference.observe(if name == "full" { &all } else { step });
        }
        let mut subjects = std::mem::take(&mut self.rule_set.subjects);
        for subject in &mut subjects {
            let mut macs = Macs::default();
            subject.rule.observe(step, &mut macs);
            let subject_step = if subject.full { &all } else { step };
            let counted = subject.count.as_mut().map(|count| count.observe(subject_step));
            let predicted = subject.predict.as_mut().map(|predict| predict.observe(step));
            self.check_macs(macs, counted, predicted, &subject.name, t, "a step");
        }
        self.rule_set.subjects = subjects;
    }

    fn check_macs(
        &mut self,
        macs: Macs,
        counted: Option<Macs>,
        predicted: Option<Macs>,
        name: &str,
        t: usize,
        of: &str,
    ) {
        if let Some(counted) = counted {
            assert_eq!(macs, counted, "{}: MACs of {of} differ from the count", self.at(t, name));
        }
        if let Some(predicted) = predicted {
            assert_eq!(macs, predicted, "{}: MACs of {of} differ from the cost model", self.at(t, name));
        }
        self.events.macs += macs.total();
    }

    fn credit(&mut self, t: usize) {
        let mut draw = || match self.rng.random_range(0..4) {
            0 => 0.0,
            _ => self.rng.random_range(-1.0..1.0),
        };
        let credit: Vec<f64> = self.rule_set.wiring.outputs().map(|_| draw()).collect();
        self.rule_set.references.values_mut().for_each(|reference| reference.credit(&credit));
        let mut subjects = std::mem::take(&mut self.rule_set.subjects);
        for subject in &mut subjects {
            let mut macs = Macs::default();
            subject.rule.credit(&credit, &mut macs);
            let counted = subject.count.as_mut().map(|count| count.credit(&credit));
            let predicted = subject.predict.as_mut().map(|predict| predict.credit(&credit));
            self.check_macs(macs, counted, predicted, &subject.name, t, "a credit");
        }
        self.rule_set.subjects = subjects;
        self.credits += 1;
    }

    /// A drain adds to the values in the buffer.
    fn drain(&mut self, t: usize) {
        let start = if self.rng.random_bool(0.25) { 0.5 } else { 0.0 };
        let expected: BTreeMap<String, Vec<f64>> = self
            .rule_set
            .references
            .iter_mut()
            .map(|(name, reference)| (name.clone(), reference.drain()))
            .collect();
        let mut subjects = std::mem::take(&mut self.rule_set.subjects);
        for subject in &mut subjects {
            let (macs, gradient) = self.drained(subject, start);
            let counted = subject.count.as_mut().map(|count| count.drain());
            let predicted = subject.predict.as_mut().map(|predict| predict.drain());
            self.check_macs(macs, counted, predicted, &subject.name, t, "a drain");
            let expected: Vec<f64> = expected[&subject.reference].iter().map(|g| g + start).collect();
            assert!(
                expected.iter().all(|g| g.abs() < 1e60),
                "{}: the reference is too large to compare",
                self.at(t, &subject.name)
            );
            let error = relative_error(&gradient, &expected);
            let most = if subject.reference == "uoro" { 1e-7 } else { 1e-9 };
            assert!(
                error <= most,
                "{}: the gradient has a relative error of {error:e}",
                self.at(t, &subject.name)
            );
            self.events.nonzero += gradient.iter().filter(|g| **g != start).count();
        }
        self.rule_set.subjects = subjects;
        self.events.drains += 1;
        self.events.drains_after_two_resets += usize::from(self.resets > 1 && self.credits > 0);
        if let (Some(x), Some(y)) = (expected.get("rflo"), expected.get("e-prop")) {
            self.events.local_rules_differ += usize::from(relative_error(x, y) > 1e-3);
        }
        (self.credits, self.resets) = (0, 0);
    }

    fn drained(&self, subject: &mut Subject, start: f64) -> (Macs, Vec<f64>) {
        let (mut macs, mut gradient) = (Macs::default(), vec![start; self.rule_set.wiring.parameters()]);
        subject.rule.drain(&mut gradient, &mut macs);
        (macs, gradient)
    }

    /// Compares the stored bytes, the stored entries of S, and the nonzero entries of Y.
    fn measure(&mut self, t: usize) {
        let mut subjects = std::mem::take(&mut self.rule_set.subjects);
        for subject in &mut subjects {
            let name = self.at(t, &subject.name);
            if let Some(count) = &subject.count {
                assert_eq!(subject.rule.bytes(), 8 * count.numbers(), "{name}: bytes differ from the count");
            }
            if let Some(predict) = &subject.predict {
                assert_eq!(
                    subject.rule.bytes(),
                    8 * predict.footprint(),
                    "{name}: bytes differ from the cost model"
                );
            }
            let Some(influence) = subject.rule.influence() else { continue };
            let held = subject.count.as_ref().and_then(|count| count.held());
            assert!(
                held.is_none_or(|held| held == influence.held),
                "{name}: {influence:?}, expected {held:?} stored entries"
            );
            let reference = if subject.full { "full" } else { &subject.reference };
            if let Some(nonzero) = self.rule_set.references[reference].influence() {
                assert_eq!((influence.nonzero, influence.recurrent), nonzero, "{name}: nonzero entries");
                self.events.influences += 1;
            }
        }
        self.rule_set.subjects = subjects;
    }

    /// Saves every rule and replaces it, at random, by one restored from its bytes.
    fn save(&mut self, t: usize) {
        let mut subjects = std::mem::take(&mut self.rule_set.subjects);
        for subject in &mut subjects {
            let name = self.at(t, &subject.name);
            let bytes = saved(subject.rule.as_mut());
            let mut restored = (subject.build)();
            // The restored rule may have been used before.
            if let Some(step) = self.last.as_ref().filter(|_| self.rng.random_bool(0.3)) {
                for _ in 0..9 {
                    restored.observe(step, &mut Macs::default());
                    restored.credit(&vec![1.0; self.rule_set.wiring.outputs().len()], &mut Macs::default());
                }
            }
            let mut reader = Archive::reader(bytes.clone());
            restored.archive(&mut reader).unwrap_or_else(|error| panic!("{name}: {error}"));
            reader.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(saved(restored.as_mut()) == bytes, "{name}: the restored rule saves other bytes");
            // Saving changes no state, so the old rule may continue as well.
            if self.rng.random_bool(0.7) {
                subject.rule = restored;
            }
        }
        self.rule_set.subjects = subjects;
        self.events.saves_with_credit += usize::from(self.credits > 0);
        self.events.saves_after_reset_with_credit += usize::from(self.credits > 0 && self.resets > 0);
        self.steps.regions.saves_of_sorted += usize::from(self.steps.is_sorted());
    }

    /// A step with numbers that are not finite, then a reset and a drain. Afterwards it must have
    /// no effect.
    fn observe_non_finite(&mut self, t: usize) {
        let step = self.steps.non_finite();
        self.observe_step(&step, t);
        if self.rng.random_bool(0.5) {
            self.credit(t);
        }
        self.age = 1;
        self.reset(t);
        self.rule_set.references.values_mut().for_each(|reference| drop(reference.drain()));
        let mut subjects = std::mem::take(&mut self.rule_set.subjects);
        for subject in &mut subjects {
            let (macs, _) = self.drained(subject, 0.0);
            let counted = subject.count.as_mut().map(|count| count.drain());
            self.check_macs(
                macs,
                counted,
                subject.predict.as_mut().map(|p| p.drain()),
                &subject.name,
                t,
                "a drain",
            );
        }
        self.rule_set.subjects = subjects;
        (self.credits, self.resets) = (0, 0);
    }
}

fn saved(rule: &mut dyn Rule<f64>) -> Vec<u8> {
    let mut writer = Archive::writer();
    rule.archive(&mut writer).unwrap();
    writer.into_bytes()
}
