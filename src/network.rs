//! Networks: layers of cells with one wiring, advanced step by step.

use crate::cell::{Cell, CellConfig, CellEntry, Trace, find};
use crate::error::Result;
use crate::macs::Macs;
use crate::params::{Generator, Kind, MaskSpec, ParamBlockSpec, Pattern};
use crate::range::{below_one, within};
use crate::scalar::{self, Real};
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Specification of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSpec {
    /// Name of the cell.
    pub cell: String,
    /// n, the number of units.
    pub units: usize,
    /// Settings of the cell.
    pub config: CellConfig,
    /// Mask of this layer; `None` uses the mask of the network.
    #[serde(default)]
    pub mask: Option<MaskSpec>,
}

impl LayerSpec {
    /// Creates a layer of `units` units that uses the mask of the network.
    pub fn new(cell: &str, units: usize, config: CellConfig) -> Self {
        Self { cell: cell.into(), units, config, mask: None }
    }
}

/// Specification of a network before its masks are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// m, the number of external inputs.
    pub inputs: usize,
    /// Layers, the lowest first. Each layer reads the emissions of the layer below at the same
    /// step.
    pub layers: Vec<LayerSpec>,
    /// Decay κ of the trace, in [0, 1), if the readout reads a trace of the last layer.
    pub trace: Option<f64>,
}

/// A network: its wiring and its cells. Parameters are separate, in one flat buffer.
pub struct Network<T> {
    wiring: Arc<Wiring>,
    cells: Vec<Box<dyn Cell<T>>>,
}

impl<T: Real> Network<T> {
    /// Creates a network. `draw` returns the kept entries of each parameter block.
    ///
    /// ```
    /// use sparse_rtrl::cell::CellConfig;
    /// use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
    /// use sparse_rtrl::params::{generator, MaskSpec, Purpose};
    ///
    /// let layer = LayerSpec::new("egru", 16, CellConfig::default());
    /// let spec = NetworkSpec { inputs: 2, layers: vec![layer], trace: None };
    /// let mask = MaskSpec { sparsity: 0.9, ..Default::default() };
    /// let mut rng = generator(0, Purpose::Mask);
    /// let net = Network::<f64>::new(&spec, |blocks| mask.draw(blocks, &mut rng))?;
    /// // 3 gates × 26 kept recurrent weights, 3 × 32 input weights, 3 × 16 biases, 16 thresholds.
    /// assert_eq!(net.wiring().parameters(), 3 * 26 + 3 * 32 + 3 * 16 + 16);
    /// # Ok::<(), sparse_rtrl::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a cell is unknown, a size is zero, units exceed 1,000,000, a pseudo-derivative, mask or
    /// trace is out of range, or `draw` fails.
    pub fn new(
        spec: &NetworkSpec,
        draw: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        Self::with_cells(spec, &[], draw)
    }

    /// Creates a network whose layers can use the given `cells` in addition to the cells of the
    /// registry.
    ///
    /// # Errors
    /// See [`new`](Self::new).
    pub fn with_cells(
        spec: &NetworkSpec,
        cells: &[CellEntry<T>],
        draw: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        let (plan, cells) = spec.plan_with(cells)?;
        let kept = draw(plan.blocks())?;
        Ok(Self { wiring: Arc::new(Wiring::new(Arc::new(plan), &kept)), cells })
    }

    /// Returns the wiring, which learning rules read.
    pub fn wiring(&self) -> &Arc<Wiring> {
        &self.wiring
    }

    /// Computes one step from the state `before`, the input `x` (m values) and the parameters `w`
    /// (p values), and writes it to `step`.
    ///
    /// Cost: `forward`, one MAC per kept weight whose source is nonzero; `coupling`, one MAC per
    /// kept weight that reads an emission.
    ///
    /// # Panics
    /// If `x` does not have m entries or `w` does not have p.
    pub fn advance(&self, w: &[T], x: &[T], before: &State<T>, step: &mut Step<T>, macs: &mut Macs) {
        macs.forward += self.forward(w, x, before, step);
        macs.coupling += step.couple(&self.wiring, w);
    }

