//! Every rule in the registry keeps its claim, on every cell, variant, mask and depth, with every switch of its skips.

use crate::common::{Trial, normal, relative_error};
use sparse_rtrl::archive::Archive;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::rule::{self, Claim, Rtrl, RtrlDense, Rule, Skips};
use sparse_rtrl::wiring::{State, Step};

/// What a rule gathers over a stormy life: credit at every other step, drains in mid-sequence, a change of weights in
/// mid-sequence, a reset with credit still undrained, and a second sequence.
fn gathered(trial: &Trial, seed: u64, mut rule: Box<dyn Rule<f64>>) -> Vec<Vec<f64>> {
    let (net, mut w) = trial.build(seed);
    let wiring = net.wiring().clone();
    let (mut state, mut step) = (State::new(&wiring), Step::new(&wiring));
    let mut macs = Macs::default();
    let mut gradients = Vec::new();
    for t in 0..20 {
        if t == 13 {
            rule.reset();
            state.reset();
        }
        if t == 9 {
            w.iter_mut().for_each(|w| *w *= 1.05);
        }
        let x = normal(2, 1000 * seed + t);
        net.advance(&w, &x, &state, &mut step, &mut macs);
        state.follow(&step);
        rule.observe(&step, &mut macs);
        if t % 2 == 0 {
            rule.credit(&normal(wiring.outputs().len(), 77 + t), &mut macs);
        }
        if t == 6 || t == 10 || t == 19 {
            let mut gradient = vec![0.0; wiring.parameters()];
            rule.drain(&mut gradient, &mut macs);
            gradients.push(gradient);
        }
    }
    gradients
}

fn all_skips() -> [Skips; 4] {
    let skips = |activity, parameters| Skips { activity, parameters };
    [skips(true, true), skips(true, false), skips(false, true), skips(false, false)]
}

#[test]
fn exact_rules_agree_whatever_they_skip() {
    let mut nonzero = 0;
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let seed = seed as u64;
        let wiring = trial.build(seed).0.wiring().clone();
        let oracle = rule::find::<f64>("rtrl-dense").unwrap().build;
        let expected = gathered(trial, seed, oracle(&wiring, Skips::NONE, 0)).concat();
        nonzero += expected.iter().filter(|g| **g != 0.0).count();
        let check = |name: &str, rule: Box<dyn Rule<f64>>| {
            let error = relative_error(&gathered(trial, seed, rule).concat(), &expected);
            assert!(error <= 1e-10, "{name} on {}: {error:e}", trial.label);
        };
        for entry in rule::registry::<f64>() {
            for skips in all_skips() {
                let rule = (entry.build)(&wiring, skips, 0);
                assert_eq!(rule.claim(), entry.claim);
                if entry.claim == Claim::Exact {
                    check(&format!("{} {skips:?}", entry.name), rule);
                }
            }
        }
        for folding in [true, false] {
            for activity in [true, false] {
                let rule = Rtrl::with_folding(wiring.clone(), folding, activity);
                check(&format!("rtrl with folding {folding}, activity {activity}"), Box::new(rule));
            }
        }
    }
    assert!(nonzero > 10_000, "gradients that are not zero were compared: {nonzero}");
}

/// Columns are put in order once none has woken in 256 steps: here twice, since an input speaks late; and the rule is moved into
/// another one in between, before its columns are in order, while all are, and while some are.
#[test]
fn columns_of_long_sequences_change_their_order_and_no_number() {
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let (net, mut w) = trial.build(seed as u64);
        w.iter_mut().for_each(|w| *w *= 0.7);
        let wiring = net.wiring();
        let mut sparse: Box<dyn Rule<f64>> = Box::new(Rtrl::new(wiring.clone(), true));
        let mut dense: Box<dyn Rule<f64>> = Box::new(RtrlDense::new(wiring.clone()));
        let (mut state, mut step, mut macs) = (State::new(wiring), Step::new(wiring), Macs::default());
        for t in 0..700 {
            let mut x = normal(2, t);
            if t < 300 {
                x[1] = 0.0;
            }
            net.advance(&w, &x, &state, &mut step, &mut macs);
            state.follow(&step);
            let credit = normal(wiring.outputs().len(), 77 + t);
            let mut drained = [&mut sparse, &mut dense].map(|rule| {
                rule.observe(&step, &mut macs);
                rule.credit(&credit, &mut macs);
                let mut gradient = vec![0.0; wiring.parameters()];
                if t % 10 == 0 {
                    rule.drain(&mut gradient, &mut macs);
                }
                gradient
            });
            let [own, expected] = &mut drained;
            let error = relative_error(own, expected);
            assert!(error <= 1e-10, "{} at step {t}: {error:e}", trial.label);
            if [100, 290, 310, 650].contains(&t) {
                let mut writer = Archive::writer();
                sparse.archive(&mut writer).unwrap();
                let bytes = writer.into_bytes();
                sparse = Box::new(Rtrl::new(wiring.clone(), true));
                sparse.archive(&mut Archive::reader(bytes.clone())).unwrap();
                let mut again = Archive::writer();
                sparse.archive(&mut again).unwrap();
                assert!(again.into_bytes() == bytes, "{} at step {t}", trial.label);
            }
        }
    }
}

