//! Where the zeros of the event influence Y = diag(e) S + Ē come from. Every entry of the n × p matrix without masks counts once,
//! under the first reason that holds:
//!
//! 1. *masked*: the column's parameter does not exist;
//! 2. *row*: the unit's emission has no derivative, e = 0 and Ē = 0;
//! 3. *column*: nothing has influenced the column since the reset, since its parameter's source has been silent;
//! 4. the rest: no path has led from the parameter to the unit yet (to a reset gate's weights there is none before its unit speaks), or
//!    the influence has faded below what the number type can hold, as it does on endless streams in single precision.

use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};

/// Entries the influence matrix would have without masks: units × parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dense {
    /// All of them.
    pub all: usize,
    /// Those in columns of recurrent weights.
    pub recurrent: usize,
}

impl Dense {
    /// That of this network, were nothing masked.
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

/// Zeros of Y by reason, in entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeros {
    /// In columns of masked parameters.
    pub masked: u64,
    /// In rows of units whose emission has no derivative.
    pub rows: u64,
    /// In columns whose source has been silent since the reset.
    pub columns: u64,
}

impl std::ops::AddAssign for Zeros {
    fn add_assign(&mut self, other: Self) {
        self.masked += other.masked;
        self.rows += other.rows;
        self.columns += other.columns;
    }
}

/// Which sources have spoken since the reset, and so which columns may hold anything.
#[derive(Clone, Debug)]
pub struct Spoken {
    sources: Vec<bool>,
    /// Kept parameters that read one of them.
    columns: usize,
}

impl Spoken {
    /// Nobody has spoken yet.
    pub fn new(wiring: &Wiring) -> Self {
        Self { sources: vec![false; wiring.sources().len()], columns: 0 }
    }

    /// Back to silence.
    pub fn reset(&mut self) {
        self.sources.fill(false);
        self.columns = 0;
    }

    /// Hears a step, and tells the zeros of Y after it.
    pub fn observe<T: Real>(&mut self, wiring: &Wiring, step: &Step<T>, dense: Dense) -> Zeros {
        for (source, spoken) in self.sources.iter_mut().enumerate() {
            if !*spoken && step.phi[source] != T::zero() {
                *spoken = true;
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

    /// Five units of which two have a derivative, sources that come one by one, and a reset in between.
    #[test]
    fn zeros_by_hand_before_and_after_a_reset() {
        let layer = LayerSpec::new("event-rnn", 5, CellConfig::default());
        let spec = NetworkSpec { inputs: 2, layers: vec![layer], trace: None };
        let mask = MaskSpec { sparsity: 0.6, on: MaskOn::All, ..Default::default() };
        let mut rng = generator(1, Purpose::Mask);
        let network = Network::<f64>::new(&spec, |blocks| mask.draw(blocks, &mut rng)).unwrap();
        let wiring = network.wiring();
        // Of 25 recurrent and 10 input weights 10 and 4 are left; 5 biases and 5 thresholds are.
        let (p, dense) = (10 + 4 + 5 + 5, Dense::new(wiring));
        assert_eq!((wiring.parameters(), dense.all, dense.recurrent), (p, 5 * 45, 5 * 25));
        let (mut step, mut spoken) = (Step::<f64>::new(wiring), Spoken::new(wiring));
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
            assert_eq!(spoken.observe(wiring, &step, dense), zeros(0), "round {round}");
            step.phi[0] = 1.0;
            assert_eq!(spoken.observe(wiring, &step, dense), zeros(10));
            step.phi[2] = -0.5;
            let two = 10 + readers(2);
            assert_eq!(spoken.observe(wiring, &step, dense), zeros(two));
            // What has spoken once counts on, and no source counts twice.
            step.phi.fill(0.0);
            step.phi[2] = 1.0;
            assert_eq!(spoken.observe(wiring, &step, dense), zeros(two));
            step.phi.fill(1.0);
            assert_eq!(spoken.observe(wiring, &step, dense), zeros(24));
            spoken.reset();
        }
    }
}
