//! The effective MACs of a token in closed form, as the LM paper counts them.

use super::spec::{LmCell, LmSpec};
use serde::{Deserialize, Serialize};

/// Shares of zeros, between 0 and 1, in the mean over tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LmSparsity {
    /// Of the embedded tokens.
    pub embedded: f64,
    /// Activity sparsity α: of the emissions y_t of each layer.
    pub activity: Vec<f64>,
    /// Of the emissions y_{t−1} of each layer. Over a long text this is `activity`. In a window, the
    /// emissions before it count and those of its last step do not.
    pub previous: Vec<f64>,
    /// Parameter sparsity ω of the recurrent weights.
    pub recurrent_weights: f64,
}

impl LmSparsity {
    /// A dense input, the activity sparsity of each layer, and dense weights.
    pub fn of_layers(activity: &[f64]) -> Self {
        let (activity, previous) = (activity.to_vec(), activity.to_vec());
        Self { embedded: 0.0, activity, previous, recurrent_weights: 0.0 }
    }
}

/// Effective MACs of one layer for one token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LmLayerMacs {
    /// Product with the layer below, or with the embedded token.
    pub input: f64,
    /// Product with the emissions of the last token.
    pub recurrent: f64,
}

/// Effective MACs of one token: those of products whose source is not zero.
///
/// For layers of n_1 … n_L units, n_0 = E, activity sparsities α_1 … α_L and G gates (EGRU and GRU
/// 3, LSTM 4):
///
/// | product | MACs |
/// |---|---|
/// | embedded token → layer 1 | `G n_0 n_1 (1 − embedded)` |
/// | layer l − 1 → layer l | `G n_{l−1} n_l (1 − α_{l−1})` |
/// | recurrent | `G n_l² (1 − α_l) (1 − ω)` |
/// | softmax | `E V (1 − α_L)` |
///
/// [`WindowReport::macs`](super::WindowReport::macs) counts the same products while they are
/// computed, except that pruned weights (ω) are not skipped. Products of units with gates, and the
/// lookup of the embedded token, are not counted.
///
/// # The numbers of the LM paper
///
/// The EGRU for Penn Treebank has E = 750, layers of 1350, 1350 and 750 units, and V = 10,000:
///
/// `3.0375 + 10.935 (1 − α_1) + 8.505 (1 − α_2) + 9.1875 (1 − α_3)` million MACs, 31.665 M dense.
///
/// The paper states 7.3 M and an activity sparsity of 83.0 %, but no sparsities of layers. With 83 %
/// in every layer, the sum is 7.90 M. Layers of 85.8 %, 73.5 % and 95.0 % give 7.30 M and 83.0 % of
/// all units. This is one solution of many: those with 7.3 M and 83 % reach from 100 %, 63.6 % and
/// 87.3 % to 76.6 %, 79.9 % and 100 %. In all of them, the second layer is the most active one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectiveMacs {
    /// The layers from the input up.
    pub layers: Vec<LmLayerMacs>,
    /// Product of the emissions of the last layer and the embedding.
    pub softmax: f64,
}

impl EffectiveMacs {
    /// Computes the effective MACs of a token.
    ///
    /// # Panics
    /// If there is not one sparsity per layer, or the specification has no layer.
    pub fn new(spec: &LmSpec, sparsity: &LmSparsity) -> Self {
        let layers = spec.sizes.len();
        for own in [&sparsity.activity, &sparsity.previous] {
            assert_eq!(own.len(), layers, "there must be one activity sparsity per layer");
        }
        let gates = if spec.cell == LmCell::Lstm { 4.0 } else { 3.0 };
        let active = |units: usize, sparsity: f64| units as f64 * (1.0 - sparsity);
        let mut below = active(spec.embedding, sparsity.embedded);
        let mut all = Vec::with_capacity(layers);
        for ((&n, &now), &previous) in spec.sizes.iter().zip(&sparsity.activity).zip(&sparsity.previous) {
            let width = gates * n as f64;
            all.push(LmLayerMacs {
                input: width * below,
                recurrent: width * active(n, previous) * (1.0 - sparsity.recurrent_weights),
            });
            below = active(n, now);
        }
        assert!(layers > 0, "there must be at least one layer");
        Self { layers: all, softmax: spec.vocabulary as f64 * below }
    }

    /// Computes the MACs of a token without skipping.
    ///
    /// # Panics
    /// If the specification has no layer.
    pub fn dense(spec: &LmSpec) -> Self {
        Self::new(spec, &LmSparsity::of_layers(&vec![0.0; spec.sizes.len()]))
    }

