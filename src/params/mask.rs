//! Parameter masks. A mask is random, drawn at initialisation, and then fixed (RTRL paper, section
//! 6).

use super::rng::Generator;
use super::{Kind, ParamBlockSpec};
use crate::error::Result;
use crate::range::below_one;
use crate::sparse::Pattern;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Weights that a mask prunes. Biases and thresholds are always kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MaskOn {
    /// Recurrent weights only (RTRL paper, LM paper).
    #[default]
    Recurrent,
    /// Recurrent and input weights.
    All,
}

impl MaskOn {
    /// Returns the kinds of blocks that are pruned.
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Recurrent => &[Kind::Recurrent],
            Self::All => &[Kind::Recurrent, Kind::Input],
        }
    }
}

/// Whether the gates of a unit share one mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MaskSharing {
    /// An independent mask for every gate.
    #[default]
    Gate,
    /// One mask per connection: a pair of units is connected in every gate or in none.
    Connection,
}

/// Specification of masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskSpec {
    /// ω, the share of weights that are pruned, in [0, 1).
    pub sparsity: f64,
    /// Weights that are pruned.
    pub on: MaskOn,
    /// Whether the gates of a unit share one mask.
    pub sharing: MaskSharing,
}

impl MaskSpec {
    /// Checks the parameter sparsity.
    ///
    /// # Errors
    /// If ω is outside [0, 1).
    pub fn check(&self) -> Result<()> {
        below_one("param-sparsity", self.sparsity)
    }

