//! Weights kept by a run: last or best. Test accuracies, held-out sequences.

use super::*;

/// A run whose accuracy rises and falls, by a learning rate that is too high.
fn unstable(keep: Keep) -> Config {
    config(|c| {
        (c.iterations, c.batch, c.test_every, c.keep) = (40, 16, 2, keep);
        (c.learning_rate, c.clip) = (0.1, None);
    })
}

/// Iteration, held-out accuracy, test accuracy and weights of a separate learner, per evaluation.
fn evaluations(config: &Config) -> Vec<(usize, f64, f64, Vec<f64>)> {
    let (mut k, mut evaluations) = (0, Vec::new());
    each_batch(config, |learner, batch, data| {
        learner.train(batch, config.loss_at).unwrap();
        k += 1;
        if k % config.test_every == 0 || k == config.iterations {
            let weights = learner.weights().iter().map(|&w| f64::from(w)).collect();
            evaluations.push((k, learner.test(&data.held_out), learner.test(&data.test), weights));
        }
    });
    evaluations
}

#[test]
fn run_with_keep_last_ends_with_last_weights() {
    let config = unstable(Keep::Last);
    let (run, rows) = run(&config);
    let expected = evaluations(&config);
    assert_eq!(run.weights, expected.last().unwrap().3);
    for (k, _, test, _) in expected {
        assert_eq!(rows[k - 1].test_accuracy, Some(test));
    }
}

/// At each evaluation the test accuracy is that of the earliest weights with the highest held-out
/// accuracy so far. The run ends with these weights.
#[test]
fn run_with_keep_best_ends_with_earliest_best_weights() {
    let config = unstable(Keep::Best);
    let (run, rows) = run(&config);
    let expected = evaluations(&config);
    let mut best = &expected[0];
    let mut later = 0;
    for evaluation in &expected {
        if evaluation.1 > best.1 {
            best = evaluation;
        }
        later += usize::from(best.0 != evaluation.0);
        assert_eq!(rows[evaluation.0 - 1].test_accuracy, Some(best.2), "after iteration {}", evaluation.0);
    }
    assert_eq!(run.weights, best.3);
    assert_eq!(run.last.test_accuracy, Some(best.2));
    assert!(later > 2 && best.0 > expected[0].0, "expected an accuracy that rises and falls");
    assert!(best.2 > expected.last().unwrap().2, "expected a lower test accuracy of the last weights");
}

/// Weights are compared up to an accuracy of 100 %.
#[test]
fn run_with_keep_best_compares_above_99_percent() {
    let config = config(|c| {
        (c.iterations, c.batch, c.test_every, c.keep) = (260, 32, 20, Keep::Best);
        c.rule = "bptt".into();
    });
    let (run, _) = run(&config);
    let expected = evaluations(&config);
    let best = expected.iter().map(|evaluation| evaluation.1).fold(0.0, f64::max);
    assert_eq!(run.weights, expected.iter().find(|evaluation| evaluation.1 == best).unwrap().3);
    assert!(
        expected.iter().any(|evaluation| evaluation.1 >= 0.99 && evaluation.1 < best),
        "expected an accuracy between 99 % and the best"
    );
}

/// `keep` does not affect learning.
#[test]
fn run_with_other_keep_has_equal_rows() {
    let without = |keep: Keep| {
        let mut rows = run(&unstable(keep)).1;
        rows.iter_mut().for_each(|row| row.test_accuracy = None);
        format!("{rows:?}")
    };
    assert_eq!(without(Keep::Best), without(Keep::Last));
}

/// Held-out sequences are drawn after the others, so that `keep` does not change the data. They
/// belong neither to the training nor to the test set.
#[test]
fn held_out_sequences_of_spiral_are_not_in_train_or_test_set() {
    let data = (dataset::find::<f32>("spiral").unwrap().draw)(SEED, &config(|_| {}).dataset_options);
    assert_eq!(data.held_out.len(), 2_000);
    assert!(data.held_out.iter().all(|spiral| !data.train.contains(spiral) && !data.test.contains(spiral)));
}

/// The first losses with the preset of the paper, before the setting `keep` existed.
#[test]
fn run_with_paper_preset_gives_pinned_losses() {
    let config = Config { iterations: 3, ..Config::spiral(Preset::Paper) };
    let (_, rows) = run(&config);
    let losses: Vec<f64> = rows.iter().map(|row| row.loss).collect();
    assert_relative_eq!(
        losses[..],
        [0.7169777415692806, 0.6896833069622517, 0.6963311452418566],
        max_relative = 1e-6
    );
}