    /// Returns the sum over layers and softmax.
    pub fn total(&self) -> f64 {
        self.layers.iter().map(|layer| layer.input + layer.recurrent).sum::<f64>() + self.softmax
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::ResetGate;
    use crate::lm::{LanguageModel, LmLayout, LmState, Mode, Window};
    use crate::params::{Purpose, generator};
    use approx::assert_abs_diff_eq;
    use rand::RngExt;

    const BATCH: usize = 2;

    /// The shares of zeros of `counts` nonzero emissions per layer over `tokens` tokens.
    fn zeros(counts: &[u64], tokens: u64, sizes: &[usize]) -> Vec<f64> {
        let share = |(&count, &n): (&u64, &usize)| 1.0 - count as f64 / (tokens * n as u64) as f64;
        counts.iter().zip(sizes).map(share).collect()
    }

    fn check_window(spec: &LmSpec) {
        let mut rng = generator(9, Purpose::Data);
        let w: Vec<f64> = (0..LmLayout::new(spec).len).map(|_| 2.0 * rng.random::<f64>() - 1.0).collect();
        let mut model = LanguageModel::new(spec, Mode::Auto).unwrap();
        let mut state = LmState::new(spec, BATCH);
        for steps in [3, 5] {
            let tokens: Vec<u32> =
                (0..(steps + 1) * BATCH).map(|_| rng.random_range(0..spec.vocabulary as u32)).collect();
            let nonzero = |y: &[f64]| y.iter().filter(|&&y| y != 0.0).count() as u64;
            let mut previous: Vec<u64> = state.layers.iter().map(|layer| nonzero(&layer.y)).collect();
            let window = Window { tokens: &tokens, dropout: None };
            let report = model.window(&w, &mut state, window, None);
            for events in &model.events()[..steps - 1] {
                previous.iter_mut().zip(events).for_each(|(sum, events)| *sum += events);
            }
            let sparsity = LmSparsity {
                previous: zeros(&previous, report.tokens, &spec.sizes),
                ..LmSparsity::of_layers(&zeros(&report.events, report.tokens, &spec.sizes))
            };
            let count = |macs: EffectiveMacs| (macs.total() * report.tokens as f64).round() as u64;
            let expected = (count(EffectiveMacs::new(spec, &sparsity)), count(EffectiveMacs::dense(spec)));
            assert_eq!(report.macs, expected, "{spec:?}, {steps} steps");
            assert!(report.macs.0 < report.macs.1 || spec.cell != LmCell::Egru, "some units are inactive");
        }
    }

    #[test]
    fn closed_form_with_measured_activity_equals_counted_macs() {
        for cell in [LmCell::Egru, LmCell::Gru, LmCell::Lstm] {
            for reset_gate in [ResetGate::After, ResetGate::Before] {
                let mut spec = LmSpec { cell, ..LmSpec::new(17, 6, vec![9, 7, 6]) };
                spec.config.reset_gate = reset_gate;
                check_window(&spec);
            }
        }
    }

    #[test]
    fn macs_of_the_paper_model_are_those_of_its_first_table() {
        let spec = LmSpec::new(10_000, 750, vec![1350, 1350, 750]);
        let millions =
            |activity: &[f64]| EffectiveMacs::new(&spec, &LmSparsity::of_layers(activity)).total() / 1e6;
        assert_eq!(EffectiveMacs::dense(&spec).total(), 31.665e6);
        assert_abs_diff_eq!(millions(&[0.83; 3]), 7.90, epsilon = 0.005);
        for activity in [[0.858, 0.735, 0.95], [1.0, 0.636, 0.873], [0.766, 0.799, 1.0]] {
            assert_abs_diff_eq!(millions(&activity), 7.30, epsilon = 0.01);
            let units: f64 = activity.iter().zip(&spec.sizes).map(|(a, &n)| a * n as f64).sum();
            assert_abs_diff_eq!(units / 3450.0, 0.83, epsilon = 0.0005);
        }
    }

    #[test]
    fn pruned_weights_and_zero_inputs_reduce_their_products_only() {
        let spec = LmSpec::new(20, 8, vec![10, 8]);
        let activity = LmSparsity::of_layers(&[0.5, 0.75]);
        let all = EffectiveMacs::new(&spec, &activity);
        assert_eq!(all.layers[0], LmLayerMacs { input: 240.0, recurrent: 150.0 });
        assert_eq!(all.layers[1], LmLayerMacs { input: 120.0, recurrent: 48.0 });
        assert_eq!((all.softmax, all.total()), (40.0, 598.0));
        let sparsity = LmSparsity { recurrent_weights: 0.5, embedded: 0.25, ..activity };
        let less = EffectiveMacs::new(&spec, &sparsity);
        assert_eq!(less.layers[0], LmLayerMacs { input: 180.0, recurrent: 75.0 });
        assert_eq!(less.layers[1], LmLayerMacs { input: 120.0, recurrent: 24.0 });
        assert_eq!(less.softmax, 40.0);
    }

    #[test]
    #[should_panic(expected = "one activity sparsity per layer")]
    fn new_with_too_few_sparsities_panics() {
        EffectiveMacs::new(&LmSpec::new(20, 8, vec![10, 8]), &LmSparsity::of_layers(&[0.5]));
    }
}
