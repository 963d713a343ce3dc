//! What a walk has earned in the columns of a unit,
//!
//! `∂L/∂w = (∂L/∂S)ᵀ S + Σ_s δ_s φ_s`,  `δ_s = gain_s ⊙ λ_s`,
//!
//! the sum over the steps between S and the newest one that has credit. S is read once, from memory: the rest is small beside that.

use super::base::{COLUMNS, Unit};
use super::history::History;
use super::walk::Trail;
use crate::scalar::Real;
use crate::sparse::lanes::{self, combine};
use rayon::prelude::*;

/// Units that a thread takes at once.
const TOGETHER: usize = 8;

/// Some steps and what a walk through them has left.
pub struct Stretch<'a, T> {
    pub history: &'a History<T>,
    pub trail: &'a Trail<T>,
    pub steps: usize,
}

impl<T: Real> Stretch<'_, T> {
    /// λ of a row at every step.
    #[inline(always)]
    pub fn lambda_of(&self, row: usize, lambda: &mut [T]) {
        for (lambda, of_step) in lambda.iter_mut().zip(self.trail.lambdas()) {
            *lambda = of_step[row];
        }
    }
}

/// Units that are to have their gradient.
pub struct Gather<'a, T> {
    pub units: &'a mut [Unit<T>],
    /// The lines of S in their tiles.
    pub lines: &'a [usize],
    /// The steps since then, newest block first; the walk through the last of them knows ∂L/∂S.
    pub stretches: &'a [Stretch<'a, T>],
}

impl<T: Real> lanes::Loop for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { units, lines, stretches } = self;
        let Some(Stretch { trail, .. }) = stretches.last() else { return };
        for unit in &mut *units {
            let start = lines.partition_point(|&row| row < unit.first);
            let terms = trail.terms.get(start..).unwrap_or_default();
            for (gradient, tile) in unit.gradient.iter_mut().zip(&unit.tiles) {
                *gradient = combine::<T, FUSED, COLUMNS>([T::zero(); COLUMNS], terms, tile);
            }
            if let Some((column, row)) = unit.theta {
                unit.gradient.as_flattened_mut()[column] += trail.thetas[row];
            }
        }
        // Not unit by unit: S drives the steps out of the caches.
        units.iter_mut().for_each(|unit| unit.earn::<FUSED, WIDTH>(stretches));
    }
}

impl<T: Real> Gather<'_, T> {
    /// Gathers, some units at a time.
    pub fn carry_out(self, arch: pulp::Arch, threads: usize) {
        let Self { units, lines, stretches } = self;
        let gather = |units: &mut [Unit<T>]| lanes::dispatch(arch, Gather { units, lines, stretches });
        match threads {
            1 => units.chunks_mut(TOGETHER).for_each(gather),
            _ => units.par_chunks_mut(TOGETHER).for_each(gather),
        }
    }
}

/// MACs of some units that read these lines and follow so many steps.
pub fn macs<T>(units: &[Unit<T>], lines: &[usize], steps: usize) -> u64 {
    units.iter().map(|unit| unit.columns.len() * (unit.reach(lines) + steps)).sum::<usize>() as u64
}

impl<T: Real> Unit<T> {
    /// Adds what the last gathering found to the gradient.
    pub fn hand_over(&self, gradient: &mut [T]) {
        for run in &self.runs {
            let own = &self.gradient.as_flattened()[run.columns.clone()];
            let to = gradient[run.parameter..][..own.len()].iter_mut();
            to.zip(own).for_each(|(to, &sum)| *to = (*to + sum).normal());
        }
    }
}
