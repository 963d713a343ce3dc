//! Networks from the registry and their steps: steps of cells, with phases of zero inputs, or
//! arbitrary steps that no cell returns. Counts how often rare conditions occur.

use crate::common::Trial;
use rand::RngExt;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::Network;
use sparse_rtrl::params::{Generator, Kind, Purpose, generator};
use sparse_rtrl::wiring::{State, Step, Wiring};
use std::sync::Arc;

/// The number of steps without a new active source until columns are sorted.
const SORT_AFTER: usize = 256;

/// How often conditions occurred, in steps or rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Regions {
    pub at_threshold: usize,
    pub all_units_zero: usize,
    pub inputs_zero: usize,
    pub carry_one: usize,
    pub threshold_alone: usize,
    pub sorted: usize,
    pub resets_of_sorted: usize,
    pub saves_of_sorted: usize,
    pub two_tiles_without_carry: usize,
    pub second_tile_sorted: usize,
}

impl std::ops::AddAssign for Regions {
    fn add_assign(&mut self, other: Self) {
        self.at_threshold += other.at_threshold;
        self.all_units_zero += other.all_units_zero;
        self.inputs_zero += other.inputs_zero;
        self.carry_one += other.carry_one;
        self.threshold_alone += other.threshold_alone;
        self.sorted += other.sorted;
        self.resets_of_sorted += other.resets_of_sorted;
        self.saves_of_sorted += other.saves_of_sorted;
        self.two_tiles_without_carry += other.two_tiles_without_carry;
        self.second_tile_sorted += other.second_tile_sorted;
    }
}

/// The source of the steps of a scenario.
pub struct Steps {
    pub label: String,
    net: Network<f64>,
    wiring: Arc<Wiring>,
    w: Vec<f64>,
    state: State<f64>,
    rng: Generator,
    /// Whether steps are those of cells, or arbitrary.
    of_cells: bool,
    gamma: f64,
    /// The current phase, its remaining steps, and the step until which the second input, or the
    /// last source, is zero.
    phase: usize,
    remaining: usize,
    late: usize,
    t: usize,
    since_new_source: usize,
    active_sources: Vec<bool>,
    pub regions: Regions,
}

impl Steps {
    pub fn new(trial: &Trial, seed: u64, of_cells: bool, late: usize) -> Self {
        let mut rng = generator(seed, Purpose::Data);
        let (net, mut w) = trial.build(seed);
        let wiring = net.wiring().clone();
        let scale = if of_cells { 0.7 } else { 0.4 };
        w.iter_mut().for_each(|w| *w *= scale);
        // Without biases and inputs, units stay at zero. With thresholds of zero they are exactly
        // at their thresholds.
        for (kind, share) in [(Kind::Bias, 1.0), (Kind::Threshold, 0.5)] {
            let zero = rng.random_bool(0.5);
            for block in wiring.layout().blocks().iter().filter(|b| zero && b.spec.kind == kind) {
                block.places.iter().for_each(|&at| w[at] *= f64::from(u8::from(!rng.random_bool(share))));
            }
        }
        Self {
            label: trial.label.clone(),
            state: State::new(&wiring),
            active_sources: vec![false; wiring.sources().len()],
            gamma: trial.spec.layers[0].config.surrogate.gamma,
            net,
            wiring,
            w,
            rng,
            of_cells,
            phase: 0,
            remaining: 8,
            late,
            t: 0,
            since_new_source: 0,
            regions: Regions::default(),
        }
    }

    pub fn wiring(&self) -> &Arc<Wiring> {
        &self.wiring
    }

    /// Whether rules have their columns sorted, judged by the sources of all layers.
    pub fn is_sorted(&self) -> bool {
        self.since_new_source > SORT_AFTER
    }

    pub fn reset(&mut self) {
        self.regions.resets_of_sorted += usize::from(self.is_sorted());
        self.state.reset();
        self.active_sources.fill(false);
        self.since_new_source = 0;
    }

    pub fn next(&mut self) -> Step<f64> {
        if self.remaining == 0 {
            self.phase = self.rng.random_range(0..4);
            self.remaining = self.rng.random_range(3..90);
            self.w.iter_mut().for_each(|w| *w *= 0.999);
        }
        (self.remaining, self.t) = (self.remaining - 1, self.t + 1);
        let step = if self.of_cells { self.of_cells() } else { self.arbitrary_step() };
        self.count_regions(&step);
        step
    }

