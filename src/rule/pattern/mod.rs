//! The recursion of RTRL on a fixed pattern: SnAp-n, RFLO and e-prop.
//!
//! Whether an entry of S can become nonzero depends on its row and on the pre-activation of its
//! parameter, and not on the source of the parameter. The pattern therefore consists of blocks: a
//! row × the parameters of one pre-activation, which are contiguous in the parameter buffer. Blocks
//! of different pre-activations do not interact. Inner rows are folded (`rule/recursion.rs`).

mod advance;
mod blocks;
mod reach;

pub use reach::Reach;

pub(super) use blocks::{Group, Own, groups};

use super::recursion::Form;
use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::params::Kind;
use crate::scalar::Real;
use crate::sparse::kernel;
use crate::wiring::{Step, Wiring};
use advance::Advance;
use std::sync::Arc;

/// RTRL on a fixed pattern of S for one stream: SnAp-n, RFLO and e-prop.
///
/// # Equation
/// `S_t = (diag(d) S_{t−1} + A′ Y_{t−1} + B Y_t + M̄_t) ⊙ P`,  `Y_t = diag(e) S_t + Ē_t`,
/// `g += Y_tᵀ c̄_t`,
///
/// where [`Reach`] defines the pattern P and the couplings A′.
///
/// # Symbols
/// The symbols of [`Rule`]: h rows and p parameters; S and Y of shape h × p, of which the entries
/// of P are stored.
///
/// # What is skipped
/// Columns of A′ and B of rows with `e = 0`, and entries of M̄ whose source is zero.
///
/// # Cost
/// MACs per step of a block of k parameters:
///
/// - k for the carry
/// - k per coupling of A′ and B from a live block of the same parameters
/// - k for Y, if another block reads it
/// - 1 per parameter whose source is nonzero
///
/// MACs per credit: k per block in a live output row. Memory: `|P| + p` numbers, plus the number of
/// entries of the largest group.
///
/// # Exactness
/// [`Claim::Pattern`] for SnAp-n, [`Claim::Heuristic`] for RFLO and e-prop.
///
/// # References
/// See the variants of [`Reach`].
pub struct PatternRtrl<T> {
    reach: Reach,
    /// The vector instructions of this machine.
    arch: pulp::Arch,
    wiring: Arc<Wiring>,
    form: Form<T>,
    /// The groups of the pattern.
    groups: Vec<Group>,
    /// `[|P|]`, S of all groups.
    s: Vec<T>,
    /// `[entries of the largest group]`, scratch: Y of the previous step of one group.
    y: Vec<T>,
    /// `[h]`, whether a row was live at the last step.
    live: Vec<bool>,
    /// `[h]`, e of the last step.
    e: Vec<T>,
    /// `[h]`, Ē of the last step.
    e_bar: Vec<T>,
    /// `[p]`
    gradient: Vec<T>,
    /// `[p]`, whether a parameter is a recurrent weight.
    recurrent: Vec<bool>,
    /// Scratch: pairs (coefficient, block).
    terms: Vec<(T, usize)>,
}

impl<T: Real> PatternRtrl<T> {
    /// Creates a rule for one stream with the pattern and couplings of `reach`.
    ///
    /// # Panics
    /// If `reach` is `Steps(0)`.
    pub fn new(wiring: Arc<Wiring>, reach: Reach) -> Self {
        assert!(reach != Reach::Steps(0), "the number of steps of SnAp-n must be at least 1");
        let form = Form::folded(&wiring);
        let groups = groups(&wiring, &form, reach);
        let (size, widest) = groups.iter().fold((0, 0), |(size, widest), g| {
            let entries = g.blocks.len() * g.columns.len();
            (size.max(g.at + entries), widest.max(entries))
        });
        let zeros = |n: usize| vec![T::zero(); n];
        Self {
            reach,
            arch: pulp::Arch::new(),
            groups,
            s: zeros(size),
            y: zeros(widest),
            live: vec![false; wiring.rows()],
            e: zeros(wiring.rows()),
            e_bar: zeros(wiring.rows()),
            gradient: zeros(wiring.parameters()),
            recurrent: wiring.layout().of_kind(Kind::Recurrent),
            terms: Vec::with_capacity(wiring.rows()),
            form,
            wiring,
        }
    }
}

impl<T: Real> Rule<T> for PatternRtrl<T> {
    fn claim(&self) -> Claim {
        match self.reach {
            Reach::Steps(n) => Claim::Pattern(n),
            Reach::Carry | Reach::Unit => Claim::Heuristic,
        }
    }

    fn reset(&mut self) {
        self.s.fill(T::zero());
        self.live.fill(false);
        // The next step multiplies e and Ē by zeros: they must be finite.
        self.e.fill(T::zero());
        self.e_bar.fill(T::zero());
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        macs.coupling += self.form.evaluate(step, true);
        macs.influence += self.arch.dispatch(Advance {
            wiring: &self.wiring,
            form: &self.form,
            groups: &self.groups,
            step,
            live: &self.live,
            e: &self.e,
            e_bar: &self.e_bar,
            s: &mut self.s,
            y: &mut self.y,
            terms: &mut self.terms,
        });
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
        (0..self.live.len()).for_each(|row| self.live[row] = step.is_live(row));
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        for group in &self.groups {
            let k = group.columns.len();
            for (b, block) in group.blocks.iter().enumerate() {
                let row = block.row;
                if !outputs.contains(&row) || !self.live[row] {
                    continue;
                }
                let c = credit[row - outputs.start];
                let s = &self.s[group.at + b * k..][..k];
                let to = &mut self.gradient[group.columns.clone()];
                macs.gradient += kernel::combine(to, T::one(), &[(c * self.e[row], 0)], |_| s);
                if let Some((_, column)) = group.theta.filter(|theta| theta.0 == b) {
                    to[column] += c * self.e_bar[row];
                }
            }
            self.gradient[group.columns.clone()].iter_mut().for_each(|g| *g = g.normal());
        }
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        super::drain_into(&mut self.gradient, gradient);
    }

    fn influence(&mut self) -> Option<Influence> {
        let mut total = Influence { held: self.s.len(), ..Influence::default() };
        for group in &self.groups {
            let k = group.columns.len();
            for (b, block) in group.blocks.iter().enumerate() {
                if !self.live[block.row] || !self.wiring.units().contains(&block.row) {
                    continue;
                }
                let (e, e_bar) = (self.e[block.row], self.e_bar[block.row]);
                let own = group.theta.filter(|theta| theta.0 == b).map(|theta| theta.1);
                for (at, &s) in self.s[group.at + b * k..][..k].iter().enumerate() {
                    if e * s + if own == Some(at) { e_bar } else { T::zero() } != T::zero() {
                        total.nonzero += 1;
                        total.recurrent += usize::from(self.recurrent[group.columns.start + at]);
                    }
                }
            }
        }
        Some(total)
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("pattern.s", &mut self.s)?;
        archive.list("pattern.y", &mut self.y)?;
        archive.list("pattern.live", &mut self.live)?;
        archive.list("pattern.e", &mut self.e)?;
        archive.list("pattern.e_bar", &mut self.e_bar)?;
        archive.list("pattern.gradient", &mut self.gradient)
    }

    fn bytes(&self) -> usize {
        (self.s.len() + self.y.len() + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
