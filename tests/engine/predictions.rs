//! Mean costs against counts, and the RTRL paper's law where its derivation holds. (Exact
//! predictions: tests/rules.rs.)

use crate::common::normal;
use sparse_rtrl::cell::{CellConfig, ResetGate, Surrogate};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
use sparse_rtrl::params::{Init, Kind, MaskSpec, Purpose, generator};
use sparse_rtrl::rule;
use sparse_rtrl::rule::cost::Means;
use sparse_rtrl::rule::{Rtrl, Rule, Skips};
use sparse_rtrl::wiring::{State, Step};

/// An event RNN of 128 units on random input, and the MACs of `A Y` over the columns of recurrent
/// weights, beside the paper's law n² · n² · ω̃² β̃(t) β̃(t−1), summed over steps.
fn event_rnn(sparsity: f64, epsilon: f64) -> (u64, f64) {
    let n = 128;
    let config = CellConfig { surrogate: Surrogate::new(0.7, epsilon), ..CellConfig::default() };
    let layer = LayerSpec::new("event-rnn", n, config);
    let spec = NetworkSpec { inputs: 2, layers: vec![layer], trace: None };
    let mask = MaskSpec { sparsity, ..MaskSpec::default() };
    let mut rng = generator(1, Purpose::Mask);
    let net = Network::<f32>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
    let wiring = net.wiring();
    let w = Init::default().draw::<f32>(wiring.layout(), &mut generator(1, Purpose::Init)).unwrap();
    let mut rule = Rtrl::new(wiring.clone(), true);
    let (mut state, mut step, mut macs) = (State::new(wiring), Step::new(wiring), Macs::default());
    let kept = wiring.layout().kept_share(&[Kind::Recurrent]);
    let (mut law, mut before) = (0.0, 0.0);
    for t in 0..160 {
        let x: Vec<f32> = normal(2, t).into_iter().map(|x| 2.0 * x as f32).collect();
        net.advance(&w, &x, &state, &mut step, &mut Macs::default());
        state.follow(&step);
        // The law holds once all columns are active.
        if t == 60 {
            (macs, law) = (Macs::default(), 0.0);
        }
        rule.observe(&step, &mut macs);
        let steep = step.slope.iter().filter(|s| **s != 0.0).count() as f64 / n as f64;
        law += kept * kept * steep * before * (n as f64).powi(4);
        before = steep;
    }
    (macs.recurrent, law)
}

/// The mean cost uses only sizes and measured shares.
#[test]
fn mean_cost_of_every_rule_is_close_to_the_count() {
    for (cell, carry) in [("event-rnn", false), ("egru", true), ("rnn", false), ("gru", true)] {
        for sparsity in [0.0, 0.8] {
            let (n, outputs) = (64, 64);
            let config = CellConfig { reset_gate: ResetGate::After, ..CellConfig::default() };
            let spec = NetworkSpec { inputs: 2, layers: vec![LayerSpec::new(cell, n, config)], trace: None };
            let mask = MaskSpec { sparsity, ..MaskSpec::default() };
            let mut rng = generator(1, Purpose::Mask);
            let net = Network::<f32>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
            let wiring = net.wiring();
            let w = Init::default().draw::<f32>(wiring.layout(), &mut generator(1, Purpose::Init)).unwrap();
            let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
            let mut steps = Vec::new();
            for t in 0..60 {
                let x: Vec<f32> = normal(2, t).into_iter().map(|x| 3.0 * x as f32).collect();
                net.advance(&w, &x, &state, &mut step, &mut Macs::default());
                state.follow(&step);
                steps.push(step.clone());
            }
            // Measured over the last 30 of 60 steps.
            let weights = wiring.layout().weights();
            let p = wiring.parameters() as f64;
            let live = |t: usize| {
                wiring.units().iter().filter(|&&row| steps[t].is_live(row)).count() as f64 / n as f64
            };
            let share = |is_nonzero: &dyn Fn(usize) -> bool| {
                weights.entries().filter(|&(_, source)| is_nonzero(source)).count() as f64 / p
            };
            let mean = |of: &dyn Fn(usize) -> f64| (30..60).map(of).sum::<f64>() / 30.0;
            let means = Means {
                units: n as f64,
                parameters: p,
                dense_parameters: wiring.unmasked().parameters() as f64,
                couplings: wiring.previous().len() as f64,
                carry,
                thresholds: wiring.threshold(wiring.units()[0]).is_some(),
                live: mean(&live),
                live_pairs: mean(&|t| live(t - 1) * if carry { 1.0 } else { live(t) }),
                active: mean(&|t| share(&|source| steps[..t].iter().any(|s| s.phi[source] != 0.0))),
                nonzero: mean(&|t| share(&|source| steps[t].phi[source] != 0.0)),
            };
            // Short blocks: 30 steps contain only five ends of blocks of six.
            let others = rule::registry::<f32>().into_iter();
            let others = others
                .filter(|r| r.name != "snap-2" && !["rtrl-blocked-6", "rtrl-auto"].contains(&&r.name[..]));
            for entry in others.chain([rule::find::<f32>("rtrl-blocked-2").unwrap()]) {
                let mut rule = (entry.build)(wiring, Skips::ALL, 1);
                let mut macs = Macs::default();
                let whole = entry.name == "bptt";
                for (t, step) in steps.iter().enumerate() {
                    if t == 30 && !whole {
                        macs = Macs::default();
                    }
                    rule.observe(step, &mut macs);
                    rule.credit(&vec![1.0; outputs], &mut macs);
                }
                rule.drain(&mut vec![0.0; wiring.parameters()], &mut macs);
                let counted = macs.total() as f64 / if whole { 60.0 } else { 30.0 };
                let expected = entry.mean_cost(&means).unwrap();
                let ratio = counted / expected;
                println!(
                    "{cell} ω {sparsity} {}: counted {counted:.0}, expected {expected:.0}, {ratio:.3}",
                    entry.name
                );
                assert!((ratio - 1.0).abs() < 0.1, "{cell} ω {sparsity} {}: {ratio}", entry.name);
            }
        }
    }
}

