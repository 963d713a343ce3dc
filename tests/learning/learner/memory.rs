//! Estimated memory of a learner, compared with the bytes in use.

use super::*;
use sparse_rtrl::Real;

fn estimate<T: Real>(spec: &SequenceLearnerSpec) -> sparse_rtrl::Result<f64> {
    let rules: Vec<&str> =
        [&spec.model.rule].into_iter().chain(&spec.reference_rule).map(String::as_str).collect();
    spec.model.memory::<T>(&rules, spec.streams)
}

#[test]
fn memory_of_rtrl_equals_rows_times_parameters() {
    let mut spec = SequenceLearnerSpec::new(2, 32, 1);
    spec.model.mask.sparsity = 0.5;
    let learner = SequenceLearner::<f32>::new(&spec, 0).unwrap();
    let p = learner.model().network.wiring().parameters() as f64;
    // 64 rows, with those of the gated activities.
    let expected = 64.0 * p * 4.0 + 64.0 * p + 40.0 * p;
    let estimate = estimate::<f32>(&spec).unwrap();
    assert!((estimate / expected - 1.0).abs() < 1e-3, "expected {expected}, got {estimate}");
}

#[test]
fn check_size_above_free_memory_returns_an_error() {
    let spec = SequenceLearnerSpec::new(2, 50_000, 1);
    let message = spec.check_size::<f32>().unwrap_err().to_string();
    assert!(message.contains("50000 units") && message.contains("GiB"), "{message}");
    let mut large = SequenceLearnerSpec::new(2, 1024, 1);
    large.model.rule = "rtrl-blocked-1000000".into();
    let message = large.check_size::<f32>().unwrap_err().to_string();
    assert!(message.contains("rtrl-blocked-1000000") && message.contains("GiB"), "{message}");
}

/// Every rule of the registry uses at most the estimated memory. Rules without blocks and patterns
/// use at least a twentieth of it.
#[test]
fn memory_of_every_rule_covers_its_bytes() {
    for (cell, layers, sparsity) in
        [("egru", 1, 0.0), ("egru", 2, 0.8), ("event-rnn", 1, 0.5), ("gru", 1, 0.9)]
    {
        for entry in rule::registry::<f32>() {
            let mut spec = SequenceLearnerSpec::new(2, 24, 1);
            spec.model.network.layers[0].cell = cell.into();
            spec.model.network.layers = vec![spec.model.network.layers[0].clone(); layers];
            (spec.model.mask.sparsity, spec.model.rule) = (sparsity, entry.name.clone());
            let mut learner = SequenceLearner::<f32>::new(&spec, 0).unwrap();
            let steps = if entry.grows { 8 } else { 40 };
            let mut used = 0;
            for t in 0..steps {
                learner.step(&[t as f32, 1.0], Some(Target::Values(&[0.5]))).unwrap();
                used = used.max(learner.streams()[0].rule().bytes());
            }
            let estimate = estimate::<f32>(&spec).unwrap();
            let case = format!("{} on {layers} of {cell}, ω {sparsity}", entry.name);
            assert!(estimate >= used as f64, "{case}: {estimate} bytes estimated, {used} in use");
            // Patterns and blocks are estimated at their largest.
            let direct = ["rtrl", "rtrl-param", "rtrl-activity", "rtrl-dense"].contains(&&entry.name[..]);
            assert!(
                !direct || estimate < 20.0 * used as f64,
                "{case}: {estimate} bytes estimated, {used} in use"
            );
        }
    }
}

#[test]
fn memory_with_streams_and_reference_rule_adds_their_memory() {
    let spec = SequenceLearnerSpec::new(2, 24, 1);
    let memory_of = |spec: &SequenceLearnerSpec| estimate::<f32>(spec).unwrap();
    let shared = 2.0 * memory_of(&spec) - memory_of(&SequenceLearnerSpec { streams: 2, ..spec.clone() });
    let p = SequenceLearner::<f32>::new(&spec, 0).unwrap().model().network.wiring().parameters() as f64;
    assert_eq!(shared, 40.0 * p);
    let mut alone = spec.clone();
    alone.model.rule = "snap-1".into();
    let with_reference = SequenceLearnerSpec { reference_rule: Some("rtrl".into()), ..alone.clone() };
    assert_eq!(memory_of(&with_reference) - memory_of(&alone), 4.0 * 48.0 * p);
}
