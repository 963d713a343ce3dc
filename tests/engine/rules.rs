//! Every registered rule passes the checks, on every cell, variant, mask and depth, with every
//! setting of its skips.

use crate::common::{Trial, normal, relative_error};
use sparse_rtrl::archive::Archive;
use sparse_rtrl::check;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::rule::cost::CostModel;
use sparse_rtrl::rule::{self, Claim, Rtrl, RtrlDense, Rule, RuleEntry, Skips, Uoro};
use sparse_rtrl::wiring::{State, Step, Wiring};
use std::sync::Arc;

fn all_skips() -> [Skips; 4] {
    let skips = |activity, parameters| Skips { activity, parameters };
    [skips(true, true), skips(true, false), skips(false, true), skips(false, false)]
}

#[test]
fn check_rules_of_every_registered_rule_passes() {
    check::check_rules(&rule::registry()).unwrap_or_else(|mismatch| panic!("{mismatch}"));
}

#[test]
fn check_rules_of_rtrl_with_inner_rows_folded_or_held_passes() {
    let entry = |(folding, activity): (bool, bool)| {
        let name = format!("rtrl with folding {folding}, activity {activity}");
        let build = move |wiring: &Arc<Wiring>, _, _| Rtrl::with_folding(wiring.clone(), folding, activity);
        RuleEntry::new(name, "", Claim::Exact, build)
    };
    let all = [(true, true), (true, false), (false, true), (false, false)].map(entry);
    check::check_rules(&all).unwrap_or_else(|mismatch| panic!("{mismatch}"));
}

/// An exact rule whose gradient is wrong by a factor of 1 + 1e-6, and one that claims to be exact
/// and is not.
#[test]
fn check_rule_of_a_wrong_gradient_claim_or_cost_reports_what_differs() {
    struct Scaled<R>(R, f64);
    impl<R: Rule<f64>> Rule<f64> for Scaled<R> {
        fn claim(&self) -> Claim {
            self.0.claim()
        }
        fn reset(&mut self) {
            self.0.reset();
        }
        fn observe(&mut self, step: &Step<f64>, macs: &mut Macs) {
            self.0.observe(step, macs);
        }
        fn credit(&mut self, credit: &[f64], macs: &mut Macs) {
            self.0.credit(&credit.iter().map(|c| self.1 * c).collect::<Vec<_>>(), macs);
        }
        fn drain(&mut self, gradient: &mut [f64], macs: &mut Macs) {
            self.0.drain(gradient, macs);
        }
        fn archive(&mut self, archive: &mut Archive) -> sparse_rtrl::Result<()> {
            self.0.archive(archive)
        }
        fn bytes(&self) -> usize {
            self.0.bytes()
        }
    }
    let scaled = |factor: f64| {
        let build = move |wiring: Arc<Wiring>, activity| Scaled(Rtrl::new(wiring, activity), factor);
        RuleEntry::maskable("scaled", "", Claim::Exact, build)
    };
    let message = |entry: RuleEntry<f64>| check::check_rule(&entry).unwrap_err().to_string();
    let wrong = message(scaled(1.0 + 1e-6));
    assert!(wrong.starts_with("gradient of scaled") && wrong.contains("relative error 1"), "{wrong}");
    let mut other_claim = scaled(1.0);
    other_claim.claim = Claim::Unbiased;
    assert!(message(other_claim).contains("expected Unbiased, got Exact"));
    let other_cost =
        RuleEntry::new("uoro", "", Claim::Unbiased, |wiring, _, seed| Uoro::new(wiring.clone(), seed));
    let model = |wiring: &Arc<Wiring>| Boxed(rule::find::<f64>("rflo").unwrap().cost_model(wiring).unwrap());
    let wrong = message(other_cost.with_cost(model));
    assert!(wrong.starts_with("MACs of uoro") && wrong.contains("at step 0"), "{wrong}");
}

struct Boxed(Box<dyn CostModel<f64>>);

impl CostModel<f64> for Boxed {
    fn reset(&mut self) {
        self.0.reset();
    }
    fn observe(&mut self, step: &Step<f64>) -> Macs {
        self.0.observe(step)
    }
    fn credit(&mut self, credit: &[f64]) -> Macs {
        self.0.credit(credit)
    }
    fn footprint(&self) -> usize {
        self.0.footprint()
    }
}

/// Columns are sorted once none has become active in 256 steps: here twice, since one input is zero
/// at first. The rule is saved and restored before its columns are sorted, while all are sorted,
/// and while some are.
#[test]
fn rtrl_with_sorted_columns_on_long_sequences_equals_the_oracle() {
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
            // A linear network may be unstable: it is compared until its state is large.
            if state.c.iter().any(|c| c.abs() > 1e100) {
                break;
            }
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
fn drain_after_each_unit_credit_yields_one_row_of_the_jacobian() {
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
fn influence_held_by_rtrl_is_at_most_live_rows_times_active_columns() {
    let (mut held, mut all) = (0, 0);
    for (seed, trial) in Trial::all(4, false).iter().enumerate().step_by(3) {
        let (net, w) = trial.build(seed as u64);
        let wiring = net.wiring();
        let mut sparse = Rtrl::new(wiring.clone(), true);
        let mut dense = rule::RtrlDense::new(wiring.clone());
        let mut reached = vec![false; wiring.sources().len()];
        let (mut state, mut step, mut macs) = (State::new(wiring), Step::new(wiring), Macs::default());
        for t in 0..10 {
            net.advance(&w, &normal(2, t + 50), &state, &mut step, &mut macs);
            state.follow(&step);
            sparse.observe(&step, &mut macs);
            dense.observe(&step, &mut macs);
            let (s, d) = (sparse.influence().unwrap(), dense.influence().unwrap());
            assert_eq!(s.nonzero, d.nonzero, "{} at {t}", trial.label);
            assert!(s.nonzero <= s.held && s.recurrent == d.recurrent);
            reached.iter_mut().zip(&step.phi).for_each(|(reached, &phi)| *reached |= phi != 0.0);
            let columns = wiring.layout().weights().entries().filter(|e| reached[e.1]).count();
            let rows = (0..wiring.rows()).filter(|&row| wiring.carries(row) || step.is_live(row)).count();
            assert!(
                s.held <= rows * columns,
                "{} at {t}: {s:?}, {rows} rows, {columns} columns",
                trial.label
            );
            (held, all) = (held + s.held, all + wiring.rows() * wiring.parameters());
        }
    }
    assert!(4 * held < 3 * all, "zero rows must not be held: {held} of {all}");
}

/// Rules must be exact on every step that a wiring allows, not only on those of the registered
/// cells: zeros at any place, thresholds with the only influence of a row, live units without gain.
#[test]
fn exact_rules_on_arbitrary_sparse_steps_equal_the_oracle() {
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
            step.couple(wiring, &w);
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
