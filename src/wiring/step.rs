//! The result of one time step: state, emission and their local derivatives. Rules read nothing
//! else of a cell.

use super::structure::Wiring;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::{self, Real};
use crate::sparse::kernel;
use std::ops::Range;

/// State of a network between two steps: c and y of every row.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// c, one per row.
    pub c: Vec<T>,
    /// y, one per row.
    pub y: Vec<T>,
}

impl<T: Real> State<T> {
    /// Creates the state at the start of a sequence: all zero.
    pub fn new(wiring: &Wiring) -> Self {
        Self { c: vec![T::zero(); wiring.rows()], y: vec![T::zero(); wiring.rows()] }
    }

    /// Sets the state to zero, its value at the start of a sequence.
    pub fn reset(&mut self) {
        self.c.fill(T::zero());
        self.y.fill(T::zero());
    }

    /// Copies c and y from a step.
    ///
    /// # Panics
    /// If the step is of another network.
    pub fn follow(&mut self, step: &Step<T>) {
        self.c.copy_from_slice(&step.c);
        self.y.copy_from_slice(&step.y);
    }
}

/// One step of a network: its new state and emissions, and their local derivatives.
#[derive(Clone, Debug)]
pub struct Step<T> {
    /// c_t, per row.
    pub c: Vec<T>,
    /// y_t, per row: the emission that other rows read.
    pub y: Vec<T>,
    /// H'(·) of each row's event, per row; 1 if the row has no event. Read by metrics only.
    pub slope: Vec<T>,
    /// d = ∂c_t/∂c_{t-1} with y_{t-1} held fixed: the carry, per row.
    pub d: Vec<T>,
    /// e = ∂y_t/∂c_t: the emission derivative, per row.
    pub e: Vec<T>,
    /// Ē = ∂y_t/∂ϑ with c_t held fixed, per row, for the row's own threshold.
    pub e_bar: Vec<T>,
    /// s = W φ, per pre-activation.
    pub pre: Vec<T>,
    /// ∂c/∂s, per pre-activation: the gain. Gain times weight is an entry of A or B; gain times
    /// source is an entry of M̄.
    pub gain: Vec<T>,
    /// φ, per source.
    pub phi: Vec<T>,
    /// Values of `A`, in the order of [`Wiring::previous`].
    pub a: Vec<T>,
    /// Values of `B`, in the order of [`Wiring::current`].
    pub b: Vec<T>,
    /// Terms of `A` without a weight, one per direct coupling.
    pub direct_previous: Vec<T>,
    /// Terms of `B` without a weight, one per direct coupling.
    pub direct_current: Vec<T>,
}

impl<T: Real> Step<T> {
    /// Creates a step with the sizes of a wiring, all zero.
    pub fn new(wiring: &Wiring) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let (rows, gates) = (wiring.rows(), wiring.pre_rows().len());
        let (direct_previous, direct_current) = wiring.direct_len();
        Self {
            c: zeros(rows),
            y: zeros(rows),
            slope: zeros(rows),
            d: zeros(rows),
            e: zeros(rows),
            e_bar: zeros(rows),
            pre: zeros(gates),
            gain: zeros(gates),
            phi: zeros(wiring.sources().len()),
            a: zeros(wiring.previous().len()),
            b: zeros(wiring.current().len()),
            direct_previous: zeros(direct_previous),
            direct_current: zeros(direct_current),
        }
    }

    /// Adds the contribution of `sources` to the pre-activations:
    /// `s ← s + W[:, sources] φ[sources]`. Sources that are zero are skipped. Returns the MACs.
    ///
    /// # Panics
    /// If the step is of another wiring, or `w` has fewer than p entries.
    pub fn integrate(&mut self, wiring: &Wiring, w: &[T], sources: Range<usize>) -> u64 {
        kernel::product(&mut self.pre, wiring.layout().weights(), w, &self.phi, sources)
    }

    /// Computes the values of `A` and `B` from the gains, the weights and the direct couplings.
    /// Returns the MACs: one per kept weight that reads an emission.
    ///
    /// # Panics
    /// If the step is of another wiring, or `w` has fewer than p entries.
    pub fn couple(&mut self, wiring: &Wiring, w: &[T]) -> u64 {
        let [previous, current] = wiring.couplings();
        let macs = previous.fill(w, &self.gain, &self.direct_previous, &mut self.a)
            + current.fill(w, &self.gain, &self.direct_current, &mut self.b);
        scalar::flush(&mut self.a);
        scalar::flush(&mut self.b);
        macs
    }

    /// Returns all fields except the values of `A` and `B`.
    fn local(&self) -> [&Vec<T>; 11] {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a: _, b: _ } =
            self;
        [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current]
    }

    /// Flushes all fields except the values of `A` and `B` (see [`scalar`]).
    pub(crate) fn flush_local(&mut self) {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a: _, b: _ } =
            self;
        let local = [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current];
        local.into_iter().for_each(|values| scalar::flush(values));
    }

    /// Copies all fields except the values of `A` and `B`. The other step may be of the same
    /// network with other masks. Does not allocate.
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn copy_local(&mut self, other: &Self) {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a: _, b: _ } =
            self;
        let own = [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current];
        own.into_iter().zip(other.local()).for_each(|(to, from)| to.copy_from_slice(from));
    }

    /// Copies a step of the same wiring. Does not allocate.
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn copy_from(&mut self, other: &Self) {
        self.copy_local(other);
        self.a.copy_from_slice(&other.a);
        self.b.copy_from_slice(&other.b);
    }

    /// Writes the step to an archive, or restores it.
    ///
    /// # Errors
    /// If the archive holds a step of other sizes.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a, b } = self;
        let all = [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a, b];
        all.into_iter().try_for_each(|values| archive.list("step", values))
    }

    /// Returns the number of values that the step stores.
    pub fn size(&self) -> usize {
        self.local().iter().map(|v| v.len()).sum::<usize>() + self.a.len() + self.b.len()
    }

    /// Returns whether the row of `Y = e S + Ē` can be nonzero.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn is_live(&self, row: usize) -> bool {
        // `|` evaluates both sides without a branch, which would be mispredicted often.
        (self.e[row] != T::zero()) | (self.e_bar[row] != T::zero())
    }
}
