//! The measures of a stream over several sequences equal sums by hand and those of the dense
//! recursion.

use super::count::{Count, Exact};
use super::reference::{Recursion, Reference};
use super::tables::Tables;
use crate::common::Trial;
use approx::assert_relative_eq;
use sparse_rtrl::learner::sequence::Stream;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::model::Model;
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule::{self, Skips};
use sparse_rtrl::wiring::{State, Step};

/// Sums over steps, in units, pairs of steps and entries.
#[derive(Default)]
struct Sums {
    units: f64,
    zero: f64,
    flat: f64,
    live: f64,
    pairs: f64,
    product: f64,
    dense: f64,
    dense_recurrent: f64,
    held: f64,
    nonzero: f64,
    recurrent: f64,
    rows: f64,
    columns: f64,
    masked: f64,
}

#[test]
fn stream_measures_over_sequences_equal_sums_by_hand() {
    for (seed, trial) in Trial::all(4, false).iter().enumerate().step_by(7) {
        let (net, mut w) = trial.build(seed as u64);
        let wiring = net.wiring().clone();
        w.extend([0.3; 64]);
        let model = Model::new(trial.build(seed as u64).0, 2, Loss::SquaredError);
        let mut stream = Stream::new(&model, (rule::find("rtrl").unwrap().build)(&wiring, Skips::ALL, 0));
        let (w, p, full) = (&w[..model.parameters()], wiring.parameters(), wiring.unmasked());
        let mut reference = Recursion::exact(&wiring);
        let mut count = Exact::new(&wiring, Tables::folding_is_cheaper(&wiring), true);
        let n = wiring.units().len() as f64;
        let recurrent = super::tables::recurrent(&full).iter().filter(|r| **r).count() as f64;
        let (mut sums, mut macs, mut loss) = (Sums::default(), Macs::default(), (0.0, 0.0));
        for length in [5, 1, 9] {
            let (mut state, mut step) = (State::new(&wiring), Step::new(&wiring));
            let mut active = vec![false; wiring.sources().len()];
            let mut before = None;
            for t in 0..length {
                let x = [2.0 * (1.7 * t as f64).sin(), if t < 3 { 0.0 } else { 1.0 }];
                let target = [0.2, -0.4];
                let target = (t % 2 == 0).then_some(Target::Values(&target[..]));
                net.advance(&w[..p], &x, &state, &mut step, &mut macs);
                state.follow(&step);
                reference.observe(&step);
                macs += count.observe(&step);
                let y = &state.y[wiring.outputs()];
                macs.forward += 2 * y.iter().filter(|y| **y != 0.0).count() as u64;
                if let Some(of_step) = stream.step(&model, w, &x, target) {
                    loss = (loss.0 + of_step, loss.1 + 1.0);
                    macs.gradient += 4 * y.len() as u64;
                    macs += count.credit(&vec![1.0; y.len()]);
                }
                active.iter_mut().zip(&step.phi).for_each(|(active, &phi)| *active |= phi != 0.0);
                let of =
                    |is: &dyn Fn(usize) -> bool| wiring.units().iter().filter(|&&row| is(row)).count() as f64;
                let live = of(&|row| step.e[row] != 0.0 || step.e_bar[row] != 0.0);
                let flat = of(&|row| step.slope[row] == 0.0);
                let steep = 1.0 - flat / n;
                if let Some(before) = before.replace(steep) {
                    (sums.pairs, sums.product) = (sums.pairs + 1.0, sums.product + steep * before);
                }
                let columns = wiring.layout().weights().entries().filter(|e| active[e.1]).count() as f64;
                let nonzero = reference.influence().expect("no entry is too small");
                sums.units += n;
                sums.zero += of(&|row| step.y[row] == 0.0);
                sums.flat += flat;
                sums.live += live;
                sums.dense += n * full.parameters() as f64;
                sums.dense_recurrent += n * recurrent;
                sums.held += count.held().expect("a count of stored entries") as f64;
                sums.nonzero += nonzero.0 as f64;
                sums.recurrent += nonzero.1 as f64;
                sums.rows += (n - live) * p as f64;
                sums.columns += live * (p as f64 - columns);
                sums.masked += n * (full.parameters() - p) as f64;
            }
            stream.reset();
            reference.reset();
            count.reset();
        }
        let tally = stream.tally;
        assert_eq!((tally.steps, tally.supervised as f64), (15, loss.1));
        assert_eq!(tally.macs, macs, "{}", trial.label);
        for (measured, expected) in [
            (tally.mean_loss(), loss.0 / loss.1),
            (tally.activity_sparsity(), sums.zero / sums.units),
            (tally.backward_sparsity(), sums.flat / sums.units),
            (tally.live_share(), sums.live / sums.units),
            (tally.beta_product(), sums.product / sums.pairs),
            (tally.influence_density(), sums.nonzero / sums.dense),
            (tally.influence_density_recurrent(), sums.recurrent / sums.dense_recurrent),
            (tally.influence_held(), sums.held / sums.dense),
            (tally.rows_without_derivative(), sums.rows / sums.dense),
            (tally.columns_inactive(), sums.columns / sums.dense),
            (tally.columns_masked(), sums.masked / sums.dense),
        ] {
            assert_relative_eq!(measured, expected, max_relative = 1e-12);
        }
    }
}
