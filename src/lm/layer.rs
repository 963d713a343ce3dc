//! One recurrent layer over a window of T steps of B samples: the forward pass.
//!
//! Forward, with the pre-activations of [`layout`](super::layout):
//!
//! `S_t = b + X_t W_x + Y_{t−1} W_y`, then c, y and local derivatives of every unit.
//!
//! Row `t B + b` of every matrix of the tape is step t of sample b.

use super::layout::LayerLayout;
use super::lists::Lists;
use super::matrix::{Matrix, MatrixMut};
use super::products::Products;
use super::spec::LmCell;
use super::tape::{LayerState, LayerTape};
use crate::cell::egru_unit::{UnitInput, gated_activity, unit};
use crate::cell::{CellConfig, lstm_unit};
use crate::scalar::Real;

/// A layer: its parameters and equations.
pub struct Layer<'a, T> {
    /// Its place in the parameters.
    pub layout: &'a LayerLayout,
    /// All parameters.
    pub w: &'a [T],
    /// Its recurrent weights with DropConnect, if any. Shape of `layout.recurrent`.
    pub dropped: Option<&'a [T]>,
    /// The same for weights from r ⊙ y⁻.
    pub dropped_gated: Option<&'a [T]>,
    /// The cell.
    pub cell: LmCell,
    /// Its settings.
    pub config: CellConfig,
    /// Number of samples.
    pub batch: usize,
}

