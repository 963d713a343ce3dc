//! Cost and gradient accuracy of one rule on one network.

use serde::Serialize;
use sparse_rtrl::cell::{CellConfig, ResetGate, Surrogate};
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::metrics::Fidelity;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::{Generator, Init, Kind, MaskSpec, Purpose, generator};
use sparse_rtrl::rule;
use sparse_rtrl::rule::cost::{Means, Shape, paper};
use sparse_rtrl::rule::{RuleEntry, Skips};
use sparse_rtrl::wiring::{State, Step, Wiring};
use std::sync::Arc;
use std::time::Instant;

const INPUTS: usize = 2;

/// Standard deviation of the input, large enough that most units emit events.
const INPUT_SCALE: f32 = 3.0;

/// Above this number of MACs per step, rules with a constant cost per step (from the second step)
/// are run for three steps only.
const MOST_MACS: f64 = 2e7;

/// A network and the number of steps to run it.
#[derive(Clone, Copy)]
pub struct Setting {
    pub cell: &'static str,
    pub units: usize,
    pub sparsity: f64,
    pub epsilon: f64,
    pub steps: usize,
    pub warm_up: usize,
    pub seed: u64,
}

/// A row of the table. Costs are means per step, of the rule alone.
#[derive(Clone, Serialize)]
pub struct Measured {
    pub cell: &'static str,
    pub units: usize,
    pub param_sparsity: f64,
    pub epsilon: f64,
    pub seed: u64,
    pub rule: String,
    pub claim: String,
    pub parameters: usize,
    pub activity_sparsity: f64,
    pub backward_sparsity: f64,
    pub live_share: f64,
    pub paper_formula: &'static str,
    pub paper_macs: Option<f64>,
    /// MACs from sizes and mean sparsities.
    pub expected_macs: Option<f64>,
    /// MACs from the exact sparsity of each step.
    pub predicted_macs: f64,
    /// MACs counted in the kernels.
    pub counted_macs: f64,
    pub paper_numbers: Option<f64>,
    pub predicted_bytes: usize,
    pub bytes: usize,
    pub seconds: f64,
    pub gradient_cosine: f64,
    /// Computed share of the products A Y in columns of recurrent weights; `rtrl` only.
    pub recurrent_share: Option<f64>,
    /// Share of the columns of recurrent weights that were active.
    pub active_share: f64,
    /// Share of A Y by the paper's formula, ω̃² β̃(t) β̃(t−1).
    pub paper_share: f64,
    /// Share of A Y by the formula for the cell.
    pub derived_share: f64,
}

impl Setting {
    fn spec(&self) -> NetworkSpec {
        let surrogate = Surrogate::new(0.7, self.epsilon);
        // Reset gate after the product, as in the code of the RTRL paper: every coupling then
        // belongs to one weight.
        let config = CellConfig { surrogate, reset_gate: ResetGate::After, ..CellConfig::default() };
        let layer = LayerSpec::new(self.cell, self.units, config);
        NetworkSpec { inputs: INPUTS, layers: vec![layer], trace: None }
    }

    fn mask(&self) -> MaskSpec {
        MaskSpec { sparsity: self.sparsity, ..MaskSpec::default() }
    }

    /// Checks sizes and ranges.
    pub fn check(&self) -> Result<()> {
        if self.units > 512 {
            return Err(Error::setting(
                "units",
                "at most 512, because dense RTRL is among the rules",
                self.units,
            ));
        }
        self.spec().check()?;
        self.mask().check()
    }
}

fn normals(n: usize, rng: &mut Generator) -> Vec<f32> {
    use rand_distr::{Distribution, StandardNormal};
    (0..n).map(|_| INPUT_SCALE * Distribution::<f32>::sample(&StandardNormal, rng)).collect()
}

/// Steps of a network with one credit each, and mean sparsities.
struct Drive {
    steps: Vec<(Step<f32>, Vec<f32>)>,
    active: f64,
    steep: f64,
    live: f64,
    steep_pairs: f64,
    /// Share of the kept recurrent weights whose column was active at the previous step.
    active_columns: f64,
    /// Share of all parameters whose column was active at the previous step.
    active_columns_all: f64,
    /// Share of all parameters whose source is nonzero.
    nonzero_sources: f64,
    /// Mean product of the shares of live units at the previous and at this step.
    live_pairs: f64,
    /// Share of live units at the previous step.
    live_before: f64,
    /// Mean of the share of active columns times β̃(t) β̃(t−1).
    active_steep_pairs: f64,
    /// Mean of the share of active columns times the share of live units at the previous step.
    active_live: f64,
}

