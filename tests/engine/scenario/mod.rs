//! Long random sequences of calls to every registered rule: resets, drains, credit, saves, numbers
//! that are not finite, sorted columns and measurements, on random networks of every cell. At every
//! drain the gradient must equal a reference written from formulas; at every call the MACs must
//! equal a count by brute force and the cost model. A failure prints its seed.

mod count;
mod count_blocked;
mod count_tape;
mod drive;
mod measures;
mod rank_one;
mod reference;
mod rule_set;
mod steps;
mod tables;

use crate::common::Trial;
use drive::{Drive, EventCounts, Schedule};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rule_set::RuleSet;
use sparse_rtrl::network::LayerSpec;
use sparse_rtrl::params::{Generator, Purpose, generator};
use sparse_rtrl::rule::{self, Skips};
use steps::{Regions, Steps};

const SKIPS: [Skips; 4] = [
    Skips::ALL,
    Skips { activity: true, parameters: false },
    Skips { activity: false, parameters: true },
    Skips::NONE,
];

/// A random trial that `fits`, with a random number of `units` in its first layer.
fn trial(units: std::ops::Range<usize>, rng: &mut Generator, fits: impl Fn(&Trial) -> bool) -> Trial {
    let mut all = Trial::all(rng.random_range(units), false);
    all.retain(fits);
    all.choose(rng).expect("a trial fits").clone()
}

fn carries(trial: &Trial) -> bool {
    let without = |layer: &LayerSpec| ["event-rnn", "rnn"].contains(&&layer.cell[..]);
    trial.spec.trace.is_some() || !trial.spec.layers.iter().all(without)
}

/// Every registered rule, other members of the families, and some without skips. `growing` includes
/// rules whose tape extends back to the reset.
fn rule_set(trial: &Trial, steps: &Steps, growing: bool, rng: &mut Generator) -> RuleSet {
    let mut rule_set = RuleSet::new(&trial.spec, steps.wiring());
    for entry in rule::registry::<f64>().iter().filter(|entry| growing || !entry.grows) {
        rule_set.add(&entry.name, Skips::ALL);
    }
    let mut skips = || *SKIPS.choose(rng).expect("four skips");
    for name in ["rtrl", "rtrl-blocked-6", "tbptt-8", "bptt"] {
        if growing || name != "bptt" {
            rule_set.add(name, skips());
        }
    }
    let mut one_of = |numbers: &[usize]| *numbers.choose(rng).expect("at least one number");
    for family in ["rtrl-blocked-", "rtrl-blocked-"] {
        rule_set.add(
            &format!("{family}{}", one_of(&[1, 2, 3, 4, 5, 8, 13, 16, 17, 33])),
            SKIPS[one_of(&[0, 0, 1, 2])],
        );
    }
    rule_set.add(&format!("tbptt-{}", one_of(&[1, 2, 3, 5, 13])), SKIPS[one_of(&[0, 0, 1, 2])]);
    rule_set.add(&format!("snap-{}", one_of(&[3, 4])), Skips::ALL);
    for folding in [true, false] {
        rule_set.add_form(folding, one_of(&[0, 1, 1]) > 0);
    }
    rule_set
}

#[test]
fn rules_on_short_sequences_equal_their_references_and_counts() {
    let (mut events, mut regions) = (EventCounts::default(), Regions::default());
    for seed in 0..48 {
        let rng = &mut generator(seed, Purpose::Init);
        // Every fourth network has no carry, so that its stored rows change from step to step.
        let trial = trial(1..6, rng, |trial| seed % 4 > 0 || !carries(trial));
        let steps = Steps::new(&trial, seed, seed % 3 > 0, 0);
        let rule_set = rule_set(&trial, &steps, true, rng);
        let drain = [1.0, 0.3, 0.05, 0.02][seed as usize / 3 % 4];
        let reset = if seed % 8 < 4 { 0.06 } else { 0.02 };
        let schedule = Schedule { steps: 140, reset, resets: 0..140, drain, save: 0.05, non_finite: 0.01 };
        let (own, reached) = Drive::new(seed, steps, rule_set).run(&schedule);
        events += own;
        regions += reached;
    }
    println!("{events:?} {regions:?}");
    assert!(events.drains > 1000 && events.nonzero > 100_000 && events.macs > 10_000_000, "{events:?}");
    assert!(events.drains_after_two_resets > 15 && events.influences > 5000, "{events:?}");
    assert!(events.saves_with_credit > 100 && events.saves_after_reset_with_credit > 50, "{events:?}");
    assert!(events.local_rules_differ > 50, "expected e-prop to differ from RFLO: {events:?}");
    assert!(regions.at_threshold > 100 && regions.all_units_zero > 100, "{regions:?}");
    assert!(regions.inputs_zero > 500 && regions.carry_one > 500, "{regions:?}");
    assert!(regions.threshold_alone > 500, "{regions:?}");
}

