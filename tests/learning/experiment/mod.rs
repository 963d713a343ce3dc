//! Rows and summaries of a run: MACs, compute-adjusted iterations, bytes, accuracies.

mod keep;

use approx::assert_relative_eq;
use rand::seq::SliceRandom;
use sparse_rtrl::Error;
use sparse_rtrl::experiment::dataset::Dataset;
use sparse_rtrl::experiment::record::Row;
use sparse_rtrl::experiment::{self, dataset};
use sparse_rtrl::experiment::{Config, Keep, Preset, RunSummary};
use sparse_rtrl::learner::sequence::Sequence;
use sparse_rtrl::learner::sequence::{LossAt, SequenceLearner};
use sparse_rtrl::metrics::Tally;
use sparse_rtrl::params::{MaskOn, Purpose, ThresholdInit, generator};
use sparse_rtrl::readout::Loss;
use sparse_rtrl::wiring::{State, Step};

const SEED: u64 = 5;

fn run(config: &Config) -> (RunSummary, Vec<Row>) {
    let mut rows = Vec::new();
    let run = experiment::run::<f32>(config, SEED, |row| {
        rows.push(row.clone());
        Ok(())
    });
    (run.unwrap(), rows)
}

fn config(change: impl Fn(&mut Config)) -> Config {
    let preset = Config::spiral(Preset::Default);
    let mut config = Config { iterations: 6, test_every: 3, batch: 4, keep: Keep::Last, ..preset };
    change(&mut config);
    config
}

#[test]
fn dense_macs_equal_macs_of_dense_rtrl_without_masks() {
    let (n, m, o) = (16, 2, 2);
    let p = 3 * n * n + 3 * n * m + 3 * n + n;
    // Steps of the batch, and steps with a loss: 7 of 17.
    let (steps, losses) = (4 * 17, 4 * 7);
    let influence = n * n * p + 2 * n * p + p + n * n * (2 * n + 1 + m);
    let forward = p + n * o;
    let expected = steps * (influence + 3 * n * n + forward) + losses * (n * p + 2 * n * o);
    for sparsity in [0.0, 0.9] {
        let (_, rows) = run(&config(|c| c.mask.sparsity = sparsity));
        for row in &rows {
            assert_eq!(row.macs_dense, row.iteration as u64 * expected, "ω = {sparsity}");
        }
    }
    // The count of the oracle is equal, except for sources that are zero in the forward step.
    let (_, rows) = run(&config(|c| c.rule = "rtrl-dense".into()));
    let last = rows.last().unwrap();
    let most_forward = (rows.len() as u64) * steps * forward;
    assert!(last.macs <= last.macs_dense && last.macs >= last.macs_dense - most_forward);
}

#[test]
fn compute_adjusted_iteration_without_activity_sparsity_grows_by_kept_share_squared() {
    // Without activity sparsity β̃ = 1: each iteration adds ω̃².
    for (sparsity, kept) in [(0.0, 1.0), (0.5, 0.5), (0.9, 26.0 / 256.0)] {
        let (_, rows) = run(&config(|c| (c.mask.sparsity, c.cell_config.activity) = (sparsity, false)));
        for row in &rows {
            let expected = row.iteration as f64 * kept * kept;
            assert_relative_eq!(row.compute_adjusted_iteration, expected, max_relative = 1e-12);
            assert_eq!((row.activity_sparsity, row.backward_sparsity, row.live_share), (0.0, 0.0, 1.0));
        }
    }
}

/// Calls `each` with a new learner and each batch of the seed's data, in the order of a run.
fn each_batch(
    config: &Config,
    mut each: impl FnMut(&mut SequenceLearner<f32>, &[&Sequence<f32>], &Dataset<f32>),
) {
    let data = (dataset::find::<f32>(&config.dataset).unwrap().draw)(SEED, &config.dataset_options);
    let mut order: Vec<usize> = (0..data.train.len()).collect();
    order.shuffle(&mut generator(SEED, Purpose::Order));
    let mut learner = SequenceLearner::new(&config.learner(data.inputs, data.classes), SEED).unwrap();
    for batch in order.chunks(config.batch).take(config.iterations) {
        let batch: Vec<_> = batch.iter().map(|k| &data.train[*k]).collect();
        each(&mut learner, &batch, &data);
    }
}

