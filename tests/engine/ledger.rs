//! MAC counts against brute force: the products of a rule, counted again from the steps with dense
//! tables of booleans and without knowledge of how the rule stores or orders its data.

use crate::common::{Grid, Trial, normal, tables};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::params::Kind;
use sparse_rtrl::rule::{self, Bptt, DenseCost, Rtrl, RtrlDense, Rule, Skips};
use sparse_rtrl::wiring::{State, Step, Wiring};

/// The state of the count for the parameters of one layer. They have no entries in rows that they
/// cannot reach.
struct Count {
    layer: usize,
    active: Vec<bool>,
    held: Vec<bool>,
    live: Vec<bool>,
}

impl Count {
    fn per_layer(wiring: &Wiring) -> Vec<Self> {
        let none = |n: usize| vec![false; n];
        let (p, rows) = (wiring.parameters(), wiring.rows());
        let count = |layer| Self { layer, active: none(p), held: none(rows), live: none(rows) };
        (0..wiring.layers()).map(count).collect()
    }

    fn owns(&self, wiring: &Wiring, column: usize) -> bool {
        let at = |b: &&sparse_rtrl::params::ParamBlock| b.places.contains(&column);
        wiring.layout().blocks().iter().find(at).unwrap().spec.layer == self.layer
    }

    /// The rows that the layer's parameters can ever reach.
    fn reach(&self, wiring: &Wiring, a: &Grid, b: &Grid, gains: &Grid) -> Vec<bool> {
        let n = wiring.rows();
        let mut reached = vec![false; n];
        for (column, (pre, _)) in wiring.layout().weights().entries().enumerate() {
            if self.owns(wiring, column) {
                (0..n).for_each(|row| reached[row] |= gains.0[row][pre].is_some());
            }
        }
        for _ in 0..2 * n {
            for i in 0..n {
                let from = |grid: &Grid| grid.entries(i).iter().any(|(j, _)| reached[*j]);
                reached[i] |= from(a) || from(b);
            }
        }
        reached
    }

    fn columns(&self) -> u64 {
        self.active.iter().filter(|a| **a).count() as u64
    }

    fn step(&mut self, wiring: &Wiring, step: &Step<f64>, folding: bool, skip: bool) -> Macs {
        let (a, b, gains, mut rows, folds) = tables(wiring, step, folding, skip);
        let reached = self.reach(wiring, &a, &b, &gains);
        rows.retain(|&row| reached[row]);
        let mut macs = Macs { coupling: if self.layer == 0 { folds } else { 0 }, ..Macs::default() };
        let before = self.columns();
        let of_kind = wiring.layout().blocks().iter().filter(|b| b.spec.kind == Kind::Recurrent);
        let recurrent_before = of_kind.flat_map(|b| &b.places).filter(|&&k| self.active[k]).count() as u64;
        let sources = (0..wiring.rows()).filter(|&l| a.0.iter().any(|row| row[l].is_some()));
        let carries = rows.iter().any(|&row| wiring.carries(row));
        macs.influence += u64::from(carries)
            * before
            * sources.filter(|&l| before > 0 && self.held[l] && self.live[l]).count() as u64;
        let (held, live) = (self.held.clone(), self.live.clone());
        for (column, (_, source)) in wiring.layout().weights().entries().enumerate() {
            if self.owns(wiring, column) {
                self.active[column] |= step.phi[source] != 0.0 || !skip;
            }
        }
        self.held.fill(false);
        for row in 0..wiring.rows() {
            let own_threshold = wiring.threshold(row).is_some_and(|column| self.owns(wiring, column));
            self.live[row] = step.e[row] != 0.0 || (own_threshold && step.e_bar[row] != 0.0) || !skip;
        }
        for &row in &rows {
            let counts = |&(l, x): &(usize, f64)| before > 0 && held[l] && live[l] && (x != 0.0 || !skip);
            let terms = a.entries(row).iter().filter(|e| counts(e)).count() as u64;
            let relays = |&(j, x): &(usize, f64)| self.held[j] && ((self.live[j] && x != 0.0) || !skip);
            let relayed = b.entries(row).iter().filter(|e| relays(e)).count() as u64;
            let gains_own = |&(pre, x): &(usize, f64)| wiring.layer_of(pre) == self.layer && x != 0.0;
            let gained = gains.entries(row).iter().any(gains_own);
            self.held[row] =
                wiring.carries(row) || !skip || (self.live[row] && (terms > 0 || gained || relayed > 0));
            if self.held[row] {
                let decays = wiring.carries(row) && step.d[row] != 1.0;
                macs.influence += before * (terms + u64::from(decays)) + self.columns() * relayed;
                macs.recurrent += recurrent_before * terms;
            }
        }
        for (column, (pre, source)) in wiring.layout().weights().entries().enumerate() {
            for row in 0..wiring.rows() {
                let enters = gains.0[row][pre].is_some() && self.held[row] && self.owns(wiring, column);
                macs.influence += u64::from(enters && (step.phi[source] != 0.0 || !skip));
            }
        }
        macs
    }

