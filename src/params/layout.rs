//! The layout of parameters. All parameters are entries of one sparse matrix W,
//!
//! `s = W φ`,
//!
//! from *sources* φ (the constant 1, inputs, emissions) to *pre-activations* s. The parameter
//! buffer holds the kept entries of W, row-major. A named block is a rectangle of W. A pruned
//! parameter is not in the pattern of W.

use crate::sparse::Pattern;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Kind of a parameter block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Kind {
    /// Weights from a layer's input.
    Input,
    /// Weights from the layer's own emissions.
    Recurrent,
    /// Biases, added to pre-activations.
    Bias,
    /// Thresholds ϑ, restricted to [0, 1].
    Threshold,
}

/// A parameter block before its mask is drawn: a rectangle of `W`.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamBlockSpec {
    /// Name, for example `layer0.wu_y`.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// Index of the layer, from 0.
    pub layer: usize,
    /// Pre-activations that the block feeds, one per unit.
    pub rows: Range<usize>,
    /// Sources that the block reads; the constant only for biases and thresholds.
    pub cols: Range<usize>,
}

impl ParamBlockSpec {
    /// Returns the numbers of rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.cols.len())
    }

    /// Returns the number of entries without a mask: rows × columns.
    pub fn dense_len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }
}

/// A parameter block: its specification and its kept entries.
#[derive(Clone, Debug)]
pub struct ParamBlock {
    /// Name, kind and place.
    pub spec: ParamBlockSpec,
    /// Kept entries, in coordinates of the block.
    pub kept: Pattern,
    /// Index in the parameter buffer of each entry of `kept`.
    pub places: Vec<usize>,
}

/// The parameters of a network: the pattern of `W` and the parameter blocks.
#[derive(Clone, Debug)]
pub struct Layout {
    blocks: Vec<ParamBlock>,
    weights: Pattern,
}

impl Layout {
    /// Creates the layout of a `W` of shape pre-activations × sources. `kept` holds the kept
    /// entries of each block of `specs`.
    ///
    /// # Panics
    /// If the number of patterns differs from the number of blocks, if a pattern differs in shape
    /// from its block, or if blocks overlap.
    pub fn new(pre_activations: usize, sources: usize, specs: &[ParamBlockSpec], kept: &[Pattern]) -> Self {
        assert_eq!(specs.len(), kept.len(), "there must be one mask per block");
        let mut entries = Vec::new();
        for (spec, kept) in specs.iter().zip(kept) {
            let shape = (kept.rows(), kept.cols());
            assert_eq!(shape, spec.shape(), "the mask of {} must have the shape of the block", spec.name);
            entries.extend(kept.entries().map(|(i, j)| (spec.rows.start + i, spec.cols.start + j)));
        }
        let count = entries.len();
        let weights = Pattern::new(pre_activations, sources, entries);
        assert_eq!(weights.len(), count, "blocks must not overlap");
        let place = |(spec, kept): (&ParamBlockSpec, &Pattern)| {
            let at = |(i, j)| weights.position(spec.rows.start + i, spec.cols.start + j);
            let places = kept.entries().map(|e| at(e).expect("W contains every entry")).collect();
            ParamBlock { spec: spec.clone(), kept: kept.clone(), places }
        };
        let blocks = specs.iter().zip(kept).map(place).collect();
        Self { blocks, weights }
    }

    /// Returns p, the number of kept parameters.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Returns whether p is 0.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Returns the pattern of `W`, pre-activations × sources. The position of an entry in the
    /// pattern is the index of its parameter.
    pub fn weights(&self) -> &Pattern {
        &self.weights
    }

    /// Returns the blocks, in the order of the plan.
    pub fn blocks(&self) -> &[ParamBlock] {
        &self.blocks
    }

    /// Returns the block called `name`, or `None` if there is no such block.
    pub fn block(&self, name: &str) -> Option<&ParamBlock> {
        self.blocks.iter().find(|b| b.spec.name == name)
    }