    /// Draws the kept entries of every block: `round((1 − ω) · rows · cols)` of a block that is
    /// pruned, uniformly without replacement, and all entries of other blocks.
    ///
    /// # Errors
    /// If ω is outside [0, 1).
    pub fn draw(&self, blocks: &[ParamBlockSpec], rng: &mut Generator) -> Result<Vec<Pattern>> {
        self.check()?;
        let mut shared: HashMap<(usize, Kind), Pattern> = HashMap::new();
        let mut draw = |block: &ParamBlockSpec| {
            let (rows, cols) = block.shape();
            if self.sparsity == 0.0 || !self.on.kinds().contains(&block.kind) {
                return Pattern::full(rows, cols);
            }
            let key = (block.layer, block.kind);
            if let (MaskSharing::Connection, Some(known)) = (self.sharing, shared.get(&key)) {
                return known.clone();
            }
            let keep = ((1.0 - self.sparsity) * (rows * cols) as f64).round() as usize;
            let chosen = rand::seq::index::sample(rng, rows * cols, keep);
            let kept = Pattern::new(rows, cols, chosen.iter().map(|k| (k / cols, k % cols)).collect());
            shared.insert(key, kept.clone());
            kept
        };
        Ok(blocks.iter().map(&mut draw).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Purpose, generator};

    fn blocks() -> Vec<ParamBlockSpec> {
        let spec = |name: &str, kind, gate: usize, cols| {
            let rows = 10 * gate..10 * (gate + 1);
            ParamBlockSpec { name: name.into(), kind, layer: 0, rows, cols }
        };
        vec![
            spec("wu_x", Kind::Input, 0, 1..4),
            spec("wu_y", Kind::Recurrent, 0, 4..14),
            spec("wz_y", Kind::Recurrent, 1, 4..14),
            spec("bu", Kind::Bias, 0, 0..1),
        ]
    }

    fn drawn(spec: MaskSpec) -> Vec<Vec<(usize, usize)>> {
        let kept = spec.draw(&blocks(), &mut generator(7, Purpose::Mask)).unwrap();
        kept.iter().map(|p| p.entries().collect()).collect()
    }

    #[test]
    fn mask_draw_keeps_the_given_share_of_the_given_blocks() {
        let spec = MaskSpec { sparsity: 0.9, ..Default::default() };
        let kept = drawn(spec);
        assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [30, 10, 10, 10]);
        assert_ne!(kept[1], kept[2], "masks per gate are independent");
        assert_eq!(kept, drawn(spec), "the same seed draws the same mask");
        let all = drawn(MaskSpec { on: MaskOn::All, ..spec });
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [3, 10, 10, 10]);
    }

    #[test]
    fn mask_shared_by_connection_is_the_same_in_every_gate() {
        let kept = drawn(MaskSpec { sparsity: 0.5, sharing: MaskSharing::Connection, ..Default::default() });
        assert_eq!(kept[1], kept[2]);
    }

    #[test]
    fn mask_with_sparsity_out_of_range_is_an_error() {
        for sparsity in [1.0, -0.1, f64::NAN] {
            let spec = MaskSpec { sparsity, ..Default::default() };
            let message = spec.draw(&blocks(), &mut generator(0, Purpose::Mask)).unwrap_err().to_string();
            assert!(message.contains("[0, 1)"), "{message}");
        }
    }

    /// In a block of 7 × 3 = 21 entries the kept number is rounded to the nearest integer, and all
    /// entries are equally likely.
    #[test]
    fn mask_draw_rounds_the_kept_number_and_is_uniform() {
        let block =
            ParamBlockSpec { name: "w".into(), kind: Kind::Recurrent, layer: 0, rows: 2..9, cols: 4..7 };
        for (sparsity, kept) in [(0.9, 2), (0.88, 3), (0.5, 11), (0.49, 11), (0.98, 0), (0.05, 20)] {
            let spec = MaskSpec { sparsity, ..Default::default() };
            let drawn = spec.draw(std::slice::from_ref(&block), &mut generator(1, Purpose::Mask)).unwrap();
            assert_eq!((drawn[0].rows(), drawn[0].cols(), drawn[0].len()), (7, 3, kept), "ω = {sparsity}");
        }
        let (mut counts, mut rng) = ([[0u32; 3]; 7], generator(2, Purpose::Mask));
        let spec = MaskSpec { sparsity: 2.0 / 3.0, ..Default::default() };
        for _ in 0..1200 {
            let drawn = spec.draw(std::slice::from_ref(&block), &mut rng).unwrap();
            drawn[0].entries().for_each(|(i, j)| counts[i][j] += 1);
        }
        // A third of 1200, ±16.
        assert!(counts.iter().flatten().all(|n| (320..480).contains(n)), "{counts:?}");
    }

    #[test]
    fn mask_shared_by_connection_differs_by_layer_and_kind() {
        let block = |kind, layer| ParamBlockSpec { name: String::new(), kind, layer, rows: 0..8, cols: 0..8 };
        let kinds = [Kind::Input, Kind::Recurrent, Kind::Input, Kind::Recurrent];
        let blocks: Vec<_> = [0, 1].iter().flat_map(|layer| kinds.map(|kind| block(kind, *layer))).collect();
        let spec = MaskSpec { sparsity: 0.5, on: MaskOn::All, sharing: MaskSharing::Connection };
        let draw = |spec: MaskSpec| -> Vec<Vec<_>> {
            let drawn = spec.draw(&blocks, &mut generator(3, Purpose::Mask)).unwrap();
            drawn.iter().map(|pattern| pattern.entries().collect()).collect()
        };
        let shared = draw(spec);
        for (a, b) in [(0, 2), (1, 3), (4, 6), (5, 7)] {
            assert_eq!(shared[a], shared[b]);
        }
        let different = |masks: &[Vec<_>], of: &[usize]| {
            of.iter().enumerate().all(|(k, a)| of[..k].iter().all(|b| masks[*a] != masks[*b]))
        };
        assert!(different(&shared, &[0, 1, 4, 5]));
        assert!(different(&draw(MaskSpec { sharing: MaskSharing::Gate, ..spec }), &[0, 1, 2, 3, 4, 5, 6, 7]));
    }

    #[test]
    fn mask_by_default_prunes_nothing() {
        let MaskSpec { sparsity, on, sharing } = MaskSpec::default();
        assert_eq!((sparsity, on, sharing), (0.0, MaskOn::Recurrent, MaskSharing::Gate));
        assert_eq!(MaskOn::Recurrent.kinds(), [Kind::Recurrent]);
        assert_eq!(MaskOn::All.kinds(), [Kind::Recurrent, Kind::Input]);
        assert!(MaskSpec { sparsity: 0.999_999, ..Default::default() }.check().is_ok());
    }
}
