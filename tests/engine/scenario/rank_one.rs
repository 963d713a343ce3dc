//! UORO from its equations, with the signs the rule draws.

use super::reference::{Reference, add};
use rand::RngExt;
use sparse_rtrl::params::{Generator, Purpose, generator};
use sparse_rtrl::wiring::{Step, Wiring};
use std::sync::Arc;

/// UORO by its equations: `s̃ ← (I − B diag(e))⁻¹ (ρ₀ (diag(d) + A diag(e⁻)) s̃ + ρ₁ ν)`,
/// `θ̃ ← θ̃/ρ₀ + νᵀN/ρ₁`.
pub struct RankOne {
    wiring: Arc<Wiring>,
    rng: Generator,
    s: Vec<f64>,
    theta: Vec<f64>,
    e: Vec<f64>,
    e_bar: Vec<f64>,
    gradient: Vec<f64>,
}

impl RankOne {
    pub fn new(wiring: &Arc<Wiring>, seed: u64) -> Self {
        let zeros = |n: usize| vec![0.0; n];
        let (n, p) = (wiring.rows(), wiring.parameters());
        let rng = generator(seed, Purpose::Noise);
        Self {
            wiring: wiring.clone(),
            rng,
            s: zeros(n),
            theta: zeros(p),
            e: zeros(n),
            e_bar: zeros(n),
            gradient: zeros(p),
        }
    }

    /// `(I − B diag(e))⁻¹ x`.
    fn within(&self, step: &Step<f64>, mut x: Vec<f64>) -> Vec<f64> {
        for i in 0..x.len() {
            let read = self.wiring.current().row(i).map(|(j, at)| step.b[at] * step.e[j] * x[j]);
            x[i] += read.sum::<f64>();
        }
        x
    }
}

fn ratio(a: &[f64], b: &[f64]) -> f64 {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let (a, b) = (norm(a), norm(b));
    if a > 0.0 && b > 0.0 { (a / b).sqrt() } else { 1.0 }
}

impl Reference for RankOne {
    fn reset(&mut self) {
        [&mut self.s, &mut self.theta, &mut self.e, &mut self.e_bar].into_iter().for_each(|x| x.fill(0.0));
    }

    fn observe(&mut self, step: &Step<f64>) {
        let wiring = self.wiring.clone();
        let nu: Vec<f64> =
            (0..wiring.rows()).map(|_| if self.rng.random_bool(0.5) { 1.0 } else { -1.0 }).collect();
        let mut carried = Vec::new();
        let mut added = vec![0.0; self.theta.len()];
        for (i, sign) in nu.iter().enumerate() {
            let read = wiring.previous().row(i).map(|(l, at)| step.a[at] * self.e[l] * self.s[l]);
            carried.push(step.d[i] * self.s[i] + read.sum::<f64>());
            for (l, at) in wiring.previous().row(i) {
                wiring.threshold(l).into_iter().for_each(|k| added[k] += sign * step.a[at] * self.e_bar[l]);
            }
            for (j, at) in wiring.current().row(i) {
                wiring.threshold(j).into_iter().for_each(|k| added[k] += sign * step.b[at] * step.e_bar[j]);
            }
        }
        for (column, (pre, source)) in wiring.layout().weights().entries().enumerate() {
            added[column] += nu[wiring.pre_rows()[pre]] * step.gain[pre] * step.phi[source];
        }
        let (carried, nu) = (self.within(step, carried), self.within(step, nu));
        let (r0, r1) = (ratio(&self.theta, &carried), ratio(&added, &nu));
        self.s = carried.iter().zip(&nu).map(|(x, nu)| r0 * x + r1 * nu).collect();
        self.theta.iter_mut().zip(&added).for_each(|(theta, x)| *theta = *theta / r0 + x / r1);
        (self.e, self.e_bar) = (step.e.clone(), step.e_bar.clone());
    }

    fn credit(&mut self, credit: &[f64]) {
        let outputs = || self.wiring.outputs().zip(credit);
        let weight: f64 = outputs().map(|(row, c)| c * self.e[row] * self.s[row]).sum();
        let mut gradient = std::mem::take(&mut self.gradient);
        add(&mut gradient, weight, &self.theta);
        for (row, c) in outputs() {
            self.wiring.threshold(row).into_iter().for_each(|k| gradient[k] += c * self.e_bar[row]);
        }
        self.gradient = gradient;
    }

    fn drain(&mut self) -> Vec<f64> {
        let fresh = vec![0.0; self.gradient.len()];
        std::mem::replace(&mut self.gradient, fresh)
    }
}