fn drive(net: &Network<f32>, w: &[f32], setting: &Setting) -> Drive {
    let wiring = net.wiring();
    let mut rng = generator(setting.seed, Purpose::Data);
    let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
    let mut steps = Vec::new();
    let n = setting.units as f64;
    let share = |of: &dyn Fn(usize) -> bool| wiring.units().iter().filter(|&&row| of(row)).count() as f64 / n;
    let (mut shares, mut active, mut active_all, mut nonzero) =
        (Vec::new(), vec![0.0], vec![0.0], Vec::new());
    let weights = wiring.layout().weights();
    let recurrent: Vec<usize> = {
        let blocks = wiring.layout().blocks().iter().filter(|b| b.spec.kind == Kind::Recurrent);
        let places: std::collections::HashSet<_> = blocks.flat_map(|b| b.places.iter().copied()).collect();
        let entries = weights.entries().enumerate().filter(|(k, _)| places.contains(k));
        entries.map(|(_, (_, source))| source).collect()
    };
    let mut was_nonzero = vec![false; wiring.sources().len()];
    for _ in 0..setting.warm_up + setting.steps {
        net.advance(w, &normals(INPUTS, &mut rng), &state, &mut step, &mut Macs::default());
        state.follow(&step);
        let credit = normals(wiring.outputs().len(), &mut rng);
        shares.push([
            share(&|row| step.y[row] != 0.0),
            share(&|row| step.slope[row] != 0.0),
            share(&|row| step.is_live(row)),
        ]);
        steps.push((step.clone(), credit));
        was_nonzero.iter_mut().zip(&step.phi).for_each(|(was, &phi)| *was |= phi != 0.0);
        let touched = recurrent.iter().filter(|&&source| was_nonzero[source]).count();
        let share = |is_nonzero: &dyn Fn(usize) -> bool| {
            weights.entries().filter(|&(_, source)| is_nonzero(source)).count() as f64 / weights.len() as f64
        };
        active_all.push(share(&|source| was_nonzero[source]));
        nonzero.push(share(&|source| step.phi[source] != 0.0));
        active.push(touched as f64 / recurrent.len().max(1) as f64);
    }
    let from = setting.warm_up;
    let count = setting.steps as f64;
    let mean = |of: &dyn Fn(usize) -> f64| (from..shares.len()).map(of).sum::<f64>() / count;
    Drive {
        active: mean(&|t| shares[t][0]),
        steep: mean(&|t| shares[t][1]),
        live: mean(&|t| shares[t][2]),
        steep_pairs: mean(&|t| shares[t][1] * shares[t - 1][1]),
        active_columns: mean(&|t| active[t]),
        active_columns_all: mean(&|t| active_all[t]),
        nonzero_sources: mean(&|t| nonzero[t]),
        live_pairs: mean(&|t| shares[t - 1][2] * shares[t][2]),
        live_before: mean(&|t| shares[t - 1][2]),
        active_steep_pairs: mean(&|t| active[t] * shares[t][1] * shares[t - 1][1]),
        active_live: mean(&|t| active[t] * shares[t - 1][2]),
        steps,
    }
}

/// Totals of a rule over the steps after the warm-up.
struct Run {
    counted: Macs,
    predicted: Macs,
    bytes: usize,
    predicted_bytes: usize,
    seconds: f64,
    gradient: Vec<f32>,
}

/// Returns the number of steps before the measurement, and shortens `driven` for rules with a high
/// constant cost per step.
fn warm_up(setting: &Setting, rule: &str, wiring: &Wiring, driven: &mut Drive) -> usize {
    let dense = rule::DenseCost::new(&wiring.unmasked());
    let constant = ["rtrl-dense", "rtrl-param"].contains(&rule);
    if constant && dense.influence as f64 > MOST_MACS {
        driven.steps.truncate(3);
        1
    } else if rule == "bptt" {
        // BPTT has one backward pass at the end, whose cost is averaged over all steps.
        0
    } else {
        setting.warm_up
    }
}

/// Runs a rule over all steps and totals those after the warm-up.
fn run(entry: &RuleEntry<f32>, wiring: &Arc<Wiring>, driven: &Drive, warm_up: usize, seed: u64) -> Run {
    let mut rule = (entry.build)(wiring, Skips::ALL, seed);
    let mut prediction = entry.cost_model(wiring).expect("every registered rule has a cost model");
    let mut gradient = vec![0.0; wiring.parameters()];
    let (mut counted, mut predicted, mut seconds) = (Macs::default(), Macs::default(), 0.0);
    let (mut bytes, mut predicted_bytes) = (0, 0);
    for (t, (step, credit)) in driven.steps.iter().enumerate() {
        if t == warm_up {
            (counted, predicted, seconds) = (Macs::default(), Macs::default(), 0.0);
        }
        let started = Instant::now();
        rule.observe(step, &mut counted);
        rule.credit(credit, &mut counted);
        seconds += started.elapsed().as_secs_f64();
        predicted += prediction.observe(step);
        predicted += prediction.credit(credit);
        bytes = rule.bytes().max(bytes);
        predicted_bytes = (size_of::<f32>() * prediction.footprint()).max(predicted_bytes);
    }
    let started = Instant::now();
    rule.drain(&mut gradient, &mut counted);
    seconds += started.elapsed().as_secs_f64();
    predicted += prediction.drain();
    Run { counted, predicted, bytes, predicted_bytes, seconds, gradient }
}

