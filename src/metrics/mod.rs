//! Measurements of a running network: loss, accuracy, the sparsities α and β, the influence matrix, and the work done.

mod fidelity;
mod zeros;

pub use fidelity::Fidelity;
pub use zeros::{DenseSize, ReachedColumns, Zeros};

use crate::macs::Macs;
use crate::rule::Influence;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Sums over steps and streams, from which means are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Steps observed.
    pub steps: u64,
    /// Steps × units.
    units: u64,
    silent: u64,
    flat: u64,
    live: u64,
    /// Steps that had a predecessor, and Σ β̃(t)β̃(t−1) over them.
    pairs: u64,
    product: f64,
    held: u64,
    nonzero: u64,
    recurrent: u64,
    zeros: Zeros,
    dense: u64,
    dense_recurrent: u64,
    loss: f64,
    /// Steps with a target.
    pub supervised: u64,
    correct: u64,
    decided: u64,
    /// Gradients compared with exact ones, Σ cosine and Σ relative error.
    compared: u64,
    cosine: f64,
    error: f64,
    /// MACs done.
    pub macs: Macs,
}

impl Tally {
    /// Adds the units of a step: those with zero output, with zero pseudo-derivative, and with an emission derivative.
    ///
    /// `before` is the share of units with nonzero pseudo-derivative at the step before, if there was one. Returns the
    /// share at this step.
    pub fn observe<T: Real>(&mut self, wiring: &Wiring, step: &Step<T>, before: Option<f64>) -> f64 {
        let units = wiring.units();
        let count = |of: &dyn Fn(usize) -> bool| units.iter().filter(|&&row| of(row)).count() as u64;
        let flat = count(&|row| step.slope[row] == T::zero());
        let steep = 1.0 - flat as f64 / units.len() as f64;
        self.steps += 1;
        self.units += units.len() as u64;
        self.silent += count(&|row| step.y[row] == T::zero());
        self.live += count(&|row| step.is_live(row));
        self.flat += flat;
        if let Some(before) = before {
            self.pairs += 1;
            self.product += steep * before;
        }
        steep
    }

    /// Adds the entries that a rule holds of its influence matrix, the zeros by reason, and the size without masks.
    pub fn influence(&mut self, influence: Influence, zeros: Zeros, dense: DenseSize) {
        self.held += influence.held as u64;
        self.nonzero += influence.nonzero as u64;
        self.recurrent += influence.recurrent as u64;
        self.zeros += zeros;
        self.dense += dense.all as u64;
        self.dense_recurrent += dense.recurrent as u64;
    }

    /// Adds the loss of a step that had a target.
    pub fn loss(&mut self, loss: f64) {
        self.loss += loss;
        self.supervised += 1;
    }

    /// Adds a classification.
    pub fn decision(&mut self, correct: bool) {
        self.correct += u64::from(correct);
        self.decided += 1;
    }

    /// Adds the comparison of a gradient with the exact gradient.
    pub fn fidelity(&mut self, fidelity: Fidelity) {
        self.cosine += fidelity.cosine;
        self.error += fidelity.error;
        self.compared += 1;
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Self) {
        self.steps += other.steps;
        self.units += other.units;
        self.silent += other.silent;
        self.flat += other.flat;
        self.live += other.live;
        self.pairs += other.pairs;
        self.product += other.product;
        self.held += other.held;
        self.nonzero += other.nonzero;
        self.recurrent += other.recurrent;
        self.zeros += other.zeros;
        self.dense += other.dense;
        self.dense_recurrent += other.dense_recurrent;
        self.loss += other.loss;
        self.supervised += other.supervised;
        self.compared += other.compared;
        self.cosine += other.cosine;
        self.error += other.error;
        self.correct += other.correct;
        self.decided += other.decided;
        self.macs += other.macs;
    }

