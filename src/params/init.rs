//! First values: Glorot-normal weights on the fan-in that is left,
//!
//! `Var w = 2 / (fan_in + fan_out)`, where `fan_in = kept / rows` and `fan_out = kept / cols`.
//!
//! A mask that prunes 90 % of a matrix leaves each unit a tenth of its inputs; without a larger scale its
//! pre-activations would be three times too small, and such nets do not learn.
//!
//! Everything is drawn in `f64` and rounded to the scalar, so that `f32` and `f64` nets start alike.
//!
//! X. Glorot & Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.

use super::{Block, Kind, Layout};
use crate::error::{Error, Result};
use crate::scalar::Real;
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution, Normal};
use serde::{Deserialize, Serialize};

/// First values of biases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BiasInit {
    /// All zero.
    #[default]
    Zero,
    /// U(±1/√n), n the units of the layer: the habit of common deep-learning libraries.
    Uniform,
}

/// First values of thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdInit {
    /// Beta(3, 3/mean − 3), a hump around `mean` inside (0, 1).
    Beta {
        /// Its mean, in (0, 1).
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
    /// Draws one threshold; the distribution was checked by [`Init::check`].
    fn sample(&self, rng: &mut impl Rng) -> f64 {
        match *self {
            Self::Beta { mean } => {
                Beta::new(3.0, 3.0 / mean - 3.0).expect("mean was checked to lie in (0, 1)").sample(rng)
            }
            Self::Logistic { mean, std } => {
                let tau = Normal::new(mean, std).expect("mean and std were checked").sample(rng);
                1.0 / (1.0 + (-tau).exp())
            }
        }
    }
}

/// How to draw first values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// Biases, of cells and readout.
    pub bias: BiasInit,
    /// Thresholds.
    pub threshold: ThresholdInit,
}

impl Init {
    /// # Errors
    /// If a parameter of a distribution lies outside its range.
    pub fn check(&self) -> Result<()> {
        match self.threshold {
            ThresholdInit::Beta { mean } if !(mean > 0.0 && mean < 1.0) => {
                Err(Error::setting("threshold-mean", "a number in (0, 1)", mean))
            }
            ThresholdInit::Logistic { mean, std } if !(mean.is_finite() && std.is_finite() && std >= 0.0) => {
                Err(Error::setting("threshold-mean", "a finite number", mean))
            }
            _ => Ok(()),
        }
    }

