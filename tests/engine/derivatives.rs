//! Local derivatives of each step against finite differences, with events replaced by the smooth
//! primitive of their pseudo-derivative. The equality of RTRL and BPTT cannot show this: both can
//! lack the same term.

use crate::common::{Trial, normal};
use sparse_rtrl::cell;
use sparse_rtrl::check;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::Network;
use sparse_rtrl::params::Kind;
use sparse_rtrl::wiring::{State, Step};

#[test]
fn check_cell_of_every_registered_cell_passes() {
    for cell in cell::registry() {
        check::check_cell(&cell).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    }
}

#[test]
fn local_derivatives_of_every_trial_match_finite_differences() {
    let mut compared = 0;
    for (k, trial) in (0..).zip(Trial::all(3, true)) {
        let (net, w) = trial.build(k);
        let rows = net.wiring().rows();
        let at = State { c: normal(rows, 100 + k), y: normal(rows, 200 + k) };
        compared += compare(&net, &trial.label, &normal(2, 7 + k), &(at, w));
    }
    assert!(compared > 10_000, "expected more than 10000 nonzero derivatives, got {compared}");
}

/// A state and parameters.
type Point = (State<f64>, Vec<f64>);

fn compare(net: &Network<f64>, label: &str, x: &[f64], (before, w): &Point) -> usize {
    check::check_step(net, label, w, x, before).unwrap_or_else(|mismatch| panic!("{mismatch}"))
}

fn step(net: &Network<f64>, x: &[f64], (before, w): &Point) -> Step<f64> {
    let mut step = Step::new(net.wiring());
    net.advance(w, x, before, &mut step, &mut Macs::default());
    step
}

/// The threshold of every unit, and distances from it: zero, and both edges of the support of the
/// pseudo-derivative.
const THETA: f64 = 0.25;
const EPSILON: f64 = 0.5;
const TIES: [f64; 3] = [0.0, EPSILON, -EPSILON];

/// A layer of three event units, smooth or hard, and a point at which their states, or those of the
/// step before, lie at [`TIES`]. With zero weights u = 1/2 and z = 0, which are exact in binary.
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
    (net, (State { c, y }, w))
}

fn single_event_layers(smooth: bool) -> impl Iterator<Item = Trial> {
    let events = |trial: &Trial| {
        let layer = &trial.spec.layers[0];
        let event = ["egru", "event-rnn"].contains(&&layer.cell[..]) && layer.config.activity;
        event && trial.spec.layers.len() == 1 && trial.spec.trace.is_none() && trial.mask.sparsity == 0.0
    };
    Trial::all(3, smooth).into_iter().filter(events)
}

/// Where the pseudo-derivative has a kink, its primitive is differentiable; the step must return
/// this derivative.
#[test]
fn local_derivatives_at_threshold_and_at_edges_of_the_support_match_finite_differences() {
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

/// The hard event and its derivatives by hand: H(0) = 0, and H' is zero from ±ε on.
#[test]
fn hard_events_at_threshold_and_at_edges_of_the_support_equal_values_by_hand() {
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
        // The first two units emitted at the step before: their states 2 ϑ and 2 (ϑ + ε) lie above
        // their thresholds.
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
        // c⁻ lies at the ties: the unit at its threshold has not emitted, and its carry contains
        // the full slope.
        assert_eq!(own(&here.c), [0.125, 0.25, -0.125]);
        assert_eq!(own(&here.d), [0.5 * (1.0 - THETA * GAMMA), 0.5, 0.5]);
        let theta: Vec<f64> =
            wiring.units().iter().map(|&row| here.gain[*wiring.gates_of(row).last().unwrap()]).collect();
        assert_eq!(theta, [0.5 * THETA * GAMMA, -0.5, 0.0]);
    }
}

#[test]
fn emission_of_an_egru_depends_directly_on_its_threshold() {
    // RTRL and BPTT would also agree if both omitted Ē.
    let trial = Trial::all(8, true).into_iter().find(|t| t.label.starts_with("egru")).unwrap();
    let (net, w) = trial.build(1);
    let rows = net.wiring().rows();
    let at = (State { c: vec![0.2; rows], y: vec![0.1; rows] }, w);
    let here = step(&net, &[0.3, -0.2], &at);
    assert!(here.e_bar.iter().any(|&e| e != 0.0));
}
