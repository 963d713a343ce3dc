//! Metrics of predictions, over the whole stream and over a window of the last N predictions. Every
//! prediction precedes its target (prequential evaluation). y is a target, p its prediction:
//!
//! | name | definition |
//! |---|---|
//! | `mae` | mean of `|y − p|` |
//! | `rmse` | `√ mean (y − p)²` |
//! | `nrmse` | rmse / standard deviation of y; 1 for the prediction of the mean |
//! | `mape` | mean of `|y − p|` / mean of `|y|` |
//! | `accuracy` | share of correct classes |
//! | `log-loss` | mean of `−ln p(class)`, with p at least 1e-15 |

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::stats::Moments;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A metric of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// Mean absolute error.
    Mae,
    /// Root mean squared error.
    Rmse,
    /// Root mean squared error divided by the standard deviation of the targets.
    Nrmse,
    /// Mean absolute error divided by the mean absolute value of the targets.
    Mape,
    /// Share of correct classes.
    Accuracy,
    /// Mean negative log-probability of the class.
    LogLoss,
}

impl Metric {
    /// All metrics of numeric targets.
    pub const OF_VALUES: [Self; 4] = [Self::Mae, Self::Rmse, Self::Nrmse, Self::Mape];
    /// All metrics of classes.
    pub const OF_CLASSES: [Self; 2] = [Self::Accuracy, Self::LogLoss];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::Nrmse => "nrmse",
            Self::Mape => "mape",
            Self::Accuracy => "accuracy",
            Self::LogLoss => "log-loss",
        }
    }

    /// Returns the metric with this name.
    ///
    /// # Errors
    /// If there is no such metric.
    pub fn find(name: &str) -> Result<Self> {
        let all = || Self::OF_VALUES.into_iter().chain(Self::OF_CLASSES);
        all().find(|m| m.name() == name).ok_or_else(|| Error::unknown("metric", name, all().map(Self::name)))
    }
}

/// One prediction and its target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Sample {
    /// Target and prediction.
    Value(f64, f64),
    /// Whether the predicted class is correct, and `−ln p` of the target class.
    Class(bool, f64),
}

/// Sums over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    /// Number of samples.
    count: u64,
    /// `Σ |y − p|`.
    absolute: f64,
    /// `Σ (y − p)²`.
    squared: f64,
    /// `Σ |y|`.
    size: f64,
    /// Number of correct classes.
    right: u64,
    /// `Σ −ln p(class)`.
    surprise: f64,
    /// Moments of the targets.
    targets: Moments,
}

impl Sums {
    fn add(&mut self, sample: Sample) {
        self.count += 1;
        match sample {
            Sample::Value(y, p) => {
                self.absolute += (y - p).abs();
                self.squared += (y - p).powi(2);
                self.size += y.abs();
                self.targets.observe(y);
            }
            Sample::Class(right, surprise) => {
                self.right += u64::from(right);
                self.surprise += surprise;
            }
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            count: self.count + other.count,
            absolute: self.absolute + other.absolute,
            squared: self.squared + other.squared,
            size: self.size + other.size,
            right: self.right + other.right,
            surprise: self.surprise + other.surprise,
            targets: self.targets.merged(&other.targets),
        }
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        let n = self.count as f64;
        let value = match metric {
            Metric::Mae => self.absolute / n,
            Metric::Rmse => (self.squared / n).sqrt(),
            Metric::Nrmse if !self.targets.varied() => f64::NAN,
            Metric::Nrmse => (self.squared / n).sqrt() / self.targets.deviation(),
            Metric::Mape => self.absolute / self.size,
            Metric::Accuracy => self.right as f64 / n,
            Metric::LogLoss => self.surprise / n,
        };
        Some(value).filter(|value| value.is_finite())
    }
}

