//! One layer of a [`Predictor`](super::Predictor): its weights, its state, and one step.

use super::super::layout::{Block, LayerLayout};
use super::super::spec::LmCell;
use super::rows::{ActiveSource, RowProducts, SourceRows};
use crate::cell::egru_unit::{UnitInput, gated_activity, unit};
use crate::cell::{CellConfig, lstm_unit};
use std::ops::Range;

/// Weights from one kind of sources, and the columns of the layer to which they contribute.
struct Weights {
    rows: SourceRows,
    columns: Range<usize>,
}

/// A layer of n units. Columns are those of [`layout`](super::super::layout).
pub struct EventLayer {
    cell: LmCell,
    config: CellConfig,
    units: usize,
    input: Weights,
    recurrent: Weights,
    /// From r ⊙ y⁻, for a reset gate before the product.
    gated: Option<Weights>,
    /// Biases of the first columns.
    bias: Vec<f32>,
    /// Thresholds; empty if the cell has no events.
    theta: Vec<f32>,
    /// `[n]`
    c: Vec<f32>,
    /// `[n]`
    y: Vec<f32>,
    /// The units with y ≠ 0. At most n.
    active: Vec<ActiveSource>,
    /// Scratch: pre-activations. `[columns n]`
    gates: Vec<f32>,
    /// Scratch: nonzero r ⊙ y⁻. At most n.
    gated_sources: Vec<ActiveSource>,
}

impl EventLayer {
    /// Copies the parameters of a layer from `w`, which holds all. `pack` stores a matrix.
    pub fn new(
        (cell, config): (LmCell, CellConfig),
        layout: &LayerLayout,
        w: &[f32],
        pack: fn(&[f32], usize) -> SourceRows,
    ) -> Self {
        let n = layout.units;
        let weights = |block: &Block| Weights {
            rows: pack(&w[block.at.clone()], block.width()),
            columns: block.columns.clone(),
        };
        Self {
            cell,
            config,
            units: n,
            input: weights(&layout.input),
            recurrent: weights(&layout.recurrent),
            gated: layout.gated.as_ref().map(weights),
            bias: w[layout.bias.clone()].to_vec(),
            theta: layout.theta.clone().map_or(Vec::new(), |theta| w[theta].to_vec()),
            c: vec![0.0; n],
            y: vec![0.0; n],
            active: Vec::with_capacity(n),
            gates: vec![0.0; layout.columns * n],
            gated_sources: Vec::with_capacity(n),
        }
    }

    /// Sets the state to zero.
    pub fn reset(&mut self) {
        self.c.fill(0.0);
        self.y.fill(0.0);
        self.active.clear();
    }

    /// Returns the number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Returns the units with y ≠ 0.
    pub fn active(&self) -> &[ActiveSource] {
        &self.active
    }

    /// Returns the emissions, zeros included.
    #[cfg(test)]
    pub fn y(&self) -> &[f32] {
        &self.y
    }

    /// Computes one step from the nonzero values of the layer below: `S = b + x W_x + y⁻ W_y`, then
    /// c and y of every unit.
    pub fn step(&mut self, x: &[ActiveSource], products: &mut RowProducts) {
        let (bias, rest) = self.gates.split_at_mut(self.bias.len());
        bias.copy_from_slice(&self.bias);
        rest.fill(0.0);
        products.add(&self.input.rows, x, &mut self.gates[self.input.columns.clone()]);
        products.add(&self.recurrent.rows, &self.active, &mut self.gates[self.recurrent.columns.clone()]);
        if let Some(gated) = &self.gated {
            self.gated_sources.clear();
            for &(y, i) in &self.active {
                let g = gated_activity(self.gates[2 * self.units + i as usize], y).g;
                if g != 0.0 {
                    self.gated_sources.push((g, i));
                }
            }
            products.add(&gated.rows, &self.gated_sources, &mut self.gates[gated.columns.clone()]);
        }
        self.advance_units();
    }

    /// Computes c and y of every unit from its pre-activations, and lists the units with y ≠ 0.
    fn advance_units(&mut self) {
        let (n, before) = (self.units, self.gated.is_some());
        self.active.clear();
        for i in 0..n {
            let gate = |k: usize| self.gates[k * n + i];
            let (c, y) = (self.c[i], self.y[i]);
            let (c, y) = if self.cell == LmCell::Lstm {
                let own = lstm_unit::unit([gate(0), gate(1), gate(2), gate(3)], c);
                (own.c, own.y)
            } else {
                let (r, q) = if before { (0.0, 0.0) } else { (gate(2), gate(3)) };
                let theta = self.theta.get(i).copied().unwrap_or(0.0);
                let own = unit(&self.config, UnitInput { z: gate(0), u: gate(1), r, q, theta, c, y });
                (own.c, own.y)
            };
            (self.c[i], self.y[i]) = (c, y);
            if y != 0.0 {
                self.active.push((y, i as u32));
            }
        }
    }

    /// Returns the bytes of weights, state and scratch memory.
    pub fn bytes(&self) -> usize {
        let numbers = [&self.bias, &self.theta, &self.c, &self.y, &self.gates];
        let sources = self.active.capacity() + self.gated_sources.capacity();
        let weights = [Some(&self.input), Some(&self.recurrent), self.gated.as_ref()];
        numbers.iter().map(|own| size_of_val(&own[..])).sum::<usize>()
            + weights.into_iter().flatten().map(|own| own.rows.bytes()).sum::<usize>()
            + sources * size_of::<ActiveSource>()
    }
}