#[test]
fn rules_on_long_streams_equal_their_references_and_counts() {
    let (mut events, mut regions) = (EventCounts::default(), Regions::default());
    for seed in 100..124 {
        let rng = &mut generator(seed, Purpose::Init);
        let trial = trial(1..5, rng, |trial| trial.spec.layers.len() < 3);
        let late = [0, 0, 120][seed as usize % 3];
        let steps = Steps::new(&trial, seed, seed % 2 > 0, late);
        let rule_set = rule_set(&trial, &steps, false, rng);
        let (steps_in_all, reset, resets) =
            if seed % 4 < 2 { (640, 0.1, 310..340) } else { (480, 0.02, 290 + late..480) };
        let drain = [0.3, 0.1, 0.02][seed as usize % 3];
        let schedule = Schedule { steps: steps_in_all, reset, resets, drain, save: 0.01, non_finite: 0.001 };
        let (own, reached) = Drive::new(seed, steps, rule_set).run(&schedule);
        events += own;
        regions += reached;
    }
    println!("{events:?} {regions:?}");
    assert!(events.drains > 500 && events.nonzero > 100_000, "{events:?}");
    assert!(regions.sorted > 1000 && regions.resets_of_sorted > 10, "{regions:?}");
    assert!(regions.saves_of_sorted > 10 && events.influences > 1000, "{events:?}, {regions:?}");
}

/// More columns than a tile has, in networks without carry, whose tiles are rebuilt at every step.
#[test]
fn rules_with_many_columns_and_no_carry_equal_their_references_and_counts() {
    let (mut events, mut regions) = (EventCounts::default(), Regions::default());
    for seed in 200..208 {
        let rng = &mut generator(seed, Purpose::Init);
        let without_carry =
            |trial: &Trial| !carries(trial) && trial.spec.layers.len() == 1 && trial.mask.sparsity < 0.7;
        let units = if seed % 2 == 0 { 13..15 } else { 18..20 };
        let trial = trial(units, rng, without_carry);
        let steps = Steps::new(&trial, seed, seed % 3 > 0, 0);
        let mut rule_set = RuleSet::new(&trial.spec, steps.wiring());
        for name in ["rtrl", "rtrl-param", "rtrl-blocked-5", "snap-1", "e-prop", "tbptt-3"] {
            rule_set.add(name, Skips::ALL);
        }
        let schedule =
            Schedule { steps: 380, reset: 0.03, resets: 300..380, drain: 0.1, save: 0.02, non_finite: 0.0 };
        let (own, reached) = Drive::new(seed, steps, rule_set).run(&schedule);
        events += own;
        regions += reached;
    }
    println!("{events:?} {regions:?}");
    assert!(regions.two_tiles_without_carry > 500 && regions.second_tile_sorted > 50, "{regions:?}");
    assert!(regions.resets_of_sorted > 2, "{regions:?}");
}

/// More than 64 sources and 64 rows: products of blocks are computed 64 at a time.
#[test]
fn rules_on_wide_networks_equal_their_references_and_counts() {
    let mut events = EventCounts::default();
    for seed in 300..305 {
        let rng = &mut generator(seed, Purpose::Init);
        let masked = |trial: &Trial| trial.mask.sparsity > 0.8 && trial.spec.layers.len() == 1;
        let trial = trial(66..70, rng, masked);
        let steps = Steps::new(&trial, seed, true, 0);
        let mut rule_set = RuleSet::new(&trial.spec, steps.wiring());
        for name in ["rtrl", "rtrl-blocked-4", "rtrl-blocked-17", "tbptt-2"] {
            rule_set.add(name, Skips::ALL);
        }
        let schedule =
            Schedule { steps: 40, reset: 0.04, resets: 0..40, drain: 0.3, save: 0.06, non_finite: 0.02 };
        events += Drive::new(seed, steps, rule_set).run(&schedule).0;
    }
    assert!(events.nonzero > 100_000, "{events:?}");
}
