//! Random networks for checks.

use super::Mismatch;
use crate::cell::{self, CellConfig, CellEntry, EventReset, ResetGate, Surrogate};
use crate::network::{LayerSpec, Network, NetworkSpec};
use crate::params::{BiasInit, Init, MaskOn, MaskSharing, MaskSpec, Purpose, ThresholdInit, generator};
use rand_distr::{Distribution, StandardNormal};

/// Specification of a network for a check.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Inputs, layers and trace.
    pub spec: NetworkSpec,
    /// Mask of layers without their own mask.
    pub mask: MaskSpec,
    /// Description for messages.
    pub label: String,
}

impl Trial {
    /// Returns trials of all registered cells (see [`of_cell`](Self::of_cell)), and of networks
    /// with different cells. Layer k has `units + k` units. With `smooth`, events are replaced by
    /// the primitive of their pseudo-derivative.
    pub fn all(units: usize, smooth: bool) -> Vec<Self> {
        let cells = cell::registry::<f64>();
        let mut all: Vec<_> = cells.iter().flat_map(|cell| Self::of_cell(cell, units, smooth)).collect();
        all.extend(Self::mixed(units, smooth));
        all
    }

    /// Returns trials of one cell in every variant, with one to three layers, with and without
    /// trace, and with every kind of mask.
    pub fn of_cell(cell: &CellEntry<f64>, units: usize, smooth: bool) -> Vec<Self> {
        let mut all = Vec::new();
        for mut config in (cell.variants)() {
            config.surrogate = Surrogate { smooth, ..Surrogate::new(0.7, 0.5) };
            for depth in 1..=3 {
                for trace in [None, Some(0.9)] {
                    for mask in masks() {
                        let layer = |k| LayerSpec::new(cell.name, units + k, config);
                        let layers = (0..depth).map(layer).collect();
                        let label = format!(
                            "{} {:?} {:?} activity {} depth {depth} trace {trace:?} {mask:?}",
                            cell.name, config.reset_gate, config.event_reset, config.activity
                        );
                        all.push(Self { spec: NetworkSpec { inputs: 2, layers, trace }, mask, label });
                    }
                }
            }
        }
        all
    }

    /// Returns trials of networks whose layers differ in cell, variant and mask.
    fn mixed(units: usize, smooth: bool) -> Vec<Self> {
        let config = CellConfig {
            surrogate: Surrogate { smooth, ..Surrogate::new(0.7, 0.5) },
            ..CellConfig::default()
        };
        let after = CellConfig { reset_gate: ResetGate::After, event_reset: EventReset::Threshold, ..config };
        let stacks: [&[(&str, CellConfig)]; 4] = [
            &[("egru", config), ("event-rnn", config), ("gru", after)],
            &[("event-rnn", config), ("egru", config), ("rnn", config)],
            &[("gru", config), ("egru", after), ("event-rnn", config)],
            &[("rnn", config), ("event-rnn", config), ("egru", config)],
        ];
        let mut all = Vec::new();
        for stack in stacks {
            for trace in [None, Some(0.9)] {
                let layer = |(k, (cell, config)): (usize, &(&str, CellConfig))| {
                    let mask = masks()[(k + 1) % 4];
                    LayerSpec { mask: (k > 0).then_some(mask), ..LayerSpec::new(cell, units + k, *config) }
                };
                let layers: Vec<_> = stack.iter().enumerate().map(layer).collect();
                let names: Vec<_> = stack.iter().map(|layer| layer.0).collect();
                let label = format!("mixed {} trace {trace:?}", names.join(" under "));
                all.push(Self { spec: NetworkSpec { inputs: 2, layers, trace }, mask: masks()[1], label });
            }
        }
        all
    }

    /// Creates the network and its p parameters, with thresholds low enough and weights large
    /// enough for events.
    ///
    /// # Panics
    /// If a cell is not registered or a size is out of range.
    pub fn build(&self, seed: u64) -> (Network<f64>, Vec<f64>) {
        self.build_with(&[], seed).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Creates the network and its p parameters. Layers can use the given `cells` in addition to
    /// the cells of the registry.
    ///
    /// # Errors
    /// If a cell is unknown or a size is out of range.
    pub fn build_with(
        &self,
        cells: &[CellEntry<f64>],
        seed: u64,
    ) -> Result<(Network<f64>, Vec<f64>), Mismatch> {
        let invalid = |error| Mismatch::new("specification", &self.label, "a valid network", error);
        let mut rng = generator(seed, Purpose::Mask);
        let draw = |blocks: &_| self.spec.draw_masks(&self.mask, blocks, &mut rng);
        let network = Network::with_cells(&self.spec, cells, draw).map_err(invalid)?;
        let init = Init { bias: BiasInit::Uniform, threshold: ThresholdInit::Beta { mean: 0.15 } };
        let layout = network.wiring().layout();
        let mut w = init.draw::<f64>(layout, &mut generator(seed, Purpose::Init)).map_err(invalid)?;
        w.iter_mut().for_each(|w| *w *= 1.3);
        network.constrain(&mut w);
        Ok((network, w))
    }
}

fn masks() -> [MaskSpec; 4] {
    let some = MaskSpec { sparsity: 0.6, ..MaskSpec::default() };
    [
        MaskSpec::default(),
        some,
        MaskSpec { on: MaskOn::All, sharing: MaskSharing::Connection, ..some },
        MaskSpec { sparsity: 0.9, on: MaskOn::All, ..some },
    ]
}

/// Draws `n` standard normal values with the generator of `seed`.
pub fn normal(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = generator(seed, Purpose::Data);
    (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// Returns the largest absolute difference of two vectors, relative to the largest magnitude in
/// `b`.
///
/// Entries that are both NaN, or infinite and equal, count as equal. A NaN in only one vector gives
/// NaN.
///
/// # Panics
/// If their lengths differ.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "both vectors must have the same length");
    let larger = |m: f64, x: f64| if x.is_nan() || x > m { x } else { m };
    let difference =
        |(x, y): (&f64, &f64)| if x == y || (x.is_nan() && y.is_nan()) { 0.0 } else { (x - y).abs() };
    let worst = a.iter().zip(b).map(difference).fold(0.0, larger);
    let scale = b.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
    if worst == 0.0 { 0.0 } else { worst / scale }
}
