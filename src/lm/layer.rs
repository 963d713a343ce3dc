//! One recurrent layer over a window of T steps of B samples: forward pass, tape, backward pass.
//!
//! Forward, with the pre-activations of [`layout`](super::layout):
//!
//! `S_t = b + X_t W_x + Y_{t−1} W_y`, then c, y and local derivatives of every unit.
//!
//! Backward, from ∂L/∂y of the layers above (LM paper, section 3):
//!
//! `∂L/∂y_t += W_y δ_{t+1} + direct λ_{t+1}`, for units with e ≠ 0 only;
//! `λ_t = d_{t+1} λ_{t+1} + e_t ∂L/∂y_t`;  `δ_t = gain_t λ_t`;
//! `∂L/∂W_x = Σ_t X_tᵀ δ_t`, `∂L/∂W_y = Σ_t Y_{t−1}ᵀ δ_t`.
//!
//! Row `t B + b` of every matrix of the tape is step t of sample b.

use super::kernels::Tiles;
use super::layout::{Block, LayerLayout};
use super::lists::Lists;
use super::matrix::{Matrix, MatrixMut};
use super::products::Products;
use super::spec::LmCell;
use crate::cell::egru_unit::{UnitInput, gated_activity, unit};
use crate::cell::{CellConfig, EventReset, lstm_unit};
use crate::scalar::Real;

/// State of one layer between windows.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerState<T> {
    /// `[B][n]`
    pub c: Vec<T>,
    /// `[B][n]`
    pub y: Vec<T>,
}

/// What a backward pass reads of a window.
#[derive(Debug)]
pub struct LayerTape<T> {
    /// Inputs after dropout, `T B` rows.
    pub x: Lists<T>,
    /// `[T B][columns n]`: pre-activations, then gains, then the adjoints δ of pre-activations.
    gates: Vec<T>,
    /// d. `[T B][n]`
    carry: Vec<T>,
    /// Nonzero emissions: those before the window, then `T B` rows. `B + T B` rows.
    pub y: Lists<T>,
    /// e of the units with `e ≠ 0` or `Ē ≠ 0`, `T B` rows.
    pub live: Lists<T>,
    /// Ē of the same units. Empty without trained thresholds.
    e_bar: Vec<T>,
    /// ∂c/∂ϑ. `[T B][n]`, empty without trained thresholds.
    theta_gain: Vec<T>,
    /// Ē of the emissions before the window, which follow from c and ϑ: units with `Ē ≠ 0`, B rows.
    /// Empty without trained thresholds.
    before: Lists<T>,
    /// `∂L/∂y` from above, one value per entry of `live`.
    pub credit: Vec<T>,
    /// Nonzero r ⊙ y⁻, `T B` rows. Empty unless the reset gate is before the product.
    gated: Lists<T>,
    /// Scratch: recurrent weights in tiles.
    tiles: Tiles<T>,
    /// Scratch of one step: `[B][n]` each.
    c: Vec<T>,
    y_now: Vec<T>,
    lambda: Vec<T>,
    dy: Vec<T>,
    sampled: Vec<T>,
}

