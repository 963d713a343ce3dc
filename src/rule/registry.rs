//! The registry of learning rules. The tests verify the claim of every registered rule.

use super::RuleEntry;
use super::registrations::{Registration, all};
use crate::error::{Error, Result};
use crate::scalar::{Real, compiled_once};

/// Returns all rules. A family of rules with a number in the name is represented by common members.
pub fn registry<T: Real>() -> Vec<RuleEntry<T>> {
    compiled_once(registry_single, registry_double)
}

#[inline(never)]
fn registry_single() -> Vec<RuleEntry<f32>> {
    listed()
}

#[inline(never)]
fn registry_double() -> Vec<RuleEntry<f64>> {
    listed()
}

fn listed<T: Real>() -> Vec<RuleEntry<T>> {
    let members = |registration: Registration<T>| match registration {
        Registration::Rule(entry) => vec![entry()],
        Registration::Family { listed, member, .. } => listed.iter().map(|&n| member(n)).collect(),
    };
    all().into_iter().flat_map(members).collect()
}

/// The largest number in the name of a rule.
const LARGEST: usize = 1_000_000;

/// Returns the rule with this name. The number in `rtrl-blocked-K`, `snap-N` and `tbptt-K` is from
/// 1 to 1,000,000.
///
/// # Errors
/// If no rule has this name.
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
    let mut families = Vec::new();
    for registration in all() {
        match registration {
            Registration::Rule(entry) => {
                let entry = entry();
                if entry.name == name {
                    return Ok(entry);
                }
            }
            Registration::Family { prefix, letter, member, .. } => {
                if let Some(number) = number(name, prefix) {
                    return Ok(member(number));
                }
                families.push(format!("any {prefix}{letter}"));
            }
        }
    }
    let mut known: Vec<_> = listed::<T>().into_iter().map(|rule| rule.name).collect();
    known.extend(families);
    Err(Error::unknown("rule", name, known.iter().map(String::as_str)))
}

/// Returns the number after `prefix`, or `None` if it has a sign, a leading zero or is out of
/// range.
fn number(name: &str, prefix: &str) -> Option<usize> {
    let digits = name.strip_prefix(prefix)?;
    digits.parse().ok().filter(|n: &usize| (1..=LARGEST).contains(n) && n.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use super::super::cost::Means;
    use super::*;

    #[test]
    fn find_of_every_listed_name_returns_its_entry() {
        for entry in registry::<f32>() {
            assert_eq!(find::<f32>(&entry.name).unwrap().name, entry.name);
        }
    }

    #[test]
    fn find_of_numbers_that_are_not_as_printed_or_out_of_range_is_an_error() {
        for name in ["snap-0", "snap-01", "snap-+1", "snap-", "tbptt-1000001", "rtrl-blocked--1", "rtrl-"] {
            assert!(find::<f64>(name).is_err(), "{name}");
        }
        let message = find::<f64>("snap").err().unwrap().to_string();
        assert!(message.contains("uoro, any rtrl-blocked-K, any snap-N, any tbptt-K"), "{message}");
    }

    /// n = 10, p = 1000, P = 3000, |A| = 40, ν = .4, η = .2, κ = .5, s = .1.
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
            active: 0.5,
            nonzero: 0.1,
        }
    }

    fn mean_cost(rule: &str, carry: bool, thresholds: bool) -> Option<f64> {
        find::<f64>(rule).unwrap().mean_cost(&means(carry, thresholds))
    }

    #[test]
    fn mean_cost_of_every_rule_equals_the_table_by_hand() {
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
            let found = mean_cost(rule, carry, true).expect("a rule with a closed form");
            assert!((found - expected).abs() < 1e-9, "{rule}, carry {carry}: {found}, not {expected}");
        }
        assert_eq!(mean_cost("uoro", false, false), Some(40.0 + 3000.0));
        assert!(mean_cost("snap-2", true, true).is_none());
    }
}
