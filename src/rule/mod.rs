//! Learning rules. Each computes the gradient of a loss from the same [`Step`]s and makes a [`Claim`] about its result.
//!
//! A rule observes every step ([`Rule::observe`]), receives credit `c̄ = ∂L/∂y` for some of them ([`Rule::credit`]), and
//! adds its gradient to a buffer on request ([`Rule::drain`]). It reads the [`Wiring`](crate::wiring::Wiring) and the
//! steps and never a cell.
//!
//! | rule | type | claim |
//! |---|---|---|
//! | `rtrl`, `rtrl-param` | [`Rtrl`] | exact |
//! | `rtrl-activity`, `rtrl-dense` | [`Rtrl`] and [`RtrlDense`] in [`Unmasked`] | exact |
//! | `rtrl-blocked-K` | [`BlockRtrl`] | exact |
//! | `rtrl-auto` | [`Rtrl`] or [`BlockRtrl`] | exact |
//! | `bptt` | [`Bptt`] | exact |
//! | `tbptt-K` | [`Tbptt`] | heuristic |
//! | `snap-N` | [`PatternRtrl`] with [`Reach::Steps`] | exact on a pattern |
//! | `rflo` | [`PatternRtrl`] with [`Reach::Carry`] | heuristic |
//! | `e-prop` | [`PatternRtrl`] with [`Reach::Unit`] | heuristic |
//! | `uoro` | [`Uoro`] | unbiased |
//!
//! A rule of your own implements [`Rule`] and can be checked with `sparse_rtrl::check::check_rule`.
//!
//! A rule is chosen by name with [`find`], as the learners do, or by type:
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
mod entry;
mod oracle;
mod pattern;
mod recursion;
mod registrations;
mod registry;
mod rtrl;
mod tbptt;
mod unmasked;
mod uoro;

pub use block::{BlockRtrl, best_steps};
pub use bptt::Bptt;
pub use entry::{BuildRule, Dimensions, RuleEntry};
pub use oracle::{DenseCost, RtrlDense};
pub use pattern::{PatternRtrl, Reach};
pub use registrations::resolve;
pub use registry::{find, registry};
pub use rtrl::Rtrl;
pub use tbptt::Tbptt;
pub use unmasked::Unmasked;
pub use uoro::Uoro;

use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::Step;

/// The claim of a rule about the gradient `g` it computes of the summed loss `L = Σ_t L_t`. Tests measure it for every
/// rule in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `g = ∂L/∂w`, up to rounding.
    Exact,
    /// `g` is the result of the exact recursion with `S` restricted to a fixed pattern: the entries (row, parameter) in
    /// which the parameter can influence the row within N steps. It equals `∂L/∂w` once the pattern contains every entry
    /// that can become nonzero.
    Pattern(usize),
    /// `E[g] = ∂L/∂w`, where the expectation is over the random numbers of the rule.
    Unbiased,
    /// No guarantee; a biased approximation that often works in practice.
    Heuristic,
}

/// Which exact zeros a rule skips. Switching a skip off changes the work and never the result.
///
/// Activity changes from step to step, so each rule skips in its own loops. Masks never change: a rule built on a
/// [`Wiring`](crate::wiring::Wiring) has no columns for masked parameters. To switch that skip off, the rule is built on
/// the unmasked wiring instead ([`Unmasked`]). Approximate rules ignore this setting and always skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skips {
    /// Skip rows without emission derivative, columns that have been zero since the reset, and sources that are zero.
    pub activity: bool,
    /// Skip the columns and couplings of masked parameters.
    pub parameters: bool,
}

impl Skips {
    /// Skip everything that is exactly zero.
    pub const ALL: Self = Self { activity: true, parameters: true };
    /// Multiply by every zero.
    pub const NONE: Self = Self { activity: false, parameters: false };
}

/// How many entries of the influence matrix a rule stores after a step, and how many of them are nonzero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Influence {
    /// Stored entries of S.
    pub held: usize,
    /// Nonzero entries of Y in rows of units.
    pub nonzero: usize,
    /// Nonzero entries of Y in rows of units and columns of recurrent weights.
    pub recurrent: usize,
}

/// An online learning rule for one stream of steps.
///
/// # Equation
/// From the local derivatives of each [`Step`], a rule computes or approximates the gradient of the summed loss with
/// respect to the kept parameters:
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,  `g = Σ_t Y_tᵀ c̄_t`.
///
/// # Symbols
/// With h rows and p kept parameters: `S = ∂c/∂w` and `Y = ∂y/∂w` of shape h × p, couplings A and B of shape h × h, carry d
/// and emission derivative e of length h, immediate influence M̄ and Ē of shape h × p, credit `c̄ = ∂L/∂y` with one entry
/// per output row, gradient g of length p.
///
/// # Exactness
/// See [`Claim`]. An exact gradient is that of fixed weights. If weights change within a sequence, every exact rule uses
/// the couplings with which each step was computed, as RTRL does.
pub trait Rule<T: Real>: Send {
    /// The claim about the gradient.
    fn claim(&self) -> Claim;

    /// Begins a new sequence. Credit that was not drained yet is kept until the next drain.
    fn reset(&mut self);

    /// Observes the step that the network has just computed.
    fn observe(&mut self, step: &Step<T>, macs: &mut Macs);

    /// Adds credit `c̄ = ∂L_t/∂y_t` for the output rows of the last observed step. Several credits for one step add up.
    /// A drain after each unit credit yields one row of `∂y/∂w`.
    ///
    /// # Panics
    /// If the length of `credit` is not the number of output rows. Rules with a tape also panic if no step was observed
    /// since the reset; other rules then ignore the credit.
    fn credit(&mut self, credit: &[T], macs: &mut Macs);

    /// Adds the gradient accumulated since the last drain to `gradient`, and clears it.
    ///
    /// # Panics
    /// If the length of `gradient` is not p.
    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs);

    /// Counts the stored and the nonzero entries of the influence matrix; `None` for rules without one. It reads every
    /// stored entry once.
    fn influence(&mut self) -> Option<Influence> {
        None
    }

    /// Saves the state of the rule, or restores it. The wiring must be the same.
    ///
    /// # Errors
    /// If the archive holds the state of another rule or wiring.
    fn archive(&mut self, archive: &mut Archive) -> Result<()>;

    /// Bytes of influence, tape and accumulated gradient in use. Fixed index structure is not counted.
    fn bytes(&self) -> usize;
}

/// Adds an accumulated gradient to `gradient`, and clears it.
pub(crate) fn drain_into<T: Real>(accumulated: &mut [T], gradient: &mut [T]) {
    assert_eq!(gradient.len(), accumulated.len(), "the gradient must have p entries");
    for (to, from) in gradient.iter_mut().zip(accumulated) {
        *to = (*to + std::mem::replace(from, T::zero())).normal();
    }
}
