//! Initial values. Weights are Glorot-normal with the fan-in and fan-out after pruning:
//!
//! `Var w = 2 / (fan_in + fan_out)`, where `fan_in = kept / rows` and `fan_out = kept / cols`.
//!
//! If a mask prunes 90 % of a matrix, the mean fan-in of a unit falls to a tenth. With the variance
//! of the unmasked matrix, pre-activations would be √10 times too small, and such networks do not
//! learn.
//!
//! All values are drawn in `f64` and rounded, so that `f32` and `f64` networks have equal initial
//! values up to rounding.
//!
//! X. Glorot & Y. Bengio, *Understanding the difficulty of training deep feedforward neural
//! networks*, AISTATS 2010.

use super::rng::Generator;
use super::{Kind, Layout, ParamBlock};
use crate::error::Result;
use crate::range::{finite, not_negative, open_unit};
use crate::scalar::{Real, sigmoid};
use rand::RngExt;
use rand_distr::{Beta, Distribution, Normal};
use serde::{Deserialize, Serialize};

/// Distribution of initial biases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BiasInit {
    /// All zero.
    #[default]
    Zero,
    /// U(−1/√n, 1/√n) with n the units of the layer, the default of common deep-learning libraries.
    Uniform,
}

/// Distribution of initial thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ThresholdInit {
    /// Beta(3, 3/mean − 3), a distribution on (0, 1).
    Beta {
        /// Mean, in (0, 1).
        mean: f64,
    },
    /// σ(τ) with τ ~ N(mean, std²) (LM paper, section 4).
    Logistic {
        /// Mean of τ.
        mean: f64,
        /// Standard deviation of τ.
        std: f64,
    },
}

impl Default for ThresholdInit {
    fn default() -> Self {
        Self::Beta { mean: 0.1 }
    }
}

impl ThresholdInit {
    /// Draws one threshold. The caller must have called [`Init::check`].
    fn sample(&self, rng: &mut Generator) -> f64 {
        match *self {
            Self::Beta { mean } => Beta::new(3.0, 3.0 / mean - 3.0).expect("mean is in (0, 1)").sample(rng),
            Self::Logistic { mean, std } => {
                sigmoid(Normal::new(mean, std).expect("std is finite and at least 0").sample(rng))
            }
        }
    }
}

/// Distributions of initial values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// Distribution of the biases of cells and readout.
    pub bias: BiasInit,
    /// Distribution of the thresholds.
    pub threshold: ThresholdInit,
}

impl Init {
    /// Checks the parameters of the distributions.
    ///
    /// # Errors
    /// If a parameter is outside its range.
    pub fn check(&self) -> Result<()> {
        match self.threshold {
            ThresholdInit::Beta { mean } => open_unit("threshold-mean", mean),
            ThresholdInit::Logistic { mean, std } => {
                finite("threshold-mean", mean)?;
                not_negative("threshold-std", std)
            }
        }
    }

    /// Draws all kept parameters, block by block. Returns p values in the order of the parameter
    /// buffer.
    ///
    /// # Errors
    /// If a parameter of a distribution is outside its range.
    pub fn draw<T: Real>(&self, layout: &Layout, rng: &mut Generator) -> Result<Vec<T>> {
        self.check()?;
        let mut values = vec![T::zero(); layout.len()];
        for block in layout.blocks() {
            let normal = Normal::new(0.0, glorot(block)).expect("a finite deviation");
            for &place in &block.places {
                values[place] = T::of(match block.spec.kind {
                    Kind::Input | Kind::Recurrent => normal.sample(rng),
                    Kind::Bias => self.bias(block.spec.rows.len(), rng),
                    Kind::Threshold => self.threshold.sample(rng),
                });
            }
        }
        Ok(values)
    }

    /// Draws one bias for a layer of `units` units.
    pub fn bias(&self, units: usize, rng: &mut Generator) -> f64 {
        match self.bias {
            BiasInit::Zero => 0.0,
            BiasInit::Uniform => rng.random_range(-1.0..1.0) / (units as f64).sqrt(),
        }
    }
}

