//! Learning rules: each a reading of the same [`Step`]s, each with a claim about its gradient.
//!
//! A rule hears of every step ([`Rule::observe`]), is given credit for some ([`Rule::credit`]), and hands over what it
//! gathered ([`Rule::drain`]). It never meets a concrete cell. To add a rule, write its file and add it to [`registry`].

mod bptt;
mod form;
mod rtrl;
mod rtrl_dense;
mod unmasked;

pub use bptt::Bptt;
pub use rtrl::Rtrl;
pub use rtrl_dense::{DenseCost, RtrlDense};
pub use unmasked::Unmasked;

use crate::cell::{Step, Wiring};
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::scalar::Real;
use std::sync::Arc;

/// What a rule says of its gradient; a test measures it for every rule in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The gradient of the loss, up to rounding.
    Exact,
}

/// What may be skipped because it is exactly zero. Switching a skip off changes the work, never the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skips {
    /// Rows of units without emission derivative, columns nothing has touched since the reset, silent sources.
    pub activity: bool,
    /// Masked parameters: their columns and their couplings.
    pub parameters: bool,
}

impl Skips {
    /// Skip everything that is exactly zero.
    pub const ALL: Self = Self { activity: true, parameters: true };
    /// Multiply by every zero.
    pub const NONE: Self = Self { activity: false, parameters: false };
}

/// How much of the influence matrix a rule holds after a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Influence {
    /// Entries of S held.
    pub held: usize,
    /// Entries of Y that are not zero, over the rows that are units.
    pub nonzero: usize,
}

/// An online learning rule for one stream of steps.
///
/// The gradient is that of the summed loss with respect to the p kept parameters of the wiring. It is exact for fixed
/// weights; where weights change inside a sequence, every exact rule uses the couplings each step was made with, as
/// RTRL always has (design trap 4).
pub trait Rule<T: Real>: Send {
    /// What the rule says of its gradient.
    fn claim(&self) -> Claim;

    /// Begins a new sequence. Credit already given is kept until it is drained.
    fn reset(&mut self);

    /// Takes in the step just made.
    fn observe(&mut self, step: &Step<T>, macs: &mut Macs);

    /// Gives credit `c̄ = ∂L_t/∂y_t` to the output rows of the last observed step. May be called any number of
    /// times; credits add. Drained in between, each call yields one row `∂o/∂w`.
    ///
    /// # Panics
    /// If `credit` has not one entry per output row.
    fn credit(&mut self, credit: &[T], macs: &mut Macs);

    /// Adds the gradient gathered since the last drain to `gradient` and forgets it.
    ///
    /// # Panics
    /// If `gradient` has not p entries.
    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs);

    /// What of the influence matrix is held; `None` for rules without one. Cost: one look at each entry held.
    fn influence(&self) -> Option<Influence> {
        None
    }

    /// Bytes of influence or tape that are in use now.
    fn bytes(&self) -> usize;
}

/// A rule that can be chosen by name.
pub struct RuleEntry<T> {
    /// The name on the command line and in configurations.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// What it says of its gradient.
    pub claim: Claim,
    /// A rule for one stream over that wiring.
    pub build: fn(&Arc<Wiring>, Skips) -> Box<dyn Rule<T>>,
}

/// All rules.
pub fn registry<T: Real>() -> Vec<RuleEntry<T>> {
    vec![
        RuleEntry {
            name: "rtrl",
            about: "exact RTRL that skips every row and column that is zero",
            claim: Claim::Exact,
            build: |wiring, skips| match skips.parameters {
                true => Box::new(Rtrl::new(wiring.clone(), skips.activity)),
                false => Box::new(Unmasked::new(wiring, |full| Rtrl::new(full, skips.activity))),
            },
        },
        RuleEntry {
            name: "rtrl-dense",
            about: "exact RTRL that multiplies by every zero: the oracle",
            claim: Claim::Exact,
            build: |wiring, _| Box::new(Unmasked::new(wiring, RtrlDense::new)),
        },
        RuleEntry {
            name: "bptt",
            about: "back-propagation through a tape of the whole sequence",
            claim: Claim::Exact,
            build: |wiring, skips| match skips.parameters {
                true => Box::new(Bptt::new(wiring.clone(), skips.activity)),
                false => Box::new(Unmasked::new(wiring, |full| Bptt::new(full, skips.activity))),
            },
        },
    ]
}

/// The rule of that name.
///
/// # Errors
/// If there is none.
pub fn find<T: Real>(name: &str) -> Result<RuleEntry<T>> {
    let known = registry::<T>();
    let names: Vec<_> = known.iter().map(|r| r.name).collect();
    known.into_iter().find(|r| r.name == name).ok_or_else(|| Error::unknown("rule", name, names.into_iter()))
}
