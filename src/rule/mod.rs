//! Learning rules. A rule computes the gradient of a loss from [`Step`]s and makes a [`Claim`]
//! about the result.
//!
//! A rule observes every step ([`Rule::observe`]), receives credit `c̄ = ∂L/∂y` for some steps
//! ([`Rule::credit`]), and adds its gradient to a buffer ([`Rule::drain`]). It depends on the
//! [`Wiring`](crate::wiring::Wiring) and the steps, not on the cell.
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
//! Implement [`Rule`] for your own rule and check it with
//! [`check_rule`](crate::check::check_rule).
//!
//! [`find`] returns a rule by name. A rule can also be constructed directly:
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
//! let mut rule = Rtrl::new(net.wiring().clone(), true); // skip zeros of activity
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
#[doc(hidden)]
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

pub use block::BlockRtrl;
pub use bptt::Bptt;
pub use entry::{BuildRule, Dimensions, RuleEntry};
pub use oracle::RtrlDense;
pub use pattern::{PatternRtrl, Reach};
pub use registry::{find, registry};
pub use rtrl::Rtrl;
pub use tbptt::Tbptt;
pub use unmasked::Unmasked;
pub use uoro::Uoro;

#[doc(hidden)]
pub use block::best_steps;
#[doc(hidden)]
pub use oracle::DenseCost;
#[doc(hidden)]
pub use registrations::resolve;

use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::Step;

/// The claim of a rule about its gradient `g` of the summed loss `L = Σ_t L_t`. The tests verify it
/// for every rule in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// `g = ∂L/∂w`, up to rounding.
    Exact,
    /// `g` is the result of the exact recursion with `S` restricted to a fixed pattern. The pattern
    /// contains the entries (row, parameter) for which the parameter can influence the row within N
    /// steps. If it contains all entries that can become nonzero, `g = ∂L/∂w`.
    Pattern(usize),
    /// `E[g] = ∂L/∂w`. The expectation is over the random numbers of the rule.
    Unbiased,
    /// `g` is a biased approximation without guarantee.
    Heuristic,
}

/// The exact zeros that a rule skips. A skip changes the number of MACs and not the result.
///
/// Activity changes at every step, so each rule skips its zeros in its own loops. Masks are fixed:
/// a rule on a [`Wiring`](crate::wiring::Wiring) has no columns for pruned parameters. Without this
/// skip, the rule is built on the unmasked wiring ([`Unmasked`]). Approximate rules ignore this
/// setting and always skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skips {
    /// Whether rows with e = 0, inactive columns and zero sources are skipped.
    pub activity: bool,
    /// Whether columns and couplings of pruned parameters are skipped.
    pub parameters: bool,
}

impl Skips {
    /// All skips.
    pub const ALL: Self = Self { activity: true, parameters: true };
    /// No skips.
    pub const NONE: Self = Self { activity: false, parameters: false };
}

/// Numbers of stored and of nonzero entries of the influence matrix after a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Influence {
    /// Number of stored entries of S.
    pub held: usize,
    /// Number of nonzero entries of Y in rows of units.
    pub nonzero: usize,
    /// Number of nonzero entries of Y in rows of units and columns of recurrent weights.
    pub recurrent: usize,
}

/// An online learning rule for one stream of steps.
///
/// # Equation
/// A rule computes or approximates the gradient of the summed loss with respect to the kept
/// parameters from the local derivatives of each [`Step`]:
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,
/// `g = Σ_t Y_tᵀ c̄_t`.
///
/// # Symbols
/// There are h rows and p kept parameters.
///
/// | symbol | shape | meaning |
/// |---|---|---|
/// | S, Y | h × p | influence matrices `∂c/∂w` and `∂y/∂w` |
/// | A, B | h × h | couplings to the previous and within the current step |
/// | d, e | h | carry and emission derivative |
/// | M̄, Ē | h × p | immediate influence |
/// | c̄ | output rows | credit `∂L/∂y` |
/// | g | p | gradient |
///
/// # Exactness
/// See [`Claim`]. An exact gradient is the gradient of a sequence with fixed weights. If weights
/// change within a sequence, every exact rule uses the couplings that were in effect at each step.
pub trait Rule<T: Real>: Send {
    /// Returns the claim about the gradient.
    fn claim(&self) -> Claim;

    /// Starts a new sequence. The gradient of pending credit is kept until the next drain.
    fn reset(&mut self);

    /// Observes the next step of the network.
    fn observe(&mut self, step: &Step<T>, macs: &mut Macs);

    /// Adds credit `c̄ = ∂L_t/∂y_t` for the output rows of the last observed step. Several credits
    /// for one step are summed. With a credit that is a unit vector, the drained gradient is one
    /// row of `∂y/∂w`.
    ///
    /// # Panics
    /// If the length of `credit` is not the number of output rows. Rules with a tape also panic if
    /// no step was observed since the reset; other rules ignore the credit in this case.
    fn credit(&mut self, credit: &[T], macs: &mut Macs);

    /// Adds the gradient accumulated since the last drain to `gradient` and sets it to zero.
    ///
    /// # Panics
    /// If the length of `gradient` is not p.
    fn drain(&mut self, gradient: &mut [T], macs: &mut Macs);

    /// Returns the numbers of stored and of nonzero entries of the influence matrix, or `None` for
    /// rules without one. Reads every stored entry once.
    fn influence(&mut self) -> Option<Influence> {
        None
    }

    /// Writes the state to an archive, or restores it from an archive of a rule on the same wiring.
    ///
    /// # Errors
    /// If the archive holds the state of another rule or wiring.
    fn archive(&mut self, archive: &mut Archive) -> Result<()>;

    /// Returns the number of bytes of influence, tape and accumulated gradient in use. Fixed index
    /// structures are not counted.
    fn bytes(&self) -> usize;
}

/// Adds an accumulated gradient to `gradient` and sets it to zero.
pub(crate) fn drain_into<T: Real>(accumulated: &mut [T], gradient: &mut [T]) {
    assert_eq!(gradient.len(), accumulated.len(), "the gradient must have p entries");
    for (to, from) in gradient.iter_mut().zip(accumulated) {
        *to = (*to + std::mem::replace(from, T::zero())).normal();
    }
}
