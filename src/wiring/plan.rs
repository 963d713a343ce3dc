//! A network before its masks are drawn: rows, sources, pre-activations and parameter blocks.
//!
//! A layer requests these from the plan and stores the index ranges that it receives. Layers
//! stacked on one plan form one larger cell with block lower-triangular coupling, so learning rules
//! do not distinguish layers.

use crate::params::{Kind, ParamBlockSpec};
use std::ops::Range;

/// A source: a value that weights read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The constant 1. Its weights are biases and thresholds.
    One,
    /// The entry of the input vector with this index.
    Input(usize),
    /// The emission of this row at the previous step, `y_{t-1}`.
    Previous(usize),
    /// The emission of this row at the current step, `y_t`. The row is earlier than every row that
    /// reads it: a row of a lower layer or an inner row.
    Current(usize),
}

/// The rows, sources and parameters that layers have requested.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) inputs: usize,
    pub(crate) layers: usize,
    pub(crate) sources: Vec<Source>,
    pub(crate) carries: Vec<bool>,
    pub(crate) units: Vec<usize>,
    pub(crate) outputs: Range<usize>,
    pub(crate) pre_rows: Vec<usize>,
    pub(crate) blocks: Vec<ParamBlockSpec>,
    pub(crate) direct_previous: Vec<(usize, usize)>,
    pub(crate) direct_current: Vec<(usize, usize)>,
    pub(crate) thresholds: Vec<(Range<usize>, Range<usize>)>,
}

impl Plan {
    /// Source 0, the constant 1.
    pub const ONE: Range<usize> = 0..1;

    /// Creates a plan without rows. Its sources are the constant and `inputs` external inputs.
    pub fn new(inputs: usize) -> Self {
        let sources = std::iter::once(Source::One).chain((0..inputs).map(Source::Input)).collect();
        Self {
            inputs,
            layers: 0,
            sources,
            carries: Vec::new(),
            units: Vec::new(),
            outputs: 0..0,
            pre_rows: Vec::new(),
            blocks: Vec::new(),
            direct_previous: Vec::new(),
            direct_current: Vec::new(),
            thresholds: Vec::new(),
        }
    }

    /// Returns the sources of the external inputs.
    pub fn inputs(&self) -> Range<usize> {
        1..1 + self.inputs
    }

    /// Returns the parameter blocks placed so far, in order.
    pub fn blocks(&self) -> &[ParamBlockSpec] {
        &self.blocks
    }

    /// Returns the number of rows placed so far, inner rows included.
    pub fn rows(&self) -> usize {
        self.carries.len()
    }

    /// Starts a layer. Its blocks are named `layerK.…`, with K from 0.
    pub fn begin_layer(&mut self) {
        self.layers += 1;
    }

    /// Adds `n` rows that are units, and makes them the outputs. Units count in α, β and the size
    /// of the influence matrix. `carry` states whether `d` can differ from zero.
    pub fn unit_rows(&mut self, n: usize, carry: bool) -> Range<usize> {
        let rows = self.inner_rows(n, carry);
        self.units.extend(rows.clone());
        self.outputs = rows.clone();
        rows
    }

    /// Adds `n` rows for quantities within a step, such as gated activities. `carry` states whether
    /// `d` can differ from zero.
    pub fn inner_rows(&mut self, n: usize, carry: bool) -> Range<usize> {
        let start = self.carries.len();
        self.carries.resize(start + n, carry);
        start..start + n
    }

    /// Sets the outputs: the rows whose emissions the readout reads. The default is the units of
    /// the last layer.
    pub fn outputs(&mut self, rows: Range<usize>) {
        self.outputs = rows;
    }

    /// Adds one source per row of `rows`: its emission at the previous step.
    pub fn previous(&mut self, rows: Range<usize>) -> Range<usize> {
        self.add_sources(rows.map(Source::Previous))
    }

    /// Adds one source per row of `rows`: its emission at the current step.
    pub fn current(&mut self, rows: Range<usize>) -> Range<usize> {
        self.add_sources(rows.map(Source::Current))
    }

    fn add_sources(&mut self, sources: impl Iterator<Item = Source>) -> Range<usize> {
        let start = self.sources.len();
        self.sources.extend(sources);
        start..self.sources.len()
    }

    /// Adds a gate: one pre-activation per row of `rows`. A pre-activation influences the state of
    /// its row. Returns the indices of the pre-activations.
    pub fn gate(&mut self, rows: Range<usize>) -> Range<usize> {
        let start = self.pre_rows.len();
        self.pre_rows.extend(rows);
        start..self.pre_rows.len()
    }

    /// Adds a block of weights from `sources` to the pre-activations `gate`.
    ///
    /// # Panics
    /// If no layer has been started with [`begin_layer`](Self::begin_layer).
    pub fn block(&mut self, name: &str, kind: Kind, gate: &Range<usize>, sources: &Range<usize>) {
        let layer = self.layers - 1;
        let name = format!("layer{layer}.{name}");
        self.blocks.push(ParamBlockSpec { name, kind, layer, rows: gate.clone(), cols: sources.clone() });
    }

    /// Adds one bias per pre-activation of `gate`.
    pub fn bias(&mut self, name: &str, gate: &Range<usize>) {
        self.block(name, Kind::Bias, gate, &Self::ONE);
    }

    /// Adds one threshold per row of `rows`: a gate whose pre-activations are `s = ϑ`. A threshold
    /// has an immediate influence Ē on the emission of its row, and an immediate influence M̄ on
    /// the state if the gate has a gain. Returns the indices of the pre-activations.
    pub fn threshold(&mut self, rows: &Range<usize>) -> Range<usize> {
        let gate = self.gate(rows.clone());
        self.block("theta", Kind::Threshold, &gate, &Self::ONE);
        self.thresholds.push((rows.clone(), gate.clone()));
        gate
    }

    /// Couples each row of `rows` to the previous emission of its partner without a parameter.
    /// Returns the indices of the couplings in
    /// [`Step::direct_previous`](super::Step::direct_previous).
    pub fn direct_previous(&mut self, rows: &Range<usize>, partners: &Range<usize>) -> Range<usize> {
        let start = self.direct_previous.len();
        self.direct_previous.extend(rows.clone().zip(partners.clone()));
        start..self.direct_previous.len()
    }

    /// Couples each row of `rows` to the emission of its partner at the current step, without a
    /// parameter. Partners must be earlier rows. Returns the indices of the couplings in
    /// [`Step::direct_current`](super::Step::direct_current).
    pub fn direct_current(&mut self, rows: &Range<usize>, partners: &Range<usize>) -> Range<usize> {
        let start = self.direct_current.len();
        self.direct_current.extend(rows.clone().zip(partners.clone()));
        start..self.direct_current.len()
    }
}
