//! The copy task (S. Hochreiter & J. Schmidhuber 1997; A. Graves et al. 2014): reproduce a pattern
//! after a delay.
//!
//! A sequence has 2 × `length` + `delay` steps and three inputs. The first `length` steps contain
//! random symbols 0 or 1, one-hot in the first two inputs. At the `delay` steps that follow, all
//! inputs are zero. At the last `length` steps the third input, the cue, is 1, and the target class
//! is the symbol `length + delay` steps earlier. Only these steps have a target and count for
//! accuracy. Chance level is one half.
//!
//! There are `2^length` different sequences, so training and test set share patterns. The task
//! tests memory, not generalisation.

use super::{Dataset, DatasetOptions, Sequence};
use crate::params::{Generator, Purpose, generator};
use crate::scalar::Real;
use rand::RngExt;

const TRAIN: usize = 4_000;
const TEST: usize = 500;
/// Drawn last, so that the others do not depend on them.
const HELD_OUT: usize = 500;
const INPUTS: usize = 3;

fn sequence<T: Real>(options: &DatasetOptions, rng: &mut Generator) -> Sequence<T> {
    let DatasetOptions { length, delay } = *options;
    let steps = 2 * length + delay;
    let pattern: Vec<usize> = (0..length).map(|_| usize::from(rng.random_bool(0.5))).collect();
    let mut inputs = vec![T::zero(); steps * INPUTS];
    let mut classes = vec![None; steps];
    for (t, &symbol) in pattern.iter().enumerate() {
        inputs[t * INPUTS + symbol] = T::one();
        let recall = length + delay + t;
        inputs[recall * INPUTS + 2] = T::one();
        classes[recall] = Some(symbol);
    }
    Sequence { inputs, width: INPUTS, classes, judged_from: length + delay }
}

/// Draws the patterns of a seed.
pub(super) fn draw<T: Real>(seed: u64, options: &DatasetOptions) -> Dataset<T> {
    let mut rng = generator(seed, Purpose::Data);
    let mut some = |n: usize| (0..n).map(|_| sequence(options, &mut rng)).collect();
    Dataset { inputs: INPUTS, classes: 2, train: some(TRAIN), test: some(TEST), held_out: some(HELD_OUT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_sequence_has_the_shown_symbols_as_targets() {
        let options = DatasetOptions { length: 3, delay: 4 };
        let data = draw::<f32>(1, &options);
        assert_eq!((data.train.len(), data.test.len(), data.held_out.len()), (TRAIN, TEST, HELD_OUT));
        for sequence in &data.train[..50] {
            assert_eq!((sequence.steps(), sequence.judged_from), (10, 7));
            for t in 0..10 {
                let input = sequence.input(t);
                match t {
                    0..3 => assert_eq!(input[sequence.classes[t + 7].unwrap()], 1.0),
                    3..7 => assert_eq!(input, [0.0; 3]),
                    _ => assert_eq!(input, [0.0, 0.0, 1.0]),
                }
                assert_eq!(sequence.classes[t].is_some(), t >= 7);
            }
        }
        let ones = data.train.iter().filter(|s| s.classes[7] == Some(1)).count();
        assert!((1_800..2_200).contains(&ones), "{ones}");
    }

    #[test]
    fn copy_draw_yields_training_sequences_first_and_held_out_ones_last() {
        let options = DatasetOptions { length: 12, delay: 1 };
        let (data, mut rng) = (draw::<f32>(4, &options), generator(4, Purpose::Data));
        for expected in data.train.iter().chain(&data.test).chain(&data.held_out) {
            assert_eq!(*expected, sequence(&options, &mut rng));
        }
        assert_ne!(data.test[0], data.held_out[0]);
    }

    #[test]
    fn copy_without_delay_draws_uniform_patterns() {
        let options = DatasetOptions { length: 2, delay: 0 };
        let data = draw::<f64>(1, &options);
        let mut patterns = [0; 4];
        for sequence in data.train.iter().chain(&data.test) {
            assert_eq!((sequence.steps(), sequence.judged_from, sequence.width), (4, 2, 3));
            let symbols = [sequence.classes[2].unwrap(), sequence.classes[3].unwrap()];
            for (t, symbol) in symbols.into_iter().enumerate() {
                let mut shown = [0.0; 3];
                shown[symbol] = 1.0;
                assert_eq!((sequence.input(t), sequence.input(t + 2)), (&shown[..], &[0.0, 0.0, 1.0][..]));
            }
            patterns[2 * symbols[0] + symbols[1]] += 1;
        }
        assert!(patterns.iter().all(|n| (1_000..1_250).contains(n)), "a quarter of 4500 each: {patterns:?}");
        assert_eq!(data.train, draw::<f64>(1, &options).train, "the same seed draws the same dataset");
        assert_ne!(data.train, draw::<f64>(2, &options).train);
        assert_ne!(data.train[..500], data.test[..]);
    }
}
