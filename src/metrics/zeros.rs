//! Counts of the zeros of the influence matrix Y by reason.

use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Size of the influence matrix of the network without masks: units × parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DenseSize {
    /// Entries in all columns.
    pub all: usize,
    /// Entries in columns of recurrent weights.
    pub recurrent: usize,
}

impl DenseSize {
    /// Computes the size for a network.
    pub fn new(wiring: &Wiring) -> Self {
        let units = wiring.units().len();
        let blocks = || wiring.layout().blocks().iter().map(|b| &b.spec);
        let recurrent = blocks().filter(|b| b.kind == Kind::Recurrent);
        Self {
            all: units * blocks().map(|b| b.dense_len()).sum::<usize>(),
            recurrent: units * recurrent.map(|b| b.dense_len()).sum::<usize>(),
        }
    }
}

/// Numbers of zeros of the influence matrix `Y = diag(e) S + Ē` by reason.
///
/// Every entry of the n × p matrix without masks is counted once, for the first reason that
/// applies:
///
/// 1. `masked`: the parameter of the column is pruned;
/// 2. `rows`: the row is not live, `e = 0` and `Ē = 0`;
/// 3. `columns`: the column is inactive.
///
/// Other zeros are not counted: either the parameter has not yet influenced the unit (for example,
/// a weight of a reset gate has no influence before its unit emits), or the influence has decayed
/// below the smallest stored magnitude ([`Real::LEAST`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeros {
    /// Entries in columns of pruned parameters.
    pub masked: u64,
    /// Entries in rows that are not live.
    pub rows: u64,
    /// Entries in inactive columns, whose source has been zero since the reset.
    pub columns: u64,
}

impl std::ops::AddAssign for Zeros {
    fn add_assign(&mut self, other: Self) {
        self.masked += other.masked;
        self.rows += other.rows;
        self.columns += other.columns;
    }
}

/// The active columns: those whose source has been nonzero since the reset.
#[derive(Clone, Debug)]
pub struct ReachedColumns {
    sources: Vec<bool>, // [f]: whether the source has been nonzero
    /// Number of active columns.
    columns: usize,
}

impl ReachedColumns {
    /// Creates the columns of a wiring, all inactive.
    pub fn new(wiring: &Wiring) -> Self {
        Self { sources: vec![false; wiring.sources().len()], columns: 0 }
    }

    /// Makes all columns inactive, for the start of a sequence.
    pub fn reset(&mut self) {
        self.sources.fill(false);
        self.columns = 0;
    }

    /// Adds the sources of a step, and returns the zeros of Y after it.
    pub fn observe<T: Real>(&mut self, wiring: &Wiring, step: &Step<T>, dense: DenseSize) -> Zeros {
        for (source, reached) in self.sources.iter_mut().enumerate() {
            if !*reached && step.phi[source] != T::zero() {
                *reached = true;
                self.columns += wiring.layout().weights().col(source).len();
            }
        }
        let (units, p) = (wiring.units(), wiring.parameters());
        let live = units.iter().filter(|&&row| step.is_live(row)).count();
        Zeros {
            masked: (dense.all - units.len() * p) as u64,
            rows: ((units.len() - live) * p) as u64,
            columns: (live * (p - self.columns)) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::CellConfig;
    use crate::network::{LayerSpec, Network, NetworkSpec};
    use crate::params::{MaskOn, MaskSpec, Purpose, generator};

    /// Five units of which two have a derivative, sources that become nonzero one by one, and a
    /// reset in between.
    #[test]
    fn zeros_before_and_after_a_reset_equal_counts_by_hand() {
        let layer = LayerSpec::new("event-rnn", 5, CellConfig::default());
        let spec = NetworkSpec { inputs: 2, layers: vec![layer], trace: None };
        let mask = MaskSpec { sparsity: 0.6, on: MaskOn::All, ..Default::default() };
        let mut rng = generator(1, Purpose::Mask);
        let network = Network::<f64>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
        let wiring = network.wiring();
        // 10 of 25 recurrent and 4 of 10 input weights are kept, and all 5 biases and 5 thresholds.
        let (p, dense) = (10 + 4 + 5 + 5, DenseSize::new(wiring));
        assert_eq!((wiring.parameters(), dense.all, dense.recurrent), (p, 5 * 45, 5 * 25));
        let (mut step, mut reached) = (Step::<f64>::new(wiring), ReachedColumns::new(wiring));
        step.e[wiring.units()[1]] = 1.0;
        step.e_bar[wiring.units()[3]] = -1.0;
        let readers = |source: usize| wiring.layout().weights().col(source).len();
        let zeros = |columns: usize| Zeros {
            masked: 5 * (45 - 24),
            rows: 3 * 24,
            columns: 2 * (24 - columns) as u64,
        };
        for round in 0..2 {
            step.phi.fill(0.0);
            assert_eq!(reached.observe(wiring, &step, dense), zeros(0), "round {round}");
            step.phi[0] = 1.0;
            assert_eq!(reached.observe(wiring, &step, dense), zeros(10));
            step.phi[2] = -0.5;
            let two = 10 + readers(2);
            assert_eq!(reached.observe(wiring, &step, dense), zeros(two));
            // A source that has been nonzero stays active and is counted once.
            step.phi.fill(0.0);
            step.phi[2] = 1.0;
            assert_eq!(reached.observe(wiring, &step, dense), zeros(two));
            step.phi.fill(1.0);
            assert_eq!(reached.observe(wiring, &step, dense), zeros(24));
            reached.reset();
        }
    }
}