/// Mean of β̃(t)β̃(t−1) over the steps of a batch that have a predecessor. β̃ is the share of units
/// with a nonzero pseudo-derivative, computed from a separate forward pass.
fn beta_product(learner: &SequenceLearner<f32>, batch: &[&Sequence<f32>]) -> f64 {
    let (network, mut products) = (&learner.model().network, Vec::new());
    let wiring = network.wiring();
    let w = &learner.weights()[..wiring.parameters()];
    for sequence in batch {
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        let shares: Vec<f64> = (0..sequence.steps())
            .map(|t| {
                network.forward(w, sequence.input(t), &state, &mut step);
                state.follow(&step);
                let nonzero = wiring.units().iter().filter(|&&unit| step.slope[unit] != 0.0).count();
                nonzero as f64 / wiring.units().len() as f64
            })
            .collect();
        products.extend(shares.windows(2).map(|pair| pair[0] * pair[1]));
    }
    assert_eq!(products.len(), batch.iter().map(|sequence| sequence.steps() - 1).sum::<usize>());
    products.iter().sum::<f64>() / products.len() as f64
}

#[test]
fn compute_adjusted_iteration_grows_by_product_of_successive_shares() {
    for (sparsity, on) in [(0.5, MaskOn::Recurrent), (0.9, MaskOn::All)] {
        let config = config(|c| {
            (c.mask.sparsity, c.mask.on) = (sparsity, on);
            // A narrow pseudo-derivative is zero for many units.
            c.cell_config.surrogate.epsilon = 0.1;
        });
        let (_, rows) = run(&config);
        let (n, m) = (16, 2);
        let kept = |size: usize| ((1.0 - sparsity) * size as f64).round();
        let share = match on {
            MaskOn::Recurrent => kept(n * n) / (n * n) as f64,
            MaskOn::All => (kept(n * n) + kept(n * m)) / (n * n + n * m) as f64,
            _ => unreachable!("{on:?}"),
        };
        let (mut sum, mut k) = (0.0, 0);
        each_batch(&config, |learner, batch, _| {
            let product = beta_product(learner, batch);
            sum += share * share * product;
            assert_relative_eq!(rows[k].compute_adjusted_iteration, sum, max_relative = 1e-12);
            assert!(product > 0.0 && product < 0.9, "{product}");
            learner.train(batch, config.loss_at).unwrap();
            k += 1;
        });
        assert_eq!(k, rows.len());
    }
}

/// Compares every column with a learner that is trained on the same batches.
#[test]
fn rows_of_run_equal_tallies_of_its_learner() {
    for config in [
        config(|c| (c.mask.sparsity, c.reference_rule) = (0.9, Some("rtrl-dense".into()))),
        config(|c| (c.rule, c.reference_rule, c.continuous) = ("rflo".into(), Some("rtrl".into()), true)),
        config(|c| (c.dataset, c.rule, c.batch) = ("copy".into(), "snap-1".into(), 3)),
        config(|c| (c.loss, c.loss_at, c.test_every) = (Loss::BinaryCrossEntropy, LossAt::Last, 4)),
    ] {
        let (run, rows) = run(&config);
        let (mut k, mut macs, mut macs_dense, mut density, mut bytes) = (0, 0, 0, 0.0, Vec::new());
        let mut sums = [0.0; 5];
        each_batch(&config, |learner, batch, data| {
            let tally = learner.train(batch, config.loss_at).unwrap();
            let row = &rows[k];
            k += 1;
            assert_eq!((row.iteration, row.seed, &row.rule), (k, SEED, &config.rule));
            assert_eq!(row.param_sparsity, config.mask.sparsity);
            assert_row_equals(row, &tally);
            let tested = (k.is_multiple_of(config.test_every) || k == 6).then(|| learner.test(&data.test));
            assert_eq!(row.test_accuracy, tested);
            macs += tally.macs.total();
            macs_dense += dense_macs(&config, learner, batch);
            density += tally.influence_density();
            assert_eq!((row.macs, row.macs_dense), (macs, macs_dense));
            assert_eq!(row.density_adjusted_iteration, Some(density).filter(|d| d.is_finite()));
            bytes.extend(learner.streams().iter().map(|stream| stream.rule().bytes()));
            let of = [
                tally.activity_sparsity(),
                tally.backward_sparsity(),
                tally.live_share(),
                tally.influence_density(),
                tally.gradient_cosine(),
            ];
            sums.iter_mut().zip(of).for_each(|(sum, value)| *sum += value / 6.0);
        });
        assert_eq!((k, run.last.iteration, run.last.macs), (6, 6, macs));
        assert_eq!(run.bytes, *bytes.iter().max().unwrap(), "expected the maximum over streams");
        let mean = run.mean;
        let means = [
            mean.activity_sparsity,
            mean.backward_sparsity,
            mean.live_share,
            mean.influence_density,
            mean.gradient_cosine,
        ];
        for (found, expected) in means.into_iter().zip(sums) {
            assert_eq!(found.is_nan(), expected.is_nan());
            assert!(found.is_nan() || (found - expected).abs() <= 1e-12 * expected.abs());
        }
    }
}