    /// A step with numbers that are not finite; a reset must follow.
    pub fn non_finite(&mut self) -> Step<f64> {
        let bad = if self.rng.random_bool(0.5) { f64::NAN } else { f64::INFINITY };
        if self.of_cells {
            return self.advance(&[bad, 1.0]);
        }
        let mut step = self.arbitrary_step();
        let rows = self.wiring.rows();
        let row = self.rng.random_range(0..rows);
        step.e[row] = bad;
        step.phi[1] = bad;
        step.gain[0] = bad;
        step.couple(&self.wiring, &self.w);
        step
    }

    fn advance(&mut self, x: &[f64]) -> Step<f64> {
        let mut step = Step::new(&self.wiring);
        self.net.advance(&self.w, x, &self.state, &mut step, &mut Macs::default());
        self.state.follow(&step);
        step
    }

    fn of_cells(&mut self) -> Step<f64> {
        let mut x = [0, 1].map(|_| self.rng.random_range(-2.0..2.0));
        match self.phase {
            1 => x = [0.0; 2],
            2 => x[0] = 0.0,
            _ => (),
        }
        if self.t < self.late {
            x[1] = 0.0;
        }
        self.advance(&x)
    }

    /// An arbitrary step: zeros at any place, carries of 1, and thresholds with influence in rows
    /// without emission derivative.
    fn arbitrary_step(&mut self) -> Step<f64> {
        let density = [0.5, 0.0, 0.2, 1.0][self.phase];
        let (wiring, rng) = (&self.wiring, &mut self.rng);
        let mut draw = |n: usize, scale: f64, density: f64| -> Vec<f64> {
            let mut one = || if rng.random_bool(density) { rng.random_range(-scale..scale) } else { 0.0 };
            (0..n).map(|_| one()).collect()
        };
        let mut step = Step::<f64>::new(wiring);
        let n = wiring.rows();
        (step.d, step.e, step.e_bar) = (draw(n, 0.9, 0.8), draw(n, 1.0, density), draw(n, 1.0, density));
        (step.gain, step.phi) = (draw(step.gain.len(), 0.5, 0.6), draw(step.phi.len(), 1.0, density));
        step.direct_previous = draw(step.direct_previous.len(), 0.5, 0.7);
        step.direct_current = draw(step.direct_current.len(), 0.5, 0.7);
        step.phi[0] = 1.0;
        if let Some(last) = step.phi.last_mut().filter(|_| self.t < self.late) {
            *last = 0.0;
        }
        for row in 0..n {
            if !wiring.carries(row) {
                step.d[row] = 0.0;
            } else if rng.random_bool(0.15) {
                step.d[row] = 1.0;
            }
            if wiring.threshold(row).is_none() {
                step.e_bar[row] = 0.0;
            }
        }
        step.couple(wiring, &self.w);
        step
    }

    fn count_regions(&mut self, step: &Step<f64>) {
        let Self { wiring, regions, .. } = self;
        let new = step.phi.iter().zip(&self.active_sources).any(|(&phi, &active)| phi != 0.0 && !active);
        self.active_sources.iter_mut().zip(&step.phi).for_each(|(active, &phi)| *active |= phi != 0.0);
        self.since_new_source = if new { 0 } else { self.since_new_source + 1 };
        let units = wiring.units();
        let shown = |row: &&usize| wiring.threshold(**row).is_some();
        if self.of_cells {
            let at = |row: &&usize| step.slope[**row] == self.gamma;
            regions.at_threshold += units.iter().filter(shown).filter(at).count();
            regions.all_units_zero += usize::from(units.iter().all(|&row| step.y[row] == 0.0));
        }
        regions.inputs_zero += usize::from(step.phi[1..=wiring.inputs()].iter().all(|x| *x == 0.0));
        regions.carry_one += (0..wiring.rows()).filter(|&row| step.d[row] == 1.0).count();
        let alone = |row: &&usize| step.e[**row] == 0.0 && step.e_bar[**row] != 0.0;
        regions.threshold_alone += units.iter().filter(alone).count();
        regions.sorted += usize::from(self.since_new_source > SORT_AFTER);
        let weights = wiring.layout().weights();
        let columns: usize =
            (0..step.phi.len()).filter(|&s| self.active_sources[s]).map(|s| weights.col(s).len()).sum();
        let wide =
            columns > 128 && (0..wiring.rows()).all(|row| !wiring.carries(row)) && wiring.layers() == 1;
        regions.two_tiles_without_carry += usize::from(wide);
        regions.second_tile_sorted += usize::from(wide && self.since_new_source > SORT_AFTER);
    }
}
