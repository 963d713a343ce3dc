//! Exact real-time recurrent learning (RTRL) that skips what activity and parameter sparsity make zero.
//!
//! # Should I use this crate?
//!
//! Use it to train recurrent networks *online*, with an update at every step if needed, and with the exact gradient of everything so far:
//! on streams that do not end, on devices with little memory, or in studies of learning rules. For long offline training of large dense
//! networks on GPUs, use a framework with back-propagation through time.
//!
//! RTRL needs no tape and no window, but costs O(n²p) per step. In event-based networks with masked weights, most of its multiplications
//! have an exactly zero factor. This crate skips them, and its tests verify that the gradient is unchanged.
//!
//! ```
//! use sparse_rtrl::{SequenceLearner, SequenceLearnerSpec, Target};
//!
//! let mut spec = SequenceLearnerSpec::new(1, 32, 1); // inputs, EGRU units, outputs
//! spec.mask.sparsity = 0.9; // prune nine in ten recurrent weights
//! let mut learner = SequenceLearner::<f32>::new(&spec, 0)?; // seed 0
//! for t in 0..100 {
//!     let (now, next) = ((0.2 * t as f32).sin(), (0.2 * (t + 1) as f32).sin());
//!     learner.step(&[now], Some(Target::Values(&[next])))?;
//! }
//! assert!(learner.output()[0].is_finite());
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! # Overview
//!
//! - [`StreamLearner`] learns from one endless stream or several, with late targets and running standardisation; [`SequenceLearner`] learns
//!   from batches of sequences.
//! - [`wiring`] describes the structure of a network and the [`Step`](wiring::Step) that holds its local derivatives; [`cell`] holds the
//!   dynamics; [`network`] assembles layers.
//! - [`rule`] holds the learning rules, exact and approximate, each with its claim, and their cost models ([`rule::cost`]).
//! - [`readout`], [`optim`], [`params`]: losses, optimisers and filters, masks and initial values.
//! - [`experiment`] runs a configuration; [`stream`] is the application behind the command line.
//!
//! Guide pages: [how to choose a rule](_guide::choosing_a_rule), [streaming from the command line](_guide::streaming_cli),
//! [exactness](_guide::exactness), [notation](_guide::notation), [equations of the papers](_guide::equations),
//! [results](_guide::results), [speed](_guide::speed), [columns of the learning curve](_guide::csv_columns),
//! [glossary](_guide::glossary).
#![warn(missing_docs)]

#[doc(hidden)]
pub mod archive;
pub mod cell;
pub mod error;
pub mod experiment;
#[doc(hidden)]
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
#[doc(hidden)]
pub mod sparse;
#[doc(hidden)]
pub mod stats;
pub mod stream;
pub mod wiring;

pub use cell::{CellConfig, Surrogate};
pub use error::{Error, Result};
pub use learner::online::{Grouping, LeastSquares, StreamLearner, StreamLearnerSpec, Trainer};
pub use learner::sequence::{Sequence, SequenceLearner, SequenceLearnerSpec, Update};
pub use macs::Macs;
pub use network::{LayerSpec, Network, NetworkSpec};
pub use params::{Init, MaskSpec};
pub use readout::{Loss, Target};
pub use rule::{Claim, Rule};
pub use scalar::Real;

/// Longer documentation.
pub mod _guide {
    #[doc = include_str!("../docs/choosing_a_rule.md")]
    pub mod choosing_a_rule {}
    #[doc = include_str!("../docs/streaming_cli.md")]
    pub mod streaming_cli {}
    #[doc = include_str!("../docs/exactness.md")]
    pub mod exactness {}
    #[doc = include_str!("../docs/notation.md")]
    pub mod notation {}
    #[doc = include_str!("../docs/equations.md")]
    pub mod equations {}
    #[doc = include_str!("../docs/results.md")]
    pub mod results {}
    #[doc = include_str!("../docs/speed.md")]
    pub mod speed {}
    #[doc = include_str!("../docs/csv_columns.md")]
    pub mod csv_columns {}
    #[doc = include_str!("../docs/glossary.md")]
    pub mod glossary {}
}

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
