//! Which parameters exist and where. All of them are entries of one sparse matrix,
//!
//! `s = W φ`,
//!
//! from *sources* φ (the constant 1, inputs, emissions) to *pre-activations* s. The parameter buffer is the
//! values of `W`, row-major; a named block is a rectangle of it; a masked parameter is an entry `W` does not have.

use crate::sparse::Pattern;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a block of parameters does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Weights from a layer's input.
    Input,
    /// Weights from a layer's own emissions.
    Recurrent,
    /// Added to a pre-activation.
    Bias,
    /// ϑ, kept in [0, 1].
    Threshold,
}

/// A block before its mask is known: a rectangle of `W`.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSpec {
    /// `layer0.wu_y` and the like.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// The layer it belongs to, from 0.
    pub layer: usize,
    /// The pre-activations it feeds, one per unit.
    pub rows: Range<usize>,
    /// The sources it reads; only the constant for biases and thresholds.
    pub cols: Range<usize>,
}

impl BlockSpec {
    /// Rows and columns of the block.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.cols.len())
    }

    /// Entries it would have without a mask.
    pub fn dense_len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }
}

/// A block of kept parameters.
#[derive(Clone, Debug)]
pub struct Block {
    /// Name, kind and place.
    pub spec: BlockSpec,
    /// Which of its entries exist, in the block's own coordinates.
    pub kept: Pattern,
    /// For each entry of `kept`, its place in the parameter buffer.
    pub places: Vec<usize>,
}

/// The parameters of a network: the pattern of `W`, and its blocks by name.
#[derive(Clone, Debug)]
pub struct Layout {
    blocks: Vec<Block>,
    weights: Pattern,
}

impl Layout {
    /// Lays out blocks within a `W` of that many pre-activations and sources.
    ///
    /// # Panics
    /// If there is not one pattern per block, of the block's shape, or if blocks overlap.
    pub fn new(pre_activations: usize, sources: usize, specs: &[BlockSpec], kept: &[Pattern]) -> Self {
        assert_eq!(specs.len(), kept.len(), "one mask per block");
        let mut entries = Vec::new();
        for (spec, kept) in specs.iter().zip(kept) {
            let shape = (kept.rows(), kept.cols());
            assert_eq!(shape, spec.shape(), "the mask of {} must have its shape", spec.name);
            entries.extend(kept.entries().map(|(i, j)| (spec.rows.start + i, spec.cols.start + j)));
        }
        let count = entries.len();
        let weights = Pattern::new(pre_activations, sources, entries);
        assert_eq!(weights.len(), count, "blocks must not overlap");
        let place = |(spec, kept): (&BlockSpec, &Pattern)| {
            let at = |(i, j)| weights.position(spec.rows.start + i, spec.cols.start + j);
            let places = kept.entries().map(|e| at(e).expect("just entered")).collect();
            Block { spec: spec.clone(), kept: kept.clone(), places }
        };
        let blocks = specs.iter().zip(kept).map(place).collect();
        Self { blocks, weights }
    }

    /// p, the number of kept parameters.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The pattern of `W`, pre-activations × sources. A parameter's index is its position here.
    pub fn weights(&self) -> &Pattern {
        &self.weights
    }