#[test]
fn each_credit_between_drains_yields_one_row() {
    let trial = &Trial::all(5, false)[1];
    let (net, w) = trial.build(3);
    let wiring = net.wiring();
    let outputs = wiring.outputs().len();
    for entry in rule::registry::<f64>() {
        let mut rule = (entry.build)(wiring, Skips::ALL, 0);
        let (mut state, mut step, mut macs) = (State::new(wiring), Step::new(wiring), Macs::default());
        for t in 0..8 {
            net.advance(&w, &normal(2, t), &state, &mut step, &mut macs);
            state.follow(&step);
            rule.observe(&step, &mut macs);
        }
        let mut row = |credit: &[f64]| {
            let mut gradient = vec![0.0; wiring.parameters()];
            rule.credit(credit, &mut macs);
            rule.drain(&mut gradient, &mut macs);
            gradient
        };
        let unit = |k: usize| (0..outputs).map(|i| f64::from(u8::from(i == k))).collect::<Vec<_>>();
        let rows: Vec<_> = (0..outputs).map(|k| row(&unit(k))).collect();
        let c = normal(outputs, 5);
        let sum = (0..wiring.parameters()).map(|p| rows.iter().zip(&c).map(|(r, c)| c * r[p]).sum::<f64>());
        let error = relative_error(&row(&c), &sum.collect::<Vec<_>>());
        assert!(error < 1e-12, "{}: {error:e}", entry.name);
    }
}

#[test]
fn what_is_held_is_what_can_be_nonzero() {
    let (mut held, mut all) = (0, 0);
    for (seed, trial) in Trial::all(4, false).iter().enumerate().step_by(3) {
        let (net, w) = trial.build(seed as u64);
        let wiring = net.wiring();
        let mut sparse = Rtrl::new(wiring.clone(), true);
        let mut dense = rule::RtrlDense::new(wiring.clone());
        let mut heard = vec![false; wiring.sources().len()];
        let (mut state, mut step, mut macs) = (State::new(wiring), Step::new(wiring), Macs::default());
        for t in 0..10 {
            net.advance(&w, &normal(2, t + 50), &state, &mut step, &mut macs);
            state.follow(&step);
            sparse.observe(&step, &mut macs);
            dense.observe(&step, &mut macs);
            let (s, d) = (sparse.influence().unwrap(), dense.influence().unwrap());
            assert_eq!(s.nonzero, d.nonzero, "{} at {t}", trial.label);
            assert!(s.nonzero <= s.held && s.recurrent == d.recurrent);
            heard.iter_mut().zip(&step.phi).for_each(|(heard, &phi)| *heard |= phi != 0.0);
            let columns = wiring.layout().weights().entries().filter(|e| heard[e.1]).count();
            let rows = (0..wiring.rows()).filter(|&row| wiring.carries(row) || step.is_live(row)).count();
            assert!(
                s.held <= rows * columns,
                "{} at {t}: {s:?}, {rows} rows, {columns} columns",
                trial.label
            );
            (held, all) = (held + s.held, all + wiring.rows() * wiring.parameters());
        }
    }
    assert!(4 * held < 3 * all, "rows that are zero are not held: {held} of {all}");
}

/// Rules must be exact on anything a wiring can say, not only on what today's cells happen to say: zeros wherever they may be,
/// thresholds that show where nothing flows in, units that are live without gain.
#[test]
fn exact_rules_agree_on_steps_no_cell_would_make() {
    use rand::RngExt;
    use sparse_rtrl::params::{Purpose, generator};
    for (seed, trial) in Trial::all(3, false).iter().enumerate() {
        let (net, w) = trial.build(seed as u64);
        let wiring = net.wiring();
        let inner = |row: usize| {
            !wiring.carries(row) && !wiring.units().contains(&row) && !wiring.outputs().contains(&row)
        };
        let mut rng = generator(seed as u64, Purpose::Data);
        let mut sparse = |n: usize| -> Vec<f64> {
            (0..n).map(|_| if rng.random_bool(0.5) { 0.0 } else { rng.random_range(-1.0..1.0) }).collect()
        };
        let mut steps = Vec::new();
        for _ in 0..12 {
            let mut step = Step::<f64>::new(wiring);
            let n = wiring.rows();
            (step.d, step.e, step.e_bar) = (sparse(n), sparse(n), sparse(n));
            (step.gain, step.phi) = (sparse(step.gain.len()), sparse(step.phi.len()));
            (step.direct_previous, step.direct_current) =
                (sparse(step.direct_previous.len()), sparse(step.direct_current.len()));
            step.phi[0] = 1.0;
            for row in 0..n {
                if !wiring.carries(row) {
                    step.d[row] = 0.0;
                }
                if inner(row) || wiring.threshold(row).is_none() {
                    step.e_bar[row] = 0.0;
                }
            }
            wiring.couple(&w, &mut step);
            let credit = sparse(wiring.outputs().len());
            steps.push((step, credit));
        }
        let gradient = |mut rule: Box<dyn Rule<f64>>| {
            let (mut macs, mut gradient) = (Macs::default(), vec![0.0; wiring.parameters()]);
            for (step, credit) in &steps {
                rule.observe(step, &mut macs);
                rule.credit(credit, &mut macs);
            }
            rule.drain(&mut gradient, &mut macs);
            gradient
        };
        let oracle = (rule::find::<f64>("rtrl-dense").unwrap().build)(wiring, Skips::NONE, 0);
        let expected = gradient(oracle);
        let check = |name: &str, rule: Box<dyn Rule<f64>>| {
            let error = relative_error(&gradient(rule), &expected);
            assert!(error <= 1e-10, "{name} on {}: {error:e}", trial.label);
        };
        for entry in rule::registry::<f64>().iter().filter(|r| r.claim == Claim::Exact) {
            for skips in all_skips() {
                check(&format!("{} {skips:?}", entry.name), (entry.build)(wiring, skips, 0));
            }
        }
        for folding in [true, false] {
            let rule = Rtrl::with_folding(wiring.clone(), folding, true);
            check(&format!("rtrl with folding {folding}"), Box::new(rule));
        }
        check("snap-99", (rule::find::<f64>("snap-99").unwrap().build)(wiring, Skips::ALL, 0));
    }
}
