//! A network of given size, sparsity and share of live units, on random input.

use rand::RngExt;
use rand_distr::StandardNormal;
use serde::Serialize;
use sparse_rtrl::cell::{CellConfig, ResetGate, Surrogate};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::file;
use sparse_rtrl::learner::sequence::SequenceLearnerSpec;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::{Init, Kind, MaskSharing, Purpose, generator};
use sparse_rtrl::rule::{self, DenseCost, Rule, Skips};
use sparse_rtrl::wiring::{State, Step, Wiring};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Number of different inputs, used cyclically.
const INPUTS: usize = 4096;
/// Steps over which the share of live units is measured.
const PROBE: usize = 300;

/// Size and sparsity of a network.
#[derive(Clone, Serialize)]
pub struct Setting {
    pub cell: String,
    pub units: usize,
    pub inputs: usize,
    pub sparsity: f64,
    pub live: f64,
    pub one_mask: bool,
    pub reset_before: bool,
    /// Whether the network is used as drawn, without adjusting the share of live units.
    pub quick: bool,
}

/// Result of a repetition.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    setting: &'a Setting,
    rule: &'a str,
    threads: usize,
    credit_every: usize,
    parameters: usize,
    microseconds: f64,
    slowest_microseconds: f64,
    live_measured: f64,
    macs: f64,
    influence_macs: f64,
    dense_macs: f64,
    bytes: usize,
}

/// A network, its rule and its position in the stream.
pub struct Trial {
    setting: Setting,
    name: String,
    net: Arc<Network<f32>>,
    w: Vec<f32>,
    rule: Box<dyn Rule<f32>>,
    state: State<f32>,
    step: Step<f32>,
    surrogate: Surrogate,
    inputs: Vec<f32>,
    credit: Vec<f32>,
    gradient: Vec<f32>,
    t: usize,
}

fn build(
    setting: &Setting,
    width: f64,
    threshold: f64,
) -> Result<(Network<f32>, Vec<f32>, SequenceLearnerSpec)> {
    let mut config = CellConfig::default();
    config.surrogate.epsilon = width;
    config.reset_gate = if setting.reset_before { ResetGate::Before } else { ResetGate::After };
    let mut spec = SequenceLearnerSpec::new(setting.inputs, setting.units, 1);
    spec.model.network = NetworkSpec {
        inputs: setting.inputs,
        layers: vec![LayerSpec::new(&setting.cell, setting.units, config)],
        trace: None,
    };
    spec.model.mask.sparsity = setting.sparsity;
    spec.model.mask.sharing = if setting.one_mask { MaskSharing::Connection } else { MaskSharing::Gate };
    spec.check()?;
    spec.check_size::<f32>()?;
    let mut rng = generator(0, Purpose::Mask);
    let net = Network::new(&spec.model.network, |blocks| {
        spec.model.network.draw_masks(&spec.model.mask, blocks, &mut rng)
    })?;
    let mut w = Init::default().draw::<f32>(net.wiring().layout(), &mut generator(0, Purpose::Init))?;
    for block in net.wiring().layout().blocks().iter().filter(|b| b.spec.kind == Kind::Threshold) {
        block.places.iter().for_each(|&place| w[place] = threshold as f32);
    }
    Ok((net, w, spec))
}

/// Returns the share of live units over `inputs`.
fn live_share(net: &Network<f32>, w: &[f32], inputs: &[f32]) -> f64 {
    let wiring = net.wiring();
    let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
    let mut live = 0;
    for x in inputs.chunks_exact(wiring.inputs()).take(PROBE) {
        net.advance(w, x, &state, &mut step, &mut Macs::default());
        state.follow(&step);
        live += wiring.units().iter().filter(|&&row| step.is_live(row)).count();
    }
    live as f64 / (PROBE * wiring.units().len()) as f64
}

