//! What a cell says of one time step: the new state and emission, and their local derivatives. Rules read nothing
//! else.

use super::structure::Wiring;
use crate::archive::Archive;
use crate::error::Result;
use crate::scalar::{self, Real};
use crate::sparse::kernel;
use std::ops::Range;

/// What a network remembers from step to step: state and emission of every row.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// c, one per row.
    pub c: Vec<T>,
    /// y, one per row.
    pub y: Vec<T>,
}

impl<T: Real> State<T> {
    /// The state a sequence begins with: all zero.
    pub fn new(wiring: &Wiring) -> Self {
        Self { c: vec![T::zero(); wiring.rows()], y: vec![T::zero(); wiring.rows()] }
    }

    /// Back to the beginning of a sequence.
    pub fn reset(&mut self) {
        self.c.fill(T::zero());
        self.y.fill(T::zero());
    }

    /// Takes over what a step arrived at.
    pub fn follow(&mut self, step: &Step<T>) {
        self.c.copy_from_slice(&step.c);
        self.y.copy_from_slice(&step.y);
    }
}

/// One step of a network: where it arrived, and how that depends on where it was.
#[derive(Clone, Debug)]
pub struct Step<T> {
    /// c_t, per row.
    pub c: Vec<T>,
    /// y_t, per row: what others see.
    pub y: Vec<T>,
    /// H'(·) of each row's event; 1 where there is no event. Read by metrics only.
    pub slope: Vec<T>,
    /// d = ∂c_t/∂c_{t-1} with y_{t-1} held fixed: the carry, per row.
    pub d: Vec<T>,
    /// e = ∂y_t/∂c_t: the emission derivative, per row.
    pub e: Vec<T>,
    /// Ē: ∂y_t/∂ϑ of each row's own threshold, with c_t held fixed.
    pub e_bar: Vec<T>,
    /// s = W φ, per pre-activation.
    pub pre: Vec<T>,
    /// ∂c/∂s, per pre-activation: the gain, which turns weights into coupling and sources into M̄.
    pub gain: Vec<T>,
    /// φ, per source.
    pub phi: Vec<T>,
    /// Values of `A` on the wiring's pattern.
    pub a: Vec<T>,
    /// Values of `B` on the wiring's pattern.
    pub b: Vec<T>,
    /// Entries of `A` that no weight is in.
    pub direct_previous: Vec<T>,
    /// Entries of `B` that no weight is in.
    pub direct_current: Vec<T>,
}

impl<T: Real> Step<T> {
    /// Room for a step of this wiring.
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

    /// Adds the contribution of `sources` to the pre-activations: `s ← s + W[:, sources] φ[sources]`. Zero sources are skipped. Returns the MACs.
    pub fn integrate(&mut self, wiring: &Wiring, w: &[T], sources: Range<usize>) -> u64 {
        kernel::product(&mut self.pre, wiring.layout().weights(), w, &self.phi, sources)
    }

    /// Computes the values of `A` and `B` from the gains, the weights and the direct couplings. Returns the MACs.
    pub fn couple(&mut self, wiring: &Wiring, w: &[T]) -> u64 {
        let [previous, current] = wiring.couplings();
        let macs = previous.fill(w, &self.gain, &self.direct_previous, &mut self.a)
            + current.fill(w, &self.gain, &self.direct_current, &mut self.b);
        scalar::flush(&mut self.a);
        scalar::flush(&mut self.b);
        macs
    }

    /// Everything but the couplings, field by field.
    fn local(&self) -> [&Vec<T>; 11] {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a: _, b: _ } =
            self;
        [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current]
    }

    /// Flushes everything but the couplings (see [`scalar`]).
    pub(crate) fn flush_local(&mut self) {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a: _, b: _ } =
            self;
        let local = [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current];
        local.into_iter().for_each(|values| scalar::flush(values));
    }

    /// Takes over everything but the couplings from a step of the same network, masked or not. Allocates nothing.
    pub fn copy_local(&mut self, other: &Self) {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a: _, b: _ } =
            self;
        let own = [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current];
        own.into_iter().zip(other.local()).for_each(|(to, from)| to.copy_from_slice(from));
    }

    /// Takes over a step of the same wiring. Allocates nothing.
    pub fn copy_from(&mut self, other: &Self) {
        self.copy_local(other);
        self.a.copy_from_slice(&other.a);
        self.b.copy_from_slice(&other.b);
    }

    /// Writes it, or takes it back.
    ///
    /// # Errors
    /// If what is read is of another wiring.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let Self { c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a, b } = self;
        let all = [c, y, slope, d, e, e_bar, pre, gain, phi, direct_previous, direct_current, a, b];
        all.into_iter().try_for_each(|values| archive.list("step", values))
    }

    /// Numbers it holds.
    pub fn size(&self) -> usize {
        self.local().iter().map(|v| v.len()).sum::<usize>() + self.a.len() + self.b.len()
    }

    /// Whether the row's event influence `Y = e S + Ē` can be nonzero.
    #[inline]
    pub fn is_live(&self, row: usize) -> bool {
        // Both are looked at: whether a row is live is a coin toss to a branch.
        (self.e[row] != T::zero()) | (self.e_bar[row] != T::zero())
    }
}
