//! Local derivatives on their own: what a step says of itself against finite differences, with the event replaced by the
//! smooth primitive of its pseudo-derivative. RTRL = BPTT cannot show this: both can share a missing term.

use crate::common::{Trial, normal};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::Network;
use sparse_rtrl::params::Kind;
use sparse_rtrl::wiring::{State, Step};

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

/// Compares a step's own word with central differences along every coordinate. Returns how many derivatives were not zero.
fn compare(net: &Network<f64>, label: &str, x: &[f64], at: &Point) -> usize {
    let rows = net.wiring().rows();
    let here = step(net, x, at);
    let mut compared = 0;
    for part in 0..3 {
        for i in 0..at.clone().parts()[part].len() {
            let shifted = |h: f64| {
                let mut at = at.clone();
                at.parts()[part][i] += h;
                step(net, x, &at)
            };
            let (up, down) = (shifted(H), shifted(-H));
            let mut along = Point { c: vec![0.0; rows], y: vec![0.0; rows], w: vec![0.0; at.w.len()] };
            along.parts()[part][i] = 1.0;
            let (dc, dy) = moved(net, &here, &along);
            for row in 0..rows {
                let slope = |up: &[f64], down: &[f64]| (up[row] - down[row]) / (2.0 * H);
                for (said, found) in [(dc[row], slope(&up.c, &down.c)), (dy[row], slope(&up.y, &down.y))] {
                    let error = (said - found).abs() / (1.0 + found.abs());
                    let place = ["c⁻", "y⁻", "w"][part];
                    assert!(error < TOLERANCE, "{label}: row {row} along {place}[{i}]: {said}, but {found}");
                    compared += usize::from(found != 0.0);
                }
            }
        }
    }
    compared
}

#[test]
fn every_cell_says_the_truth_of_its_derivatives() {
    let mut compared = 0;
    for (k, trial) in Trial::all(3, true).into_iter().enumerate() {
        let (net, w) = trial.build(k as u64);
        let rows = net.wiring().rows();
        let x = normal(2, 7 + k as u64);
        let at = Point { c: normal(rows, 100 + k as u64), y: normal(rows, 200 + k as u64), w };
        compared += compare(&net, &trial.label, &x, &at);
    }
    assert!(compared > 10_000, "derivatives that are not zero were compared: {compared}");
}

/// Threshold of every unit, and distances from it: the threshold itself, and both edges of the pseudo-derivative's support.
const THETA: f64 = 0.25;
const EPSILON: f64 = 0.5;
const TIES: [f64; 3] = [0.0, EPSILON, -EPSILON];

/// A layer of three event units, smooth or hard, and a point at which their events, or those of the step before, lie at [`TIES`]: without
/// weights u = 1/2 and z = 0, all exact in binary.
fn at_ties(trial: &Trial, before: bool) -> (Network<f64>, Point) {
    let (net, mut w) = trial.build(1);
    w.fill(0.0);
    let wiring = net.wiring();
    let mut c = vec![0.0; wiring.rows()];
    for block in wiring.layout().blocks() {
        for (k, &place) in block.places.iter().enumerate() {
            match block.spec.kind {
                Kind::Threshold => w[place] = THETA,
                Kind::Bias if trial.label.starts_with("event-rnn") => w[place] = THETA + TIES[k],
                _ => (),
            }
        }
    }
    for (&row, tie) in wiring.units().iter().zip(TIES) {
        c[row] = if before { THETA + tie } else { 2.0 * (THETA + tie) };
    }
    let y = vec![0.0; wiring.rows()];
    (net, Point { c, y, w })
}

fn single_event_layers(smooth: bool) -> impl Iterator<Item = Trial> {
    let events = |trial: &Trial| {
        let layer = &trial.spec.layers[0];
        let event = ["egru", "event-rnn"].contains(&&layer.cell[..]) && layer.config.activity;
        event && trial.spec.layers.len() == 1 && trial.spec.trace.is_none() && trial.mask.sparsity == 0.0
    };
    Trial::all(3, smooth).into_iter().filter(events)
}

/// Where the pseudo-derivative has a kink, the primitive still has a slope, and the step says which.
#[test]
fn derivatives_at_threshold_and_at_the_edges_of_the_support_match_differences() {
    let mut tried = 0;
    for trial in single_event_layers(true) {
        for before in [false, true] {
            let (net, at) = at_ties(&trial, before);
            assert!(compare(&net, &trial.label, &[0.7, -0.4], &at) > 10, "{}", trial.label);
            tried += 1;
        }
    }
    assert_eq!(tried, 10, "four settings of an EGRU and the event RNN");
}

/// The hard event and its derivatives by hand: H(0) = 0, and H' ends at ±ε.
#[test]
fn hard_events_at_threshold_and_at_the_edges_of_the_support_are_as_by_hand() {
    const GAMMA: f64 = 0.7;
    for trial in single_event_layers(false) {
        let by_threshold = trial.label.contains("Threshold");
        let (net, at) = at_ties(&trial, false);
        let (wiring, here) = (net.wiring(), step(&net, &[0.7, -0.4], &at));
        let own = |values: &[f64]| wiring.units().iter().map(|&row| values[row]).collect::<Vec<_>>();
        if trial.label.starts_with("event-rnn") {
            assert_eq!(own(&here.slope), [GAMMA, 0.0, 0.0]);
            assert_eq!(own(&here.y), [0.0, 1.0, 0.0]);
            assert_eq!((own(&here.e), own(&here.e_bar)), (vec![GAMMA, 0.0, 0.0], vec![0.0; 3]));
            assert_eq!((own(&here.c), own(&here.d)), (TIES.to_vec(), vec![0.0; 3]));
            continue;
        }
        // The first two units have emitted: their states before, 2 ϑ and 2 (ϑ + ε), lie above their thresholds.
        let c = if by_threshold { [0.125, 0.625, -0.25] } else { [0.25, 0.75, -0.25] };
        assert_eq!(own(&here.c), c, "{}", trial.label);
        if !by_threshold {
            assert_eq!(own(&here.slope), [GAMMA, 0.0, 0.0]);
            assert_eq!(own(&here.y), [0.0, 0.75, 0.0]);
            assert_eq!(own(&here.e), [0.25 * GAMMA, 1.0, 0.0]);
            assert_eq!(own(&here.e_bar), [-0.25 * GAMMA, 0.0, 0.0]);
            assert_eq!(own(&here.d), [0.5; 3]);
            continue;
        }
        let (net, at) = at_ties(&trial, true);
        let here = step(&net, &[0.7, -0.4], &at);
        let own = |values: &[f64]| wiring.units().iter().map(|&row| values[row]).collect::<Vec<_>>();
        // c⁻ lies at the ties: the unit exactly at its threshold has emitted nothing, and its carry has the full slope.
        assert_eq!(own(&here.c), [0.125, 0.25, -0.125]);
        assert_eq!(own(&here.d), [0.5 * (1.0 - THETA * GAMMA), 0.5, 0.5]);
        let theta: Vec<f64> =
            wiring.units().iter().map(|&row| here.gain[*wiring.gates_of(row).last().unwrap()]).collect();
        assert_eq!(theta, [0.5 * THETA * GAMMA, -0.5, 0.0]);
    }
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