    fn credit(&self, wiring: &Wiring, credit: &[f64], skip: bool) -> u64 {
        let counts = |(row, c): (usize, &f64)| self.held[row] && self.live[row] && (*c != 0.0 || !skip);
        self.columns() * wiring.outputs().zip(credit).filter(|&e| counts(e)).count() as u64
    }
}

/// Runs a rule and a count on the same steps. `expect` returns the expected MACs of a step or of a
/// credit.
fn drive(
    trial: &Trial,
    seed: u64,
    rule: &mut dyn Rule<f64>,
    mut expect: impl FnMut(&Step<f64>, Option<&[f64]>) -> Macs,
) {
    let (net, w) = trial.build(seed);
    let wiring = net.wiring();
    let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
    for t in 0..10 {
        net.advance(&w, &normal(2, seed + 31 * t), &state, &mut step, &mut Macs::default());
        state.follow(&step);
        let (mut counted, mut credited) = (Macs::default(), Macs::default());
        rule.observe(&step, &mut counted);
        assert_eq!(counted, expect(&step, None), "{} at step {t}", trial.label);
        let mut credit = normal(wiring.outputs().len(), t);
        credit[0] = 0.0;
        rule.credit(&credit, &mut credited);
        assert_eq!(credited, expect(&step, Some(&credit)), "credit, {} at step {t}", trial.label);
    }
}

#[test]
fn rtrl_macs_equal_a_count_by_brute_force() {
    let mut total = 0;
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let wiring = trial.build(seed as u64).0.wiring().clone();
        for (folding, skip) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut rule = Rtrl::with_folding(wiring.clone(), folding, skip);
            let mut counts = Count::per_layer(&wiring);
            drive(trial, seed as u64, &mut rule, |step, credit| match credit {
                None => {
                    let mut macs = Macs::default();
                    counts.iter_mut().for_each(|count| macs += count.step(&wiring, step, folding, skip));
                    total += macs.total();
                    macs
                }
                Some(credit) => {
                    let gradient = counts.iter().map(|count| count.credit(&wiring, credit, skip)).sum();
                    Macs { gradient, ..Macs::default() }
                }
            });
        }
    }
    assert!(total > 1_000_000, "expected more than a million MACs, got {total}");
}

#[test]
fn dense_rtrl_macs_equal_the_closed_form() {
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let wiring = trial.build(seed as u64).0.wiring().clone();
        let cost = DenseCost::new(&wiring);
        let mut rule = RtrlDense::new(wiring.clone());
        drive(trial, seed as u64, &mut rule, |_, credit| match credit {
            None => Macs { influence: cost.influence, ..Macs::default() },
            Some(_) => Macs { gradient: cost.gradient, ..Macs::default() },
        });
        // The oracle of the registry works on the unmasked network, so its cost does not depend on
        // the mask.
        let dense = DenseCost::new(&wiring.unmasked());
        let mut rule = (rule::find::<f64>("rtrl-dense").unwrap().build)(&wiring, Skips::NONE, 0);
        drive(trial, seed as u64, rule.as_mut(), |_, credit| match credit {
            None => Macs { influence: dense.influence, ..Macs::default() },
            Some(_) => Macs { gradient: dense.gradient, ..Macs::default() },
        });
    }
}

