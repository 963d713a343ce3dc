//! Claims of approximate rules and of blocked RTRL, on every cell, mask and depth. (Exact rules:
//! tests/rules.rs.)

use crate::common::{Grid, Trial, normal, relative_error, resets_by_output, tables};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::params::MaskSpec;
use sparse_rtrl::rule::{self, Claim, Rule, Skips};
use sparse_rtrl::wiring::{State, Step, Wiring};

/// The steps of a run, the credit given at each of them, and for every row its direct coupling to
/// itself.
struct Drive {
    own: Vec<Option<usize>>,
    steps: Vec<Step<f64>>,
    credits: Vec<Vec<f64>>,
}

fn drive(trial: &Trial, seed: u64, length: u64) -> (std::sync::Arc<Wiring>, Drive) {
    let (net, w) = trial.build(seed);
    let wiring = net.wiring().clone();
    let (mut state, mut step) = (State::new(&wiring), Step::new(&wiring));
    let (mut steps, mut credits) = (Vec::new(), Vec::new());
    for t in 0..length {
        net.advance(&w, &normal(2, 500 * seed + t), &state, &mut step, &mut Macs::default());
        state.follow(&step);
        steps.push(step.clone());
        credits.push(normal(wiring.outputs().len(), 900 + t));
    }
    (wiring, Drive { own: resets_by_output(&trial.spec), steps, credits })
}

impl Drive {
    fn gradient(&self, wiring: &Wiring, rule: &mut dyn Rule<f64>) -> Vec<f64> {
        let mut macs = Macs::default();
        let mut gradient = vec![0.0; wiring.parameters()];
        // First another sequence, with the steps in reverse. After the reset it must have no
        // effect.
        for (step, credit) in self.steps.iter().zip(&self.credits).rev() {
            rule.observe(step, &mut macs);
            rule.credit(credit, &mut macs);
        }
        rule.drain(&mut gradient, &mut macs);
        gradient.fill(0.0);
        rule.reset();
        for (step, credit) in self.steps.iter().zip(&self.credits) {
            rule.observe(step, &mut macs);
            rule.credit(credit, &mut macs);
        }
        rule.drain(&mut gradient, &mut macs);
        gradient
    }
}

/// The kept part of the coupling to the step before.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    All,
    Direct,
    Nothing,
}

/// The dense recursion with tables. Couplings are dropped and entries are masked.
fn brute_force(wiring: &Wiring, drive: &Drive, kept: Kept, steps: Option<usize>) -> Vec<f64> {
    let (n, p) = (wiring.rows(), wiring.parameters());
    let columns: Vec<_> = wiring.layout().weights().entries().collect();
    let mut mask = vec![vec![true; p]; n];
    if let Some(steps) = steps {
        // P₁ is the pattern of M̄ and of the couplings within a step; then P ← P ∪ A P.
        let (a, b, gains, ..) = tables(wiring, &drive.steps[0], true, false);
        mask = gains.0.iter().map(|row| columns.iter().map(|c| row[c.0].is_some()).collect()).collect();
        let spread = |mask: &mut Vec<Vec<bool>>, by: &Grid| {
            for i in 0..n {
                for (j, _) in by.entries(i) {
                    let from = mask[j].clone();
                    mask[i].iter_mut().zip(from).for_each(|(to, from)| *to |= from);
                }
            }
        };
        spread(&mut mask, &b);
        for _ in 1..steps {
            let before = mask.clone();
            for (i, row) in mask.iter_mut().enumerate() {
                for (l, _) in a.entries(i) {
                    row.iter_mut().zip(&before[l]).for_each(|(to, &from)| *to |= from);
                }
            }
            spread(&mut mask, &b);
        }
    }
    let (mut s, mut y) = (vec![vec![0.0; p]; n], vec![vec![0.0; p]; n]);
    let mut gradient = vec![0.0; p];
    for (step, credit) in drive.steps.iter().zip(&drive.credits) {
        let (mut a, b, gains, rows, _) = tables(wiring, step, true, false);
        for i in 0..n {
            for l in 0..n {
                a.0[i][l] = match kept {
                    Kept::All => a.0[i][l],
                    Kept::Direct if i == l => drive.own[i].map(|k| step.direct_previous[k]),
                    _ => None,
                };
            }
        }
        let before = y.clone();
        for &i in &rows {
            for (column, &(pre, source)) in columns.iter().enumerate() {
                let mut sum = step.d[i] * s[i][column];
                sum += a.entries(i).iter().map(|&(l, x)| x * before[l][column]).sum::<f64>();
                sum += b.entries(i).iter().map(|&(j, x)| x * y[j][column]).sum::<f64>();
                sum += gains.0[i][pre].unwrap_or(0.0) * step.phi[source];
                s[i][column] = if mask[i][column] { sum } else { 0.0 };
                y[i][column] = step.e[i] * s[i][column];
            }
            if let Some(theta) = wiring.threshold(i) {
                y[i][theta] += step.e_bar[i];
            }
        }
        for (row, c) in wiring.outputs().zip(credit) {
            gradient.iter_mut().zip(&y[row]).for_each(|(g, y)| *g += c * y);
        }
    }
    gradient
}

