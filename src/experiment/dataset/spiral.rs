//! The spiral task (RTRL paper, section 6): classification of spirals by their sense of rotation,
//!
//! `x_t = (± sin(τ_t + φ), cos(τ_t + φ)) / (1 + τ_t)`,  `τ = linspace(0, 2π, 17)`,  `φ ~ U[0, 2π)`.
//!
//! The sign is the class. There are 10,000 training, 2,000 test and 2,000 held-out sequences of 17
//! steps with two inputs. All sequences differ, also after rounding to single precision.

use super::{Dataset, DatasetOptions, Sequence};
use crate::params::{Purpose, generator};
use crate::scalar::Real;
use rand::RngExt;
use std::collections::HashSet;
use std::f64::consts::TAU;

/// Steps of a spiral.
const STEPS: usize = 17;
const TRAIN: usize = 10_000;
const TEST: usize = 2_000;
/// Drawn last, so that the others do not depend on them.
const HELD_OUT: usize = 2_000;

/// Returns the spiral with offset φ and class `class`, two values per step.
fn spiral(offset: f64, class: usize) -> Vec<f64> {
    let sign = if class == 1 { -1.0 } else { 1.0 };
    let point = |k: usize| {
        let t = TAU * k as f64 / (STEPS - 1) as f64;
        let (sin, cos) = (t + offset).sin_cos();
        [sign * sin / (1.0 + t), cos / (1.0 + t)]
    };
    (0..STEPS).flat_map(point).collect()
}

/// Draws the dataset of a seed.
pub(super) fn draw<T: Real>(seed: u64, _: &DatasetOptions) -> Dataset<T> {
    let mut rng = generator(seed, Purpose::Data);
    let mut seen = HashSet::new();
    let mut sequences = Vec::with_capacity(TRAIN + TEST + HELD_OUT);
    while sequences.len() < TRAIN + TEST + HELD_OUT {
        let (class, offset) = (usize::from(rng.random_bool(0.5)), rng.random_range(0.0..TAU));
        let points = spiral(offset, class);
        if seen.insert(points.iter().map(|&x| (x as f32).to_bits()).collect::<Vec<_>>()) {
            let inputs = points.into_iter().map(T::of).collect();
            sequences.push(Sequence {
                inputs,
                width: 2,
                classes: vec![Some(class); STEPS],
                judged_from: STEPS - 1,
            });
        }
    }
    let held_out = sequences.split_off(TRAIN + TEST);
    let test = sequences.split_off(TRAIN);
    Dataset { inputs: 2, classes: 2, train: sequences, test, held_out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn spiral_points_equal_values_by_hand() {
        let points = spiral(0.5, 0);
        assert_relative_eq!(points[..2], [0.5f64.sin(), 0.5f64.cos()]);
        // A quarter turn later: sin(π/2 + φ) = cos φ, and cos(π/2 + φ) = −sin φ.
        let shrunk = 1.0 + TAU / 4.0;
        let quarter = [0.5f64.cos() / shrunk, -(0.5f64.sin()) / shrunk];
        assert_relative_eq!(points[8..10], quarter, epsilon = 1e-15);
        let mirrored = spiral(0.5, 1);
        for k in 0..STEPS {
            assert_eq!((mirrored[2 * k], mirrored[2 * k + 1]), (-points[2 * k], points[2 * k + 1]));
        }
    }

    #[test]
    fn spiral_samples_are_distinct_and_balanced() {
        let data = draw::<f32>(3, &DatasetOptions::default());
        assert_eq!((data.train.len(), data.test.len(), data.held_out.len()), (TRAIN, TEST, HELD_OUT));
        let bits = |s: &Sequence<f32>| s.inputs.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let all: HashSet<_> = data.train.iter().chain(&data.test).chain(&data.held_out).map(bits).collect();
        assert_eq!(all.len(), TRAIN + TEST + HELD_OUT);
        let ones = data.train.iter().filter(|s| s.classes[0] == Some(1)).count();
        assert!((4_700..5_300).contains(&ones), "{ones}");
        assert_eq!(
            data.train[0],
            draw::<f32>(3, &DatasetOptions::default()).train[0],
            "the same seed draws the same dataset"
        );
        assert_ne!(data.train[0], draw::<f32>(4, &DatasetOptions::default()).train[0]);
    }

    /// Spirals are drawn in the order training, test, held out. This seed draws no repetition.
    #[test]
    fn spiral_draw_yields_training_sequences_first_and_held_out_ones_last() {
        let (data, mut rng) = (draw::<f64>(9, &DatasetOptions::default()), generator(9, Purpose::Data));
        let drawn: Vec<Vec<f64>> = (0..TRAIN + TEST + HELD_OUT)
            .map(|_| {
                let class = usize::from(rng.random_bool(0.5));
                spiral(rng.random_range(0.0..TAU), class)
            })
            .collect();
        for (sequences, first) in [(&data.train, 0), (&data.test, TRAIN), (&data.held_out, TRAIN + TEST)] {
            for (k, sequence) in sequences.iter().enumerate() {
                assert_eq!(sequence.inputs, drawn[first + k], "sequence {k} of those from {first} on");
            }
        }
    }

    /// The points determine the sense of rotation: class 0 turns from the second axis to the first.
    #[test]
    fn spiral_sequence_has_the_points_of_its_class_and_is_judged_at_its_end() {
        let data = draw::<f64>(2, &DatasetOptions::default());
        for sequence in
            data.train.iter().take(200).chain(data.test.iter().take(50)).chain(data.held_out.iter().take(50))
        {
            assert_eq!((sequence.steps(), sequence.judged_from, sequence.width), (17, 16, 2));
            let class = sequence.classes[0].unwrap();
            assert!(sequence.classes.iter().all(|of| *of == Some(class)));
            for t in 0..16 {
                let (a, b) = (sequence.input(t), sequence.input(t + 1));
                let turn = a[0] * b[1] - a[1] * b[0];
                assert_eq!(usize::from(turn > 0.0), class, "step {t}");
            }
            for t in 0..17 {
                let tau = TAU * t as f64 / 16.0;
                let length = sequence.input(t).iter().map(|x| x * x).sum::<f64>().sqrt();
                assert_relative_eq!(length, 1.0 / (1.0 + tau), max_relative = 1e-12);
            }
        }
        // Offsets of one class lie in all four quadrants.
        let quadrant = |s: &&Sequence<f64>| (s.input(0)[0] > 0.0, s.input(0)[1] > 0.0);
        for of in [(true, true), (true, false), (false, true), (false, false)] {
            let class = data.train.iter().filter(|s| s.classes[0] == Some(0));
            let count = class.filter(|s| quadrant(s) == of).count();
            assert!((1_080..1_420).contains(&count), "{of:?}: {count}");
        }
    }
}
