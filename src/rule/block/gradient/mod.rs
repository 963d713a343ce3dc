//! The gradient in the columns of a unit, after the backward pass:
//!
//! `∂L/∂w = (∂L/∂S)ᵀ S + Σ_s δ_s φ_s`,  `δ_s = gain_s ⊙ λ_s`,
//!
//! where s are the steps from the anchor to the last step with credit. Most of the time is spent on
//! reading S once from memory.

mod dense;
mod sparse;

use super::adjoint::StepRange;
use super::influence::UnitInfluence;
use super::tile::COLUMNS;
use crate::scalar::Real;
use crate::sparse::lanes::{self, combine};
use dense::DenseScratch;
use rayon::prelude::*;
use sparse::SparseScratch;

/// Number of units that a thread processes together.
const TOGETHER: usize = 8;

/// The gradient in the columns of one unit, and scratch.
pub struct UnitGradient<T> {
    /// `[⌈columns / 64⌉][64]`, the gradient of the last pass.
    sums: Vec<[T; COLUMNS]>,
    /// Scratch for the products over steps.
    scratch: Scratch<T>,
}

/// Scratch for the products over steps.
enum Scratch<T> {
    /// Products of all sources.
    Dense(DenseScratch<T>),
    /// Products of each column.
    Sparse(SparseScratch<T>),
}

impl<T: Real> UnitGradient<T> {
    /// Creates a zero gradient of `unit` for blocks of `steps` steps.
    pub fn new(unit: &UnitInfluence<T>, steps: usize) -> Self {
        let dense = DenseScratch::new(&unit.gates, &unit.columns, steps);
        let scratch = dense.map_or_else(|| Scratch::Sparse(SparseScratch::new(steps)), Scratch::Dense);
        Self { sums: vec![[T::zero(); COLUMNS]; unit.tiles.len()], scratch }
    }

    /// Adds the gradient of the last pass to `gradient`. `[p]`
    pub fn drain_into(&self, unit: &UnitInfluence<T>, gradient: &mut [T]) {
        for gate in &unit.gates {
            let own = &self.sums.as_flattened()[gate.columns.clone()];
            let to = gradient[gate.parameter..][..own.len()].iter_mut();
            to.zip(own).for_each(|(to, &sum)| *to = (*to + sum).normal());
        }
    }

    /// Adds `Σ_s δ_s φ_s` over at most two ranges of steps.
    #[inline(always)]
    fn add_steps<const FUSED: bool, const WIDTH: usize>(
        &mut self,
        unit: &UnitInfluence<T>,
        ranges: &[StepRange<'_, T>],
    ) {
        let sums = self.sums.as_flattened_mut();
        match &mut self.scratch {
            Scratch::Dense(scratch) => scratch.add::<FUSED, WIDTH>(unit, ranges, sums),
            Scratch::Sparse(scratch) => {
                for range in ranges {
                    scratch.add::<FUSED>(unit, range, sums);
                }
            }
        }
    }
}

/// Computes the gradient of some units.
pub struct GradientPass<'a, T> {
    /// `[units]`
    pub units: &'a [UnitInfluence<T>],
    /// `[units]`
    pub gradients: &'a mut [UnitGradient<T>],
    /// `[slots]`, the row of each slot in the tiles, ascending.
    pub slots: &'a [usize],
    /// The steps since the anchor, last block first. The adjoints of the last range hold ∂L/∂S.
    pub ranges: &'a [StepRange<'a, T>],
}

impl<T: Real> lanes::Loop for GradientPass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { units, gradients, slots, ranges } = self;
        let Some(StepRange { adjoints, .. }) = ranges.last() else { return };
        for (unit, gradient) in units.iter().zip(&mut *gradients) {
            let terms = adjoints.terms.get(unit.first_slot(slots)..).unwrap_or_default();
            for (sums, tile) in gradient.sums.iter_mut().zip(&unit.tiles) {
                *sums = combine::<T, FUSED, COLUMNS>([T::zero(); COLUMNS], terms, tile);
            }
            if let Some((column, row)) = unit.theta {
                gradient.sums.as_flattened_mut()[column] += adjoints.thetas[row];
            }
        }
        // In a separate loop, since reading S evicts the steps from the caches.
        for (unit, gradient) in units.iter().zip(gradients) {
            gradient.add_steps::<FUSED, WIDTH>(unit, ranges);
        }
    }
}

impl<T: Real> GradientPass<'_, T> {
    /// Runs the pass for groups of units.
    pub fn execute(self, arch: pulp::Arch, threads: usize) {
        let Self { units, gradients, slots, ranges } = self;
        let pass = |(units, gradients): (&[UnitInfluence<T>], &mut [UnitGradient<T>])| {
            lanes::dispatch(arch, GradientPass { units, gradients, slots, ranges });
        };
        if threads == 1 {
            units.chunks(TOGETHER).zip(gradients.chunks_mut(TOGETHER)).for_each(pass);
        } else {
            units.par_chunks(TOGETHER).zip(gradients.par_chunks_mut(TOGETHER)).for_each(pass);
        }
    }
}

/// Returns the MACs of a pass over some units and `steps` steps since an anchor with the rows
/// `slots`.
pub fn macs<T>(units: &[UnitInfluence<T>], slots: &[usize], steps: usize) -> u64 {
    units.iter().map(|unit| unit.columns.len() * (unit.reached(slots) + steps)).sum::<usize>() as u64
}
