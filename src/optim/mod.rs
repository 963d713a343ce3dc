//! Optimisers: weight updates from a gradient, on flat parameter buffers.
//!
//! To add an optimiser, write its file and add it to [`registry`]. [`Rls`] and [`Kalman`] are
//! trainers for a single pass over a stream. They need more than a gradient: [`Rls`] needs the
//! features of the readout, [`Kalman`] the derivatives ∂o/∂w of all outputs.

mod adam;
mod amsgrad;
mod covariance;
mod kalman;
mod rls;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use amsgrad::Amsgrad;
pub use kalman::Kalman;
pub use rls::Rls;
pub use schedule::{ScheduleEntry, find_schedule, schedules};
pub use sgd::Sgd;

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::scalar::{Real, compiled_once};

/// An update of parameters by a gradient.
pub trait Optimiser<T: Real>: Send {
    /// Updates `w` in place. Does not allocate.
    ///
    /// # Panics
    /// If `w` or `gradient` does not have n entries, the number given when the optimiser was
    /// created.
    fn update(&mut self, w: &mut [T], gradient: &[T]);

    /// Sets the learning rate η of subsequent updates.
    fn set_rate(&mut self, rate: f64);

    /// Writes the state to an archive, or restores it.
    ///
    /// # Errors
    /// If the archive holds a state of another size.
    fn archive(&mut self, archive: &mut Archive) -> Result<()>;
}

/// An optimiser in the [`registry`], selected by name.
pub struct OptimiserEntry<T> {
    /// Name on the command line and in configurations.
    pub name: &'static str,
    /// Description for `--help`, one line.
    pub about: &'static str,
    /// Creates an optimiser for n parameters with learning rate η.
    pub build: fn(usize, f64) -> Box<dyn Optimiser<T>>,
}

/// Returns all optimisers.
pub fn registry<T: Real>() -> Vec<OptimiserEntry<T>> {
    compiled_once(in_single, in_double)
}

#[inline(never)]
fn in_single() -> Vec<OptimiserEntry<f32>> {
    all()
}

#[inline(never)]
fn in_double() -> Vec<OptimiserEntry<f64>> {
    all()
}

fn all<T: Real>() -> Vec<OptimiserEntry<T>> {
    vec![
        OptimiserEntry {
            name: "adam",
            about: "adaptive moments (Kingma & Ba 2015)",
            build: |n, rate| Box::new(Adam::new(n, rate)),
        },
        OptimiserEntry {
            name: "amsgrad",
            about: "Adam with non-decreasing second moments (Reddi, Kale & Kumar 2018)",
            build: |n, rate| Box::new(Amsgrad::new(n, rate)),
        },
        OptimiserEntry {
            name: "sgd",
            about: "gradient descent",
            build: |n, rate| Box::new(Sgd::new(n, rate)),
        },
    ]
}

/// Returns the optimiser called `name`.
///
/// # Errors
/// If no optimiser has that name.
pub fn find<T: Real>(name: &str) -> Result<OptimiserEntry<T>> {
    let known = registry::<T>();
    let names: Vec<_> = known.iter().map(|o| o.name).collect();
    known
        .into_iter()
        .find(|o| o.name == name)
        .ok_or_else(|| Error::unknown("optimiser", name, names.into_iter()))
}

