//! Learning rules: each a reading of the same [`Step`]s, each with a claim about its gradient.
//!
//! A rule hears of every step ([`Rule::observe`]), is given credit for some ([`Rule::credit`]), and hands over what it
//! gathered ([`Rule::drain`]). It never meets a concrete cell. To add a rule, write its file and add it to [`registry()`].
//!
//! A rule is chosen by name, as [`find`] and the learner do, or by type:
//!
//! ```
//! use sparse_rtrl::cell::CellConfig;
//! use sparse_rtrl::network::{LayerSpec, Network, NetworkSpec};
//! use sparse_rtrl::wiring::{State, Step};
//! use sparse_rtrl::macs::Macs;
//! use sparse_rtrl::params::{generator, Init, MaskSpec, Purpose};
//! use sparse_rtrl::rule::{Rtrl, Rule};
//!
//! let layer = LayerSpec::new("egru", 8, CellConfig::default());
//! let spec = NetworkSpec { inputs: 1, layers: vec![layer], trace: None };
//! let mut rng = generator(0, Purpose::Mask);
//! let net = Network::<f64>::new(&spec, |blocks| MaskSpec::default().draw(blocks, &mut rng))?;
//! let w = Init::default().draw::<f64>(net.wiring().layout(), &mut generator(0, Purpose::Init))?;
//!
//! let mut rule = Rtrl::new(net.wiring().clone(), true); // skip what activity makes zero
//! let (mut state, mut step) = (State::new(net.wiring()), Step::new(net.wiring()));
//! let (mut gradient, mut macs) = (vec![0.0; w.len()], Macs::default());
//! for t in 0..20 {
//!     net.advance(&w, &[(0.5 * t as f64).sin()], &state, &mut step, &mut macs);
//!     state.follow(&step);
//!     rule.observe(&step, &mut macs);
//!     rule.credit(&[1.0; 8], &mut macs); // L = Σ y, so that ∂L/∂y = 1
//! }
//! rule.drain(&mut gradient, &mut macs);
//! assert!(gradient.iter().any(|g| *g != 0.0));
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```

mod adjoint;
mod block;
mod bptt;
pub mod cost;
mod local;
mod oracle;
mod pattern;
mod recursion;
mod registry;
mod rtrl;
mod snap;
mod tbptt;
mod unmasked;
mod uoro;

pub use block::{BlockRtrl, best_steps};
pub use bptt::Bptt;
pub use oracle::{DenseCost, RtrlDense};
pub use pattern::{PatternRtrl, Reach};
pub use registry::{RuleEntry, find, registry, resolve};
pub use rtrl::Rtrl;
pub use tbptt::Tbptt;
pub use unmasked::Unmasked;
pub use uoro::Uoro;

use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::Step;

/// What a rule says of its gradient; a test measures it for every rule in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The gradient of the loss, up to rounding.
    Exact,
    /// The exact recursion restricted to influence within that many steps of the pattern; exact once it saturates.
    Pattern(usize),
    /// Its expectation over the rule's random numbers is the gradient of the loss.
    Unbiased,
    /// Something that has been found useful.
    Heuristic,
}

/// What may be skipped because it is exactly zero. Switching a skip off changes the work, never the numbers.
///
/// What activity makes zero changes from step to step, so that each rule skips it in its own loops. What masks make zero never
/// changes: a rule built on a [`Wiring`](crate::wiring::Wiring) cannot see it at all, and to switch that skip off, the rule is
/// built on the unmasked wiring instead ([`Unmasked`]). Rules that are approximations skip what they may whatever is asked for.
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
    /// Those of them in columns of recurrent weights.
    pub recurrent: usize,
}

/// An online learning rule for one stream of steps.
///
/// The gradient is that of the summed loss with respect to the p kept parameters of the wiring. It is exact for fixed
/// weights; where weights change inside a sequence, every exact rule uses the couplings each step was made with, as
/// RTRL always has.
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
    /// If `credit` has not one entry per output row or, in rules with a tape, if no step was observed since the reset
    /// (elsewhere such credit goes nowhere).
    fn credit(&mut self, credit: &[T], macs: &mut Macs);

    /// Adds the gradient gathered since the last drain to `gradient` and forgets it.
    ///
    /// # Panics
    /// If `gradient` has not p entries.
    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs);

    /// What of the influence matrix is held; `None` for rules without one. Cost: one look at each entry held.
    fn influence(&mut self) -> Option<Influence> {
        None
    }

    /// Writes everything it has become, or takes it back; the wiring must be the same.
    ///
    /// # Errors
    /// If what is read is of another rule or wiring.
    fn archive(&mut self, archive: &mut Archive) -> Result<()>;

    /// Bytes of influence, tape and gathered gradient that are in use now. Index structure, which is fixed and about the size of a
    /// pattern of the couplings for each parameter at most, is not among them.
    fn bytes(&self) -> usize;
}

/// Adds what was gathered to the gradient it is asked for, and forgets it.
pub(crate) fn drain_into<T: Real>(gathered: &mut [T], gradient: &mut [T]) {
    assert_eq!(gradient.len(), gathered.len(), "the gradient must have as many entries as were gathered");
    for (to, from) in gradient.iter_mut().zip(gathered) {
        *to = (*to + std::mem::replace(from, T::zero())).normal();
    }
}