/// The sums over the last N samples, without subtraction.
///
/// The samples are split into an older and a newer part. `older` holds, for each older sample, the
/// sums from it to the end of the older part; `newer` holds the sums of the newer part. The sums of
/// the window are the sums of the oldest sample plus `newer`. Rounding errors do not accumulate,
/// and the amortised cost per sample is constant.
#[derive(Clone, Debug, Default)]
struct Window {
    /// N.
    length: usize,
    /// At most N samples, the oldest first.
    samples: VecDeque<Sample>,
    /// `[older samples]`, the sums of the oldest sample last.
    older: Vec<Sums>,
    /// Sums of the newer samples.
    newer: Sums,
}

impl Window {
    fn add(&mut self, sample: Sample) {
        if self.length == 0 {
            return;
        }
        if self.samples.len() == self.length {
            if self.older.is_empty() {
                self.split(self.length);
            }
            self.samples.pop_front();
            self.older.pop();
        }
        self.samples.push_back(sample);
        self.newer.add(sample);
    }

    /// Makes the first `older` samples the older part and recomputes all sums.
    fn split(&mut self, older: usize) {
        let mut sums = Sums::default();
        self.older.clear();
        for sample in self.samples.iter().take(older).rev() {
            sums.add(*sample);
            self.older.push(sums);
        }
        self.newer = Sums::default();
        self.samples.iter().skip(older).for_each(|sample| self.newer.add(*sample));
    }

    fn sums(&self) -> Sums {
        self.older.last().map_or(self.newer, |older| older.plus(&self.newer))
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let mut older = self.older.len();
        archive.field("recent", &mut self.samples)?;
        archive.field("older", &mut older)?;
        if self.samples.len() > self.length || older > self.samples.len() {
            return Err(Error::State { field: "recent", found: format!("{} samples", self.samples.len()) });
        }
        if archive.reads() {
            self.split(older);
        }
        Ok(())
    }
}

/// Running metrics. Memory: the samples of the window and their sums.
#[derive(Clone, Debug)]
pub struct Score {
    all: Sums,
    window: Window,
}

impl Score {
    /// Creates an empty score with a window of `window` predictions. With 0, there is no window.
    pub fn new(window: usize) -> Self {
        Self { all: Sums::default(), window: Window { length: window, ..Window::default() } }
    }

    /// Adds a numeric target and its prediction.
    pub fn value(&mut self, target: f64, predicted: f64) {
        self.add(Sample::Value(target, predicted));
    }

    /// Adds a target class and the predicted probabilities: one per class, or only the probability
    /// of class 1.
    ///
    /// # Panics
    /// If `target` is not less than the number of classes.
    pub fn class(&mut self, target: usize, predicted: &[f64]) {
        let share = match predicted {
            [one] => [1.0 - one, *one][target],
            many => many[target],
        };
        let right = most_probable(predicted).0 == target;
        self.add(Sample::Class(right, -share.max(1e-15).ln()));
    }

    fn add(&mut self, sample: Sample) {
        self.all.add(sample);
        self.window.add(sample);
    }

    /// Returns the number of predictions.
    pub fn count(&self) -> u64 {
        self.all.count
    }

    /// Returns a metric over the whole stream, or `None` if it has no finite value.
    pub fn overall(&self, metric: Metric) -> Option<f64> {
        self.all.value(metric)
    }

    /// Returns a metric over the window, or `None` if it has no finite value.
    pub fn recent(&self, metric: Metric) -> Option<f64> {
        self.window.sums().value(metric)
    }

    /// Writes the state to an archive, or reads it from one.
    ///
    /// # Errors
    /// If the archive does not hold a score, or its samples do not fit the window.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.field("score", &mut self.all)?;
        self.window.archive(archive)
    }
}

/// Returns the most probable class and its probability; of equal ones, the first. A single
/// probability is the probability of class 1 of two classes.
pub fn most_probable(predicted: &[f64]) -> (usize, f64) {
    match predicted {
        [one] if *one > 0.5 => (1, *one),
        [one] => (0, 1.0 - one),
        many => many
            .iter()
            .copied()
            .enumerate()
            .fold((0, f64::NEG_INFINITY), |best, (k, p)| if p > best.1 { (k, p) } else { best }),
    }
}