impl<'a, T: Real> Layer<'a, T> {
    /// Returns the recurrent weights in use.
    pub fn recurrent(&self) -> &'a [T] {
        self.dropped.unwrap_or(&self.w[self.layout.recurrent.at.clone()])
    }

    /// Returns whether the reset gate is before the product.
    pub fn before(&self) -> bool {
        self.layout.gated.is_some()
    }

    /// Returns the length of a row of gates on the tape.
    pub fn stride(&self) -> usize {
        self.layout.columns * self.layout.units
    }

    /// Computes the emissions of a state from c: events follow the thresholds in use.
    pub fn emit(&self, state: &mut LayerState<T>) {
        let Some(theta) = &self.layout.theta else { return };
        let event = &self.config.surrogate;
        let theta = self.w[theta.clone()].iter().cycle();
        for ((y, &c), &theta) in state.y.iter_mut().zip(&state.c).zip(theta) {
            *y = c * event.event(c - theta);
        }
    }

    /// Runs the window of `tape.x` from `state`, which becomes that after the window. `trained`
    /// keeps what a backward pass reads; `thresholds` also what gradients of thresholds need.
    pub fn forward(
        &self,
        state: &mut LayerState<T>,
        tape: &mut LayerTape<T>,
        products: &mut Products<T>,
        thresholds: bool,
    ) {
        let (n, batch, stride) = (self.layout.units, self.batch, self.stride());
        let rows = tape.x.rows();
        let thresholds = thresholds && self.layout.theta.is_some();
        self.begin(state, tape, thresholds);
        let (input, recurrent) = (&self.layout.input, &self.layout.recurrent);
        let w = Matrix::new(&self.w[input.at.clone()], input.width(), 0..input.width());
        let s = MatrixMut { values: &mut tape.gates, stride, columns: input.columns.clone() };
        products.forward(&tape.x, 0..rows, w, s);
        let w_y = Matrix::new(self.recurrent(), recurrent.width(), 0..recurrent.width());
        tape.tiles.pack(w_y);
        for row in (0..rows).step_by(batch) {
            let now = row * stride..(row + batch) * stride;
            let values = &mut tape.gates[now.clone()];
            let s = MatrixMut { values, stride, columns: recurrent.columns.clone() };
            // Row r of y is the emission before row r of the window.
            products.forward_tiled(&tape.y, row..row + batch, (w_y, &tape.tiles), s);
            if let Some(gated) = &self.layout.gated {
                self.gate(row, tape);
                let w = self.dropped_gated.unwrap_or(&self.w[gated.at.clone()]);
                let w = Matrix::new(w, gated.width(), 0..gated.width());
                let values = &mut tape.gates[now.clone()];
                let s = MatrixMut { values, stride, columns: gated.columns.clone() };
                products.forward(&tape.gated, row..row + batch, w, s);
            }
            for b in 0..batch {
                self.units(row + b, b, thresholds, tape);
            }
            for y in tape.y_now.chunks(n) {
                tape.y.push_row(y.iter().copied());
            }
        }
        state.c.copy_from_slice(&tape.c);
        state.y.copy_from_slice(&tape.y_now);
    }

    /// Prepares the tape for a window of `x.rows()` rows.
    fn begin(&self, state: &LayerState<T>, tape: &mut LayerTape<T>, thresholds: bool) {
        let (n, rows, batch) = (self.layout.units, tape.x.rows(), self.batch);
        let stride = self.layout.columns * n;
        let bias = &self.w[self.layout.bias.clone()];
        tape.gates.clear();
        for _ in 0..rows {
            tape.gates.extend_from_slice(bias);
            tape.gates.resize(tape.gates.len() + stride - bias.len(), T::zero());
        }
        tape.carry.resize(rows * n, T::zero());
        tape.theta_gain.resize(if thresholds { rows * n } else { 0 }, T::zero());
        tape.e_bar.clear();
        [&mut tape.live, &mut tape.gated, &mut tape.y, &mut tape.before].into_iter().for_each(Lists::clear);
        if let Some(theta) = self.layout.theta.clone().filter(|_| thresholds) {
            let event = &self.config.surrogate;
            for c in state.c.chunks(n) {
                tape.before.push_row(
                    c.iter().zip(&self.w[theta.clone()]).map(|(&c, &theta)| -c * event.slope(c - theta)),
                );
            }
        }
        state.y.chunks(n).for_each(|y| tape.y.push_row(y.iter().copied()));
        tape.c.clone_from(&state.c);
        tape.y_now.clone_from(&state.y);
        tape.lambda.resize(batch * n, T::zero());
        tape.dy.resize(batch * n, T::zero());
    }

    /// Computes r ⊙ y⁻ of a step, and its derivatives: the column of r becomes ∂(r y⁻)/∂s_r, the
    /// last column r.
    fn gate(&self, row: usize, tape: &mut LayerTape<T>) {
        let (n, stride) = (self.layout.units, self.stride());
        for b in 0..self.batch {
            let gates = &mut tape.gates[(row + b) * stride..(row + b + 1) * stride];
            for i in 0..n {
                let own = gated_activity(gates[2 * n + i], tape.y_now[b * n + i]);
                (gates[2 * n + i], gates[3 * n + i]) = (own.gain_r, own.direct);
                if own.g != T::zero() {
                    tape.gated.push(i, own.g);
                }
            }
            tape.gated.end_row();
        }
    }

    /// Computes the units of one row, and replaces their pre-activations by gains.
    fn units(&self, row: usize, b: usize, thresholds: bool, tape: &mut LayerTape<T>) {
        let (n, stride) = (self.layout.units, self.stride());
        let gates = &mut tape.gates[row * stride..(row + 1) * stride];
        let theta = self.layout.theta.as_ref().map(|at| &self.w[at.clone()]);
        for i in 0..n {
            let (c, y) = (tape.c[b * n + i], tape.y_now[b * n + i]);
            if self.cell == LmCell::Lstm {
                let pre = [gates[i], gates[n + i], gates[2 * n + i], gates[3 * n + i]];
                let own = lstm_unit::unit(pre, c);
                (0..4).for_each(|k| gates[k * n + i] = own.gains[k]);
                (tape.c[b * n + i], tape.y_now[b * n + i]) = (own.c, own.y);
                tape.carry[row * n + i] = own.d;
                tape.live.push(i, own.e);
                continue;
            }
            let (r, q) =
                if self.before() { (T::zero(), T::zero()) } else { (gates[2 * n + i], gates[3 * n + i]) };
            let theta = theta.map_or(T::zero(), |theta| theta[i]);
            let own = unit(&self.config, UnitInput { z: gates[i], u: gates[n + i], r, q, theta, c, y });
            (gates[i], gates[n + i]) = (own.gain_z, own.gain_u);
            if !self.before() {
                (gates[2 * n + i], gates[3 * n + i]) = (own.gain_r, own.gain_q);
            }
            (tape.c[b * n + i], tape.y_now[b * n + i]) = (own.c, own.y);
            tape.carry[row * n + i] = own.d;
            if own.e != T::zero() || own.e_bar != T::zero() {
                tape.live.push(i, own.e);
                if thresholds {
                    tape.e_bar.push(own.e_bar);
                }
            }
            if thresholds {
                tape.theta_gain[row * n + i] = own.gain_theta;
            }
        }
        tape.live.end_row();
    }
}