fn check(label: &str, got: &[f64], expected: &[f64]) {
    let error = relative_error(got, expected);
    assert!(error <= 1e-10, "{label}: {error:e}");
}

#[test]
fn snap_of_any_n_equals_the_masked_recursion_and_is_exact_once_saturated() {
    let mut differing = 0;
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let (wiring, drive) = drive(trial, seed as u64, 8);
        let exact = brute_force(&wiring, &drive, Kept::All, None);
        for n in [1, 2, 3] {
            let entry = rule::find::<f64>(&format!("snap-{n}")).unwrap();
            assert_eq!(entry.claim, Claim::Pattern(n));
            let got = drive.gradient(&wiring, (entry.build)(&wiring, Skips::ALL, 0).as_mut());
            check(
                &format!("snap-{n}, {}", trial.label),
                &got,
                &brute_force(&wiring, &drive, Kept::All, Some(n)),
            );
            differing += usize::from(relative_error(&got, &exact) > 1e-6);
        }
        let saturated = rule::find::<f64>("snap-99").unwrap();
        let got = drive.gradient(&wiring, (saturated.build)(&wiring, Skips::ALL, 0).as_mut());
        check(&format!("snap-99, {}", trial.label), &got, &exact);
    }
    assert!(differing > 100, "SnAp-n must differ from exact RTRL before it saturates: {differing}");
}

#[test]
fn rflo_and_e_prop_equal_the_recursion_without_their_dropped_couplings() {
    let mut differing = 0;
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let (wiring, drive) = drive(trial, seed as u64, 8);
        // The output reset of a unit is a direct coupling, which rules read from the wiring.
        let found: Vec<_> = (0..wiring.rows()).map(|row| wiring.direct_to_itself(row)).collect();
        assert_eq!(found, drive.own, "{}", trial.label);
        let gradient = |kept| brute_force(&wiring, &drive, kept, None);
        let differ = relative_error(&gradient(Kept::Direct), &gradient(Kept::Nothing)) > 1e-6;
        assert!(!differ || drive.own.iter().any(Option::is_some), "{}", trial.label);
        differing += usize::from(differ);
        for (name, kept) in [("rflo", Kept::Nothing), ("e-prop", Kept::Direct)] {
            let entry = rule::find::<f64>(name).unwrap();
            assert_eq!(entry.claim, Claim::Heuristic);
            let got = drive.gradient(&wiring, (entry.build)(&wiring, Skips::ALL, 0).as_mut());
            check(&format!("{name}, {}", trial.label), &got, &brute_force(&wiring, &drive, kept, None));
        }
    }
    assert!(differing > 30, "e-prop must differ from RFLO where a reset is a coupling: {differing}");
}

/// Each credit of truncated BPTT gives the gradient of the dense recursion started K steps ago.
#[test]
fn tbptt_credit_equals_the_recursion_started_k_steps_ago() {
    for (seed, trial) in Trial::all(3, false).iter().enumerate().step_by(5) {
        let (wiring, drive) = drive(trial, seed as u64, 14);
        for window in [2, 3, 5, 8] {
            let mut expected = vec![0.0; wiring.parameters()];
            for end in 1..=14_usize {
                let steps = drive.steps[end.saturating_sub(window)..end].to_vec();
                let mut credits = vec![vec![0.0; wiring.outputs().len()]; steps.len()];
                *credits.last_mut().unwrap() = drive.credits[end - 1].clone();
                let part = Drive { own: drive.own.clone(), steps, credits };
                let gradient = brute_force(&wiring, &part, Kept::All, None);
                expected.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
            }
            let entry = rule::find::<f64>(&format!("tbptt-{window}")).unwrap();
            let got = drive.gradient(&wiring, (entry.build)(&wiring, Skips::ALL, 0).as_mut());
            check(&format!("tbptt-{window}, {}", trial.label), &got, &expected);
        }
    }
}

