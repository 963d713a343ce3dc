//! Golden cases and the networks built from them. Shared by several tests.
#![allow(dead_code, unused_imports)]

use serde::Deserialize;
use sparse_rtrl::cell::{CellConfig, EventReset, ResetGate, Surrogate};
pub use sparse_rtrl::check::{Trial, normal, relative_error};
use sparse_rtrl::model::Model;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::Pattern;
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::wiring::{Step, Wiring};
use std::collections::HashMap;
use std::path::PathBuf;

/// A matrix, row-major, or a vector.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Table {
    Matrix(Vec<Vec<f64>>),
    Vector(Vec<f64>),
}

impl Table {
    pub fn at(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::Matrix(rows) => rows[i][j],
            Self::Vector(values) => {
                assert_eq!(j, 0, "a vector must have one column");
                values[i]
            }
        }
    }

    pub fn flat(&self) -> Vec<f64> {
        match self {
            Self::Matrix(rows) => rows.concat(),
            Self::Vector(values) => values.clone(),
        }
    }
}

pub type Tables = HashMap<String, Table>;

#[derive(Deserialize)]
pub struct Config {
    pub gamma: f64,
    pub eps: f64,
    #[serde(default)]
    pub reset_gate: ResetGate,
    #[serde(default)]
    pub event_reset: EventReset,
    #[serde(default = "yes")]
    pub activity: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Targets {
    Class(usize),
    Values(Vec<Vec<f64>>),
}

#[derive(Deserialize)]
pub struct Expect {
    pub state: Vec<Vec<Vec<f64>>>,
    pub y: Vec<Vec<f64>>,
    pub output: Vec<Vec<f64>>,
    pub total_loss: f64,
    pub grad_layers: Vec<Tables>,
    pub grad_readout: Tables,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub cell: String,
    pub units: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub config: Config,
    pub layers: Vec<Tables>,
    pub masks: Vec<HashMap<String, Table>>,
    pub readout: Tables,
    pub x: Vec<Vec<f64>>,
    pub loss: String,
    pub target: Targets,
    pub expect: Expect,
}

impl Case {
    /// Reads all cases from `tests/golden/` or, if it is set, from the folder `GOLDEN_DIR`.
    pub fn all() -> Vec<Self> {
        let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let folder = std::env::var_os("GOLDEN_DIR").map_or(default, PathBuf::from);
        let list = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut files: Vec<_> =
            list.map(|entry| entry.expect("the folder must be readable").path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "json"));
        files.sort();
        assert!(!files.is_empty(), "no golden case in {}", folder.display());
        let read = |file: PathBuf| {
            let text = std::fs::read_to_string(&file).expect("the file must be readable");
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
        };
        files.into_iter().map(read).collect()
    }

    pub fn cell_name(&self) -> &'static str {
        match self.cell.as_str() {
            "egru" => "egru",
            "event_rnn" => "event-rnn",
            other => panic!("the golden case {} has an unknown cell {other}", self.name),
        }
    }

    /// Returns the model of the case and its kept parameters.
    pub fn model(&self) -> (Model<f64>, Vec<f64>) {
        let c = &self.config;
        let config = CellConfig {
            surrogate: Surrogate::new(c.gamma, c.eps),
            reset_gate: c.reset_gate,
            event_reset: c.event_reset,
            activity: c.activity,
        };
        let units = |layer: &Tables| layer[if self.cell == "egru" { "bu" } else { "b" }].flat().len();
        let layer = |l: &Tables| LayerSpec::new(self.cell_name(), units(l), config);
        let layers = self.layers.iter().map(layer).collect();
        let spec = NetworkSpec { inputs: self.inputs, layers, trace: None };
        let kept = |block: &sparse_rtrl::params::ParamBlockSpec| {
            let (rows, cols) = block.shape();
            let (layer, name) = split(&block.name);
            let is_kept = |&(i, j): &(usize, usize)| match self.masks[layer].get(name) {
                Some(mask) => mask.at(i, j) != 0.0,
                None => true,
            };
            let all = (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j)));
            Pattern::new(rows, cols, all.filter(is_kept).collect())
        };
        let network = Network::new(&spec, |blocks| Ok(blocks.iter().map(kept).collect())).unwrap();
        let loss = match self.loss.as_str() {
            "mse_every_step" => Loss::SquaredError,
            "cross_entropy_last_step" => Loss::CrossEntropy,
            other => panic!("the golden case {} has an unknown loss {other}", self.name),
        };
        let mut w = vec![0.0; network.wiring().parameters()];
        for block in network.wiring().layout().blocks() {
            let (layer, name) = split(&block.spec.name);
            for ((i, j), &place) in block.kept.entries().zip(&block.places) {
                w[place] = self.layers[layer][name].at(i, j);
            }
        }
        w.extend(self.readout["w"].flat());
        w.extend(self.readout["b"].flat());
        (Model::new(network, self.outputs, loss), w)
    }

    pub fn target(&self, t: usize) -> Option<Target<'_, f64>> {
        match &self.target {
            Targets::Values(values) => Some(Target::Values(&values[t])),
            Targets::Class(class) => (t + 1 == self.x.len()).then_some(Target::Class(*class)),
        }
    }
}

