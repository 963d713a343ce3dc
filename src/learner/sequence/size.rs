//! Estimates whether a learner fits into memory before it is built. An exact influence matrix has rows × p numbers per
//! stream, which grows with the cube of the number of units.

use super::spec::SequenceLearnerSpec;
use crate::error::{Error, Result};
use crate::rule::{self, Dimensions};
use crate::scalar::Real;

const GIB: f64 = (1u64 << 30) as f64;

/// Limit on systems that do not report their free memory.
const FALLBACK: f64 = 16.0 * GIB;

/// Bytes that a learner needs: for every stream the memory of its rules and about 64 bytes of structure per parameter, and
/// 40 bytes per parameter that all streams share.
///
/// # Errors
/// If a cell or a rule is unknown, or the network is out of range.
fn estimate<T: Real>(spec: &SequenceLearnerSpec) -> Result<f64> {
    let (plan, _) = spec.network.plan::<T>()?;
    let entries = |skip: bool| {
        let share = |block: &&crate::params::ParamBlockSpec| {
            let mask = spec.network.layers[block.layer].mask.unwrap_or(spec.mask);
            if skip && mask.on.kinds().contains(&block.kind) { 1.0 - mask.sparsity } else { 1.0 }
        };
        plan.blocks().iter().map(|b| b.dense_len() as f64 * share(&b)).sum::<f64>()
    };
    let (rows, p) = (plan.rows() as f64, entries(true));
    let size = Dimensions { rows, parameters: p, dense_parameters: entries(false) };
    let memory = |name: &str| rule::find::<T>(name).map(|entry| entry.memory(&size));
    let numbers = memory(&spec.rule)? + spec.reference_rule.as_deref().map_or(Ok(0.0), memory)?;
    Ok(spec.streams as f64 * (numbers * size_of::<T>() as f64 + 64.0 * p) + 40.0 * p)
}

/// Free memory in bytes, as the system reports it.
fn available() -> f64 {
    let free = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    free().map_or(FALLBACK, |kib| kib * 1024.0)
}

impl SequenceLearnerSpec {
    /// Checks that the learner fits into the free memory. [`check`](Self::check) must have passed.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn check_size<T: Real>(&self) -> Result<()> {
        check::<T>(self)
    }
}

/// Checks that a learner fits into the free memory.
///
/// # Errors
/// If it does not fit.
pub(super) fn check<T: Real>(spec: &SequenceLearnerSpec) -> Result<()> {
    let units = spec.network.layers.first().map_or(0, |l| l.units);
    let what = format!("{} with {units} units and {} streams", spec.rule, spec.streams);
    check_memory(&what, estimate::<T>(spec)?)
}

/// Checks that `needed` bytes are free.
///
/// # Errors
/// If they are not.
pub fn check_memory(what: &str, needed: f64) -> Result<()> {
    let limit = available();
    if needed <= limit {
        return Ok(());
    }
    Err(Error::TooLarge { what: what.into(), gib: needed / GIB, limit: limit / GIB })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::sequence::SequenceLearner;

    #[test]
    fn estimate_of_rtrl_equals_the_reserved_bytes() {
        let mut spec = SequenceLearnerSpec::new(2, 32, 1);
        spec.mask.sparsity = 0.5;
        let learner = SequenceLearner::<f32>::new(&spec, 0).unwrap();
        let p = learner.model().network.wiring().parameters() as f64;
        // 64 rows with the gated activities.
        let expected = 64.0 * p * 4.0 + 64.0 * p + 40.0 * p;
        let estimate = estimate::<f32>(&spec).unwrap();
        assert!((estimate / expected - 1.0).abs() < 1e-3, "{estimate} against {expected}");
    }

    #[test]
    fn check_of_a_learner_larger_than_memory_is_an_error() {
        let spec = SequenceLearnerSpec::new(2, 50_000, 1);
        let message = check::<f32>(&spec).unwrap_err().to_string();
        assert!(message.contains("50000 units") && message.contains("GiB"), "{message}");
        let endless = SequenceLearnerSpec {
            rule: "rtrl-blocked-1000000".into(),
            ..SequenceLearnerSpec::new(2, 1024, 1)
        };
        let message = check::<f32>(&endless).unwrap_err().to_string();
        assert!(message.contains("rtrl-blocked-1000000") && message.contains("GiB"), "{message}");
    }

    /// After some steps every rule of the registry holds at most the estimate, and exact rules not much less.
    #[test]
    fn estimate_covers_the_bytes_of_every_rule() {
        for (cell, layers, sparsity) in
            [("egru", 1, 0.0), ("egru", 2, 0.8), ("event-rnn", 1, 0.5), ("gru", 1, 0.9)]
        {
            for entry in crate::rule::registry::<f32>() {
                let mut spec = SequenceLearnerSpec::new(2, 24, 1);
                spec.network.layers[0].cell = cell.into();
                spec.network.layers = vec![spec.network.layers[0].clone(); layers];
                (spec.mask.sparsity, spec.rule) = (sparsity, entry.name.clone());
                let mut learner = SequenceLearner::<f32>::new(&spec, 0).unwrap();
                let steps = if entry.grows { 8 } else { 40 };
                let mut held = 0;
                for t in 0..steps {
                    learner.step(&[t as f32, 1.0], Some(crate::readout::Target::Values(&[0.5]))).unwrap();
                    held = held.max(learner.streams()[0].rule().bytes());
                }
                let estimate = estimate::<f32>(&spec).unwrap();
                let what = format!("{} on {layers} of {cell}, ω {sparsity}", entry.name);
                assert!(estimate >= held as f64, "{what}: {estimate} bytes estimated, {held} held");
                // Patterns and blocks are estimated at their largest.
                let direct = ["rtrl", "rtrl-param", "rtrl-activity", "rtrl-dense"].contains(&&entry.name[..]);
                assert!(!direct || estimate < 20.0 * held as f64, "{what}: {estimate} for {held}");
            }
        }
    }

    #[test]
    fn estimate_with_streams_and_a_reference_rule_adds_their_memory() {
        let spec = SequenceLearnerSpec::new(2, 24, 1);
        let of = |spec: &SequenceLearnerSpec| estimate::<f32>(spec).unwrap();
        let shared = 2.0 * of(&spec) - of(&SequenceLearnerSpec { streams: 2, ..spec.clone() });
        let p = SequenceLearner::<f32>::new(&spec, 0).unwrap().model().network.wiring().parameters() as f64;
        assert_eq!(shared, 40.0 * p);
        let shadowed = SequenceLearnerSpec {
            rule: "snap-1".into(),
            reference_rule: Some("rtrl".into()),
            ..spec.clone()
        };
        let alone = SequenceLearnerSpec { rule: "snap-1".into(), ..spec.clone() };
        assert_eq!(of(&shadowed) - of(&alone), 4.0 * 48.0 * p);
    }
}