/// Compares the columns of a row that come from a tally.
fn assert_row_equals(row: &Row, tally: &Tally) {
    let optional = |x: f64| Some(x).filter(|x| x.is_finite());
    assert_eq!((row.loss, row.train_accuracy), (tally.mean_loss(), tally.accuracy()));
    assert_eq!(row.activity_sparsity, tally.activity_sparsity());
    assert_eq!(row.backward_sparsity, tally.backward_sparsity());
    assert_eq!(row.live_share, tally.live_share());
    for (found, expected) in [
        (row.influence_density, tally.influence_density()),
        (row.influence_density_recurrent, tally.influence_density_recurrent()),
        (row.rows_without_derivative, tally.rows_without_derivative()),
        (row.columns_inactive, tally.columns_inactive()),
        (row.columns_masked, tally.columns_masked()),
        (row.influence_held, tally.influence_held()),
        (row.gradient_cosine, tally.gradient_cosine()),
        (row.gradient_error, tally.gradient_error()),
    ] {
        assert_eq!(found, optional(expected));
    }
}

/// MACs of dense RTRL without masks on a batch: n = 16 EGRU units, m inputs, o outputs, and a
/// credit at each step with a loss.
fn dense_macs(config: &Config, learner: &SequenceLearner<f32>, batch: &[&Sequence<f32>]) -> u64 {
    let (n, m, o) = (16, learner.model().network.wiring().inputs(), learner.model().readout.outputs);
    let p = 3 * n * n + 3 * n * m + 3 * n + n;
    let step = n * n * p + 2 * n * p + p + n * n * (2 * n + 1 + m) + 3 * n * n + p + n * o;
    let mut macs = 0;
    for sequence in batch {
        let steps = sequence.steps();
        let counts = |t: &usize| match config.loss_at {
            LossAt::Every { burn_in } => *t >= burn_in,
            LossAt::Last => *t == steps - 1,
            other => panic!("no reference for {other:?}"),
        };
        let losses = (0..steps).filter(|t| sequence.classes[*t].is_some() && counts(t)).count();
        macs += steps * step + losses * (n * p + 2 * n * o);
    }
    macs as u64
}

/// Without masks, n = 16 units store S, Y twice and M̄ over all rows, couplings A and B, and a
/// gradient.
#[test]
fn bytes_of_dense_rule_equal_formula_in_both_precisions() {
    let config = config(|c| (c.rule, c.cell) = ("rtrl-dense".into(), "rnn".into()));
    let (n, m) = (16, 2);
    let p = n * n + n * m + n;
    let expected = 4 * n * p + 2 * n * n + p;
    assert_eq!(run(&config).0.bytes, 4 * expected);
    let double = experiment::run::<f64>(&config, SEED, |_| Ok(())).unwrap();
    assert_eq!(double.bytes, 8 * expected);
}