/// Splits a block name such as `layer1.wu_x` into the layer and the name.
pub fn split(name: &str) -> (usize, &str) {
    let (layer, name) = name.split_once('.').expect("a block name must have the form layerK.name");
    (layer.trim_start_matches("layer").parse().expect("the layer must be a number"), name)
}

/// Returns, for every row of a network, the index of its direct coupling to its own emission at the
/// previous step. Only units of an EGRU with `EventReset::Output` have one. The indices are derived
/// from the layers: couplings of gated activities precede those of resets.
pub fn resets_by_output(spec: &NetworkSpec) -> Vec<Option<usize>> {
    let (mut rows, mut direct) = (Vec::new(), 0);
    for LayerSpec { cell, units, config, .. } in &spec.layers {
        if ["egru", "gru"].contains(&&cell[..]) && config.reset_gate == ResetGate::Before {
            rows.extend(vec![None; *units]);
            direct += units;
        }
        if cell == "egru" && config.activity && config.event_reset == EventReset::Output {
            rows.extend((direct..direct + units).map(Some));
            direct += units;
        } else {
            rows.extend(vec![None; *units]);
        }
    }
    let traced = spec.trace.and(spec.layers.last()).map_or(0, |layer| layer.units);
    rows.extend(vec![None; traced]);
    rows
}

/// A matrix of values with a sparsity pattern. `None` is outside the pattern.
pub struct Grid(pub Vec<Vec<Option<f64>>>);

impl Grid {
    pub fn empty(rows: usize, cols: usize) -> Self {
        Self(vec![vec![None; cols]; rows])
    }

    pub fn add(&mut self, i: usize, j: usize, x: f64) {
        *self.0[i][j].get_or_insert(0.0) += x;
    }

    pub fn entries(&self, i: usize) -> Vec<(usize, f64)> {
        self.0[i].iter().enumerate().filter_map(|(j, x)| x.map(|x| (j, x))).collect()
    }
}

/// Returns couplings A and B and gains of a step as grids, the remaining rows, and the MACs of
/// folding. With `folding`, inner rows are eliminated.
pub fn tables(
    wiring: &Wiring,
    step: &Step<f64>,
    folding: bool,
    skip: bool,
) -> (Grid, Grid, Grid, Vec<usize>, u64) {
    let n = wiring.rows();
    let (mut a, mut b) = (Grid::empty(n, n), Grid::empty(n, n));
    let mut gains = Grid::empty(n, wiring.pre_rows().len());
    wiring.previous().entries().zip(&step.a).for_each(|((i, j), &x)| a.add(i, j, x));
    wiring.current().entries().zip(&step.b).for_each(|((i, j), &x)| b.add(i, j, x));
    wiring.pre_rows().iter().enumerate().for_each(|(pre, &row)| gains.add(row, pre, step.gain[pre]));
    let inner = |row: usize| {
        !wiring.carries(row) && !wiring.units().contains(&row) && !wiring.outputs().contains(&row)
    };
    let mut macs = 0;
    if folding {
        for i in (0..n).filter(|&i| !inner(i)) {
            for (j, x) in b.entries(i).into_iter().filter(|e| inner(e.0)) {
                b.0[i][j] = None;
                let factor = x * step.e[j];
                for (l, v) in a.entries(j) {
                    a.add(i, l, factor * v);
                    macs += u64::from(factor != 0.0 || !skip);
                }
                for (k, v) in b.entries(j) {
                    b.add(i, k, factor * v);
                    macs += u64::from(factor != 0.0 || !skip);
                }
                for (pre, v) in gains.entries(j) {
                    gains.add(i, pre, factor * v);
                    macs += u64::from(factor != 0.0 || !skip);
                }
            }
        }
    }
    let rows: Vec<_> = (0..n).filter(|&row| !folding || !inner(row)).collect();
    for row in (0..n).filter(|row| !rows.contains(row)) {
        (a.0[row], gains.0[row]) = (vec![None; n], vec![None; wiring.pre_rows().len()]);
    }
    (a, b, gains, rows, macs)
}
