//! The effect of every flag.

use super::*;
use sparse_rtrl::params::BiasInit;
use sparse_rtrl::readout::Loss;

fn config(flags: &[&str]) -> Config {
    let words = std::iter::once("spiral").chain(flags.iter().copied());
    let args = Args::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap();
    args.configs().unwrap().remove(0)
}

/// Checks that `flags` make this change and no other.
fn changes(flags: &[&str], change: impl Fn(&mut Config)) {
    let mut expected = config(&[]);
    change(&mut expected);
    assert_ne!(expected, config(&[]), "{flags:?}: expected a change");
    assert_eq!(config(flags), expected, "{flags:?}");
}

#[test]
fn flag_with_a_value_changes_its_setting_only() {
    assert_eq!(config(&[]), Config::spiral(Preset::Default));
    changes(&["--units", "20"], |c| c.units = 20);
    changes(&["--layers", "2"], |c| c.layers = 2);
    changes(&["--cell", "gru"], |c| c.cell = "gru".into());
    changes(&["--param-sparsity", "0.5"], |c| c.mask.sparsity = 0.5);
    changes(&["--no-activity-sparsity"], |c| c.cell_config.activity = false);
    changes(&["--rule", "bptt"], |c| c.rule = "bptt".into());
    changes(&["--reference-rule", "rtrl"], |c| c.reference_rule = Some("rtrl".into()));
    changes(&["--iterations", "3"], |c| c.iterations = 3);
    changes(&["--batch", "4"], |c| c.batch = 4);
    changes(&["--optimiser", "sgd"], |c| c.optimiser = "sgd".into());
    changes(&["--learning-rate", "0.5"], |c| c.learning_rate = 0.5);
    changes(&["--schedule", "cosine"], |c| c.schedule = "cosine".into());
    changes(&["--clip", "2"], |c| c.clip = Some(2.0));
    changes(&["--clip", "off"], |c| c.clip = None);
    changes(&["--update-every", "3"], |c| c.update = Update::Steps(3));
    changes(&["--no-reset"], |c| c.continuous = true);
    changes(&["--gamma", "0.3"], |c| c.cell_config.surrogate.gamma = 0.3);
    changes(&["--epsilon", "0.3"], |c| c.cell_config.surrogate.epsilon = 0.3);
    changes(&["--threshold-mean", "0.3"], |c| c.init.threshold = ThresholdInit::Beta { mean: 0.3 });
    changes(&["--loss", "last"], |c| c.loss_at = LossAt::Last);
    changes(&["--burn-in", "3"], |c| c.loss_at = LossAt::Every { burn_in: 3 });
    changes(&["--keep", "last"], |c| c.keep = Keep::Last);
    changes(&["--readout", "trace"], |c| c.trace = Some(0.9));
    changes(&["--mask", "all"], |c| c.mask.on = MaskOn::All);
    changes(&["--mask-sharing", "connection"], |c| c.mask.sharing = MaskSharing::Connection);
    changes(&["--reset-gate", "after"], |c| c.cell_config.reset_gate = ResetGate::After);
    changes(&["--event-reset", "threshold"], |c| c.cell_config.event_reset = EventReset::Threshold);
    changes(&["--test-every", "7"], |c| c.test_every = 7);
}

#[test]
fn presets_default_and_paper_have_the_expected_values() {
    let default_config = config(&[]);
    assert_eq!((default_config.learning_rate, default_config.loss_at), (2e-2, LossAt::Every { burn_in: 10 }));
    assert_eq!(
        (default_config.cell_config.surrogate.gamma, default_config.cell_config.surrogate.epsilon),
        (0.7, 0.5)
    );
    assert_eq!(default_config.init.threshold, ThresholdInit::Beta { mean: 0.1 });
    assert_eq!((default_config.clip, config(&["--preset", "paper"]).clip), (Some(0.1), None));
    assert_eq!((default_config.units, default_config.iterations, default_config.batch), (16, 1700, 32));
    let paper = config(&["--preset", "paper"]);
    assert_eq!(
        (paper.learning_rate, paper.loss_at, paper.loss),
        (3e-3, LossAt::Last, Loss::BinaryCrossEntropy)
    );
    assert_eq!((paper.cell_config.surrogate.gamma, paper.cell_config.surrogate.epsilon), (0.7, 1.0));
    assert_eq!(paper.cell_config.reset_gate, ResetGate::After);
    assert_eq!(paper.cell_config.event_reset, EventReset::Threshold);
    assert_eq!(paper.init.threshold, ThresholdInit::Logistic { mean: -1.0, std: 1.0 });
    assert_eq!((paper.init.bias, paper.trace), (BiasInit::Uniform, None));
    assert_eq!((default_config.keep, paper.keep), (Keep::Best, Keep::Last));
    assert_eq!((&*default_config.optimiser, &*paper.optimiser), ("amsgrad", "adam"));
    let overridden = config(&["--preset", "paper", "--reset-gate", "before", "--learning-rate", "0.5"]);
    assert_eq!((overridden.cell_config.reset_gate, overridden.learning_rate), (ResetGate::Before, 0.5));
}

#[test]
fn flag_param_sparsity_with_a_list_yields_one_config_per_value() {
    let words = ["spiral", "--param-sparsity", "0,.5", "--seed", "18446744073709551615"];
    let args = Args::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap();
    let omegas: Vec<_> = args.configs().unwrap().iter().map(|c| c.mask.sparsity).collect();
    assert_eq!(omegas, [0.0, 0.5]);
    assert_eq!(args.seeds().collect::<Vec<_>>(), [u64::MAX]);
}

/// Default values of flags, given in addition to the paper preset.
#[test]
fn flag_with_the_default_value_overrides_the_paper_preset() {
    let paper = |flags: &[&str]| config(&[&["--preset", "paper"], flags].concat());
    assert_eq!(paper(&["--keep", "best"]).keep, Keep::Best);
    assert_eq!(paper(&["--event-reset", "output"]).cell_config.event_reset, EventReset::Output);
    assert_eq!(paper(&["--reset-gate", "before"]).cell_config.reset_gate, ResetGate::Before);
    assert_eq!(paper(&["--mask", "recurrent"]).mask.on, MaskOn::Recurrent);
    assert_eq!(paper(&["--mask-sharing", "gate"]).mask.sharing, MaskSharing::Gate);
    assert_eq!(paper(&["--readout", "y", "--loss", "every"]).loss_at, LossAt::Every { burn_in: 10 });
    assert_eq!(config(&["--preset", "default"]), config(&[]));
}

#[test]
fn flag_burn_in_without_a_loss_at_every_step_is_an_error() {
    for flags in [&["--loss", "last", "--burn-in", "3"][..], &["--preset", "paper", "--burn-in", "3"]] {
        let words = std::iter::once("spiral").chain(flags.iter().copied());
        let args = Args::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap();
        let message = args.configs().unwrap_err().to_string();
        assert_eq!(message, "burn-in: expected to be used with --loss every only, got 3");
    }
}
