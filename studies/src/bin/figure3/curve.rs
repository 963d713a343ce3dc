//! Mean and standard error over seeds.

use crate::store::{Curves, Point};
use crate::study::{Key, Study};

/// Mean and standard error of n values; the error is NaN for n = 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub mean: f64,
    pub error: f64,
    pub n: usize,
}

impl Estimate {
    /// Computes the estimate, with `error = s / √n` and the sample standard deviation s.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        let error = if n > 1 { (squares / ((n - 1) * n) as f64).sqrt() } else { f64::NAN };
        Self { mean, error, n }
    }

    /// Returns `other.mean` − `self.mean` in standard errors of the difference.
    pub fn below(self, other: Self) -> f64 {
        match (other.mean - self.mean, self.error.hypot(other.error)) {
            (0.0, 0.0) => 0.0,
            (difference, error) => difference / error,
        }
    }

    /// Returns the error for drawing: 0 if it is NaN.
    pub fn spread(self) -> f64 {
        if self.error.is_finite() { self.error } else { 0.0 }
    }
}

/// The runs of a setting, one per seed.
pub struct Setting<'a> {
    pub omega: f64,
    pub activity: bool,
    pub runs: Vec<&'a [Point]>,
}

impl<'a> Setting<'a> {
    /// Returns the settings of a study that have runs.
    pub fn all(study: &Study, curves: &'a Curves) -> Vec<Self> {
        let runs = |omega, activity| {
            let runs = study.seeds.iter().map(|&seed| curves.run(Key { omega, activity, seed }));
            runs.filter(|run| !run.is_empty()).collect::<Vec<_>>()
        };
        let setting = |config: &sparse_rtrl::experiment::Config| {
            let (omega, activity) = (config.mask.sparsity, config.cell_config.activity);
            Self { omega, activity, runs: runs(omega, activity) }
        };
        study.settings.iter().map(setting).filter(|s| !s.runs.is_empty()).collect()
    }

    /// Returns the last iteration.
    pub fn last(&self) -> usize {
        self.runs.iter().filter_map(|run| run.last()).map(|p| p.iteration).max().unwrap_or(0)
    }

    /// Returns estimates over seeds, one per row.
    pub fn over_seeds(&self, of: impl Fn(&Point) -> f64) -> Vec<Estimate> {
        let rows = self.runs.iter().map(|run| run.len()).min().unwrap_or(0);
        let at = |row: usize| Estimate::of(&self.runs.iter().map(|run| of(&run[row])).collect::<Vec<_>>());
        (0..rows).map(at).collect()
    }

    /// Returns the estimate over seeds of the mean over the rows whose iteration is in
    /// `iterations`.
    pub fn within(
        &self,
        iterations: std::ops::RangeInclusive<usize>,
        of: impl Fn(&Point) -> f64,
    ) -> Estimate {
        let mean = |run: &&[Point]| {
            let values: Vec<f64> =
                run.iter().filter(|p| iterations.contains(&p.iteration)).map(&of).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        Estimate::of(&self.runs.iter().map(mean).collect::<Vec<_>>())
    }

    /// Returns the estimate over seeds at the first row whose loss is at most `loss` (the last row
    /// if there is no such row), and the number of runs that reach this loss.
    pub fn when(&self, loss: f64, of: impl Fn(&Point) -> f64) -> (Estimate, usize) {
        let first = |run: &&[Point]| run.iter().position(|p| p.loss <= loss);
        let reached = self.runs.iter().filter(|run| first(run).is_some()).count();
        let value = |run: &&[Point]| of(&run[first(run).unwrap_or(run.len() - 1)]);
        (Estimate::of(&self.runs.iter().map(value).collect::<Vec<_>>()), reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_of_few_values_equals_values_by_hand() {
        let e = Estimate::of(&[1.0, 2.0, 6.0]);
        assert_eq!((e.mean, e.n), (3.0, 3));
        assert!((e.error - (7.0f64 / 3.0).sqrt()).abs() < 1e-15);
        let higher = Estimate { mean: 8.0, error: 0.0, n: 3 };
        assert!((e.below(higher) - 5.0 / e.error).abs() < 1e-15);
        assert!(Estimate::of(&[1.0]).error.is_nan());
        assert_eq!(Estimate::of(&[1.0]).spread(), 0.0);
    }
}