    /// Computes one step without the couplings `A` and `B`, for prediction without learning.
    /// Returns the MACs: one per kept weight whose source is nonzero.
    ///
    /// # Panics
    /// If `x` does not have m entries or `w` does not have p.
    pub fn forward(&self, w: &[T], x: &[T], before: &State<T>, step: &mut Step<T>) -> u64 {
        let m = self.wiring.inputs();
        assert_eq!(x.len(), m, "the input must have m = {m} entries");
        assert_eq!(w.len(), self.wiring.parameters(), "w must have p entries");
        step.pre.fill(T::zero());
        step.phi[0] = T::one();
        step.phi[1..=m].copy_from_slice(x);
        scalar::flush(&mut step.phi[1..=m]);
        let mut macs = step.integrate(&self.wiring, w, 0..m + 1);
        for cell in &self.cells {
            macs += cell.advance(&self.wiring, w, before, step);
        }
        step.flush_local();
        macs
    }

    /// Restricts thresholds to [0, 1]. NaN stays NaN.
    ///
    /// # Panics
    /// If `w` has fewer than p entries.
    pub fn constrain(&self, w: &mut [T]) {
        for block in self.wiring.layout().blocks().iter().filter(|b| b.spec.kind == Kind::Threshold) {
            for &place in &block.places {
                // Comparisons with NaN are false, so a NaN is not replaced by a bound.
                if w[place] < T::zero() {
                    w[place] = T::zero();
                } else if w[place] > T::one() {
                    w[place] = T::one();
                }
            }
        }
    }
}

/// A plan and its layers.
type Planned<T> = (Plan, Vec<Box<dyn Cell<T>>>);

impl NetworkSpec {
    /// Places the layers on a plan. Draws no mask and allocates no matrix.
    ///
    /// # Errors
    /// See [`check`](Self::check).
    pub fn plan<T: Real>(&self) -> Result<Planned<T>> {
        self.plan_with(&[])
    }

    fn plan_with<T: Real>(&self, known: &[CellEntry<T>]) -> Result<Planned<T>> {
        self.check_sizes()?;
        let mut plan = Plan::new(self.inputs);
        let mut feed = LayerInput { sources: plan.inputs(), rows: None };
        let mut cells: Vec<Box<dyn Cell<T>>> = Vec::new();
        for (k, layer) in self.layers.iter().enumerate() {
            if k > 0 {
                let below = cells[k - 1].rows();
                feed = LayerInput { sources: plan.current(below.clone()), rows: Some(below) };
            }
            let place = match known.iter().find(|cell| cell.name == layer.cell) {
                Some(cell) => cell.place,
                None => find(&layer.cell)?.place,
            };
            cells.push(place(&mut plan, layer.units, layer.config, &feed));
        }
        if let Some(keep) = self.trace {
            let below = cells[cells.len() - 1].rows();
            cells.push(Box::new(Trace::place(&mut plan, below, keep)));
        }
        Ok((plan, cells))
    }

    /// Draws the masks of all layers. A layer without its own mask specification uses `mask`.
    /// Returns the kept entries of each block.
    ///
    /// # Errors
    /// If a parameter sparsity is outside [0, 1).
    pub fn draw_masks(
        &self,
        mask: &MaskSpec,
        blocks: &[ParamBlockSpec],
        rng: &mut Generator,
    ) -> Result<Vec<Pattern>> {
        let mut kept = Vec::with_capacity(blocks.len());
        for of_layer in blocks.chunk_by(|a, b| a.layer == b.layer) {
            let own = self.layers[of_layer[0].layer].mask.unwrap_or(*mask);
            kept.extend(own.draw(of_layer, rng)?);
        }
        Ok(kept)
    }

    /// Checks names and ranges.
    ///
    /// # Errors
    /// If a cell is unknown, a size is zero, units exceed 1,000,000, or a pseudo-derivative, mask
    /// or trace is out of range.
    pub fn check(&self) -> Result<()> {
        self.check_sizes()?;
        self.layers.iter().try_for_each(|layer| find::<f64>(&layer.cell).map(drop))
    }

    fn check_sizes(&self) -> Result<()> {
        within("inputs", self.inputs, 1..=usize::MAX)?;
        within("layers", self.layers.len(), 1..=usize::MAX)?;
        for layer in &self.layers {
            within("units", layer.units, 1..=1_000_000)?;
            layer.config.surrogate.check()?;
            layer.mask.map_or(Ok(()), |mask| mask.check())?;
        }
        self.trace.map_or(Ok(()), |keep| below_one("trace", keep))
    }
}