/// Clips a gradient to the Euclidean norm `limit`: `g ← g · min(1, limit / ‖g‖)`. Returns ‖g‖
/// before clipping. If ‖g‖ is not finite, the gradient is unchanged.
#[doc(hidden)]
pub fn clip<T: Real>(gradient: &mut [T], limit: Option<f64>) -> f64 {
    let norm = sum_of_squares(gradient).sqrt();
    if let Some(limit) = limit.filter(|limit| norm.is_finite() && norm > *limit) {
        let scale = T::of(limit / norm);
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}

/// Returns `Σ x²`. Always adds in eight partial sums, so that the result does not depend on the
/// machine's vector length.
fn sum_of_squares<T: Real>(values: &[T]) -> f64 {
    pulp::Arch::new().dispatch(|| {
        let mut sums = [0.0f64; 8];
        let (eights, rest) = values.as_chunks::<8>();
        for eight in eights {
            for (sum, x) in sums.iter_mut().zip(eight) {
                *sum += x.as_f64() * x.as_f64();
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|x| x.as_f64() * x.as_f64()).sum::<f64>()
    })
}

/// Returns the first value that is NaN or infinite, or `None` if all are finite.
#[doc(hidden)]
pub fn not_finite<T: Real>(values: &[T]) -> Option<f64> {
    // Without an early exit the compiler vectorises the loop over a chunk.
    let all = values.chunks(1024).all(|some| some.iter().fold(true, |so_far, x| so_far & x.is_finite()));
    if all { None } else { values.iter().find(|x| !x.is_finite()).map(|x| x.as_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn clip_above_the_limit_keeps_the_direction() {
        let mut g = [3.0, 4.0];
        assert_eq!(clip(&mut g, Some(10.0)), 5.0);
        assert_eq!(g, [3.0, 4.0]);
        assert_eq!(clip(&mut g, Some(1.0)), 5.0);
        assert_relative_eq!(g[..], [0.6, 0.8]);
        let mut bad = [f64::NAN, 1.0];
        assert!(clip(&mut bad, Some(1.0)).is_nan());
    }

    /// Lengths around multiples of eight, the number of partial sums.
    #[test]
    fn clip_of_any_length_returns_the_norm_and_scales_to_the_limit() {
        for n in 0..=33 {
            let values: Vec<f64> = (0..n).map(|k| (k + 1) as f64).collect();
            let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
            let mut g = values.clone();
            assert_relative_eq!(clip(&mut g, None), norm);
            assert_eq!(g, values);
            assert_relative_eq!(clip(&mut g, Some(0.5)), norm);
            for (g, value) in g.iter().zip(&values) {
                assert_relative_eq!(*g, value * 0.5 / norm, max_relative = 1e-12);
            }
            let mut single: Vec<f32> = values.iter().map(|x| *x as f32).collect();
            assert_relative_eq!(clip(&mut single, Some(1e9)), norm, max_relative = 1e-12);
        }
        let mut exact = [3.0, 4.0];
        clip(&mut exact, Some(5.0));
        assert_eq!(exact, [3.0, 4.0], "a gradient at the limit is unchanged");
        let mut bad = [f64::INFINITY, 1.0];
        assert_eq!(clip(&mut bad, Some(1.0)), f64::INFINITY);
        assert_eq!(bad, [f64::INFINITY, 1.0]);
    }

    #[test]
    fn not_finite_at_any_position_returns_the_first_such_value() {
        assert_eq!(not_finite::<f64>(&[]), None);
        for n in [1, 7, 1024, 1025, 2500] {
            assert_eq!(not_finite(&vec![1.0f32; n]), None);
            for at in [0, n / 2, n - 1] {
                for bad in [f64::INFINITY, f64::NEG_INFINITY] {
                    let mut values = vec![1.0; n];
                    values[at] = bad;
                    assert_eq!(not_finite(&values), Some(bad), "{at} of {n}");
                }
            }
        }
        assert!(not_finite(&[1.0, f64::NAN, f64::INFINITY]).unwrap().is_nan(), "the first one");
    }

    /// The update after `set_rate` is proportional to the new rate, with the same moments.
    #[test]
    fn optimiser_after_set_rate_moves_in_proportion_to_the_new_rate() {
        for entry in registry::<f64>() {
            let second = |rate: f64| {
                let mut optimiser = (entry.build)(2, 0.25);
                let mut w = [1.0, -1.0];
                optimiser.update(&mut w, &[2.0, 0.5]);
                let before = w;
                optimiser.set_rate(rate);
                optimiser.update(&mut w, &[1.0, 3.0]);
                [w[0] - before[0], w[1] - before[1]]
            };
            let (full, half) = (second(0.25), second(0.125));
            for k in 0..2 {
                assert!(full[k] != 0.0, "{}", entry.name);
                assert_relative_eq!(half[k], full[k] / 2.0, max_relative = 1e-12);
            }
        }
    }

    #[test]
    fn find_by_name_returns_an_optimiser_with_the_given_rate() {
        for (name, moved) in [("sgd", 0.5), ("adam", 0.25), ("amsgrad", 0.25)] {
            let mut optimiser = (find::<f64>(name).unwrap().build)(1, 0.25);
            let mut w = [1.0];
            optimiser.update(&mut w, &[2.0]);
            assert_relative_eq!(w[0], 1.0 - moved, max_relative = 1e-7);
        }
        assert_eq!(registry::<f64>().iter().map(|o| o.name).collect::<Vec<_>>(), ["adam", "amsgrad", "sgd"]);
        let message = find::<f64>("sdg").err().unwrap().to_string();
        assert!(message.contains("sdg") && message.contains("adam"), "{message}");
    }
}