    /// Returns, for each of the p parameters, whether it is in a block of kind `kind`.
    pub fn of_kind(&self, kind: Kind) -> Vec<bool> {
        let mut found = vec![false; self.len()];
        let blocks = self.blocks.iter().filter(|b| b.spec.kind == kind);
        blocks.flat_map(|b| &b.places).for_each(|&place| found[place] = true);
        found
    }

    /// Returns ω̃ = 1 − ω, the share of kept entries in the blocks of these kinds; 1 if they have
    /// no entries.
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

    /// A `W` of 4 × 6: biases in column 0, inputs in 1 and 2, emissions in 3 to 5.
    fn layout() -> Layout {
        let spec =
            |name: &str, kind, rows, cols| ParamBlockSpec { name: name.into(), kind, layer: 0, rows, cols };
        let specs = [
            spec("w", Kind::Recurrent, 0..2, 3..6),
            spec("u", Kind::Input, 0..2, 1..3),
            spec("b", Kind::Bias, 0..2, 0..1),
            spec("v", Kind::Recurrent, 2..4, 3..6),
            spec("theta", Kind::Threshold, 2..4, 0..1),
        ];
        let kept = [
            Pattern::new(2, 3, vec![(1, 2), (0, 1), (1, 0)]),
            Pattern::full(2, 2),
            Pattern::full(2, 1),
            Pattern::new(2, 3, vec![(1, 1)]),
            Pattern::full(2, 1),
        ];
        Layout::new(4, 6, &specs, &kept)
    }

    /// Row by row of `W`: (0, 0), (0, 1), (0, 2), (0, 4), (1, 0), (1, 1), (1, 2), (1, 3), (1, 5),
    /// (2, 0), (3, 0), (3, 4).
    #[test]
    fn layout_of_several_blocks_orders_parameters_by_row() {
        let layout = layout();
        assert_eq!((layout.len(), layout.is_empty()), (12, false));
        assert_eq!((layout.weights().rows(), layout.weights().cols()), (4, 6));
        let places = |name: &str| layout.block(name).unwrap().places.clone();
        assert_eq!(places("w"), [3, 7, 8]);
        assert_eq!(places("u"), [1, 2, 5, 6]);
        assert_eq!(places("b"), [0, 4]);
        assert_eq!(places("v"), [11]);
        assert_eq!(places("theta"), [9, 10]);
        assert!(layout.block("x").is_none());
        for block in layout.blocks() {
            let (rows, cols) = (block.spec.rows.start, block.spec.cols.start);
            for ((i, j), &place) in block.kept.entries().zip(&block.places) {
                assert_eq!(layout.weights().position(rows + i, cols + j), Some(place));
            }
        }
    }

    #[test]
    fn layout_by_kind_returns_places_and_kept_shares() {
        let layout = layout();
        let of = |kind| {
            let marked = layout.of_kind(kind).into_iter().enumerate();
            marked.filter(|(_, of)| *of).map(|(place, _)| place).collect::<Vec<_>>()
        };
        assert_eq!(of(Kind::Recurrent), [3, 7, 8, 11]);
        assert_eq!((of(Kind::Input), of(Kind::Bias)), (vec![1, 2, 5, 6], vec![0, 4]));
        assert_eq!(of(Kind::Threshold), [9, 10]);
        assert_eq!(layout.kept_share(&[Kind::Recurrent]), 4.0 / 12.0);
        assert_eq!(layout.kept_share(&[Kind::Recurrent, Kind::Input]), 8.0 / 16.0);
        assert_eq!((layout.kept_share(&[Kind::Bias]), layout.kept_share(&[])), (1.0, 1.0));
        let spec = &layout.block("w").unwrap().spec;
        assert_eq!((spec.shape(), spec.dense_len()), ((2, 3), 6));
    }

    #[test]
    #[should_panic(expected = "blocks must not overlap")]
    fn layout_of_overlapping_blocks_panics() {
        let spec = |name: &str, cols| ParamBlockSpec {
            name: name.into(),
            kind: Kind::Input,
            layer: 0,
            rows: 0..2,
            cols,
        };
        let kept = [Pattern::full(2, 2), Pattern::full(2, 2)];
        Layout::new(2, 3, &[spec("a", 0..2), spec("b", 1..3)], &kept);
    }
}