#[test]
fn tbptt_with_a_window_as_long_as_the_sequence_is_exact_and_shorter_is_not() {
    let mut differing = 0;
    for (seed, trial) in Trial::all(4, false).iter().enumerate() {
        let (wiring, drive) = drive(trial, seed as u64, 8);
        let exact = brute_force(&wiring, &drive, Kept::All, None);
        let run = |k: usize| {
            let entry = rule::find::<f64>(&format!("tbptt-{k}")).unwrap();
            drive.gradient(&wiring, (entry.build)(&wiring, Skips::ALL, 0).as_mut())
        };
        check(&format!("tbptt-8, {}", trial.label), &run(8), &exact);
        differing += usize::from(relative_error(&run(3), &exact) > 1e-6);
        // A window of one step is the gradient of each loss with respect to that step alone.
        let mut single_step = vec![0.0; wiring.parameters()];
        for (step, credit) in drive.steps.iter().zip(&drive.credits) {
            let (steps, credits) = (vec![step.clone()], vec![credit.clone()]);
            let one = Drive { own: drive.own.clone(), steps, credits };
            let gradient = brute_force(&wiring, &one, Kept::Nothing, None);
            single_step.iter_mut().zip(gradient).for_each(|(a, g)| *a += g);
        }
        check(&format!("tbptt-1, {}", trial.label), &run(1), &single_step);
    }
    assert!(differing > 100, "a short window must differ from exact RTRL: {differing}");
}

#[test]
fn uoro_mean_gradient_lies_in_its_confidence_interval() {
    const SEEDS: u64 = 1000;
    let (mut tested, mut outside, mut largest) = (0, 0, 0.0f64);
    for (seed, trial) in Trial::all(2, false).iter().enumerate() {
        let (wiring, drive) = drive(trial, seed as u64, 5);
        let exact = brute_force(&wiring, &drive, Kept::All, None);
        for entry in rule::registry::<f64>().iter().filter(|rule| rule.claim == Claim::Unbiased) {
            let p = wiring.parameters();
            let (mut sum, mut square) = (vec![0.0; p], vec![0.0; p]);
            for noise in 0..SEEDS {
                let gradient = drive.gradient(&wiring, (entry.build)(&wiring, Skips::ALL, noise).as_mut());
                for k in 0..p {
                    sum[k] += gradient[k];
                    square[k] += gradient[k] * gradient[k];
                }
            }
            for k in 0..p {
                let mean = sum[k] / SEEDS as f64;
                let variance = square[k] / SEEDS as f64 - mean * mean;
                let deviation = (variance.max(0.0) / SEEDS as f64).sqrt();
                let off = (mean - exact[k]).abs();
                if deviation < 1e-12 * (1.0 + mean.abs()) {
                    assert!(
                        off < 1e-9 * (1.0 + mean.abs()),
                        "{}, {}: expected the exact gradient without variance",
                        entry.name,
                        trial.label
                    );
                    continue;
                }
                tested += 1;
                outside += usize::from(off > 1.96 * deviation);
                largest = largest.max(off / deviation);
            }
        }
    }
    let share = outside as f64 / tested as f64;
    println!(
        "{tested} means, {:.1} % outside their 95 % interval, the largest error is {largest:.1} deviations",
        100.0 * share
    );
    assert!(tested > 1000);
    assert!(share < 0.08, "{:.1} % of {tested} means lie outside their 95 % interval", 100.0 * share);
    assert!(largest < 6.0, "a mean has an error of {largest:.1} standard errors");
}

