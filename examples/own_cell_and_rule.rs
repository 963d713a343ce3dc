//! Definition of a cell and a learning rule outside the library: both are checked, then used in
//! training.
//!
//! `cargo run --release --example own_cell_and_rule`

use sparse_rtrl::archive::Archive;
use sparse_rtrl::cell::{Cell, CellConfig, CellEntry, integrate_layer};
use sparse_rtrl::check::{check_cell, check_rule};
use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec, Update};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::{Kind, MaskSpec, Purpose, generator};
use sparse_rtrl::readout::Target;
use sparse_rtrl::rule::{Claim, Rule, RuleEntry, Skips};
use sparse_rtrl::wiring::{LayerInput, Plan, State, Step, Wiring};
use std::ops::Range;
use std::sync::Arc;

/// Leaky tanh units: `c = λ c⁻ + (1 − λ) tanh(W y⁻ + U x + b)`, `y = c`.
struct LeakyTanh {
    input: LayerInput,
    units: Range<usize>,    // rows
    previous: Range<usize>, // sources: emissions of the units at the previous step
    s: Range<usize>,        // pre-activations
}

const LAMBDA: f64 = 0.8;

/// Places a layer on a plan: rows, sources, pre-activations and parameter blocks.
fn place(plan: &mut Plan, n: usize, _: CellConfig, input: &LayerInput) -> Box<dyn Cell<f64>> {
    plan.begin_layer();
    let units = plan.unit_rows(n, true);
    let previous = plan.previous(units.clone());
    let s = plan.gate(units.clone());
    plan.block("w", Kind::Recurrent, &s, &previous);
    plan.block("u", Kind::Input, &s, &input.sources);
    plan.bias("b", &s);
    Box::new(LeakyTanh { input: input.clone(), units, previous, s })
}

impl Cell<f64> for LeakyTanh {
    fn advance(&self, wiring: &Wiring, w: &[f64], before: &State<f64>, step: &mut Step<f64>) -> u64 {
        let macs = integrate_layer(wiring, w, &self.input, &self.previous, &self.units, before, step);
        for (row, s) in self.units.clone().zip(self.s.clone()) {
            let z = step.pre[s].tanh();
            step.c[row] = LAMBDA * before.c[row] + (1.0 - LAMBDA) * z;
            step.y[row] = step.c[row];
            step.d[row] = LAMBDA; // ∂c/∂c⁻
            step.e[row] = 1.0; // ∂y/∂c
            step.gain[s] = (1.0 - LAMBDA) * (1.0 - z * z); // ∂c/∂s
            step.slope[row] = 1.0;
        }
        macs
    }

    fn rows(&self) -> Range<usize> {
        self.units.clone()
    }
}

/// Exact RTRL without skips, for one stream.
struct Textbook {
    wiring: Arc<Wiring>,
    s: Vec<Vec<f64>>, // [rows][p]
    y: Vec<Vec<f64>>, // [rows][p]
    gradient: Vec<f64>,
}

impl Textbook {
    fn new(wiring: Arc<Wiring>) -> Self {
        let zeros = vec![0.0; wiring.parameters()];
        let matrix = vec![zeros.clone(); wiring.rows()];
        Self { s: matrix.clone(), y: matrix, gradient: zeros, wiring }
    }
}

fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

impl Rule<f64> for Textbook {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.s.iter_mut().chain(&mut self.y).for_each(|row| row.fill(0.0));
    }

    /// Updates the influence: `S = diag(d) S⁻ + A Y⁻ + B Y + M̄`, `Y = diag(e) S + Ē`.
    fn observe(&mut self, step: &Step<f64>, _: &mut Macs) {
        let (wiring, before) = (&self.wiring, self.y.clone());
        for row in 0..wiring.rows() {
            let s = &mut self.s[row];
            s.iter_mut().for_each(|s| *s *= step.d[row]);
            wiring.previous().row(row).for_each(|(l, at)| add(s, step.a[at], &before[l]));
            wiring.current().row(row).for_each(|(j, at)| add(s, step.b[at], &self.y[j]));
            for &pre in wiring.gates_of(row) {
                let weights = wiring.layout().weights().row(pre);
                weights.for_each(|(source, k)| s[k] += step.gain[pre] * step.phi[source]);
            }
            self.y[row] = s.iter().map(|s| step.e[row] * s).collect();
            if let Some(theta) = wiring.threshold(row) {
                self.y[row][theta] += step.e_bar[row];
            }
        }
    }

    /// Adds a gradient contribution: `g += Yᵀ c̄`.
    fn credit(&mut self, credit: &[f64], _: &mut Macs) {
        let rows = self.wiring.outputs().zip(credit);
        rows.for_each(|(row, &c)| add(&mut self.gradient, c, &self.y[row]));
    }

    fn drain(&mut self, gradient: &mut [f64], _: &mut Macs) {
        add(gradient, 1.0, &self.gradient);
        self.gradient.fill(0.0);
    }

    fn archive(&mut self, archive: &mut Archive) -> sparse_rtrl::Result<()> {
        let rows = self.s.iter_mut().chain(&mut self.y);
        rows.chain([&mut self.gradient]).try_for_each(|row| archive.list("textbook", row))
    }

    fn bytes(&self) -> usize {
        (2 * self.s.len() + 1) * self.gradient.len() * size_of::<f64>()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variants = || vec![CellConfig { activity: false, ..CellConfig::default() }];
    let cell = CellEntry { name: "leaky-tanh", about: "leaky tanh units", place, variants };
    let build = |wiring: Arc<Wiring>, _activity: bool| Textbook::new(wiring);
    let rule = RuleEntry::maskable("textbook", "exact RTRL without skips", Claim::Exact, build);

    check_cell(&cell)?;
    println!("{}: local derivatives equal finite differences", cell.name);
    check_rule(&rule)?;
    println!("{}: gradients equal those of dense RTRL", rule.name);

    // Training: prediction of the next value of a sine wave, with 12 units and ω = 0.5.
    let layers = vec![LayerSpec::new(cell.name, 12, CellConfig::default())];
    let spec = NetworkSpec { inputs: 1, layers, trace: None };
    let mut masks = generator(0, Purpose::Mask);
    let mask = MaskSpec { sparsity: 0.5, ..MaskSpec::default() };
    let network = Network::with_cells(&spec, &[cell], |blocks| mask.draw(blocks, &mut masks))?;
    let mut spec = SequenceLearnerSpec::new(1, 12, 1);
    spec.update = Update::Steps(10);
    let new_rule = |wiring: &Arc<Wiring>, seed| (rule.build)(wiring, Skips::ALL, seed);
    let mut learner = SequenceLearner::with_network(&spec, 0, network, new_rule)?;
    for sequence in 0..=200 {
        let wave = |t: usize| (0.4 * (t + sequence) as f64).sin();
        let mut loss = 0.0;
        for t in 0..30 {
            loss += learner.step(&[wave(t)], Some(Target::Values(&[wave(t + 1)])))?.unwrap_or(0.0);
        }
        learner.end_sequence()?;
        if sequence % 50 == 0 {
            println!("sequence {sequence}: mean loss {:.4}", loss / 30.0);
        }
    }
    Ok(())
}
