//! Which weights a run ends with, and what is said of them on the way.

use super::*;

/// A run that learns and loses what it learned: the rate is far too high from the beginning.
fn unsteady(keep: Keep) -> Config {
    config(|c| {
        (c.iterations, c.batch, c.test_every, c.keep) = (40, 16, 2, keep);
        (c.learning_rate, c.clip) = (0.1, None);
    })
}

/// Iteration, held-out accuracy, test accuracy and weights at each evaluation, trained by hand.
fn evaluations(config: &Config) -> Vec<(usize, f64, f64, Vec<f64>)> {
    let (mut k, mut seen) = (0, Vec::new());
    by_hand(config, |learner, batch, data| {
        learner.train(batch, config.loss_at).unwrap();
        k += 1;
        if k % config.test_every == 0 || k == config.iterations {
            let weights = learner.parameters().iter().map(|&w| f64::from(w)).collect();
            seen.push((k, learner.test(&data.held_out), learner.test(&data.test), weights));
        }
    });
    seen
}

#[test]
fn run_that_keeps_the_last_weights_ends_with_those_of_its_learner() {
    let config = unsteady(Keep::Last);
    let (run, rows) = run(&config);
    let expected = evaluations(&config);
    assert_eq!(run.weights, expected.last().unwrap().3);
    for (k, _, test, _) in expected {
        assert_eq!(rows[k - 1].test_accuracy, Some(test));
    }
}

/// At each evaluation the test accuracy is that of the earliest weights with the highest held-out accuracy so far; the weights at the end are
/// those.
#[test]
fn run_that_keeps_the_best_weights_ends_with_the_earliest_of_the_best_on_held_out_sequences() {
    let config = unsteady(Keep::Best);
    let (run, rows) = run(&config);
    let expected = evaluations(&config);
    let mut best = &expected[0];
    let mut not_the_latest = 0;
    for now in &expected {
        if now.1 > best.1 {
            best = now;
        }
        not_the_latest += usize::from(best.0 != now.0);
        assert_eq!(rows[now.0 - 1].test_accuracy, Some(best.2), "after iteration {}", now.0);
    }
    assert_eq!(run.weights, best.3);
    assert_eq!(run.last.test_accuracy, Some(best.2));
    assert!(not_the_latest > 2 && best.0 > expected[0].0, "the run gains and loses accuracy");
    assert!(best.2 > expected.last().unwrap().2, "the last weights are worse on the test set too");
}

/// Between 99 % and all right, weights are still compared.
#[test]
fn run_that_keeps_the_best_weights_goes_on_comparing_above_99_percent() {
    let config = config(|c| {
        (c.iterations, c.batch, c.test_every, c.keep) = (260, 32, 20, Keep::Best);
        c.rule = "bptt".into();
    });
    let (run, _) = run(&config);
    let expected = evaluations(&config);
    let best = expected.iter().map(|now| now.1).fold(0.0, f64::max);
    assert_eq!(run.weights, expected.iter().find(|now| now.1 == best).unwrap().3);
    assert!(expected.iter().any(|now| now.1 >= 0.99 && now.1 < best), "some are good and others better");
}

/// What is kept has no influence on what is learned.
#[test]
fn run_with_another_choice_of_weights_learns_the_same() {
    let without = |keep: Keep| {
        let mut rows = run(&unsteady(keep)).1;
        rows.iter_mut().for_each(|row| row.test_accuracy = None);
        format!("{rows:?}")
    };
    assert_eq!(without(Keep::Best), without(Keep::Last));
}

/// Held-out sequences are drawn after the others, so that runs of either choice see the same data; and none of them is learned from or tested on.
#[test]
fn held_out_sequences_of_the_spiral_are_neither_learned_from_nor_tested_on() {
    let data = (dataset::find::<f32>("spiral").unwrap().draw)(SEED, &config(|_| {}).dataset_options);
    assert_eq!(data.held_out.len(), 2_000);
    assert!(data.held_out.iter().all(|spiral| !data.train.contains(spiral) && !data.test.contains(spiral)));
}

/// The setting of the paper's code does not change: the first losses of a run, as they were before there was a choice of weights.
#[test]
fn run_in_the_setting_of_the_paper_gives_the_losses_it_always_gave() {
    let config = Config { iterations: 3, ..Config::spiral(Preset::Paper) };
    let (_, rows) = run(&config);
    let losses: Vec<f64> = rows.iter().map(|row| row.loss).collect();
    assert_relative_eq!(
        losses[..],
        [0.7169777415692806, 0.6896833069622517, 0.6963311452418566],
        max_relative = 1e-6
    );
}