/// Returns the Glorot-normal standard deviation of a block, with fan-in and fan-out after pruning.
fn glorot(block: &ParamBlock) -> f64 {
    let kept = block.kept.len() as f64;
    let (rows, cols) = block.spec.shape();
    let fans = kept / rows as f64 + kept / cols as f64;
    if fans == 0.0 { 0.0 } else { (2.0 / fans).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{MaskSpec, ParamBlockSpec, Purpose, generator};

    #[test]
    fn init_of_a_masked_block_scales_with_the_kept_fan_in() {
        let spec =
            ParamBlockSpec { name: "w".into(), kind: Kind::Recurrent, layer: 0, rows: 0..200, cols: 1..201 };
        for sparsity in [0.0, 0.9] {
            let mask = MaskSpec { sparsity, ..Default::default() };
            let kept = mask.draw(std::slice::from_ref(&spec), &mut generator(1, Purpose::Mask)).unwrap();
            let layout = Layout::new(200, 201, std::slice::from_ref(&spec), &kept);
            let w: Vec<f64> = Init::default().draw(&layout, &mut generator(1, Purpose::Init)).unwrap();
            let var = w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64;
            let fan_in = 200.0 * (1.0 - sparsity);
            // Var of a unit's pre-activation for unit-variance inputs: fan_in · Var w = 1.
            assert!((var * fan_in - 1.0).abs() < 0.1, "ω = {sparsity}: {}", var * fan_in);
        }
    }

    #[test]
    fn threshold_init_beta_has_the_given_mean_and_lies_in_its_range() {
        let mut rng = generator(3, Purpose::Init);
        let init = ThresholdInit::Beta { mean: 0.1 };
        let drawn: Vec<f64> = (0..4000).map(|_| init.sample(&mut rng)).collect();
        assert!(drawn.iter().all(|t| (0.0..=1.0).contains(t)));
        assert!((drawn.iter().sum::<f64>() / 4000.0 - 0.1).abs() < 0.01);
        let bad = Init { threshold: ThresholdInit::Beta { mean: 1.0 }, ..Default::default() };
        assert!(bad.check().is_err());
    }

    /// Mean and variance of the values drawn for one block.
    fn moments(init: Init, kind: Kind, (rows, cols): (usize, usize), sparsity: f64) -> (f64, f64) {
        let spec = ParamBlockSpec { name: "w".into(), kind, layer: 0, rows: 0..rows, cols: 1..1 + cols };
        let mask = MaskSpec { sparsity, ..Default::default() };
        let kept = mask.draw(std::slice::from_ref(&spec), &mut generator(1, Purpose::Mask)).unwrap();
        let layout = Layout::new(rows, 1 + cols, std::slice::from_ref(&spec), &kept);
        let w: Vec<f64> = init.draw(&layout, &mut generator(1, Purpose::Init)).unwrap();
        let mean = w.iter().sum::<f64>() / w.len() as f64;
        (mean, w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / w.len() as f64)
    }

    /// `Var w = 2 / (kept/rows + kept/cols)`, for wide and for tall blocks.
    #[test]
    fn init_of_rectangular_blocks_has_the_variance_of_their_fans() {
        for (shape, kind) in
            [((40, 400), Kind::Input), ((400, 40), Kind::Input), ((300, 60), Kind::Recurrent)]
        {
            for sparsity in [0.0, 0.5] {
                let kept = if kind == Kind::Recurrent { 1.0 - sparsity } else { 1.0 };
                let expected = 2.0 / (kept * shape.1 as f64 + kept * shape.0 as f64);
                let (mean, variance) = moments(Init::default(), kind, shape, sparsity);
                assert!((variance / expected - 1.0).abs() < 0.06, "{shape:?}: {}", variance / expected);
                assert!(mean.abs() < 0.05 * expected.sqrt());
            }
        }
    }

    #[test]
    fn bias_init_zero_or_uniform_has_the_expected_moments() {
        assert_eq!(moments(Init::default(), Kind::Bias, (5000, 1), 0.0), (0.0, 0.0));
        let uniform = Init { bias: BiasInit::Uniform, ..Init::default() };
        // 5000 units: U(±a) has the variance a²/3.
        let (mean, variance) = moments(uniform, Kind::Bias, (5000, 1), 0.0);
        assert!(mean.abs() < 0.03 / 5000f64.sqrt());
        assert!((variance * 3.0 * 5000.0 - 1.0).abs() < 0.05, "{}", variance * 3.0 * 5000.0);
        let mut rng = generator(2, Purpose::Init);
        let drawn: Vec<f64> = (0..2000).map(|_| uniform.bias(4, &mut rng)).collect();
        let (low, high) = drawn.iter().fold((0f64, 0f64), |(low, high), b| (low.min(*b), high.max(*b)));
        assert!((-0.5..-0.49).contains(&low) && (0.49..0.5).contains(&high), "{low} to {high}");
    }

    /// Beta(3, 3/m − 3) has the variance m² (1 − m) / (3 + m); τ is computed from σ(τ) by the
    /// inverse of σ.
    #[test]
    fn threshold_init_has_the_moments_of_its_distribution() {
        for mean in [0.1, 0.4] {
            let init = Init { threshold: ThresholdInit::Beta { mean }, ..Init::default() };
            let (found, variance) = moments(init, Kind::Threshold, (8000, 1), 0.0);
            let expected = mean * mean * (1.0 - mean) / (3.0 + mean);
            assert!((found / mean - 1.0).abs() < 0.03, "{found}");
            assert!((variance / expected - 1.0).abs() < 0.08, "{}", variance / expected);
        }
        let init = ThresholdInit::Logistic { mean: -1.0, std: 0.5 };
        let mut rng = generator(4, Purpose::Init);
        let drawn = (0..8000).map(|_| init.sample(&mut rng));
        let taus: Vec<f64> = drawn.map(|theta| (theta / (1.0 - theta)).ln()).collect();
        let mean = taus.iter().sum::<f64>() / 8000.0;
        let variance = taus.iter().map(|tau| (tau - mean).powi(2)).sum::<f64>() / 8000.0;
        assert!((mean + 1.0).abs() < 0.03 && (variance / 0.25 - 1.0).abs() < 0.08, "{mean}, {variance}");
        assert_eq!(ThresholdInit::default(), ThresholdInit::Beta { mean: 0.1 });
    }

    #[test]
    fn init_check_of_values_out_of_range_is_an_error() {
        let check = |threshold| Init { threshold, ..Init::default() }.check().is_ok();
        for (mean, valid) in [(0.0, false), (1.0, false), (f64::NAN, false), (1e-9, true), (0.999, true)] {
            assert_eq!(check(ThresholdInit::Beta { mean }), valid, "{mean}");
        }
        for (mean, std, valid) in
            [(f64::INFINITY, 1.0, false), (0.0, f64::NAN, false), (0.0, -1.0, false), (-3.0, 0.0, true)]
        {
            assert_eq!(check(ThresholdInit::Logistic { mean, std }), valid, "{mean}, {std}");
        }
        let message = |mean, std| {
            let threshold = ThresholdInit::Logistic { mean, std };
            Init { threshold, ..Init::default() }.check().unwrap_err().to_string()
        };
        assert!(message(f64::NAN, -1.0).starts_with("threshold-mean: expected a finite number, got"));
        assert!(
            message(0.0, -1.0).starts_with("threshold-std: expected a finite number of at least 0, got -1")
        );
    }
}
