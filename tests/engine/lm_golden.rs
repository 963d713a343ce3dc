//! Sparse back-propagation of language models against automatic differentiation: losses, logits,
//! events and every gradient of two windows, to 1e-10 relative, in the sparse and in the dense mode.
//! Prints a line per case and mode.

use crate::common::Table;
use serde::Deserialize;
use sparse_rtrl::cell::{CellConfig, EventReset, ResetGate, Surrogate};
use sparse_rtrl::lm::{Carry, DropoutMasks, LanguageModel, LmCell, LmLayout, LmSpec, LmState, Mode, Window};
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

const TOLERANCE: f64 = 1e-10;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    gamma: f64,
    #[serde(default = "one")]
    eps: f64,
    #[serde(default)]
    reset_gate: ResetGate,
    #[serde(default)]
    event_reset: EventReset,
}

fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
struct Parameters {
    embedding: Table,
    bias: Vec<f64>,
    layers: Vec<HashMap<String, Table>>,
}

#[derive(Deserialize)]
struct Masks {
    word: Table,
    embedded: Vec<Vec<Vec<f64>>>,
    between: Vec<Vec<Vec<Vec<f64>>>>,
    output: Vec<Vec<Vec<f64>>>,
    connect: Vec<HashMap<String, Table>>,
}

#[derive(Deserialize)]
struct GoldenWindow {
    tokens: Vec<Vec<u32>>,
    loss: f64,
    logits_last: Vec<Vec<f64>>,
    events: Vec<Vec<u64>>,
    grad: Parameters,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    cell: LmCell,
    config: Config,
    vocabulary: usize,
    embedding: usize,
    sizes: Vec<usize>,
    batch: usize,
    parameters: Parameters,
    masks: Option<Vec<Option<HashMap<String, Table>>>>,
    dropout: Option<Vec<Masks>>,
    windows: Vec<GoldenWindow>,
}

fn cases() -> Vec<Case> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("GOLDEN_DIR").map_or(default, PathBuf::from).join("lm");
    let list = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = list.map(|entry| entry.expect("the folder must be readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("the file must be readable");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    };
    files.into_iter().map(read).collect()
}

impl Case {
    fn spec(&self) -> LmSpec {
        let mut spec = LmSpec::new(self.vocabulary, self.embedding, self.sizes.clone());
        spec.cell = self.cell;
        spec.carry = Carry::Whole;
        spec.config = CellConfig {
            surrogate: Surrogate::new(self.config.gamma, self.config.eps),
            reset_gate: self.config.reset_gate,
            event_reset: self.config.event_reset,
            activity: true,
        };
        spec
    }

    /// Parameters, with pruned weights zero.
    fn weights(&self, layout: &LmLayout) -> Vec<f64> {
        let mut w = flatten(&self.parameters, layout);
        w.iter_mut().zip(self.kept(layout)).for_each(|(w, kept)| *w *= kept);
        w
    }

    /// 1 for a kept parameter, 0 for a pruned one.
    fn kept(&self, layout: &LmLayout) -> Vec<f64> {
        let mut kept = vec![1.0; layout.len];
        for (layer, masks) in layout.layers.iter().zip(self.masks.iter().flatten()) {
            for tensor in layer.tensors() {
                let Some(mask) = masks.as_ref().and_then(|masks| masks.get(tensor.name)) else { continue };
                for (i, j) in pairs(tensor.units, tensor.sources) {
                    kept[tensor.index(i, j)] = mask.at(i, j);
                }
            }
        }
        kept
    }

    fn dropout(&self, window: usize, layout: &LmLayout) -> Option<DropoutMasks<f64>> {
        let golden = &self.dropout.as_ref()?[window];
        let flat = |mask: &[Vec<Vec<f64>>]| mask.iter().flatten().flatten().copied().collect::<Vec<_>>();
        let mut masks = DropoutMasks {
            word: golden.word.flat(),
            embedded: flat(&golden.embedded),
            between: golden.between.iter().map(|mask| flat(mask)).collect(),
            output: flat(&golden.output),
            ..Default::default()
        };
        for (layer, golden) in layout.layers.iter().zip(&golden.connect) {
            let blocks = [Some(&layer.recurrent), layer.gated.as_ref()];
            for (block, to) in blocks.into_iter().zip([&mut masks.recurrent, &mut masks.gated]) {
                let mut own = vec![1.0; block.map_or(0, |block| block.at.len())];
                for tensor in layer.tensors() {
                    let Some(block) = block.filter(|block| block.gates.contains(&tensor.name)) else {
                        continue;
                    };
                    let mask = &golden[tensor.name];
                    for (i, j) in pairs(tensor.units, tensor.sources) {
                        own[tensor.index_in(block, i, j)] = mask.at(i, j);
                    }
                }
                to.push(own);
            }
        }
        Some(masks)
    }
}

fn pairs(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)))
}

