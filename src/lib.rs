//! Exact real-time recurrent learning (RTRL) that skips what activity and parameter sparsity make zero.
//!
//! Recurrent networks trained online, at every step of a stream if one likes, with the exact gradient of everything so far and
//! without a tape. Event-based cells and masked weights make most of RTRL's work multiplication by zero; this crate does not do
//! that work, and its tests prove that leaving it out changes nothing.
//!
//! ```
//! use sparse_rtrl::learner::sequence::{SequenceLearner, SequenceLearnerSpec};
//! use sparse_rtrl::readout::Target;
//!
//! let mut spec = SequenceLearnerSpec::new(1, 32, 1); // inputs, EGRU units, outputs
//! spec.mask.sparsity = 0.9; // nine recurrent weights in ten do not exist
//! let mut learner = SequenceLearner::<f32>::new(&spec, 0)?;
//! for t in 0..100 {
//!     let (now, next) = ((0.2 * t as f32).sin(), (0.2 * (t + 1) as f32).sin());
//!     learner.step(&[now], Some(Target::Values(&[next])))?;
//! }
//! assert!(learner.output()[0].is_finite());
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! Where to look:
//!
//! - [`learner`]: something that learns, to embed;
//! - [`cell`]: networks, and the [`Step`](cell::Step) that says everything a rule needs to know of one step;
//! - [`rule`]: learning rules, exact and approximate, each with its claim, and what they cost ([`rule::predict`]);
//! - [`params`]: masks and first values; [`readout`], [`optim`], [`task`]: the rest of an experiment;
//! - [`experiment`]: a configuration in, a run out; [`metrics`], [`record`], [`macs`]: what is measured.
//!
//! Symbols, throughout: n units, m inputs, p kept parameters; α activity sparsity (share of units with `y = 0`), β share of units with
//! zero pseudo-derivative, ω parameter sparsity, and α̃, β̃, ω̃ one minus these; ϑ threshold, γ and ε height and half-width of the
//! pseudo-derivative; S = ∂c/∂w and Y = ∂y/∂w influence, M̄ and Ē immediate influence, A and B coupling to the step before and within
//! the step, d carry, e emission derivative, c̄ = ∂L/∂y credit. One MAC is one multiply-accumulate.
//!
//! "RTRL paper": A. Subramoney, *Efficient real time recurrent learning through combined activity and parameter sparsity*, 2023. "LM
//! paper": M. Schöne et al., *An efficient RNN language model using activity sparsity and sparse back-propagation through time*, 2023.
#![warn(missing_docs)]

pub mod archive;
pub mod cell;
pub mod check;
pub mod error;
pub mod experiment;
pub mod file;
pub mod learner;
pub mod macs;
pub mod metrics;
pub mod network;
pub mod optim;
pub mod params;
pub mod readout;
pub mod rule;
pub mod scalar;
pub mod sparse;
pub mod stats;
pub mod stream;
pub mod wiring;

pub use error::{Error, Result};
pub use scalar::Real;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
