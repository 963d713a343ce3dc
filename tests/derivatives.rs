//! Local derivatives on their own: what a step says of itself against finite differences, with the event replaced by the
//! smooth primitive of its pseudo-derivative. RTRL = BPTT cannot show this: both can share a missing term.

mod common;

use common::{Trial, normal};
use sparse_rtrl::cell::{Network, State, Step};
use sparse_rtrl::macs::Macs;

const H: f64 = 1e-6;

/// Rounding allows 1e-9 at this H. Where the pseudo-derivative has a kink between the two points of a difference, the
/// difference is off by at most its jump of slope, γ/ε = 1.4, times H/2 and a state of a few units.
const TOLERANCE: f64 = 3e-6;

/// A point and a direction in it: previous state, previous emission, parameters.
#[derive(Clone)]
struct Point {
    c: Vec<f64>,
    y: Vec<f64>,
    w: Vec<f64>,
}

impl Point {
    fn parts(&mut self) -> [&mut Vec<f64>; 3] {
        [&mut self.c, &mut self.y, &mut self.w]
    }
}

fn step(net: &Network<f64>, x: &[f64], at: &Point) -> Step<f64> {
    let mut step = Step::new(net.wiring());
    let before = State { c: at.c.clone(), y: at.y.clone() };
    net.advance(&at.w, x, &before, &mut step, &mut Macs::default());
    step
}

/// How c and y of every row move along a direction, by the step's own word: `dc = d dc⁻ + A dy⁻ + B dy + M̄ dw`,
/// `dy = e dc + Ē dw`.
fn moved(net: &Network<f64>, step: &Step<f64>, along: &Point) -> (Vec<f64>, Vec<f64>) {
    let wiring = net.wiring();
    let (mut dc, mut dy) = (vec![0.0; wiring.rows()], vec![0.0; wiring.rows()]);
    for row in 0..wiring.rows() {
        dc[row] = step.d[row] * along.c[row];
        dc[row] += wiring.previous().row(row).map(|(l, at)| step.a[at] * along.y[l]).sum::<f64>();
        dc[row] += wiring.current().row(row).map(|(j, at)| step.b[at] * dy[j]).sum::<f64>();
        for &pre in wiring.gates_of(row) {
            let weights = wiring.layout().weights().row(pre);
            dc[row] += weights.map(|(s, k)| step.gain[pre] * step.phi[s] * along.w[k]).sum::<f64>();
        }
        dy[row] = step.e[row] * dc[row];
        if let Some(theta) = wiring.threshold(row) {
            dy[row] += step.e_bar[row] * along.w[theta];
        }
    }
    (dc, dy)
}

#[test]
fn every_cell_says_the_truth_of_its_derivatives() {
    let mut compared = 0;
    for (k, trial) in Trial::all(3, true).into_iter().enumerate() {
        let (net, w) = trial.build(k as u64);
        let rows = net.wiring().rows();
        let x = normal(2, 7 + k as u64);
        let at = Point { c: normal(rows, 100 + k as u64), y: normal(rows, 200 + k as u64), w };
        let here = step(&net, &x, &at);
        for part in 0..3 {
            for i in 0..at.clone().parts()[part].len() {
                let shifted = |h: f64| {
                    let mut at = at.clone();
                    at.parts()[part][i] += h;
                    step(&net, &x, &at)
                };
                let (up, down) = (shifted(H), shifted(-H));
                let mut along = Point { c: vec![0.0; rows], y: vec![0.0; rows], w: vec![0.0; at.w.len()] };
                along.parts()[part][i] = 1.0;
                let (dc, dy) = moved(&net, &here, &along);
                for row in 0..rows {
                    let slope = |up: &[f64], down: &[f64]| (up[row] - down[row]) / (2.0 * H);
                    for (said, found) in [(dc[row], slope(&up.c, &down.c)), (dy[row], slope(&up.y, &down.y))]
                    {
                        let error = (said - found).abs() / (1.0 + found.abs());
                        let place = ["c⁻", "y⁻", "w"][part];
                        assert!(
                            error < TOLERANCE,
                            "{}: row {row} along {place}[{i}]: {said}, but {found}",
                            trial.label
                        );
                        compared += usize::from(found != 0.0);
                    }
                }
            }
        }
    }
    assert!(compared > 10_000, "derivatives that are not zero were compared: {compared}");
}

#[test]
fn thresholds_reach_the_emission_directly() {
    // Drop Ē, and RTRL and BPTT still agree with each other; so make sure that it is there to be compared.
    let trial = Trial::all(8, true).into_iter().find(|t| t.label.starts_with("egru")).unwrap();
    let (net, w) = trial.build(1);
    let rows = net.wiring().rows();
    let at = Point { c: vec![0.2; rows], y: vec![0.1; rows], w };
    let here = step(&net, &[0.3, -0.2], &at);
    assert!(here.e_bar.iter().any(|&e| e != 0.0));
}
