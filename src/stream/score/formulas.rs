//! Compares every metric with its formula over all samples and over windows, also after a restore.

use super::*;
use crate::params::{Purpose, generator};
use approx::assert_relative_eq;
use rand::RngExt;

const WINDOWS: [usize; 6] = [0, 1, 2, 3, 7, 40];

fn mean(of: impl Iterator<Item = f64> + Clone) -> f64 {
    of.clone().sum::<f64>() / of.count() as f64
}

/// A metric of pairs `(y, p)` by its formula; `None` where it has no value.
fn metric_of_values(metric: Metric, samples: &[(f64, f64)]) -> Option<f64> {
    let absolute = mean(samples.iter().map(|(y, p)| (y - p).abs()));
    let squared = mean(samples.iter().map(|(y, p)| (y - p) * (y - p)));
    let (size, center) = (mean(samples.iter().map(|(y, _)| y.abs())), mean(samples.iter().map(|(y, _)| *y)));
    let variance = mean(samples.iter().map(|(y, _)| (y - center) * (y - center)));
    let value = match metric {
        Metric::Mae => absolute,
        Metric::Rmse => squared.sqrt(),
        Metric::Nrmse => (squared / variance).sqrt(),
        Metric::Mape => absolute / size,
        Metric::Accuracy | Metric::LogLoss => unreachable!("of classes"),
    };
    Some(value).filter(|value| value.is_finite())
}

/// A metric of pairs of a class and predicted probabilities by its formula.
fn metric_of_classes(metric: Metric, samples: &[(usize, Vec<f64>)]) -> Option<f64> {
    let of = |sample: &(usize, Vec<f64>)| {
        let (class, predicted) = sample;
        let all =
            if predicted.len() == 1 { vec![1.0 - predicted[0], predicted[0]] } else { predicted.clone() };
        let best = (0..all.len()).rev().max_by(|a, b| all[*a].total_cmp(&all[*b])).unwrap();
        match metric {
            Metric::Accuracy => f64::from(u8::from(best == *class)),
            _ => -all[*class].max(1e-15).ln(),
        }
    };
    Some(mean(samples.iter().map(of))).filter(|value| value.is_finite())
}

fn assert_same(found: Option<f64>, expected: Option<f64>, what: &str) {
    assert_eq!(found.is_some(), expected.is_some(), "{what}: {found:?}, {expected:?}");
    if let (Some(found), Some(expected)) = (found, expected) {
        assert_relative_eq!(found, expected, max_relative = 1e-9, epsilon = 1e-14);
    }
}

fn restored(score: &mut Score, window: usize) -> Score {
    let mut archive = Archive::writer();
    score.archive(&mut archive).unwrap();
    let mut again = Score::new(window);
    let mut archive = Archive::reader(archive.into_bytes());
    again.archive(&mut archive).unwrap();
    archive.finish().unwrap();
    again
}

/// Some samples repeat, so that all targets of a window may be equal.
#[test]
fn metrics_of_values_equal_their_formulas_over_all_and_over_the_window() {
    let mut rng = generator(1, Purpose::Data);
    let mut samples: Vec<(f64, f64)> = Vec::new();
    let mut scores: Vec<_> = WINDOWS.map(|window| (window, Score::new(window))).into();
    for t in 0..130 {
        let y = if t % 11 < 4 { 0.0 } else { rng.random_range(-5.0..40.0) };
        samples.push((y, y + rng.random_range(-2.0..3.0)));
        for (window, score) in &mut scores {
            if t % 13 == 5 {
                *score = restored(score, *window);
            }
            score.value(samples[t].0, samples[t].1);
            assert_eq!(score.count(), t as u64 + 1);
            let recent = &samples[samples.len().saturating_sub(*window)..];
            for metric in Metric::OF_VALUES {
                let what = format!("{} after {t} rows, window {window}", metric.name());
                assert_same(score.overall(metric), metric_of_values(metric, &samples), &what);
                let expected = metric_of_values(metric, recent).filter(|_| *window > 0);
                assert_same(score.recent(metric), expected, &what);
            }
        }
    }
}

#[test]
fn metrics_of_classes_equal_their_formulas_over_all_and_over_the_window() {
    for classes in [1, 3] {
        let mut rng = generator(2, Purpose::Data);
        let mut samples: Vec<(usize, Vec<f64>)> = Vec::new();
        let mut scores: Vec<_> = WINDOWS.map(|window| (window, Score::new(window))).into();
        for t in 0..90 {
            let mut predicted: Vec<f64> = (0..classes).map(|_| rng.random_range(0.0..1.0)).collect();
            match t % 10 {
                3 => predicted.fill(0.5),
                7 => predicted[0] = 0.0,
                _ => {}
            }
            samples.push((rng.random_range(0..classes.max(2)), predicted));
            for (window, score) in &mut scores {
                score.class(samples[t].0, &samples[t].1);
                let recent = &samples[samples.len().saturating_sub(*window)..];
                for metric in Metric::OF_CLASSES {
                    let what = format!("{} after {t} rows, window {window}", metric.name());
                    assert_same(score.overall(metric), metric_of_classes(metric, &samples), &what);
                    assert_same(
                        score.recent(metric),
                        metric_of_classes(metric, recent).filter(|_| *window > 0),
                        &what,
                    );
                }
                if t % 7 == 2 {
                    *score = restored(score, *window);
                }
            }
        }
    }
}

/// Equal probabilities yield the first class, also for a single probability of one half.
#[test]
fn most_probable_of_equal_probabilities_returns_the_first() {
    for (predicted, expected) in [
        (vec![0.5], (0, 0.5)),
        (vec![0.6], (1, 0.6)),
        (vec![0.25], (0, 0.75)),
        (vec![0.4, 0.4, 0.2], (0, 0.4)),
        (vec![0.2, 0.4, 0.4], (1, 0.4)),
        (vec![0.1, 0.2, 0.7], (2, 0.7)),
    ] {
        assert_eq!(most_probable(&predicted), expected);
    }
}

/// The saved numbers of samples in the window and of samples in older sums must be possible.
#[test]
fn score_restore_of_an_impossible_window_is_an_error() {
    let with = |samples: usize, older: usize| {
        let mut archive = Archive::writer();
        archive.field("score", &mut Sums::default()).unwrap();
        archive.field("recent", &mut VecDeque::from(vec![Sample::Value(1.0, 2.0); samples])).unwrap();
        archive.field("older", &mut older.clone()).unwrap();
        Score::new(4).archive(&mut Archive::reader(archive.into_bytes())).is_ok()
    };
    assert!(with(4, 4) && with(4, 0) && with(0, 0));
    assert!(!with(5, 0) && !with(4, 5) && !with(0, 1));
}

#[test]
fn metric_without_samples_or_variation_has_no_value() {
    let mut score = Score::new(3);
    for metric in Metric::OF_VALUES.into_iter().chain(Metric::OF_CLASSES) {
        assert_eq!((score.overall(metric), score.recent(metric)), (None, None));
    }
    (0..3).for_each(|_| score.value(0.0, 0.0));
    assert_eq!((score.overall(Metric::Nrmse), score.overall(Metric::Mape)), (None, None));
    assert_eq!((score.overall(Metric::Mae), score.recent(Metric::Rmse)), (Some(0.0), Some(0.0)));
}
