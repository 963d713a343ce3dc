//! What a run records: costs against the formulas, the paper's measure, and where thresholds of accuracy were passed.

use approx::assert_relative_eq;
use sparse_rtrl::experiment::{self, Config, Preset, Run};
use sparse_rtrl::record::Row;

fn run(config: &Config) -> (Run, Vec<Row>) {
    let mut rows = Vec::new();
    let run = experiment::run::<f32>(config, 5, |row| {
        rows.push(row.clone());
        Ok(())
    });
    (run.unwrap(), rows)
}

fn config(change: impl Fn(&mut Config)) -> Config {
    let mut config = Config { iterations: 6, test_every: 3, batch: 4, ..Config::spiral(Preset::Default) };
    change(&mut config);
    config
}

#[test]
fn dense_macs_are_those_of_dense_rtrl_without_masks() {
    let (n, m, o) = (16, 2, 2);
    let p = 3 * n * n + 3 * n * m + 3 * n + n;
    // Steps of the batch, and those with a loss: 13 of 17.
    let (steps, losses) = (4 * 17, 4 * 13);
    let influence = n * n * p + 2 * n * p + p + n * n * (2 * n + 1 + m);
    let forward = p + n * o;
    let expected = steps * (influence + 3 * n * n + forward) + losses * (n * p + 2 * n * o);
    for sparsity in [0.0, 0.9] {
        let (_, rows) = run(&config(|c| c.mask.sparsity = sparsity));
        for row in &rows {
            assert_eq!(row.macs_dense, row.iteration as u64 * expected, "ω = {sparsity}");
        }
    }
    // And the oracle really does that much: all but the forward step, in which silent sources cost nothing.
    let (_, rows) = run(&config(|c| c.rule = "rtrl-dense".into()));
    let last = rows.last().unwrap();
    let most_forward = (rows.len() as u64) * steps * forward;
    assert!(last.macs <= last.macs_dense && last.macs >= last.macs_dense - most_forward);
}

#[test]
fn compute_adjusted_iterations_are_the_papers() {
    // Without activity sparsity β̃ = 1, so that an iteration counts ω̃².
    for (sparsity, kept) in [(0.0, 1.0), (0.5, 0.5), (0.9, 26.0 / 256.0)] {
        let (_, rows) = run(&config(|c| (c.mask.sparsity, c.cell_config.activity) = (sparsity, false)));
        for row in &rows {
            let expected = row.iteration as f64 * kept * kept;
            assert_relative_eq!(row.compute_adjusted_iteration, expected, max_relative = 1e-12);
            assert_eq!((row.activity_sparsity, row.backward_sparsity, row.live_share), (0.0, 0.0, 1.0));
        }
    }
    let (_, rows) = run(&config(|c| c.mask.sparsity = 0.5));
    let growth = rows[1].compute_adjusted_iteration - rows[0].compute_adjusted_iteration;
    assert!(growth > 0.0 && growth < 0.25);
}

#[test]
fn a_run_sums_up_its_rows() {
    let (run, rows) = run(&config(|c| c.shadow = Some("bptt".into())));
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
    // At least S of 16 rows, at most S, the copies of Y and two gradients, in single precision.
    assert!(run.bytes > 4 * 8 * 928 && run.bytes <= 4 * (16 + 16 + 2) * 928, "{}", run.bytes);
}

#[test]
fn the_first_time_is_what_counts_as_reached() {
    let (run, rows) = run(&config(|c| (c.iterations, c.batch, c.test_every) = (260, 32, 20)));
    let good: Vec<_> =
        rows.iter().filter(|r| r.test_accuracy.is_some_and(|a| a >= 0.99)).map(|r| r.iteration).collect();
    assert!(good.len() > 1, "a dense net learns this in 260 iterations: {good:?}");
    assert_eq!(run.reached, Some(good[0]));
    let late = &rows[rows.len() - 20..];
    assert!(late.iter().map(|r| r.train_accuracy).sum::<f64>() / 20.0 > 0.9);
}

#[test]
fn zeros_of_the_influence_matrix_are_accounted_for() {
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
                (value(row.rows_without_derivative), value(row.columns_silent), value(row.columns_masked));
            assert_relative_eq!(
                masked,
                1.0 - run.parameters.0 as f64 / run.parameters.1 as f64,
                max_relative = 1e-12
            );
            let rest = 1.0 - rows - columns - masked - value(row.influence_density);
            assert!((-1e-12..0.5).contains(&rest), "{rest}");
            assert!(activity || rows == 0.0, "a unit that always shows its state has a derivative");
            // At the first step after a reset no unit has spoken yet.
            assert!(columns > 0.0 || continuous);
            density += value(row.influence_density);
            assert_relative_eq!(value(row.density_adjusted_iteration), density, max_relative = 1e-12);
            // The same matrix, whatever is skipped; single precision parts the weights a little from the first update on.
            if row.iteration == 1 {
                assert_eq!(row.influence_density_recurrent, other.influence_density_recurrent);
                assert_eq!(row.columns_silent, other.columns_silent);
            }
        }
    }
}

/// The update of iteration k takes the share of η at (k − 1) / iterations: with plain descent, weights after the first update are those of a
/// constant rate, and what follows is not.
#[test]
fn run_with_a_schedule_scales_the_rate_from_the_second_update_on() {
    let rows = |schedule: &str, rate: f64| {
        run(&config(|c| {
            c.schedule = schedule.into();
            (c.optimiser, c.learning_rate, c.clip) = ("sgd".into(), rate, None);
        }))
        .1
    };
    let (constant, cosine, cooldown) = (rows("constant", 0.5), rows("cosine", 0.5), rows("cooldown", 0.5));
    // Losses are taken before the update: the second row sees the first update.
    assert_eq!([cosine[1].loss, cooldown[1].loss], [constant[1].loss; 2]);
    assert_ne!(cosine[2].loss, constant[2].loss);
    // The second half of six begins with the share at 3/6, which is still 1; the fifth update is the first smaller one.
    assert_eq!(cooldown[4].loss, constant[4].loss);
    assert_ne!(cooldown[5].loss, constant[5].loss);
}

/// Configurations from before there were schedules.
#[test]
fn config_without_a_schedule_is_read_as_constant() {
    for preset in [Preset::Default, Preset::Paper] {
        let config = Config::spiral(preset);
        let mut json = serde_json::to_value(&config).unwrap();
        assert_eq!(json.as_object_mut().unwrap().remove("schedule"), Some("constant".into()));
        assert_eq!(serde_json::from_value::<Config>(json).unwrap(), config);
    }
    assert!(config(|c| c.schedule = "steps".into()).check().unwrap_err().to_string().contains("cosine"));
}
