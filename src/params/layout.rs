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
pub struct ParamBlockSpec {
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

impl ParamBlockSpec {
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
pub struct ParamBlock {
    /// Name, kind and place.
    pub spec: ParamBlockSpec,
    /// Which of its entries exist, in the block's own coordinates.
    pub kept: Pattern,
    /// For each entry of `kept`, its place in the parameter buffer.
    pub places: Vec<usize>,
}

/// The parameters of a network: the pattern of `W`, and its blocks by name.
#[derive(Clone, Debug)]
pub struct Layout {
    blocks: Vec<ParamBlock>,
    weights: Pattern,
}

impl Layout {
    /// Lays out blocks within a `W` of that many pre-activations and sources.
    ///
    /// # Panics
    /// If there is not one pattern per block, of the block's shape, or if blocks overlap.
    pub fn new(pre_activations: usize, sources: usize, specs: &[ParamBlockSpec], kept: &[Pattern]) -> Self {
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
        let place = |(spec, kept): (&ParamBlockSpec, &Pattern)| {
            let at = |(i, j)| weights.position(spec.rows.start + i, spec.cols.start + j);
            let places = kept.entries().map(|e| at(e).expect("just entered")).collect();
            ParamBlock { spec: spec.clone(), kept: kept.clone(), places }
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
    pub fn blocks(&self) -> &[ParamBlock] {
        &self.blocks
    }

    /// The block of that name.
    pub fn block(&self, name: &str) -> Option<&ParamBlock> {
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

    /// Row by row of `W`: (0, 0), (0, 1), (0, 2), (0, 4), (1, 0), (1, 1), (1, 2), (1, 3), (1, 5), (2, 0), (3, 0), (3, 4).
    #[test]
    fn parameters_lie_row_by_row() {
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
    fn kinds_and_shares_are_those_of_the_blocks() {
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
    fn overlapping_blocks_panic() {
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
