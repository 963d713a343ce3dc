//! Every exact rule, with every skip on, against automatic differentiation: states, emissions,
//! outputs, losses and every gradient, to 1e-10 relative. Prints a line per case and rule.

use crate::common::{Case, Tables, split};
use sparse_rtrl::learner::sequence::Stream;
use sparse_rtrl::rule::{self, Claim, RuleEntry, Skips};
use std::io::Write;

const TOLERANCE: f64 = 1e-10;

/// The largest relative error so far. An entry is compared relative to itself, or to a thousandth
/// of the largest entry of its table where it is smaller than that; where a whole table is zero,
/// anything else is an infinite error.
#[derive(Default)]
struct Worst(f64);

impl Worst {
    fn compare(&mut self, got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len(), "both must have the same length");
        let largest = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        for (g, x) in got.iter().zip(expected) {
            let scale = x.abs().max(1e-3 * largest);
            let error = if g == x { 0.0 } else { (g - x).abs() / scale };
            assert!(!error.is_nan(), "{g} against {x}");
            self.0 = self.0.max(error);
        }
    }
}

/// Runs one case with one rule and returns the largest relative error.
fn run(case: &Case, rule: &RuleEntry<f64>, skips: Skips) -> f64 {
    let (model, w) = case.model();
    let wiring = model.network.wiring().clone();
    let mut stream = Stream::new(&model, (rule.build)(&wiring, skips, 0));
    let mut worst = Worst::default();
    let mut total = 0.0;
    for (t, x) in case.x.iter().enumerate() {
        total += stream.step(&model, &w, x, case.target(t)).unwrap_or(0.0);
        let state = stream.state();
        let expected = &case.expect;
        let seen = if case.cell == "event_rnn" { &state.y } else { &state.c };
        let per_layer = wiring.units().chunks(case.units);
        for (rows, states) in per_layer.zip(&expected.state[t]) {
            worst.compare(&rows.iter().map(|&row| seen[row]).collect::<Vec<_>>(), states);
        }
        worst.compare(&state.y[wiring.outputs()], &expected.y[t]);
        worst.compare(stream.output(), &expected.output[t]);
    }
    worst.compare(&[total], &[case.expect.total_loss]);
    stream.drain();
    compare_gradient(case, &model, stream.gradient(), &mut worst);
    worst.0
}

fn compare_gradient(
    case: &Case,
    model: &sparse_rtrl::model::Model<f64>,
    gradient: &[f64],
    worst: &mut Worst,
) {
    let layout = model.network.wiring().layout();
    for (k, tables) in case.expect.grad_layers.iter().enumerate() {
        for (name, table) in tables {
            let expected = table.flat();
            match layout.block(&format!("layer{k}.{name}")) {
                Some(block) => {
                    let mut got = vec![0.0; expected.len()];
                    let cols = block.spec.cols.len();
                    for ((i, j), &place) in block.kept.entries().zip(&block.places) {
                        got[i * cols + j] = gradient[place];
                    }
                    worst.compare(&got, &expected);
                }
                // A parameter without effect has no place; its gradient must be zero.
                None => worst.compare(&vec![0.0; expected.len()], &expected),
            }
        }
    }
    let known = |tables: &Tables, name: &str| tables.contains_key(name);
    for block in layout.blocks() {
        let (layer, name) = split(&block.spec.name);
        assert!(
            known(&case.expect.grad_layers[layer], name),
            "{} is not in the golden case",
            block.spec.name
        );
    }
    let (w, b) = gradient[layout.len()..].split_at(model.readout.inputs * model.readout.outputs);
    worst.compare(w, &case.expect.grad_readout["w"].flat());
    worst.compare(b, &case.expect.grad_readout["b"].flat());
}

#[test]
fn exact_rules_on_golden_cases_equal_automatic_differentiation() {
    let mut failures = Vec::new();
    let mut runs = 0;
    for case in Case::all() {
        for rule in rule::registry::<f64>().iter().filter(|rule| rule.claim == Claim::Exact) {
            let error = run(&case, rule, Skips::ALL);
            let line = format!("{:32} {:10} largest relative error {error:.1e}", case.name, rule.name);
            // Written directly, because the test runner captures `println!`.
            writeln!(std::io::stdout(), "{line}").expect("standard output");
            runs += 1;
            if error > TOLERANCE {
                failures.push(line);
            }
        }
    }
    assert!(runs >= 3, "every exact rule must have run");
    assert!(failures.is_empty(), "above {TOLERANCE:e}:\n{}", failures.join("\n"));
}

#[test]
fn comparison_of_a_wrong_gradient_exceeds_the_tolerance() {
    let case = Case::all().into_iter().find(|c| c.cell == "egru").expect("an EGRU case");
    let (model, w) = case.model();
    let build = rule::find::<f64>("rtrl").unwrap().build;
    let mut stream = Stream::new(&model, build(model.network.wiring(), Skips::ALL, 0));
    for (t, x) in case.x.iter().enumerate() {
        stream.step(&model, &w, x, case.target(t));
    }
    stream.drain();
    let mut gradient = stream.gradient().to_vec();
    let mut worst = Worst::default();
    compare_gradient(&case, &model, &gradient, &mut worst);
    assert!(worst.0 <= TOLERANCE);
    let k = gradient.iter().position(|g| *g != 0.0).expect("a gradient");
    gradient[k] *= 1.0 + 1e-6;
    compare_gradient(&case, &model, &gradient, &mut worst);
    assert!(worst.0 > TOLERANCE);
}
