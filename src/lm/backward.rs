//! The backward pass of a layer through a window (LM paper, section 3):
//!
//! `∂L/∂y_t += W_y δ_{t+1} + direct λ_{t+1}`, for units with e ≠ 0 or Ē ≠ 0 only;
//! `λ_t = d_{t+1} λ_{t+1} + e_t ∂L/∂y_t`;  `δ_t = gain_t λ_t`;
//! `∂L/∂W_x = Σ_t X_tᵀ δ_t`, `∂L/∂W_y = Σ_t Y_{t−1}ᵀ δ_t`.

use super::layer::Layer;
use super::layout::Block;
use super::lists::Lists;
use super::matrix::{Matrix, MatrixMut};
use super::products::Products;
use super::spec::LmCell;
use super::tape::LayerTape;
use crate::cell::EventReset;
use crate::scalar::Real;

impl<T: Real> Layer<'_, T> {
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