#[test]
fn recurrent_macs_of_an_event_rnn_follow_the_papers_law() {
    for sparsity in [0.0, 0.5, 0.8, 0.9] {
        for epsilon in [0.2, 0.5] {
            let (counted, law) = event_rnn(sparsity, epsilon);
            let ratio = counted as f64 / law;
            println!("ω {sparsity}, ε {epsilon}: counted {counted}, law {law:.0}, ratio {ratio:.4}");
            assert!(counted > 1_000_000 && (ratio - 1.0).abs() < 0.05, "ω {sparsity}, ε {epsilon}: {ratio}");
        }
    }
}

/// MACs of RTRL on an EGRU with the reset gate before the product, relative to dense RTRL on the
/// unmasked network: folding inner rows is cheaper without masks, holding them is cheaper with many
/// masked weights.
#[test]
fn rtrl_folds_inner_rows_where_folding_is_cheaper() {
    for (units, sparsity, folding_wins) in [(16, 0.0, true), (16, 0.5, true), (48, 0.9, false)] {
        let layer = LayerSpec::new("egru", units, CellConfig::default());
        let spec = NetworkSpec { inputs: 2, layers: vec![layer], trace: None };
        let mask = MaskSpec { sparsity, ..MaskSpec::default() };
        let mut rng = generator(1, Purpose::Mask);
        let net = Network::<f64>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
        let wiring = net.wiring();
        let w = Init::default().draw::<f64>(wiring.layout(), &mut generator(1, Purpose::Init)).unwrap();
        let cost = |mut rule: Rtrl<f64>| {
            let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
            let mut macs = Macs::default();
            for t in 0..60 {
                net.advance(&w, &normal(2, t), &state, &mut step, &mut Macs::default());
                state.follow(&step);
                rule.observe(&step, &mut macs);
            }
            macs.total() as f64
        };
        let dense = 60.0 * rule::DenseCost::new(&wiring.unmasked()).influence as f64;
        let folded = cost(Rtrl::with_folding(wiring.clone(), true, true)) / dense;
        let held = cost(Rtrl::with_folding(wiring.clone(), false, true)) / dense;
        let chosen = cost(Rtrl::new(wiring.clone(), true)) / dense;
        println!(
            "n {units}, ω {sparsity}: folded {folded:.4} of dense RTRL, held {held:.4}, chosen {chosen:.4}"
        );
        assert_eq!(folded < held, folding_wins, "n {units}, ω {sparsity}: {folded} against {held}");
        assert_eq!(chosen, folded.min(held));
        if sparsity == 0.0 {
            assert!(
                held > 1.0 && folded < 1.0,
                "expected held rows above and folded rows below the cost of dense RTRL"
            );
        }
    }
}