    /// The blocks, in the order they were planned.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The block of that name.
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|b| b.spec.name == name)
    }

    /// For every parameter, whether it lies in a block of that kind.
    pub fn of_kind(&self, kind: Kind) -> Vec<bool> {
        let mut found = vec![false; self.len()];
        let blocks = self.blocks.iter().filter(|b| b.spec.kind == kind);
        blocks.flat_map(|b| &b.places).for_each(|&place| found[place] = true);
        found
    }

    /// ω̃ = 1 − ω: the share that is kept of the blocks of these kinds, as drawn; 1 if there is none.
    pub fn kept_share(&self, kinds: &[Kind]) -> f64 {
        let of_kind = || self.blocks.iter().filter(|b| kinds.contains(&b.spec.kind));
        let kept: usize = of_kind().map(|b| b.kept.len()).sum();
        let dense: usize = of_kind().map(|b| b.spec.dense_len()).sum();
        if dense == 0 { 1.0 } else { kept as f64 / dense as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `W` of 3 pre-activations and 4 sources; the recurrent block is masked:
    ///
    /// ```text
    /// b x0 . y1
    /// b x1 y0 .
    /// t .  .  .
    /// ```
    fn layout() -> Layout {
        let block =
            |name: &str, kind, rows, cols| BlockSpec { name: name.into(), kind, layer: 0, rows, cols };
        let specs = [
            block("y", Kind::Recurrent, 0..2, 2..4),
            block("x", Kind::Input, 0..2, 1..2),
            block("t", Kind::Threshold, 2..3, 0..1),
            block("b", Kind::Bias, 0..2, 0..1),
        ];
        let kept = [
            Pattern::new(2, 2, vec![(0, 1), (1, 0)]),
            Pattern::full(2, 1),
            Pattern::full(1, 1),
            Pattern::full(2, 1),
        ];
        Layout::new(3, 4, &specs, &kept)
    }

    #[test]
    fn layout_orders_parameters_by_row_and_column_of_w() {
        let layout = layout();
        assert_eq!((layout.len(), layout.is_empty()), (7, false));
        let entries: Vec<_> = layout.weights().entries().collect();
        assert_eq!(entries, [(0, 0), (0, 1), (0, 3), (1, 0), (1, 1), (1, 2), (2, 0)]);
        let places = |name: &str| layout.block(name).unwrap().places.clone();
        assert_eq!(
            (places("b"), places("x"), places("y"), places("t")),
            (vec![0, 3], vec![1, 4], vec![2, 5], vec![6])
        );
        assert!(layout.block("z").is_none());
        let names: Vec<_> = layout.blocks().iter().map(|b| b.spec.name.as_str()).collect();
        assert_eq!(names, ["y", "x", "t", "b"]);
        assert_eq!(layout.blocks()[0].spec.shape(), (2, 2));
        assert_eq!(layout.blocks()[1].spec.dense_len(), 2);
        assert!(Layout::new(0, 1, &[], &[]).is_empty());
    }

    #[test]
    fn layout_knows_kinds_and_what_is_kept_of_them() {
        let layout = layout();
        let places = |kind| -> Vec<_> {
            layout.of_kind(kind).iter().enumerate().filter(|(_, is)| **is).map(|(k, _)| k).collect()
        };
        assert_eq!((places(Kind::Bias), places(Kind::Input)), (vec![0, 3], vec![1, 4]));
        assert_eq!((places(Kind::Recurrent), places(Kind::Threshold)), (vec![2, 5], vec![6]));
        assert_eq!(layout.kept_share(&[Kind::Recurrent]), 0.5);
        assert_eq!(layout.kept_share(&[Kind::Recurrent, Kind::Input]), 4.0 / 6.0);
        assert_eq!(layout.kept_share(&[]), 1.0);
    }

    #[test]
    #[should_panic(expected = "blocks must not overlap")]
    fn layout_of_overlapping_blocks_panics() {
        let spec = BlockSpec { name: "a".into(), kind: Kind::Input, layer: 0, rows: 0..2, cols: 0..1 };
        Layout::new(2, 1, &[spec.clone(), spec], &[Pattern::full(2, 1), Pattern::full(2, 1)]);
    }

    #[test]
    #[should_panic(expected = "must have its shape")]
    fn layout_with_a_mask_of_another_shape_panics() {
        let spec = BlockSpec { name: "a".into(), kind: Kind::Input, layer: 0, rows: 0..2, cols: 0..1 };
        Layout::new(2, 1, &[spec], &[Pattern::full(1, 2)]);
    }
}