/// Returns the gradient of BPTT.
fn exact_gradient(wiring: &Arc<Wiring>, driven: &Drive) -> Result<Vec<f32>> {
    let mut exact = vec![0.0; wiring.parameters()];
    let mut tape = (rule::find::<f32>("bptt")?.build)(wiring, Skips::ALL, 0);
    for (step, credit) in &driven.steps {
        tape.observe(step, &mut Macs::default());
        tape.credit(credit, &mut Macs::default());
    }
    tape.drain(&mut exact, &mut Macs::default());
    Ok(exact)
}

/// Returns the sizes and mean sparsities of the closed forms.
fn means(wiring: &Wiring, driven: &Drive) -> Means {
    let carry = wiring.carries(wiring.units()[0]);
    Means {
        units: wiring.units().len() as f64,
        parameters: wiring.parameters() as f64,
        dense_parameters: wiring.unmasked().parameters() as f64,
        couplings: wiring.previous().len() as f64,
        carry,
        thresholds: true,
        live: driven.live,
        live_pairs: if carry { driven.live_before } else { driven.live_pairs },
        active: driven.active_columns_all,
        nonzero: driven.nonzero_sources,
    }
}

/// Measures a rule over the steps of a network.
///
/// # Errors
/// If the setting is out of range.
pub fn measure(setting: &Setting, entry: &RuleEntry<f32>) -> Result<Measured> {
    let mut masks = generator(setting.seed, Purpose::Mask);
    let net = Network::<f32>::new(&setting.spec(), |blocks| setting.mask().draw(blocks, &mut masks))?;
    let wiring = net.wiring();
    let w = Init::default().draw::<f32>(wiring.layout(), &mut generator(setting.seed, Purpose::Init))?;
    let mut driven = drive(&net, &w, setting);
    let warm_up = warm_up(setting, &entry.name, wiring, &mut driven);
    let steps = (driven.steps.len() - warm_up) as f64;
    let run = run(entry, wiring, &driven, warm_up, setting.seed);
    let exact = exact_gradient(wiring, &driven)?;

    let kept = wiring.layout().kept_share(&[Kind::Recurrent]);
    let n = setting.units as f64;
    let recurrent = wiring.layout().blocks().iter().filter(|b| b.spec.kind == Kind::Recurrent);
    let recurrent: usize = recurrent.map(|b| b.spec.dense_len()).sum();
    let coupled = wiring.previous().len() as f64 / (n * n);
    let shape = Shape {
        units: n,
        parameters: recurrent as f64,
        kept,
        active: driven.active,
        steep: driven.steep,
        steps: driven.steps.len() as f64,
    };
    let paper = paper(&entry.name, &shape);
    Ok(Measured {
        cell: setting.cell,
        units: setting.units,
        param_sparsity: 1.0 - kept,
        epsilon: setting.epsilon,
        seed: setting.seed,
        rule: entry.name.clone(),
        claim: format!("{:?}", entry.claim),
        parameters: wiring.parameters(),
        activity_sparsity: 1.0 - driven.active,
        backward_sparsity: 1.0 - driven.steep,
        live_share: driven.live,
        paper_formula: paper.map_or("", |p| p.time_formula),
        paper_macs: paper.map(|p| p.time),
        expected_macs: entry.mean_cost(&means(wiring, &driven)),
        predicted_macs: run.predicted.total() as f64 / steps,
        counted_macs: run.counted.total() as f64 / steps,
        paper_numbers: paper.map(|p| p.memory),
        predicted_bytes: run.predicted_bytes,
        bytes: run.bytes,
        seconds: run.seconds / steps,
        gradient_cosine: Fidelity::between(&run.gradient, &exact).cosine,
        recurrent_share: (entry.name == "rtrl")
            .then(|| run.counted.recurrent as f64 / steps / (n * n * recurrent as f64)),
        active_share: driven.active_columns,
        paper_share: kept * kept * driven.steep_pairs,
        derived_share: match setting.cell {
            "event-rnn" => kept * kept * driven.active_steep_pairs,
            _ => kept * coupled * driven.active_live,
        },
    })
}