fn flatten(parameters: &Parameters, layout: &LmLayout) -> Vec<f64> {
    let mut w = vec![f64::NAN; layout.len];
    let v = layout.bias.len();
    for (token, unit) in pairs(v, layout.embedding.len() / v) {
        w[layout.embedding.start + unit * v + token] = parameters.embedding.at(token, unit);
    }
    w[layout.bias.clone()].copy_from_slice(&parameters.bias);
    for (layer, tables) in layout.layers.iter().zip(&parameters.layers) {
        let tensors = layer.tensors();
        assert_eq!(tensors.len(), tables.len(), "the golden case must have the tensors of the cell");
        for tensor in tensors {
            for (i, j) in pairs(tensor.units, tensor.sources) {
                w[tensor.index(i, j)] = tables[tensor.name].at(i, j);
            }
        }
    }
    assert!(w.iter().all(|w| !w.is_nan()), "every parameter must be in the golden case");
    w
}

/// The largest error relative to an entry, or to a thousandth of the largest entry if that is more.
fn worst(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len(), "both must have the same length");
    let largest = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    got.iter().zip(expected).fold(0.0, |worst: f64, (g, x)| {
        let error = if g == x { 0.0 } else { (g - x).abs() / x.abs().max(1e-3 * largest) };
        assert!(!error.is_nan(), "{g} against {x}");
        worst.max(error)
    })
}

/// Runs both windows of a case. Returns the largest relative error.
fn run(case: &Case, mode: Mode) -> f64 {
    let mut model = LanguageModel::<f64>::new(&case.spec(), mode).unwrap();
    let layout = model.layout().clone();
    let (w, kept) = (case.weights(&layout), case.kept(&layout));
    let mut state = LmState::new(model.spec(), case.batch);
    let mut error = 0.0f64;
    for (k, window) in case.windows.iter().enumerate() {
        let masks = case.dropout(k, &layout);
        let tokens: Vec<u32> = window.tokens.concat();
        let mut gradient = vec![0.0; w.len()];
        let input = Window { tokens: &tokens, dropout: masks.as_ref() };
        let report = model.window(&w, &mut state, input, Some(&mut gradient));
        gradient.iter_mut().zip(&kept).for_each(|(g, kept)| *g *= kept);
        assert_eq!(model.events(), window.events, "{}: events of window {k}", case.name);
        error = error.max(worst(&[report.loss / report.tokens as f64], &[window.loss]));
        error = error.max(worst(model.last_logits(), &window.logits_last.concat()));
        // Golden gradients include pruned weights, as if they were weights of value zero.
        let mut expected = flatten(&window.grad, &layout);
        expected.iter_mut().zip(&kept).for_each(|(g, kept)| *g *= kept);
        error = error.max(worst(&gradient[layout.embedding.clone()], &expected[layout.embedding.clone()]));
        error = error.max(worst(&gradient[layout.bias.clone()], &expected[layout.bias.clone()]));
        for tensor in layout.layers.iter().flat_map(|layer| layer.tensors()) {
            let of = |values: &[f64]| -> Vec<f64> {
                pairs(tensor.units, tensor.sources).map(|(i, j)| values[tensor.index(i, j)]).collect()
            };
            let own = worst(&of(&gradient), &of(&expected));

            assert!(own <= TOLERANCE, "{} window {k}: {} {own:e}", case.name, tensor.name);
            error = error.max(own);
        }
    }
    error
}

#[test]
fn language_model_on_golden_cases_equals_automatic_differentiation() {
    let cases = cases();
    assert!(!cases.is_empty(), "there must be golden cases");
    for case in &cases {
        for mode in [Mode::Sparse, Mode::Dense, Mode::Auto] {
            let error = run(case, mode);
            let mode = format!("{mode:?}").to_lowercase();
            // Written directly, because the test runner captures `println!`.
            let line = format!("{:32} {mode:10} largest relative error {error:.1e}", case.name);
            writeln!(std::io::stdout(), "{line}").expect("standard output");
            assert!(error <= TOLERANCE, "{line}");
        }
    }
}

/// With the smooth event, every derivative is that of the loss: dropout, DropConnect, tied softmax,
/// thresholds and both windows.
#[test]
fn gradient_with_smooth_events_matches_finite_differences() {
    for case in cases() {
        let mut spec = case.spec();
        spec.config.surrogate.smooth = true;
        let mut model = LanguageModel::<f64>::new(&spec, Mode::Sparse).unwrap();
        let layout = model.layout().clone();
        let w = case.weights(&layout);
        let mut state = LmState::new(&spec, case.batch);
        for (k, window) in case.windows.iter().enumerate() {
            let masks = case.dropout(k, &layout);
            let tokens: Vec<u32> = window.tokens.concat();
            let input = Window { tokens: &tokens, dropout: masks.as_ref() };
            let before = state.clone();
            let mut gradient = vec![0.0; w.len()];
            model.window(&w, &mut state, input, Some(&mut gradient));
            let mut loss_at = |at: usize, h: f64| {
                let mut w = w.clone();
                w[at] += h;
                let report = model.window(&w, &mut before.clone(), input, None);
                report.loss / report.tokens as f64
            };
            let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
            // Every 7th parameter, and all thresholds.
            let thetas = layout.layers.iter().filter_map(|layer| layer.theta.clone()).flatten();
            for at in (0..w.len()).step_by(7).chain(thetas) {
                let h = 1e-5;
                let difference = (loss_at(at, h) - loss_at(at, -h)) / (2.0 * h);
                let error = (difference - gradient[at]).abs();
                assert!(
                    error <= 1e-6 * largest.max(1e-2),
                    "{} window {k}: parameter {at}: gradient {}, difference {difference}",
                    case.name,
                    gradient[at]
                );
            }
        }
    }
}