    /// Draws every kept parameter, block by block. Returns p values, at their places in the buffer.
    ///
    /// # Errors
    /// As [`Init::check`].
    pub fn draw<T: Real>(&self, layout: &Layout, rng: &mut impl Rng) -> Result<Vec<T>> {
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

    /// Draws one bias of a layer of `units`.
    pub fn bias(&self, units: usize, rng: &mut impl Rng) -> f64 {
        match self.bias {
            BiasInit::Zero => 0.0,
            BiasInit::Uniform => rng.random_range(-1.0..1.0) / (units as f64).sqrt(),
        }
    }
}

/// The Glorot-normal standard deviation of a block, on the fans that are left.
fn glorot(block: &Block) -> f64 {
    let kept = block.kept.len() as f64;
    let (rows, cols) = block.spec.shape();
    let fans = kept / rows as f64 + kept / cols as f64;
    if fans == 0.0 { 0.0 } else { (2.0 / fans).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{BlockSpec, MaskSpec, Purpose, generator};

    #[test]
    fn scale_follows_the_fan_in_that_is_left() {
        let spec =
            BlockSpec { name: "w".into(), kind: Kind::Recurrent, layer: 0, rows: 0..200, cols: 1..201 };
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
    fn thresholds_have_the_asked_mean_and_stay_inside() {
        let mut rng = generator(3, Purpose::Init);
        let init = ThresholdInit::Beta { mean: 0.1 };
        let drawn: Vec<f64> = (0..4000).map(|_| init.sample(&mut rng)).collect();
        assert!(drawn.iter().all(|t| (0.0..=1.0).contains(t)));
        assert!((drawn.iter().sum::<f64>() / 4000.0 - 0.1).abs() < 0.01);
        let bad = Init { threshold: ThresholdInit::Beta { mean: 1.0 }, ..Default::default() };
        assert!(bad.check().is_err());
    }

    /// Weights of wide and narrow blocks have the variance 2 / (fan-in + fan-out), biases lie within ±1/√n, or are zero.
    #[test]
    fn weights_and_biases_have_the_asked_spread() {
        let block =
            |name: &str, kind, rows, cols| BlockSpec { name: name.into(), kind, layer: 0, rows, cols };
        let specs = [
            block("x", Kind::Input, 0..400, 1..21),
            block("y", Kind::Recurrent, 400..440, 1..301),
            block("b", Kind::Bias, 0..400, 0..1),
            block("t", Kind::Threshold, 400..440, 0..1),
        ];
        let mask = MaskSpec { sparsity: 0.5, ..Default::default() };
        let kept = mask.draw(&specs, &mut generator(1, Purpose::Mask)).unwrap();
        let layout = Layout::new(440, 301, &specs, &kept);
        for bias in [BiasInit::Zero, BiasInit::Uniform] {
            let init = Init { bias, ..Default::default() };
            let w: Vec<f64> = init.draw(&layout, &mut generator(1, Purpose::Init)).unwrap();
            let of = |name: &str| -> Vec<f64> {
                layout.block(name).unwrap().places.iter().map(|&place| w[place]).collect()
            };
            let power = |values: &[f64]| values.iter().map(|w| w * w).sum::<f64>() / values.len() as f64;
            // 8,000 weights, fans 20 and 400; 6,000 of 12,000, fans 150 and 20.
            assert!((power(&of("x")) * 420.0 / 2.0 - 1.0).abs() < 0.06, "{}", power(&of("x")));
            assert!((power(&of("y")) * 170.0 / 2.0 - 1.0).abs() < 0.06, "{}", power(&of("y")));
            let largest = of("b").iter().fold(0.0f64, |m, b| m.max(b.abs()));
            match bias {
                BiasInit::Zero => assert_eq!(largest, 0.0),
                BiasInit::Uniform => {
                    assert!((0.95..1.0).contains(&(largest * 20.0)), "{largest}");
                    assert!((power(&of("b")) * 400.0 * 3.0 - 1.0).abs() < 0.15);
                    assert!(of("b").iter().sum::<f64>().abs() < 2.0, "of both signs");
                }
            }
            assert!(of("t").iter().all(|t| *t > 0.0 && *t < 1.0));
        }
    }

    /// Beta(a, b) with a = 3 and mean m has the variance m (1 − m) / (3/m + 1); the inverse of σ gives back a normal variable.
    #[test]
    fn thresholds_have_the_asked_spread() {
        let of = |init: ThresholdInit| -> Vec<f64> {
            let mut rng = generator(4, Purpose::Init);
            (0..20_000).map(|_| init.sample(&mut rng)).collect()
        };
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
        };
        for mean in [0.1, 0.5, 0.8] {
            let (found, variance) = moments(&of(ThresholdInit::Beta { mean }));
            assert!((found / mean - 1.0).abs() < 0.02, "{mean}: {found}");
            let expected = mean * (1.0 - mean) / (3.0 / mean + 1.0);
            assert!((variance / expected - 1.0).abs() < 0.05, "{mean}: {variance} for {expected}");
        }
        let drawn = of(ThresholdInit::Logistic { mean: -1.5, std: 0.4 });
        let (mean, variance) = moments(&drawn.iter().map(|t| (t / (1.0 - t)).ln()).collect::<Vec<_>>());
        assert!((mean + 1.5).abs() < 0.01 && (variance / 0.16 - 1.0).abs() < 0.05, "{mean}, {variance}");
    }

    #[test]
    fn distributions_out_of_range_are_errors() {
        let check = |threshold| Init { threshold, ..Default::default() }.check();
        for mean in [0.0, 1.0, -0.1, 1.1, f64::NAN] {
            assert!(check(ThresholdInit::Beta { mean }).is_err(), "{mean}");
        }
        for (mean, std) in
            [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (0.0, -0.1), (0.0, f64::NAN), (0.0, f64::INFINITY)]
        {
            assert!(check(ThresholdInit::Logistic { mean, std }).is_err(), "{mean}, {std}");
        }
        check(ThresholdInit::Logistic { mean: -7.0, std: 0.0 }).unwrap();
        check(ThresholdInit::Beta { mean: 1e-6 }).unwrap();
    }
}