/// A stream stores the active columns of its sequence. The last sequence does not have the most.
#[test]
fn bytes_of_run_are_maximum_over_iterations() {
    let config = config(|c| {
        (c.cell, c.batch, c.mask.sparsity) = ("event-rnn".into(), 1, 0.9);
        c.init.threshold = ThresholdInit::Beta { mean: 0.4 };
    });
    let (run, _) = run(&config);
    let mut bytes = Vec::new();
    each_batch(&config, |learner, batch, _| {
        learner.train(batch, config.loss_at).unwrap();
        bytes.push(learner.streams()[0].rule().bytes());
    });
    assert_eq!(run.bytes, *bytes.iter().max().unwrap());
    assert!(bytes.last() < bytes.iter().max(), "{bytes:?}");
}

#[test]
fn run_with_masks_reports_kept_parameters() {
    let (n, m) = (16, 2);
    for (on, kept, of) in [(MaskOn::Recurrent, 26, n * n), (MaskOn::All, 26 + 3, n * n + n * m)] {
        let (run, rows) = run(&config(|c| (c.mask.sparsity, c.mask.on, c.iterations) = (0.9, on, 1)));
        let dense = 3 * n * n + 3 * n * m + 3 * n + n;
        assert_eq!(run.parameters, (dense - 3 * (of - kept), dense));
        assert_relative_eq!(run.param_sparsity, 1.0 - kept as f64 / of as f64, max_relative = 1e-12);
        assert_eq!(rows[0].param_sparsity, 0.9, "expected the requested sparsity");
    }
}

#[test]
fn run_with_failing_callback_returns_its_error() {
    let mut calls = 0;
    let ended = experiment::run::<f32>(&config(|_| {}), SEED, |row| {
        calls += 1;
        match row.iteration {
            3 => Err(Error::Threads { threads: 3, why: "enough".into() }),
            _ => Ok(()),
        }
    });
    assert!(matches!(ended, Err(Error::Threads { threads: 3, .. })));
    assert_eq!(calls, 3);
}

/// The error names the iteration, counted from 1. All rows before it are reported.
#[test]
fn run_that_diverges_reports_iteration() {
    let config = config(|c| (c.optimiser, c.learning_rate, c.clip) = ("sgd".into(), 1e38, None));
    let mut rows = 0;
    let ended = experiment::run::<f32>(&config, SEED, |_| {
        rows += 1;
        Ok(())
    });
    let Err(Error::Diverged { iteration, .. }) = ended else { panic!("{:?}", ended.map(|run| run.last)) };
    assert_eq!(iteration, rows + 1);
    assert!(rows >= 1, "expected a finite first iteration");
}

#[test]
fn run_summary_equals_means_of_rows() {
    let (run, rows) = run(&config(|c| c.reference_rule = Some("bptt".into())));
    let mean = |f: &dyn Fn(&Row) -> f64| rows.iter().map(f).sum::<f64>() / rows.len() as f64;
    assert_relative_eq!(run.mean.activity_sparsity, mean(&|r| r.activity_sparsity), max_relative = 1e-12);
    assert_relative_eq!(run.mean.backward_sparsity, mean(&|r| r.backward_sparsity), max_relative = 1e-12);
    assert_relative_eq!(run.mean.live_share, mean(&|r| r.live_share), max_relative = 1e-12);
    assert_relative_eq!(
        run.mean.influence_density,
        mean(&|r| r.influence_density.unwrap()),
        max_relative = 1e-12
    );
    assert!(rows.iter().all(|r| r.gradient_cosine.unwrap() > 0.999_999));
    assert_eq!(run.last.iteration, 6);
    assert_eq!((run.parameters, run.param_sparsity), ((928, 928), 0.0));
    let evaluated: Vec<_> = rows.iter().filter(|r| r.test_accuracy.is_some()).map(|r| r.iteration).collect();
    assert_eq!(evaluated, [3, 6]);
}

