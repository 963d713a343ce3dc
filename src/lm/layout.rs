//! The parameters of a language model in one flat buffer.
//!
//! Matrices are stored by source, `[sources][columns]`: the weights of one source to all gates are
//! contiguous, since products skip sources. The columns of a layer are its pre-activations, gate
//! after gate:
//!
//! | cell | columns | read x | read y⁻ |
//! |---|---|---|---|
//! | EGRU, reset gate after the product; GRU | z, u, r, q | z, u, r | u, r, q |
//! | EGRU, reset gate before the product | z, u, r, and one for the factor r of y⁻ | z, u, r | u, r; z reads r ⊙ y⁻ |
//! | LSTM | i, f, g, o | all | all |

use super::spec::{LmCell, LmSpec};
use crate::cell::ResetGate;
use std::ops::Range;

/// A matrix of weights, `[sources][width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its place in the buffer.
    pub at: Range<usize>,
    /// Number of sources.
    pub sources: usize,
    /// The columns of the layer to which it contributes.
    pub columns: Range<usize>,
    /// The names of its gates, in the order of columns.
    pub gates: &'static [&'static str],
}

impl Block {
    /// Returns the number of columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }
}

/// The parameters of a layer of n units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerLayout {
    /// n.
    pub units: usize,
    /// Weights from the layer below.
    pub input: Block,
    /// Weights from y⁻.
    pub recurrent: Block,
    /// Weights from r ⊙ y⁻, for a reset gate before the product.
    pub gated: Option<Block>,
    /// Biases of the columns. Without a place, a column has no pre-activation.
    pub bias: Range<usize>,
    /// Names of the biases, in the order of columns.
    pub biases: &'static [&'static str],
    /// Thresholds, if the cell has events.
    pub theta: Option<Range<usize>>,
    /// Columns per unit of the tape: one per gate, and one for the factor r of y⁻.
    pub columns: usize,
}

/// The parameters of a model: embedding, bias of the softmax, layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LmLayout {
    /// The transposed embedding, `[E][V]`.
    pub embedding: Range<usize>,
    /// The bias of the softmax, `[V]`.
    pub bias: Range<usize>,
    /// Layers from the input up.
    pub layers: Vec<LayerLayout>,
    /// Number of parameters.
    pub len: usize,
}

/// Gate names of a cell: of its columns, of the columns that read x, y⁻ and r ⊙ y⁻, and of biases.
struct Gates {
    tape: usize,
    input: &'static [&'static str],
    recurrent: &'static [&'static str],
    recurrent_from: usize,
    gated: &'static [&'static str],
    biases: &'static [&'static str],
}

fn gates(spec: &LmSpec) -> Gates {
    match (spec.cell, spec.unit_config().reset_gate) {
        (LmCell::Lstm, _) => Gates {
            tape: 4,
            input: &["wi_x", "wf_x", "wg_x", "wo_x"],
            recurrent: &["wi_y", "wf_y", "wg_y", "wo_y"],
            recurrent_from: 0,
            gated: &[],
            biases: &["bi", "bf", "bg", "bo"],
        },
        (_, ResetGate::Before) => Gates {
            tape: 4,
            input: &["wz_x", "wu_x", "wr_x"],
            recurrent: &["wu_y", "wr_y"],
            recurrent_from: 1,
            gated: &["wz_y"],
            biases: &["bz", "bu", "br"],
        },
        _ => Gates {
            tape: 4,
            input: &["wz_x", "wu_x", "wr_x"],
            recurrent: &["wu_y", "wr_y", "wz_y"],
            recurrent_from: 1,
            gated: &[],
            biases: &["bz", "bu", "br", "bz_rec"],
        },
    }
}

impl LmLayout {
    /// Returns the layout of a checked specification.
    pub fn new(spec: &LmSpec) -> Self {
        let mut end = 0;
        let mut place = |len: usize| {
            end += len;
            end - len..end
        };
        let embedding = place(spec.embedding * spec.vocabulary);
        let bias = place(spec.vocabulary);
        let names = gates(spec);
        let mut below = spec.embedding;
        let mut layers = Vec::new();
        for &n in &spec.sizes {
            let mut block = |sources: usize, gates: &'static [&'static str], from: usize| Block {
                at: place(sources * gates.len() * n),
                sources,
                columns: from * n..(from + gates.len()) * n,
                gates,
            };
            let input = block(below, names.input, 0);
            let recurrent = block(n, names.recurrent, names.recurrent_from);
            let gated = (!names.gated.is_empty()).then(|| block(n, names.gated, 0));
            layers.push(LayerLayout {
                units: n,
                input,
                recurrent,
                gated,
                bias: place(names.biases.len() * n),
                biases: names.biases,
                theta: (spec.cell == LmCell::Egru && spec.config.activity).then(|| place(n)),
                columns: names.tape,
            });
            below = n;
        }
        Self { embedding, bias, layers, len: end }
    }
}

/// A named tensor of one gate: units × sources, or units. Entries are in the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateTensor {
    /// The name, as in the equations: `wu_x`, `wz_y`, `bu`, `theta`, …
    pub name: &'static str,
    /// Number of units.
    pub units: usize,
    /// Number of sources; 1 for biases and thresholds.
    pub sources: usize,
    /// Index of the first entry.
    start: usize,
    /// Distance of two sources in the buffer.
    stride: usize,
}

impl GateTensor {
    /// Returns the index of an entry in the flat buffer.
    pub fn index(&self, unit: usize, source: usize) -> usize {
        self.start + source * self.stride + unit
    }

    /// Returns the index of an entry in the block of its gate: recurrent weights with DropConnect
    /// have the same shape.
    pub fn index_in(&self, block: &Block, unit: usize, source: usize) -> usize {
        self.index(unit, source) - block.at.start
    }
}

impl LayerLayout {
    /// Returns the named tensors of the layer.
    pub fn tensors(&self) -> Vec<GateTensor> {
        let n = self.units;
        let mut all = Vec::new();
        for block in [Some(&self.input), Some(&self.recurrent), self.gated.as_ref()].into_iter().flatten() {
            for (k, &name) in block.gates.iter().enumerate() {
                let (start, stride) = (block.at.start + k * n, block.width());
                all.push(GateTensor { name, units: n, sources: block.sources, start, stride });
            }
        }
        for (k, &name) in self.biases.iter().enumerate() {
            all.push(GateTensor { name, units: n, sources: 1, start: self.bias.start + k * n, stride: 0 });
        }
        if let Some(theta) = &self.theta {
            all.push(GateTensor { name: "theta", units: n, sources: 1, start: theta.start, stride: 0 });
        }
        all
    }
}