impl Trial {
    /// Creates a network. Adjusts the width of the pseudo-derivative (event RNN) or the thresholds
    /// (EGRU) to obtain the requested share of live units.
    pub fn new(setting: &Setting, rule: &str) -> Result<Self> {
        let entry = rule::find::<f32>(rule)?;
        if !["event-rnn", "egru"].contains(&setting.cell.as_str()) {
            return Err(Error::unknown("cell", &setting.cell, ["event-rnn", "egru"].into_iter()));
        }
        let mut rng = generator(0, Purpose::Data);
        let mut normal = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.sample(StandardNormal)).collect() };
        let inputs = normal(INPUTS * setting.inputs);
        let is_event_rnn = setting.cell == "event-rnn";
        let (mut low, mut high) = (0.0f64, if is_event_rnn { 64.0 } else { 1.0 });
        let searches = if setting.quick { 0 } else { 30 };
        if setting.quick {
            (low, high) = (0.3, 0.3);
        }
        for _ in 0..searches {
            let middle = 0.5 * (low + high);
            let (net, w, _) = if is_event_rnn {
                build(setting, middle.max(1e-6), 0.1)?
            } else {
                build(setting, 0.1, middle)?
            };
            let too_many = live_share(&net, &w, &inputs) > setting.live;
            // The share of live units grows with the width and falls with the threshold.
            if too_many == is_event_rnn { high = middle } else { low = middle }
        }
        // The end of the interval with at least the requested share.
        let (net, w, spec) =
            if is_event_rnn { build(setting, high, 0.1)? } else { build(setting, 0.1, low)? };
        let wiring = net.wiring().clone();
        Ok(Self {
            setting: setting.clone(),
            name: entry.name.clone(),
            surrogate: spec.model.network.layers[0].config.surrogate,
            rule: (entry.build)(&wiring, Skips::ALL, 0),
            state: State::new(&wiring),
            step: Step::new(&wiring),
            credit: normal(wiring.outputs().len()),
            gradient: vec![0.0; w.len()],
            inputs,
            t: 0,
            net: Arc::new(net),
            w,
        })
    }

    /// Returns a copy of the network at the start of its stream, with another rule.
    pub fn with_rule(&self, rule: &str) -> Result<Self> {
        let entry = rule::find::<f32>(rule)?;
        let wiring = self.net.wiring();
        Ok(Self {
            setting: self.setting.clone(),
            name: entry.name.clone(),
            net: self.net.clone(),
            w: self.w.clone(),
            rule: (entry.build)(wiring, Skips::ALL, 0),
            state: State::new(wiring),
            step: Step::new(wiring),
            surrogate: self.surrogate,
            inputs: self.inputs.clone(),
            credit: self.credit.clone(),
            gradient: self.gradient.clone(),
            t: 0,
        })
    }

    /// Returns the wiring of the network.
    pub fn wiring(&self) -> &Wiring {
        self.net.wiring()
    }

    /// Runs `microseconds.len()` steps with a gradient each, and appends the microseconds of each
    /// step to its entry.
    pub fn sample(&mut self, microseconds: &mut [Vec<f64>]) {
        for samples in microseconds {
            let started = Instant::now();
            self.learn(&mut Macs::default(), true);
            samples.push(1e6 * started.elapsed().as_secs_f64());
        }
    }

    /// Runs one step and optionally computes its gradient.
    fn learn(&mut self, macs: &mut Macs, gradient: bool) {
        self.advance(macs);
        if gradient {
            self.rule.credit(&self.credit, macs);
            self.gradient.fill(0.0);
            self.rule.drain(&mut self.gradient, macs);
        }
    }

    fn advance(&mut self, macs: &mut Macs) {
        let m = self.setting.inputs;
        let x = &self.inputs[(self.t % INPUTS) * m..][..m];
        self.net.advance(&self.w, x, &self.state, &mut self.step, macs);
        self.state.follow(&self.step);
        self.rule.observe(&self.step, macs);
        self.t += 1;
    }

    /// Runs `steps` steps with a gradient every `credit_every` steps. Returns microseconds per
    /// step.
    pub fn time(&mut self, steps: usize, credit_every: usize) -> f64 {
        let (mut macs, started) = (Macs::default(), Instant::now());
        for k in 1..=steps {
            self.learn(&mut macs, credit_every > 0 && k % credit_every == 0);
        }
        1e6 * started.elapsed().as_secs_f64() / steps as f64
    }

    /// Runs `steps` steps and returns the measurements as JSON.
    pub fn run(&mut self, steps: usize, credit_every: usize) -> String {
        let (mut macs, mut live, mut slowest) = (Macs::default(), 0, 0.0f64);
        let started = Instant::now();
        let mut before = started;
        for k in 1..=steps {
            self.learn(&mut macs, credit_every > 0 && k % credit_every == 0);
            let now = Instant::now();
            slowest = slowest.max((now - before).as_secs_f64());
            before = now;
            let is_live = |&row: &usize| usize::from(self.step.is_live(row));
            live += self.net.wiring().units().iter().map(is_live).sum::<usize>();
        }
        let seconds = started.elapsed().as_secs_f64();
        let wiring = self.net.wiring();
        let dense = DenseCost::new(&wiring.unmasked());
        let timed = Timed {
            setting: &self.setting,
            rule: &self.name,
            threads: rayon::current_num_threads(),
            credit_every,
            parameters: wiring.parameters(),
            microseconds: 1e6 * seconds / steps as f64,
            slowest_microseconds: 1e6 * slowest,
            live_measured: live as f64 / (steps * wiring.units().len()) as f64,
            macs: macs.total() as f64 / steps as f64,
            influence_macs: macs.influence as f64 / steps as f64,
            dense_macs: (dense.influence + dense.gradient) as f64,
            bytes: self.rule.bytes(),
        };
        serde_json::to_string(&timed).expect("plain numbers")
    }

    /// Writes the network, input, credit, and the gradient after each of the first steps.
    pub fn dump(&mut self, path: &Path, steps: usize) -> Result<()> {
        #[derive(Serialize)]
        struct Lanes<'a> {
            name: &'a str,
            shape: (usize, usize),
            entries: Vec<(usize, usize, f32)>,
        }
        #[derive(Serialize)]
        struct Dump<'a> {
            setting: &'a Setting,
            gamma: f64,
            epsilon: f64,
            blocks: Vec<Lanes<'a>>,
            inputs: &'a [f32],
            credit: &'a [f32],
            /// One per step, in the order of the blocks' entries.
            gradients: Vec<Vec<f32>>,
        }
        let mut gradients = Vec::new();
        for _ in 0..steps {
            self.advance(&mut Macs::default());
            self.gradient.fill(0.0);
            self.rule.credit(&self.credit, &mut Macs::default());
            self.rule.drain(&mut self.gradient, &mut Macs::default());
            let blocks = self.net.wiring().layout().blocks().iter();
            gradients.push(blocks.flat_map(|b| b.places.iter().map(|&k| self.gradient[k])).collect());
        }
        let blocks = self.net.wiring().layout().blocks().iter().map(|b| Lanes {
            name: &b.spec.name,
            shape: b.spec.shape(),
            entries: b.kept.entries().zip(&b.places).map(|((i, j), &k)| (i, j, self.w[k])).collect(),
        });
        let dump = Dump {
            setting: &self.setting,
            gamma: self.surrogate.gamma,
            epsilon: self.surrogate.epsilon,
            blocks: blocks.collect(),
            inputs: &self.inputs[..steps * self.setting.inputs],
            credit: &self.credit,
            gradients,
        };
        file::replace(path, serde_json::to_string(&dump).expect("plain numbers"))
    }
}