#[test]
fn run_reached_is_first_iteration_above_99_percent() {
    let (run, rows) = run(&config(|c| (c.iterations, c.batch, c.test_every) = (260, 32, 20)));
    let reached: Vec<_> =
        rows.iter().filter(|r| r.test_accuracy.is_some_and(|a| a >= 0.99)).map(|r| r.iteration).collect();
    assert!(reached.len() > 1, "expected 99 % accuracy within 260 iterations, got {reached:?}");
    assert_eq!(run.reached, Some(reached[0]));
    let late = &rows[rows.len() - 20..];
    assert!(late.iter().map(|r| r.train_accuracy).sum::<f64>() / 20.0 > 0.9);
}

#[test]
fn zeros_of_influence_matrix_add_up_by_cause() {
    for (sparsity, activity, continuous) in
        [(0.0, true, false), (0.9, true, false), (0.9, true, true), (0.5, false, false)]
    {
        let rule = |name: &str| {
            run(&config(|c| {
                (c.mask.sparsity, c.cell_config.activity, c.continuous) = (sparsity, activity, continuous);
                c.rule = name.into();
            }))
        };
        let (run, rows) = rule("rtrl");
        let mut density = 0.0;
        for (row, other) in rows.iter().zip(rule("rtrl-param").1) {
            let value = |x: Option<f64>| x.unwrap();
            let (rows, columns, masked) =
                (value(row.rows_without_derivative), value(row.columns_inactive), value(row.columns_masked));
            assert_relative_eq!(
                masked,
                1.0 - run.parameters.0 as f64 / run.parameters.1 as f64,
                max_relative = 1e-12
            );
            let rest = 1.0 - rows - columns - masked - value(row.influence_density);
            assert!((-1e-12..0.5).contains(&rest), "{rest}");
            assert!(activity || rows == 0.0, "expected a derivative of every unit without activity sparsity");
            // At the first step after a reset all emissions are zero, and their columns inactive.
            assert!(columns > 0.0 || continuous);
            density += value(row.influence_density);
            assert_relative_eq!(value(row.density_adjusted_iteration), density, max_relative = 1e-12);
            // The matrix does not depend on skips. After the first update weights differ by rounding.
            if row.iteration == 1 {
                assert_eq!(row.influence_density_recurrent, other.influence_density_recurrent);
                assert_eq!(row.columns_inactive, other.columns_inactive);
            }
        }
    }
}

/// The weight update of iteration k scales the learning rate by the schedule at (k − 1) /
/// iterations. With SGD the first update is that of a constant rate, and the others are not.
#[test]
fn run_with_schedule_scales_rate_from_second_update_on() {
    let rows = |schedule: &str, rate: f64| {
        run(&config(|c| {
            c.schedule = schedule.into();
            (c.optimiser, c.learning_rate, c.clip) = ("sgd".into(), rate, None);
        }))
        .1
    };
    let (constant, cosine, cooldown) = (rows("constant", 0.5), rows("cosine", 0.5), rows("cooldown", 0.5));
    // Losses are those before the update: the second row depends on the first update only.
    assert_eq!([cosine[1].loss, cooldown[1].loss], [constant[1].loss; 2]);
    assert_ne!(cosine[2].loss, constant[2].loss);
    // Cooldown begins at 3/6, with the factor 1. The fifth update is the first smaller one.
    assert_eq!(cooldown[4].loss, constant[4].loss);
    assert_ne!(cooldown[5].loss, constant[5].loss);
}

/// Configurations without the settings `schedule` and `keep`, which were added later.
#[test]
fn config_without_later_settings_has_their_old_values() {
    for preset in [Preset::Default, Preset::Paper] {
        let config = Config { keep: Keep::Last, ..Config::spiral(preset) };
        let mut json = serde_json::to_value(&config).unwrap();
        assert_eq!(json.as_object_mut().unwrap().remove("schedule"), Some("constant".into()));
        assert_eq!(json.as_object_mut().unwrap().remove("keep"), Some("last".into()));
        assert_eq!(serde_json::from_value::<Config>(json).unwrap(), config);
    }
    assert!(config(|c| c.schedule = "steps".into()).check().unwrap_err().to_string().contains("cosine"));
}
