//! Learning rate schedules. A schedule is a function of progress s in [0, 1] that returns a factor
//! of the learning rate η. It has no state, so that a resumed run makes the same updates.
//!
//! - `constant`: `1`;
//! - `cosine`: `(1 + cos πs) / 2` (I. Loshchilov & F. Hutter, *SGDR: stochastic gradient descent
//!   with warm restarts*, ICLR 2017, equation 5 without restarts and with a minimum of 0);
//! - `cooldown`: `min(1, 2 (1 − s))`: constant over the first half, then linear to 0 (A. Hägele et
//!   al., *Scaling laws and compute-optimal training beyond fixed training durations*, NeurIPS
//!   2024).
//!
//! To add a schedule, add it to [`schedules`].

use crate::error::{Error, Result};
use std::f64::consts::PI;

/// A schedule in [`schedules`], selected by name.
pub struct ScheduleEntry {
    /// Name on the command line and in configurations.
    pub name: &'static str,
    /// Description for `--help`, one line.
    pub about: &'static str,
    /// Returns the factor of η at progress s, in [0, 1].
    pub share: fn(f64) -> f64,
}

/// Returns all schedules.
pub fn schedules() -> Vec<ScheduleEntry> {
    vec![
        ScheduleEntry { name: "constant", about: "constant learning rate", share: |_| 1.0 },
        ScheduleEntry {
            name: "cosine",
            about: "half a cosine, from 1 to 0 over the run (Loshchilov & Hutter 2017)",
            share: |s| (1.0 + (PI * s).cos()) / 2.0,
        },
        ScheduleEntry {
            name: "cooldown",
            about: "constant over the first half, then linear to 0 (Hägele et al. 2024)",
            share: |s| (2.0 * (1.0 - s)).min(1.0),
        },
    ]
}

/// Returns the schedule called `name`.
///
/// # Errors
/// If no schedule has that name.
pub fn find_schedule(name: &str) -> Result<ScheduleEntry> {
    let known = schedules();
    let names: Vec<_> = known.iter().map(|s| s.name).collect();
    known
        .into_iter()
        .find(|s| s.name == name)
        .ok_or_else(|| Error::unknown("schedule", name, names.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn schedule_at_quarters_of_its_length_equals_the_formula() {
        let quarter = (1.0 + 0.5f64.sqrt()) / 2.0;
        for (name, expected) in [
            ("constant", [1.0, 1.0, 1.0, 1.0, 1.0]),
            ("cosine", [1.0, quarter, 0.5, 1.0 - quarter, 0.0]),
            ("cooldown", [1.0, 1.0, 1.0, 0.5, 0.0]),
        ] {
            let share = find_schedule(name).unwrap().share;
            assert_relative_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(share)[..], expected, epsilon = 1e-15);
        }
    }

    #[test]
    fn schedule_of_any_name_starts_at_the_full_rate_and_never_increases() {
        for ScheduleEntry { name, share, .. } in schedules() {
            assert_eq!(share(0.0), 1.0, "{name}");
            let shares: Vec<f64> = (0..=100).map(|k| share(f64::from(k) / 100.0)).collect();
            assert!(shares.windows(2).all(|pair| pair[1] <= pair[0] && pair[1] >= 0.0), "{name}: {shares:?}");
        }
        assert!(find_schedule("steps").err().unwrap().to_string().contains("cosine"));
    }
}