/// Blocks of every length from 1 to 64 give the gradient of the direct recursion, for every cell,
/// mask and depth: credit at some steps, drained within blocks, at their ends and after several of
/// them, before, in and after the advance over the block before.
#[test]
fn blocked_rtrl_with_blocks_of_1_to_64_steps_equals_rtrl() {
    let mut compared = 0;
    for (seed, trial) in Trial::all(3, false).iter().enumerate() {
        let (net, w) = trial.build(seed as u64);
        let wiring = net.wiring();
        let (mut state, mut step) = (State::new(wiring), Step::new(wiring));
        let steps: Vec<Step<f64>> = (0..140)
            .map(|t| {
                net.advance(&w, &normal(2, 7 * t), &state, &mut step, &mut Macs::default());
                state.follow(&step);
                step.clone()
            })
            .collect();
        let gradients = |name: &str| {
            let mut rule = (rule::find::<f64>(name).unwrap().build)(wiring, Skips::ALL, 0);
            let (mut macs, mut all) = (Macs::default(), Vec::new());
            for (t, step) in steps.iter().enumerate() {
                rule.observe(step, &mut macs);
                if t % 3 != 1 {
                    rule.credit(&normal(wiring.outputs().len(), t as u64), &mut macs);
                }
                if [4, 5, 31, 64, 65, 68, 85, 95, 96, 97, 127, 139].contains(&t) {
                    let mut gradient = vec![0.0; wiring.parameters()];
                    rule.drain(&mut gradient, &mut macs);
                    all.extend(gradient);
                }
            }
            all
        };
        let expected = gradients("rtrl");
        for k in 1..=64 {
            let error = relative_error(&gradients(&format!("rtrl-blocked-{k}")), &expected);
            assert!(error <= 1e-10, "blocks of {k} on {}: {error:e}", trial.label);
            compared += 1;
        }
    }
    assert!(compared > 64 * 100, "{compared}");
}

/// Networks with more than 64 sources: products are computed for 64 sources at a time or, with few
/// columns, one by one.
#[test]
fn blocked_rtrl_on_more_than_64_sources_equals_rtrl() {
    let wide = |trial: &&Trial| {
        trial.spec.layers.len() < 3 && trial.spec.trace.is_none() && trial.mask != MaskSpec::default()
    };
    let mut compared = 0;
    for (seed, trial) in Trial::all(70, false).iter().filter(wide).enumerate().step_by(2) {
        let (wiring, drive) = drive(trial, seed as u64, 14);
        let find = |name: &str| (rule::find::<f64>(name).unwrap().build)(&wiring, Skips::ALL, 0);
        let expected = drive.gradient(&wiring, &mut *find("rtrl"));
        let got = drive.gradient(&wiring, &mut *find("rtrl-blocked-4"));
        let error = relative_error(&got, &expected);
        assert!(error <= 1e-10, "{}: {error:e}", trial.label);
        compared += 1;
    }
    assert!(compared >= 30, "{compared}");
}

/// A sequence may end at any step of a block, and so at any point of the advance over the block
/// before. Only the gradient of its credit may remain in the next sequence.
#[test]
fn blocked_rtrl_reset_within_an_advance_equals_rtrl() {
    let mut compared = 0;
    for (seed, trial) in Trial::all(3, false).iter().enumerate().step_by(3) {
        let (wiring, drive) = drive(trial, seed as u64, 40);
        let sequences = |name: &str, length: usize, drained: bool| {
            let mut rule = (rule::find::<f64>(name).unwrap().build)(&wiring, Skips::ALL, 0);
            let (mut macs, mut all) = (Macs::default(), Vec::new());
            for range in [0..length, length..40] {
                for t in range {
                    rule.observe(&drive.steps[t], &mut macs);
                    rule.credit(&drive.credits[t], &mut macs);
                    if drained {
                        all.resize(all.len() + wiring.parameters(), 0.0);
                        let at = all.len() - wiring.parameters();
                        rule.drain(&mut all[at..], &mut macs);
                    }
                }
                rule.reset();
            }
            all.resize(all.len() + wiring.parameters(), 0.0);
            let at = all.len() - wiring.parameters();
            rule.drain(&mut all[at..], &mut macs);
            all
        };
        for length in 6..26 {
            for drained in [true, false] {
                let expected = sequences("rtrl", length, drained);
                for k in [1, 2, 5, 8] {
                    let got = sequences(&format!("rtrl-blocked-{k}"), length, drained);
                    let error = relative_error(&got, &expected);
                    assert!(error <= 1e-10, "blocks of {k}, {length} steps, {}: {error:e}", trial.label);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}
