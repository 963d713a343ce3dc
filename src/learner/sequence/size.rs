//! Whether a learner fits into memory, told before it is built: exact influence is rows × p numbers a stream, which grows
//! with the cube of the units and is easily asked for by mistake.

use super::SequenceLearnerSpec;
use crate::error::{Error, Result};
use crate::scalar::Real;

const GIB: f64 = (1u64 << 30) as f64;

/// What may be used where the system does not say what is free.
const FALLBACK: f64 = 16.0 * GIB;

/// Bytes a learner needs, up to small change: for every stream its influence (and the tape, and what the end of a block needs) and about 64
/// bytes of structure a parameter, and 40 bytes a parameter that all share.
fn estimate<T: Real>(spec: &SequenceLearnerSpec) -> Result<f64> {
    let (plan, _) = spec.network.plan::<T>()?;
    let entries = |skip: bool| {
        let share = |block: &&crate::params::ParamBlockSpec| {
            let mask = spec.network.layers[block.layer].mask.unwrap_or(spec.mask);
            if skip && mask.on.kinds().contains(&block.kind) { 1.0 - mask.sparsity } else { 1.0 }
        };
        plan.blocks().iter().map(|b| b.dense_len() as f64 * share(&b)).sum::<f64>()
    };
    let p = entries(true);
    let rows = plan.rows() as f64;
    // Couplings are listed in twice the size of a number, for every step of two blocks; the derivative of every row by every other is kept for
    // each step of one.
    let blocked = |steps: f64| rows * p + steps * (4.0 * p + rows * rows + 32.0 * rows);
    let influence = |rule: &str| match rule {
        "rtrl" | "rtrl-param" => rows * p,
        "rtrl-activity" => rows * entries(false),
        "rtrl-dense" => 4.0 * rows * entries(false),
        "rtrl-auto" => blocked(128.0),
        "snap-1" => 16.0 * p,
        // At most all blocks, and every coupling of every block listed in eight bytes.
        snap if snap.starts_with("snap-") => 3.0 * rows * p,
        other => match other.strip_prefix("rtrl-blocked-").and_then(|steps| steps.parse().ok()) {
            Some(steps) => blocked(steps),
            None => 16.0 * p,
        },
    };
    let influence = influence(&spec.rule) + spec.reference_rule.as_deref().map_or(0.0, influence);
    Ok(spec.streams as f64 * (influence * size_of::<T>() as f64 + 64.0 * p) + 40.0 * p)
}

/// Bytes that are free, as far as the system says.
fn available() -> f64 {
    let free = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    free().map_or(FALLBACK, |kib| kib * 1024.0)
}

/// # Errors
/// If the learner would not fit.
pub(super) fn check<T: Real>(spec: &SequenceLearnerSpec) -> Result<()> {
    let units = spec.network.layers.first().map_or(0, |l| l.units);
    let what = format!("{} with {units} units and {} streams", spec.rule, spec.streams);
    check_memory(&what, estimate::<T>(spec)?)
}

/// # Errors
/// If that many bytes are not free.
pub fn check_memory(what: &str, needed: f64) -> Result<()> {
    let limit = available();
    match needed <= limit {
        true => Ok(()),
        false => Err(Error::TooLarge { what: what.into(), gib: needed / GIB, limit: limit / GIB }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::sequence::SequenceLearner;

    #[test]
    fn the_estimate_is_what_is_reserved() {
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
    fn what_does_not_fit_is_refused_before_it_is_built() {
        let spec = SequenceLearnerSpec::new(2, 50_000, 1);
        let said = check::<f32>(&spec).unwrap_err().to_string();
        assert!(said.contains("50000 units") && said.contains("GiB"), "{said}");
        let endless = SequenceLearnerSpec {
            rule: "rtrl-blocked-1000000000".into(),
            ..SequenceLearnerSpec::new(2, 16, 1)
        };
        let said = check::<f32>(&endless).unwrap_err().to_string();
        assert!(said.contains("rtrl-blocked-1000000000") && said.contains("GiB"), "{said}");
    }

    /// After some steps every rule of the registry holds less than was reckoned with, and exact ones not much less.
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
                assert!(estimate >= held as f64, "{what}: {estimate} bytes reckoned with, {held} held");
                // Blocks are counted at their largest length.
                let direct = ["rtrl", "rtrl-param", "rtrl-activity", "rtrl-dense"].contains(&&entry.name[..]);
                assert!(!direct || estimate < 20.0 * held as f64, "{what}: {estimate} for {held}");
            }
        }
    }

    #[test]
    fn estimate_grows_with_streams_and_a_shadow() {
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
