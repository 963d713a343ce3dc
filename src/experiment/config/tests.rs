//! All values of the two presets, and the learner that a configuration yields.

use super::*;
use crate::cell::Surrogate;
use crate::network::NetworkSpec;
use crate::params::{MaskOn, MaskSharing};

fn config(change: impl Fn(&mut Config)) -> Config {
    let mut config = Config::spiral(Preset::Default);
    change(&mut config);
    config
}

#[test]
fn preset_default_has_the_expected_values() {
    let found = Config::spiral(Preset::Default);
    let cell_config = CellConfig {
        surrogate: Surrogate::new(0.7, 0.5),
        reset_gate: ResetGate::Before,
        event_reset: EventReset::Output,
        activity: true,
    };
    let expected = Config {
        dataset: "spiral".into(),
        dataset_options: DatasetOptions { length: 3, delay: 5 },
        cell: "egru".into(),
        units: 16,
        layers: 1,
        cell_config,
        trace: None,
        mask: MaskSpec { sparsity: 0.0, on: MaskOn::Recurrent, sharing: MaskSharing::Gate },
        init: Init { bias: BiasInit::Zero, threshold: ThresholdInit::Beta { mean: 0.1 } },
        rule: "rtrl".into(),
        reference_rule: None,
        loss: Loss::CrossEntropy,
        loss_at: LossAt::Every { burn_in: 10 },
        optimiser: "amsgrad".into(),
        learning_rate: 0.02,
        schedule: "constant".into(),
        clip: Some(0.1),
        update: Update::Sequence,
        keep: Keep::Best,
        continuous: false,
        batch: 32,
        iterations: 1700,
        test_every: 50,
    };
    assert_eq!(found, expected);
    assert_eq!(Preset::default(), Preset::Default);
}

#[test]
fn preset_paper_has_the_expected_differences() {
    let default_config = Config::spiral(Preset::Default);
    let expected = Config {
        cell_config: CellConfig {
            surrogate: Surrogate::new(0.7, 1.0),
            reset_gate: ResetGate::After,
            event_reset: EventReset::Threshold,
            ..default_config.cell_config
        },
        init: Init { bias: BiasInit::Uniform, threshold: ThresholdInit::Logistic { mean: -1.0, std: 1.0 } },
        loss: Loss::BinaryCrossEntropy,
        loss_at: LossAt::Last,
        learning_rate: 0.003,
        optimiser: "adam".into(),
        clip: None,
        keep: Keep::Last,
        ..default_config
    };
    assert_eq!(Config::spiral(Preset::Paper), expected);
}

#[test]
fn config_with_changed_fields_yields_the_expected_learner() {
    let changed = config(|c| {
        (c.units, c.layers, c.trace, c.rule, c.reference_rule) =
            (5, 3, Some(0.5), "snap-1".into(), Some("bptt".into()));
        c.mask = MaskSpec { sparsity: 0.5, on: MaskOn::All, sharing: MaskSharing::Connection };
        (c.init.bias, c.optimiser, c.learning_rate, c.clip) =
            (BiasInit::Uniform, "sgd".into(), 0.25, Some(2.0));
        (c.update, c.continuous, c.batch, c.cell) = (Update::Steps(4), true, 7, "event-rnn".into());
        c.cell_config.activity = false;
    });
    let spec = changed.learner(2, 3);
    let layer = LayerSpec::new("event-rnn", 5, changed.cell_config);
    let network = NetworkSpec { inputs: 2, layers: vec![layer; 3], trace: Some(0.5) };
    let model = ModelSpec {
        network,
        outputs: 3,
        loss: Loss::CrossEntropy,
        mask: changed.mask,
        init: changed.init,
        rule: "snap-1".into(),
    };
    let expected = SequenceLearnerSpec {
        model,
        reference_rule: Some("bptt".into()),
        optimiser: "sgd".into(),
        learning_rate: 0.25,
        clip: Some(2.0),
        update: Update::Steps(4),
        continuous: true,
        streams: 7,
    };
    assert_eq!(spec, expected);
    assert_eq!(config(|c| c.loss = Loss::BinaryCrossEntropy).learner(2, 2).model.outputs, 1);
    assert_eq!(config(|c| c.loss = Loss::SquaredError).learner(2, 4).model.outputs, 4);
}

#[test]
fn config_out_of_range_is_an_error() {
    let message = |change: &dyn Fn(&mut Config)| config(change).check().unwrap_err().to_string();
    assert!(config(|c| (c.iterations, c.test_every, c.batch, c.layers) = (1, 1, 1, 1)).check().is_ok());
    assert!(config(|c| (c.iterations, c.test_every) = (usize::MAX, usize::MAX)).check().is_ok());
    assert!(config(|c| (c.layers, c.units) = (1000, 1)).check().is_ok());
    for (name, change) in [
        ("iterations", &(|c: &mut Config| c.iterations = 0) as &dyn Fn(&mut Config)),
        ("batch", &|c| c.batch = 0),
        ("layers", &|c| c.layers = 0),
        ("test-every", &|c| c.test_every = 0),
    ] {
        assert_eq!(message(change), format!("{name}: expected at least 1, got 0"));
    }
    assert_eq!(message(&|c| c.batch = 1_000_001), "batch: expected at most 1000000, got 1000001");
    assert_eq!(message(&|c| c.layers = 1001), "layers: expected at most 1000, got 1001");
    assert!(message(&|c| c.dataset = "x".into()).contains("unknown dataset 'x'"));
    assert!(message(&|c| c.dataset_options.length = 0).contains("length"));
    assert!(message(&|c| c.rule = "x".into()).contains("unknown rule 'x'"));
    assert!(message(&|c| c.optimiser = "x".into()).contains("unknown optimiser 'x'"));
    assert!(message(&|c| c.units = 100_000).contains("choose fewer units"));
}
