//! A network before its masks are drawn: rows, sources, pre-activations and blocks, as its layers placed them.
//!
//! A layer asks the plan for what it needs and remembers where that is. Layers stacked on one plan become one bigger
//! cell with block lower-triangular coupling, so that learning rules need no notion of layers.

use crate::params::{Kind, ParamBlockSpec};
use std::ops::Range;

/// A source: what a weight reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The constant 1: its weights are biases and thresholds.
    One,
    /// An entry of the input vector.
    Input(usize),
    /// The emission of a row at the previous step, `y_{t-1}`.
    Previous(usize),
    /// The emission of an earlier row at this step, `y_t`: of a lower layer, or of an inner row.
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
    /// The constant source of every plan.
    pub const ONE: Range<usize> = 0..1;

    /// A plan with the constant and `inputs` external inputs as its sources.
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

    /// The sources of the external inputs.
    pub fn inputs(&self) -> Range<usize> {
        1..1 + self.inputs
    }

    /// The blocks planned so far, in order.
    pub fn blocks(&self) -> &[ParamBlockSpec] {
        &self.blocks
    }

    /// Rows so far, inner ones included.
    pub fn rows(&self) -> usize {
        self.carries.len()
    }

    /// Starts a layer; its blocks are named `layerK.…`.
    pub fn begin_layer(&mut self) {
        self.layers += 1;
    }

    /// `n` rows that are units: they count in α, β and the size of the influence matrix. `carry` states whether
    /// `d` can differ from zero.
    pub fn unit_rows(&mut self, n: usize, carry: bool) -> Range<usize> {
        let rows = self.inner_rows(n, carry);
        self.units.extend(rows.clone());
        self.outputs = rows.clone();
        rows
    }

    /// `n` rows for quantities within a step, such as gated activities.
    pub fn inner_rows(&mut self, n: usize, carry: bool) -> Range<usize> {
        let start = self.carries.len();
        self.carries.resize(start + n, carry);
        start..start + n
    }

    /// The rows whose emission is read out; by default the units of the last layer.
    pub fn outputs(&mut self, rows: Range<usize>) {
        self.outputs = rows;
    }

    /// Sources that read the emissions of `rows` at the previous step.
    pub fn previous(&mut self, rows: Range<usize>) -> Range<usize> {
        self.add_sources(rows.map(Source::Previous))
    }

    /// Sources that read the emissions of `rows` at this step.
    pub fn current(&mut self, rows: Range<usize>) -> Range<usize> {
        self.add_sources(rows.map(Source::Current))
    }

    fn add_sources(&mut self, sources: impl Iterator<Item = Source>) -> Range<usize> {
        let start = self.sources.len();
        self.sources.extend(sources);
        start..self.sources.len()
    }

    /// A gate: one pre-activation for each of `rows`, whose state it feeds.
    pub fn gate(&mut self, rows: Range<usize>) -> Range<usize> {
        let start = self.pre_rows.len();
        self.pre_rows.extend(rows);
        start..self.pre_rows.len()
    }

    /// Parameters from `sources` into the pre-activations `gate`.
    pub fn block(&mut self, name: &str, kind: Kind, gate: &Range<usize>, sources: &Range<usize>) {
        let layer = self.layers - 1;
        let name = format!("layer{layer}.{name}");
        self.blocks.push(ParamBlockSpec { name, kind, layer, rows: gate.clone(), cols: sources.clone() });
    }

    /// A bias for every pre-activation of `gate`.
    pub fn bias(&mut self, name: &str, gate: &Range<usize>) {
        self.block(name, Kind::Bias, gate, &Self::ONE);
    }

    /// Thresholds of `rows`, as the pre-activations of a gate with a bias only: `s = ϑ`. They have an
    /// immediate influence Ē on the emission of their row, and one on its state if the gate has a gain.
    pub fn threshold(&mut self, rows: &Range<usize>) -> Range<usize> {
        let gate = self.gate(rows.clone());
        self.block("theta", Kind::Threshold, &gate, &Self::ONE);
        self.thresholds.push((rows.clone(), gate.clone()));
        gate
    }

    /// Couples each of `rows` to the previous emission of its partner without a parameter in between. Returns
    /// the indices of the couplings in [`Step::direct_previous`](super::Step::direct_previous).
    pub fn direct_previous(&mut self, rows: &Range<usize>, partners: &Range<usize>) -> Range<usize> {
        let start = self.direct_previous.len();
        self.direct_previous.extend(rows.clone().zip(partners.clone()));
        start..self.direct_previous.len()
    }

    /// [`direct_previous`](Self::direct_previous) for emissions of this step; partners must be earlier rows.
    pub fn direct_current(&mut self, rows: &Range<usize>, partners: &Range<usize>) -> Range<usize> {
        let start = self.direct_current.len();
        self.direct_current.extend(rows.clone().zip(partners.clone()));
        start..self.direct_current.len()
    }
}