    /// Mean loss per step with a target; NaN if there was none.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.supervised as f64
    }

    /// Share of correct classifications; NaN if there was none.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.decided as f64
    }

    /// Mean cosine with the exact gradient; NaN if no gradient was compared.
    pub fn gradient_cosine(&self) -> f64 {
        self.cosine / self.compared as f64
    }

    /// Mean relative error against the exact gradient; NaN if no gradient was compared.
    pub fn gradient_error(&self) -> f64 {
        self.error / self.compared as f64
    }

    /// α, the share of units whose output is zero.
    pub fn activity_sparsity(&self) -> f64 {
        self.silent as f64 / self.units as f64
    }

    /// β, the share of units with zero pseudo-derivative.
    pub fn backward_sparsity(&self) -> f64 {
        self.flat as f64 / self.units as f64
    }

    /// The share of live units, whose emission has a derivative and which cannot be skipped as sources. For an EGRU it
    /// is larger than β̃, since a unit far above threshold has `e = 1` and no pseudo-derivative.
    pub fn live_share(&self) -> f64 {
        self.live as f64 / self.units as f64
    }

    /// The mean of `β̃(t) β̃(t−1)` over steps with a predecessor. Times ω̃², it is the share of work that remains
    /// according to the RTRL paper.
    pub fn beta_product(&self) -> f64 {
        self.product / self.pairs as f64
    }

    /// Nonzero entries of the event influence Y, relative to n × p without masks; NaN for a rule without influence
    /// matrix.
    pub fn influence_density(&self) -> f64 {
        self.nonzero as f64 / self.dense as f64
    }

    /// Nonzero entries of Y in columns of recurrent weights, relative to n × the number of recurrent weights without
    /// masks.
    pub fn influence_density_recurrent(&self) -> f64 {
        self.recurrent as f64 / self.dense_recurrent as f64
    }

    /// Zeros of Y in rows of units whose emission has no derivative, masked columns excluded, relative to n × p without
    /// masks.
    pub fn rows_without_derivative(&self) -> f64 {
        self.zeros.rows as f64 / self.dense as f64
    }

    /// Zeros of Y in live rows and inactive columns, whose source has been zero since the reset, relative to n × p
    /// without masks.
    pub fn columns_inactive(&self) -> f64 {
        self.zeros.columns as f64 / self.dense as f64
    }

    /// Zeros of Y in columns of masked parameters, relative to n × p without masks.
    pub fn columns_masked(&self) -> f64 {
        self.zeros.masked as f64 / self.dense as f64
    }

    /// Stored entries of the state influence S, relative to n × p without masks.
    pub fn influence_held(&self) -> f64 {
        self.held as f64 / self.dense as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Four event units over two steps.
    #[test]
    fn tally_of_known_steps_equals_shares_by_hand() {
        let spec = crate::learner::sequence::SequenceLearnerSpec::new(1, 4, 1);
        let net = crate::network::Network::<f64>::new(&spec.network, |blocks| {
            Ok(blocks.iter().map(|b| crate::sparse::Pattern::full(b.rows.len(), b.cols.len())).collect())
        });
        let net = net.unwrap();
        let wiring = net.wiring();
        let mut step = Step::new(wiring);
        let mut fill = |y: [f64; 4], slope: [f64; 4], e: [f64; 4]| {
            for (k, &row) in wiring.units().iter().enumerate() {
                (step.y[row], step.slope[row], step.e[row]) = (y[k], slope[k], e[k]);
            }
            step.clone()
        };
        let first = fill([0.0, 0.0, 0.5, 0.2], [0.0, 0.3, 0.0, 0.1], [0.0, 0.1, 1.0, 1.2]);
        let second = fill([0.0, 0.0, 0.0, 0.2], [0.0, 0.0, 0.0, 0.1], [0.0, 0.0, 0.0, 1.2]);
        let mut tally = Tally::default();
        let steep = tally.observe(wiring, &first, None);
        assert_eq!(steep, 0.5);
        assert!(tally.beta_product().is_nan(), "a first step has no predecessor");
        let steep = tally.observe(wiring, &second, Some(steep));
        assert_eq!(steep, 0.25);
        tally.observe(wiring, &second, Some(steep));
        assert_relative_eq!(tally.activity_sparsity(), 8.0 / 12.0);
        assert_relative_eq!(tally.backward_sparsity(), 8.0 / 12.0);
        assert_relative_eq!(tally.live_share(), 5.0 / 12.0);
        assert_relative_eq!(tally.beta_product(), (0.5 * 0.25 + 0.25 * 0.25) / 2.0);

        let dense = DenseSize { all: 100, recurrent: 50 };
        let zeros = Zeros { masked: 20, rows: 40, columns: 10 };
        tally.influence(Influence { held: 30, nonzero: 10, recurrent: 5 }, zeros, dense);
        let zeros = Zeros { masked: 20, rows: 80, columns: 0 };
        tally.influence(Influence { held: 10, nonzero: 0, recurrent: 0 }, zeros, dense);
        tally.loss(3.0);
        tally.loss(1.0);
        for correct in [true, true, false, true] {
            tally.decision(correct);
        }
        tally.fidelity(Fidelity { cosine: 0.5, error: 1.0 });
        tally.fidelity(Fidelity { cosine: 1.0, error: 0.0 });
        let mut twice = tally;
        twice.merge(&tally);
        for t in [tally, twice] {
            assert_relative_eq!(t.influence_held(), 0.2);
            assert_relative_eq!(t.influence_density(), 0.05);
            assert_relative_eq!(t.influence_density_recurrent(), 0.05);
            assert_relative_eq!(t.columns_masked(), 0.2);
            assert_relative_eq!(t.rows_without_derivative(), 0.6);
            assert_relative_eq!(t.columns_inactive(), 0.05);
            assert_relative_eq!(t.mean_loss(), 2.0);
            assert_relative_eq!(t.accuracy(), 0.75);
            assert_relative_eq!(t.gradient_cosine(), 0.75);
            assert_relative_eq!(t.gradient_error(), 0.5);
            assert_relative_eq!(t.activity_sparsity(), 8.0 / 12.0);
            assert_relative_eq!(t.beta_product(), 0.09375);
        }
        assert_eq!((twice.steps, twice.supervised), (6, 4));
    }

    /// Two tallies that share no number; the means of an empty tally are NaN.
    #[test]
    fn merge_of_two_tallies_adds_every_sum() {
        let some = |k: u64| {
            let real = k as f64;
            Tally {
                steps: 2 * k,
                units: 100 * k,
                silent: 31 * k * k,
                flat: 37 * k * k,
                live: 41 * k * k,
                pairs: 7 * k,
                product: 1.5 * real * real,
                held: 43 * k * k,
                nonzero: 47 * k * k,
                recurrent: 53 * k * k,
                zeros: Zeros { masked: 59 * k * k, rows: 61 * k * k, columns: 67 * k * k },
                dense: 1000 * k,
                dense_recurrent: 500 * k,
                loss: 2.5 * real * real,
                supervised: 3 * k,
                correct: 2 * k * k,
                decided: 11 * k,
                compared: 13 * k,
                cosine: 3.5 * real * real,
                error: 4.5 * real * real,
                macs: Macs { forward: k * k, ..Macs::default() },
            }
        };
        let mut merged = some(1);
        merged.merge(&some(3));
        // k² of both over k of both: 10 / 4.
        let ratio = 2.5;
        for (found, expected) in [
            (merged.activity_sparsity(), 0.31),
            (merged.backward_sparsity(), 0.37),
            (merged.live_share(), 0.41),
            (merged.beta_product(), 1.5 / 7.0),
            (merged.influence_held(), 0.043),
            (merged.influence_density(), 0.047),
            (merged.influence_density_recurrent(), 0.106),
            (merged.columns_masked(), 0.059),
            (merged.rows_without_derivative(), 0.061),
            (merged.columns_inactive(), 0.067),
            (merged.mean_loss(), 2.5 / 3.0),
            (merged.accuracy(), 2.0 / 11.0),
            (merged.gradient_cosine(), 3.5 / 13.0),
            (merged.gradient_error(), 4.5 / 13.0),
        ] {
            assert_relative_eq!(found, ratio * expected, max_relative = 1e-12);
        }
        assert_eq!((merged.steps, merged.supervised, merged.macs.forward), (8, 12, 10));
        let none = Tally::default();
        for value in [none.mean_loss(), none.accuracy(), none.beta_product(), none.gradient_error()] {
            assert!(value.is_nan());
        }
    }
}
