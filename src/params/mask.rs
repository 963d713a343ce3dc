//! Parameter masks: fixed, random, drawn once at initialisation (RTRL paper, section 6).

use super::{BlockSpec, Kind};
use crate::error::{Error, Result};
use crate::sparse::Pattern;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which weights a mask prunes. Biases and thresholds are always kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskOn {
    /// Recurrent weights only, as in the papers.
    #[default]
    Recurrent,
    /// Recurrent and input weights.
    All,
}

impl MaskOn {
    /// The kinds of blocks that are pruned.
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
pub enum MaskSharing {
    /// An independent mask for every gate.
    #[default]
    Gate,
    /// One mask per connection: a pair of units is connected in every gate or in none.
    Connection,
}

/// How to draw masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskSpec {
    /// ω, the share of weights that is pruned; in [0, 1).
    pub sparsity: f64,
    /// Which weights.
    pub on: MaskOn,
    /// Whether gates share.
    pub sharing: MaskSharing,
}

impl MaskSpec {
    /// # Errors
    /// If ω lies outside [0, 1).
    pub fn check(&self) -> Result<()> {
        match (0.0..1.0).contains(&self.sparsity) {
            true => Ok(()),
            false => Err(Error::setting("param-sparsity", "a number in [0, 1)", self.sparsity)),
        }
    }

    /// Draws the kept entries of every block: exactly `round((1 − ω) · size)` of a pruned block, uniformly
    /// without replacement, and all of any other.
    ///
    /// # Errors
    /// If ω lies outside [0, 1).
    pub fn draw(&self, blocks: &[BlockSpec], rng: &mut impl Rng) -> Result<Vec<Pattern>> {
        self.check()?;
        let mut shared: HashMap<(usize, Kind), Pattern> = HashMap::new();
        let mut draw = |block: &BlockSpec| {
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

    fn blocks() -> Vec<BlockSpec> {
        let spec = |name: &str, kind, gate: usize, cols| {
            let rows = 10 * gate..10 * (gate + 1);
            BlockSpec { name: name.into(), kind, layer: 0, rows, cols }
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
    fn keeps_the_asked_share_of_the_asked_blocks() {
        let spec = MaskSpec { sparsity: 0.9, ..Default::default() };
        let kept = drawn(spec);
        assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [30, 10, 10, 10]);
        assert_ne!(kept[1], kept[2], "masks per gate are independent");
        assert_eq!(kept, drawn(spec), "one seed, one mask");
        let all = drawn(MaskSpec { on: MaskOn::All, ..spec });
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [3, 10, 10, 10]);
    }

    #[test]
    fn a_connection_is_there_in_every_gate_or_in_none() {
        let kept = drawn(MaskSpec { sparsity: 0.5, sharing: MaskSharing::Connection, ..Default::default() });
        assert_eq!(kept[1], kept[2]);
    }

    #[test]
    fn a_share_outside_the_range_is_an_error() {
        for sparsity in [1.0, -0.1, f64::NAN] {
            let spec = MaskSpec { sparsity, ..Default::default() };
            let said = spec.draw(&blocks(), &mut generator(0, Purpose::Mask)).unwrap_err().to_string();
            assert!(said.contains("[0, 1)"), "{said}");
        }
    }

    /// Gates of one layer and one kind share; other layers and kinds draw their own.
    #[test]
    fn connections_are_shared_within_a_layer_and_a_kind_only() {
        let spec = |layer, kind, k: usize| BlockSpec {
            name: format!("{layer}.{k}"),
            kind,
            layer,
            rows: 8 * k..8 * (k + 1),
            cols: 0..8,
        };
        let kinds = [(0, Kind::Recurrent), (0, Kind::Recurrent), (0, Kind::Input), (0, Kind::Input)];
        let mut blocks: Vec<_> = kinds.iter().enumerate().map(|(k, &(l, kind))| spec(l, kind, k)).collect();
        blocks.extend([spec(1, Kind::Recurrent, 4), spec(1, Kind::Recurrent, 5)]);
        let mask = MaskSpec { sparsity: 0.5, on: MaskOn::All, sharing: MaskSharing::Connection };
        let kept = mask.draw(&blocks, &mut generator(7, Purpose::Mask)).unwrap();
        let kept: Vec<Vec<_>> = kept.iter().map(|p| p.entries().collect()).collect();
        assert!(kept[0] == kept[1] && kept[2] == kept[3] && kept[4] == kept[5]);
        assert!(kept[0] != kept[2] && kept[0] != kept[4] && kept[2] != kept[4]);
        let apart = MaskSpec { sharing: MaskSharing::Gate, ..mask };
        let kept = apart.draw(&blocks, &mut generator(7, Purpose::Mask)).unwrap();
        assert!(!kept[2].entries().eq(kept[3].entries()));
    }

    /// `round((1 − ω) · size)`: halves are rounded up, anything below to zero.
    #[test]
    fn number_kept_is_rounded_to_the_nearest() {
        let count = |sparsity, rows, cols| {
            let spec =
                BlockSpec { name: "w".into(), kind: Kind::Recurrent, layer: 0, rows: 0..rows, cols: 0..cols };
            let mask = MaskSpec { sparsity, ..Default::default() };
            let kept = mask.draw(&[spec], &mut generator(3, Purpose::Mask)).unwrap();
            assert_eq!((kept[0].rows(), kept[0].cols()), (rows, cols));
            kept[0].len()
        };
        assert_eq!(count(0.5, 3, 3), 5);
        assert_eq!(count(0.75, 3, 3), 2);
        assert_eq!(count(0.7, 3, 7), 6);
        assert_eq!(count(0.99, 3, 7), 0);
        assert_eq!(count(0.0, 3, 7), 21);
    }

    /// Every entry of a rectangle is as likely as any other.
    #[test]
    fn entries_are_kept_uniformly() {
        let spec = BlockSpec { name: "w".into(), kind: Kind::Recurrent, layer: 0, rows: 0..3, cols: 0..5 };
        let mask = MaskSpec { sparsity: 0.6, ..Default::default() };
        let (mut rng, mut counts) = (generator(5, Purpose::Mask), [[0u32; 5]; 3]);
        for _ in 0..3000 {
            let kept = mask.draw(std::slice::from_ref(&spec), &mut rng).unwrap();
            kept[0].entries().for_each(|(i, j)| counts[i][j] += 1);
        }
        // 1,200 on average, with a deviation of 27.
        assert!(counts.as_flattened().iter().all(|n| (1065..1335).contains(n)), "{counts:?}");
    }
}
