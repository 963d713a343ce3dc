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
}