#[cfg(test)]
mod formulas;

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn score_of_values_equals_values_by_hand() {
        let mut score = Score::new(2);
        assert_eq!(score.overall(Metric::Mae), None);
        [(1.0, 5.0), (2.0, 1.0), (4.0, 6.0)].into_iter().for_each(|(y, p)| score.value(y, p));
        let all = |metric| score.overall(metric).unwrap();
        assert_relative_eq!(all(Metric::Mae), 7.0 / 3.0);
        assert_relative_eq!(all(Metric::Rmse), 7f64.sqrt());
        assert_relative_eq!(all(Metric::Nrmse), (7.0f64 / (14.0 / 9.0)).sqrt(), max_relative = 1e-12);
        assert_relative_eq!(all(Metric::Mape), 1.0);
        assert_relative_eq!(score.recent(Metric::Mae).unwrap(), 1.5);
        assert_relative_eq!(score.recent(Metric::Nrmse).unwrap(), 2.5f64.sqrt(), max_relative = 1e-12);
        assert_eq!(score.count(), 3);
    }

    #[test]
    fn score_of_classes_equals_values_by_hand() {
        let mut score = Score::new(0);
        score.class(1, &[0.25]);
        score.class(0, &[0.25]);
        assert_relative_eq!(score.overall(Metric::Accuracy).unwrap(), 0.5);
        assert_relative_eq!(score.overall(Metric::LogLoss).unwrap(), -(0.25f64.ln() + 0.75f64.ln()) / 2.0);
        assert_eq!(score.recent(Metric::Accuracy), None, "there is no window");
        score.class(2, &[0.5, 0.5, 0.0]);
        let certain = (-(0.25f64.ln() + 0.75f64.ln()) - 1e-15f64.ln()) / 3.0;
        assert_relative_eq!(score.overall(Metric::LogLoss).unwrap(), certain, max_relative = 1e-14);
        assert_eq!(most_probable(&[0.2, 0.5, 0.3]), (1, 0.5));
        assert_eq!(most_probable(&[0.4]), (0, 0.6));
    }

    #[test]
    fn score_recent_equals_the_mean_over_the_window() {
        let mut score = Score::new(7);
        let value = |t: u32| if t == 20 { 1e15 } else { f64::from(t * t % 11) };
        for t in 0..60u32 {
            score.value(value(t), 3.0);
            let from = t.saturating_sub(6);
            let mean = (from..=t).map(|t| (value(t) - 3.0).abs()).sum::<f64>() / f64::from(t - from + 1);
            assert_relative_eq!(score.recent(Metric::Mae).unwrap(), mean, max_relative = 1e-14);
        }
    }

    #[test]
    fn score_restored_continues_bit_for_bit() {
        for rows in 0..30 {
            let mut score = Score::new(5);
            let add = |score: &mut Score, t: usize| score.value((t as f64).sin(), 0.1);
            (0..rows).for_each(|t| add(&mut score, t));
            let mut archive = Archive::writer();
            score.archive(&mut archive).unwrap();
            let bytes = archive.into_bytes();
            let mut restored = Score::new(5);
            restored.archive(&mut Archive::reader(bytes.clone())).unwrap();
            for t in rows..rows + 20 {
                add(&mut score, t);
                add(&mut restored, t);
                for metric in Metric::OF_VALUES {
                    assert_eq!(score.recent(metric), restored.recent(metric));
                    assert_eq!(score.overall(metric), restored.overall(metric));
                }
            }
            assert_eq!(Score::new(4).archive(&mut Archive::reader(bytes)).is_err(), rows >= 5);
        }
    }

    #[test]
    fn metric_find_of_every_name_returns_it() {
        for metric in Metric::OF_VALUES.into_iter().chain(Metric::OF_CLASSES) {
            assert_eq!(Metric::find(metric.name()).unwrap(), metric);
        }
        assert!(Metric::find("r2").unwrap_err().to_string().contains("mae, rmse"));
    }
}