impl<T: Real> Default for LayerTape<T> {
    fn default() -> Self {
        Self {
            x: Lists::default(),
            gates: Vec::new(),
            carry: Vec::new(),
            y: Lists::default(),
            live: Lists::default(),
            e_bar: Vec::new(),
            theta_gain: Vec::new(),
            before: Lists::default(),
            credit: Vec::new(),
            gated: Lists::default(),
            tiles: Tiles::default(),
            c: Vec::new(),
            y_now: Vec::new(),
            lambda: Vec::new(),
            dy: Vec::new(),
            sampled: Vec::new(),
        }
    }
}

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
    fn recurrent(&self) -> &'a [T] {
        self.dropped.unwrap_or(&self.w[self.layout.recurrent.at.clone()])
    }

    fn before(&self) -> bool {
        self.layout.gated.is_some()
    }

    fn stride(&self) -> usize {
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
        tape.begin(self, state, thresholds);
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

    /// Carries `tape.credit` back through the window and adds the gradient of this layer's
    /// parameters to `gradient`, which holds all parameters. Gradients of recurrent weights are
    /// those of the weights in use: the caller multiplies them by the masks of DropConnect.
    pub fn backward(&self, tape: &mut LayerTape<T>, products: &mut Products<T>, gradient: &mut [T]) {
        let (batch, stride) = (self.batch, self.stride());
        let rows = tape.x.rows();
        tape.lambda.fill(T::zero());
        for row in (0..rows).step_by(batch).rev() {
            if row + batch < rows {
                let live = std::mem::take(&mut tape.live);
                let at = live.positions(row..row + batch);
                let mut credit = std::mem::take(&mut tape.credit);
                self.add_credit(&live, row, row + batch, &mut credit[at], tape, products);
                (tape.live, tape.credit) = (live, credit);
            }
            self.adjoints(row, tape, gradient);
            if let Some(gated) = &self.layout.gated {
                self.gated_adjoints(row, gated, tape, products);
            }
        }
        if let Some(theta) = self.layout.theta.clone().filter(|_| tape.before.len() > 0) {
            let before = std::mem::take(&mut tape.before);
            let mut credit = vec![T::zero(); before.len()];
            self.add_credit(&before, 0, 0, &mut credit, tape, products);
            let theta = &mut gradient[theta];
            for ((&i, &e_bar), credit) in before.index.iter().zip(&before.value).zip(credit) {
                theta[i as usize] += e_bar * credit;
            }
            tape.before = before;
        }
        let recurrent = &self.layout.recurrent;
        let d = |columns| Matrix::new(&tape.gates[..], stride, columns);
        for (block, lists) in [(&self.layout.input, &tape.x), (recurrent, &tape.y)]
            .into_iter()
            .chain(self.layout.gated.as_ref().map(|gated| (gated, &tape.gated)))
        {
            let values = &mut gradient[block.at.clone()];
            let g = MatrixMut { values, stride: block.width(), columns: 0..block.width() };
            products.gradient(lists, 0..rows, d(block.columns.clone()), g);
        }
        let biases = self.layout.bias.len();
        let bias = &mut gradient[self.layout.bias.clone()];
        for row in tape.gates.chunks_exact(stride) {
            bias.iter_mut().zip(&row[..biases]).for_each(|(sum, &delta)| *sum += delta);
        }
    }

    /// Adds `∂L/∂y` through the step `next` to the credit of the units that rows
    /// `first..first + B` of `units` list: `W_y δ`, the direct coupling, and r ∂L/∂(r y⁻).
    fn add_credit(
        &self,
        units: &Lists<T>,
        first: usize,
        next: usize,
        credit: &mut [T],
        tape: &mut LayerTape<T>,
        products: &mut Products<T>,
    ) {
        let (n, batch, stride) = (self.layout.units, self.batch, self.stride());
        let recurrent = &self.layout.recurrent;
        let w = Matrix::new(self.recurrent(), recurrent.width(), 0..recurrent.width());
        tape.sampled.resize(credit.len(), T::zero());
        let gates = &tape.gates[next * stride..(next + batch) * stride];
        let d = Matrix::new(gates, stride, recurrent.columns.clone());
        products.sample(units, first..first + batch, d, w, &mut tape.sampled);
        credit.iter_mut().zip(&tape.sampled).for_each(|(c, &s)| *c += s);
        let output_reset = self.cell == LmCell::Egru
            && self.config.activity
            && self.config.event_reset == EventReset::Output;
        let start = units.positions(first..first).start;
        for b in 0..batch {
            let at = units.positions(first + b..first + b + 1);
            for (&i, credit) in units.index[at.clone()].iter().zip(&mut credit[at.start - start..]) {
                let place = b * n + i as usize;
                if output_reset {
                    *credit -= tape.lambda[place];
                }
                if self.before() {
                    *credit += tape.dy[place];
                }
            }
        }
    }

    /// Reset gate before the product: computes ∂L/∂(r y⁻) of step `row` where y⁻ is nonzero or live.
    /// The adjoint of s_r follows from it, and `tape.dy` receives its share of ∂L/∂y⁻.
    fn gated_adjoints(&self, row: usize, gated: &Block, tape: &mut LayerTape<T>, products: &mut Products<T>) {
        let (n, batch, stride) = (self.layout.units, self.batch, self.stride());
        let mut needed = Lists::default();
        for b in 0..batch {
            let (active, _) = tape.y.row(row + b);
            let live = match row.checked_sub(batch) {
                Some(last) => tape.live.row(last + b).0,
                None if tape.before.rows() > 0 => tape.before.row(b).0,
                None => &[],
            };
            let mut all: Vec<u32> = active.iter().chain(live).copied().collect();
            all.sort_unstable();
            all.dedup();
            all.into_iter().for_each(|i| needed.push(i as usize, T::one()));
            needed.end_row();
        }
        let w = self.dropped_gated.unwrap_or(&self.w[gated.at.clone()]);
        let w = Matrix::new(w, gated.width(), 0..gated.width());
        let own = row * stride..(row + batch) * stride;
        let d = Matrix::new(&tape.gates[own], stride, gated.columns.clone());
        tape.sampled.resize(needed.len(), T::zero());
        products.sample(&needed, 0..batch, d, w, &mut tape.sampled);
        tape.dy.fill(T::zero());
        for b in 0..batch {
            let gates = &mut tape.gates[(row + b) * stride..(row + b + 1) * stride];
            let at = needed.positions(b..b + 1);
            // ∂(r y⁻)/∂s_r is zero for units that are not listed.
            for (&i, &adjoint) in needed.row(b).0.iter().zip(&tape.sampled[at]) {
                let i = i as usize;
                gates[2 * n + i] *= adjoint;
                tape.dy[b * n + i] = gates[3 * n + i] * adjoint;
            }
        }
    }

    /// Computes λ and δ of one step, and the gradient of thresholds.
    fn adjoints(&self, row: usize, tape: &mut LayerTape<T>, gradient: &mut [T]) {
        let (n, batch, stride) = (self.layout.units, self.batch, self.stride());
        let rows = tape.x.rows();
        for b in 0..batch {
            let now = row + b;
            let lambda = &mut tape.lambda[b * n..(b + 1) * n];
            if now + batch < rows {
                let carry = &tape.carry[(now + batch) * n..(now + batch + 1) * n];
                lambda.iter_mut().zip(carry).for_each(|(l, &d)| *l *= d);
            }
            let at = tape.live.positions(now..now + 1);
            let dy = &mut tape.dy[b * n..(b + 1) * n];
            if self.cell == LmCell::Lstm {
                dy.fill(T::zero());
            }
            for k in at.clone() {
                let (i, e) = (tape.live.index[k] as usize, tape.live.value[k]);
                lambda[i] += e * tape.credit[k];
                if self.cell == LmCell::Lstm {
                    dy[i] = tape.credit[k];
                }
            }
            lambda.iter_mut().for_each(|l| *l = l.flushed());
            let gates = &mut tape.gates[now * stride..(now + 1) * stride];
            for (column, gates) in gates.chunks_exact_mut(n).enumerate() {
                let factor: &[T] = match (self.cell, column) {
                    (LmCell::Lstm, 3) => dy,
                    // The columns of r wait for ∂L/∂(r y⁻).
                    (LmCell::Egru, 2 | 3) if self.before() => continue,
                    _ => lambda,
                };
                gates.iter_mut().zip(factor).for_each(|(gate, &f)| *gate = (*gate * f).flushed());
            }
            if let Some(theta) = self.layout.theta.clone().filter(|_| !tape.theta_gain.is_empty()) {
                let theta = &mut gradient[theta];
                let gains = &tape.theta_gain[now * n..(now + 1) * n];
                theta.iter_mut().zip(gains).zip(&*lambda).for_each(|((g, &gain), &l)| *g += gain * l);
                for k in at {
                    theta[tape.live.index[k] as usize] += tape.e_bar[k] * tape.credit[k];
                }
            }
        }
    }
}