#[test]
fn dense_cost_of_one_layer_equals_the_documented_formula() {
    for trial in Trial::all(4, false).iter().filter(|t| t.spec.layers.len() == 1 && t.spec.trace.is_none()) {
        let wiring = trial.build(0).0.wiring().unmasked();
        let (n, m, p) = (4, 2, wiring.parameters() as u64);
        let before = trial.label.contains("gru Before");
        let forming = if before { n * n * (2 * n + 1 + m) } else { 0 };
        assert_eq!(DenseCost::new(&wiring).influence, n * n * p + 2 * n * p + p + forming, "{}", trial.label);
    }
}

#[test]
fn bptt_macs_equal_a_count_by_brute_force() {
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let (net, w) = trial.build(seed as u64);
        let wiring = net.wiring();
        for skip in [true, false] {
            let mut rule = Bptt::new(wiring.clone(), skip);
            let (mut state, mut step, mut macs) = (State::new(wiring), Step::new(wiring), Macs::default());
            let (mut expected, steps) = (0, 8);
            for t in 0..steps {
                net.advance(&w, &normal(2, 9 + t), &state, &mut step, &mut Macs::default());
                state.follow(&step);
                rule.observe(&step, &mut macs);
                for row in (0..wiring.rows()).filter(|&row| step.is_live(row) || !skip) {
                    let within = wiring.current().entries().filter(|e| e.1 == row).count();
                    let across = wiring.previous().entries().filter(|e| e.1 == row).count();
                    expected += within + if t + 1 < steps { across } else { 0 };
                }
                let weights = wiring.layout().weights().entries();
                expected += weights.filter(|e| step.phi[e.1] != 0.0 || !skip).count();
            }
            rule.credit(&normal(wiring.outputs().len(), 1), &mut macs);
            rule.drain(&mut vec![0.0; wiring.parameters()], &mut macs);
            assert_eq!(macs, Macs { backward: expected as u64, ..Macs::default() }, "{}", trial.label);
        }
    }
}

#[test]
fn forward_macs_equal_a_count_by_brute_force() {
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let (net, w) = trial.build(seed as u64);
        let wiring = net.wiring();
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        for t in 0..5 {
            let mut macs = Macs::default();
            net.advance(&w, &normal(2, t), &state, &mut step, &mut macs);
            state.follow(&step);
            let entries = || wiring.layout().weights().entries();
            let counted = entries().filter(|(_, source)| step.phi[*source] != 0.0).count() as u64;
            let coupled = entries().filter(|(_, source)| *source > wiring.inputs()).count() as u64;
            assert_eq!(
                macs,
                Macs { forward: counted, coupling: coupled, ..Macs::default() },
                "{}",
                trial.label
            );
        }
    }
}

#[test]
fn stream_macs_include_the_readout() {
    use sparse_rtrl::learner::sequence::Stream;
    use sparse_rtrl::model::Model;
    use sparse_rtrl::readout::{Loss, Target};
    for trial in Trial::all(4, false).iter().step_by(5) {
        let (net, mut w) = trial.build(1);
        let wiring = net.wiring().clone();
        let model = Model::new(trial.build(1).0, 3, Loss::CrossEntropy);
        w.extend(normal(model.readout.parameters(), 1));
        let build = |name: &str| (rule::find::<f64>(name).unwrap().build)(&wiring, Skips::ALL, 0);
        let (mut stream, mut rule) = (Stream::new(&model, build("rtrl")), build("rtrl"));
        let (mut state, mut step) = (State::new(&wiring), Step::new(&wiring));
        let mut expected = Macs::default();
        for t in 0..6 {
            let x = normal(2, t);
            let target = (t % 2 == 0).then_some(Target::Class(1));
            net.advance(&w[..wiring.parameters()], &x, &state, &mut step, &mut expected);
            state.follow(&step);
            rule.observe(&step, &mut expected);
            let outputs = wiring.outputs();
            let nonzero = state.y[outputs.clone()].iter().filter(|y| **y != 0.0).count() as u64;
            expected.forward += 3 * nonzero;
            stream.step(&model, &w, &x, target);
            if target.is_some() {
                // ∂L/∂W and Wᵀ ∂L/∂o; then the MACs of the rule, for a credit without zeros.
                expected.gradient += 2 * 3 * outputs.len() as u64;
                rule.credit(&vec![1.0; outputs.len()], &mut expected);
            }
            assert_eq!(stream.tally.macs, expected, "{} at {t}", trial.label);
        }
    }
}
