//! Nets from the registry and the steps they are driven with: of cells, in phases of silent inputs, or ones no cell would make; and how
//! often the regions that chance seldom reaches were reached.

use crate::common::Trial;
use rand::RngExt;
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::Network;
use sparse_rtrl::params::{Generator, Kind, Purpose, generator};
use sparse_rtrl::wiring::{State, Step, Wiring};
use std::sync::Arc;

/// Steps without a new source until columns are arranged.
const QUIET: usize = 256;

/// What steps reached, in steps or rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Regions {
    pub at_threshold: usize,
    pub all_units_zero: usize,
    pub inputs_zero: usize,
    pub carry_one: usize,
    pub threshold_alone: usize,
    pub arranged: usize,
    pub resets_of_arranged: usize,
    pub saves_of_arranged: usize,
    pub two_tiles_without_carry: usize,
    pub second_tile_arranged: usize,
}

impl std::ops::AddAssign for Regions {
    fn add_assign(&mut self, other: Self) {
        self.at_threshold += other.at_threshold;
        self.all_units_zero += other.all_units_zero;
        self.inputs_zero += other.inputs_zero;
        self.carry_one += other.carry_one;
        self.threshold_alone += other.threshold_alone;
        self.arranged += other.arranged;
        self.resets_of_arranged += other.resets_of_arranged;
        self.saves_of_arranged += other.saves_of_arranged;
        self.two_tiles_without_carry += other.two_tiles_without_carry;
        self.second_tile_arranged += other.second_tile_arranged;
    }
}

/// What makes the steps of a scenario.
pub struct Steps {
    pub label: String,
    net: Network<f64>,
    wiring: Arc<Wiring>,
    w: Vec<f64>,
    state: State<f64>,
    rng: Generator,
    /// Steps of cells, or ones that no cell would make.
    of_cells: bool,
    gamma: f64,
    /// The present phase, how long it lasts, and until when the second input, or the last source, is zero.
    phase: usize,
    left: usize,
    late: usize,
    t: usize,
    quiet: usize,
    spoken: Vec<bool>,
    pub regions: Regions,
}

impl Steps {
    pub fn new(trial: &Trial, seed: u64, of_cells: bool, late: usize) -> Self {
        let mut rng = generator(seed, Purpose::Data);
        let (net, mut w) = trial.build(seed);
        let wiring = net.wiring().clone();
        let scale = if of_cells { 0.7 } else { 0.4 };
        w.iter_mut().for_each(|w| *w *= scale);
        // Without biases and inputs, units stay at zero; with thresholds of zero, exactly at their thresholds.
        for (kind, share) in [(Kind::Bias, 1.0), (Kind::Threshold, 0.5)] {
            let zero = rng.random_bool(0.5);
            for block in wiring.layout().blocks().iter().filter(|b| zero && b.spec.kind == kind) {
                block.places.iter().for_each(|&at| w[at] *= f64::from(u8::from(!rng.random_bool(share))));
            }
        }
        Self {
            label: trial.label.clone(),
            state: State::new(&wiring),
            spoken: vec![false; wiring.sources().len()],
            gamma: trial.spec.layers[0].config.surrogate.gamma,
            net,
            wiring,
            w,
            rng,
            of_cells,
            phase: 0,
            left: 8,
            late,
            t: 0,
            quiet: 0,
            regions: Regions::default(),
        }
    }

    pub fn wiring(&self) -> &Arc<Wiring> {
        &self.wiring
    }

    /// Whether rules have their columns arranged, as far as the sources of all layers tell.
    pub fn is_arranged(&self) -> bool {
        self.quiet > QUIET
    }

    pub fn reset(&mut self) {
        self.regions.resets_of_arranged += usize::from(self.is_arranged());
        self.state.reset();
        self.spoken.fill(false);
        self.quiet = 0;
    }

    pub fn next(&mut self) -> Step<f64> {
        if self.left == 0 {
            self.phase = self.rng.random_range(0..4);
            self.left = self.rng.random_range(3..90);
            self.w.iter_mut().for_each(|w| *w *= 0.999);
        }
        (self.left, self.t) = (self.left - 1, self.t + 1);
        let step = if self.of_cells { self.of_cells() } else { self.of_no_cell() };
        self.look(&step);
        step
    }

    /// A step with numbers that are not finite; a reset must follow.
    pub fn poisoned(&mut self) -> Step<f64> {
        let bad = if self.rng.random_bool(0.5) { f64::NAN } else { f64::INFINITY };
        if self.of_cells {
            return self.advance(&[bad, 1.0]);
        }
        let mut step = self.of_no_cell();
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

    /// Zeros wherever they may be, carries of one, thresholds that show in rows without emission derivative.
    fn of_no_cell(&mut self) -> Step<f64> {
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

    fn look(&mut self, step: &Step<f64>) {
        let Self { wiring, regions, .. } = self;
        let new = step.phi.iter().zip(&self.spoken).any(|(&phi, &spoken)| phi != 0.0 && !spoken);
        self.spoken.iter_mut().zip(&step.phi).for_each(|(spoken, &phi)| *spoken |= phi != 0.0);
        self.quiet = if new { 0 } else { self.quiet + 1 };
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
        regions.arranged += usize::from(self.quiet > QUIET);
        let weights = wiring.layout().weights();
        let columns: usize =
            (0..step.phi.len()).filter(|&s| self.spoken[s]).map(|s| weights.col(s).len()).sum();
        let wide =
            columns > 128 && (0..wiring.rows()).all(|row| !wiring.carries(row)) && wiring.layers() == 1;
        regions.two_tiles_without_carry += usize::from(wide);
        regions.second_tile_arranged += usize::from(wide && self.quiet > QUIET);
    }
}