impl<T: Real> LayerTape<T> {
    /// Prepares the tape for a window of `x.rows()` rows.
    fn begin(&mut self, layer: &Layer<'_, T>, state: &LayerState<T>, thresholds: bool) {
        let (n, rows, batch) = (layer.layout.units, self.x.rows(), layer.batch);
        let stride = layer.layout.columns * n;
        let bias = &layer.w[layer.layout.bias.clone()];
        self.gates.clear();
        for _ in 0..rows {
            self.gates.extend_from_slice(bias);
            self.gates.resize(self.gates.len() + stride - bias.len(), T::zero());
        }
        self.carry.resize(rows * n, T::zero());
        self.theta_gain.resize(if thresholds { rows * n } else { 0 }, T::zero());
        self.e_bar.clear();
        [&mut self.live, &mut self.gated, &mut self.y, &mut self.before].into_iter().for_each(Lists::clear);
        if let Some(theta) = layer.layout.theta.clone().filter(|_| thresholds) {
            let event = &layer.config.surrogate;
            for c in state.c.chunks(n) {
                self.before.push_row(
                    c.iter().zip(&layer.w[theta.clone()]).map(|(&c, &theta)| -c * event.slope(c - theta)),
                );
            }
        }
        state.y.chunks(n).for_each(|y| self.y.push_row(y.iter().copied()));
        self.c.clone_from(&state.c);
        self.y_now.clone_from(&state.y);
        self.lambda.resize(batch * n, T::zero());
        self.dy.resize(batch * n, T::zero());
    }

    /// Computes `∂L/∂x = W_x δ` for the entries `needed`, one value each.
    pub fn input_credit(
        &self,
        input: &Block,
        w: &[T],
        needed: &Lists<T>,
        credit: &mut [T],
        products: &mut Products<T>,
    ) {
        let rows = needed.rows();
        let d = Matrix::new(&self.gates, self.gates.len() / rows, input.columns.clone());
        let w = Matrix::new(&w[input.at.clone()], input.width(), 0..input.width());
        products.sample(needed, 0..rows, d, w, credit);
    }

    /// Sets the credit of all live units to zero.
    pub fn clear_credit(&mut self) {
        self.credit.clear();
        self.credit.resize(self.live.len(), T::zero());
    }

    /// Returns the bytes that the tape holds for the backward pass.
    pub fn bytes(&self) -> usize {
        let numbers = self.gates.len() + self.carry.len() + self.e_bar.len() + self.theta_gain.len();
        size_of::<T>() * (numbers + self.credit.len())
            + self.x.bytes()
            + self.y.bytes()
            + self.live.bytes()
            + self.gated.bytes()
    }
}
