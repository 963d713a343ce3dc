//! Layers wired into one network, advanced one step at a time.

use crate::cell::{Cell, CellConfig, CellEntry, Trace, find};
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::params::{Kind, MaskSpec, ParamBlockSpec};
use crate::scalar::{self, Real};
use crate::sparse::Pattern;
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The specification of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSpec {
    /// Name of its cell.
    pub cell: String,
    /// n, the number of units.
    pub units: usize,
    /// Settings of the cell.
    pub config: CellConfig,
    /// Its own mask, instead of that of the network.
    #[serde(default)]
    pub mask: Option<MaskSpec>,
}

impl LayerSpec {
    /// A layer of `units` units of a cell, with the mask of the network.
    pub fn new(cell: &str, units: usize, config: CellConfig) -> Self {
        Self { cell: cell.into(), units, config, mask: None }
    }
}

/// The specification of a network, without masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// m, the number of external inputs.
    pub inputs: usize,
    /// Layers from the input up. Each reads the emissions of the layer below at the same step.
    pub layers: Vec<LayerSpec>,
    /// κ, if the readout reads a running trace of the last layer.
    pub trace: Option<f64>,
}

/// A network: its structure, and the cells with its dynamics. Parameters are separate, in one flat buffer.
pub struct Network<T> {
    wiring: Arc<Wiring>,
    cells: Vec<Box<dyn Cell<T>>>,
}

impl<T: Real> Network<T> {
    /// Builds a network. `draw` returns the kept entries of each block.
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
    /// If a cell is unknown, a size is zero, a pseudo-derivative or a trace is out of range, or `draw` fails.
    pub fn new(
        spec: &NetworkSpec,
        draw: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        Self::with_cells(spec, &[], draw)
    }

    /// Builds a network whose layers may name `cells`, cells of your own, besides those of the registry.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_cells(
        spec: &NetworkSpec,
        cells: &[CellEntry<T>],
        draw: impl FnOnce(&[ParamBlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        let (plan, cells) = spec.plan_with(cells)?;
        let kept = draw(plan.blocks())?;
        Ok(Self { wiring: Arc::new(Wiring::new(Arc::new(plan), &kept)), cells })
    }

    /// The structure that learning rules read.
    pub fn wiring(&self) -> &Arc<Wiring> {
        &self.wiring
    }

    /// One step: from the state `before` and the input `x` to `step`, with the parameters `w`.
    ///
    /// Cost: `forward`, the kept weights whose source is nonzero; `coupling`, the kept weights that read an emission.
    ///
    /// # Panics
    /// If `x` does not have m entries or `w` does not have p.
    pub fn advance(&self, w: &[T], x: &[T], before: &State<T>, step: &mut Step<T>, macs: &mut Macs) {
        macs.forward += self.forward(w, x, before, step);
        macs.coupling += step.couple(&self.wiring, w);
    }

    /// [`advance`](Self::advance) without the couplings `A` and `B`, for steps that nothing is learned from. Returns the MACs.
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

    /// Restricts parameters to their range: thresholds to [0, 1].
    pub fn constrain(&self, w: &mut [T]) {
        for block in self.wiring.layout().blocks().iter().filter(|b| b.spec.kind == Kind::Threshold) {
            for &place in &block.places {
                // Not `clamp`, which would turn a NaN into a bound and hide it.
                if w[place] < T::zero() {
                    w[place] = T::zero();
                } else if w[place] > T::one() {
                    w[place] = T::one();
                }
            }
        }
    }
}

/// A plan, and its layers.
type Planned<T> = (Plan, Vec<Box<dyn Cell<T>>>);

impl NetworkSpec {
    /// Places the layers on a plan. No mask is drawn, and nothing of the size of a matrix is allocated.
    ///
    /// # Errors
    /// As [`check`](Self::check).
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

    /// Draws the masks of all layers, each by its own specification or by `mask`.
    ///
    /// # Errors
    /// If a sparsity lies outside [0, 1).
    pub fn draw_masks(
        &self,
        mask: &MaskSpec,
        blocks: &[ParamBlockSpec],
        rng: &mut impl rand::Rng,
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
    /// If a cell is unknown, a size is zero, or a pseudo-derivative or a trace is out of range.
    pub fn check(&self) -> Result<()> {
        self.check_sizes()?;
        self.layers.iter().try_for_each(|layer| find::<f64>(&layer.cell).map(drop))
    }

    fn check_sizes(&self) -> Result<()> {
        if self.inputs == 0 {
            return Err(Error::setting("inputs", "at least 1", self.inputs));
        }
        if self.layers.is_empty() {
            return Err(Error::setting("layers", "at least 1", 0));
        }
        for layer in &self.layers {
            if layer.units == 0 {
                return Err(Error::setting("units", "at least 1", layer.units));
            }
            if layer.units > 1_000_000 {
                return Err(Error::setting("units", "at most 1000000", layer.units));
            }
            layer.config.surrogate.check()?;
            layer.mask.map_or(Ok(()), |mask| mask.check())?;
        }
        match self.trace {
            Some(keep) if !(0.0..1.0).contains(&keep) => {
                Err(Error::setting("trace", "a number in [0, 1)", keep))
            }
            _ => Ok(()),
        }
    }
}
