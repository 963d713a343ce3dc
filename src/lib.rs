//! Train recurrent networks online with exact gradients, at a cost that scales with their sparsity.
//!
//! # Should I use this crate?
//!
//! Yes, if you
//!
//! - train a recurrent network on a stream of unlimited length, with an update per step;
//! - need the exact gradient of real-time recurrent learning (RTRL) for a sparse network: events,
//!   pruned weights, or both;
//! - compare learning rules (RTRL, BPTT, SnAp-n, RFLO, e-prop, UORO) with counted costs.
//!
//! No, if you
//!
//! - train on short sequences on a GPU: back-propagation in PyTorch or JAX is faster there;
//! - need layers other than recurrent ones, or automatic differentiation of custom operations;
//! - have dense networks of thousands of units: exact RTRL is O(n²p) per step without sparsity.
//!
//! # Example
//!
//! ```
//! use sparse_rtrl::{SequenceLearner, SequenceLearnerSpec, Target};
//!
//! let mut spec = SequenceLearnerSpec::new(1, 32, 1); // inputs, EGRU units, outputs
//! spec.model.mask.sparsity = 0.9; // 90 % of the recurrent weights are pruned
//! let mut learner = SequenceLearner::<f32>::new(&spec, 0)?; // 0 is the seed
//! for t in 0..100 {
//!     let (now, next) = ((0.2 * t as f32).sin(), (0.2 * (t + 1) as f32).sin());
//!     learner.step(&[now], Some(Target::Values(&[next])))?;
//! }
//! assert!(learner.output()[0].is_finite());
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! # Where to start
//!
//! | goal | item |
//! |---|---|
//! | learn from a stream: standardisation, late targets, Kalman filters | [`StreamLearner`] |
//! | learn from sequences or a signal | [`SequenceLearner`] |
//! | choose a learning rule | [guide](_guide::choosing_a_rule), [`rule`] |
//! | combine cells, rules and losses | [`Network`], [`rule::Rule`], [`wiring::Step`] |
//! | run an experiment from a configuration | [`experiment`] |
//! | read CSV or JSON lines with checkpoints | [`stream`] |
//! | find an equation of the papers | [guide](_guide::equations) |
//!
//! The [guide](_guide) explains exactness, notation, results, speed and terms.
//!
//! # Symbols
//!
//! n units, m inputs, p kept parameters; α activity sparsity (share of units with `y = 0`), β share
//! of units with zero pseudo-derivative, ω parameter sparsity; α̃, β̃, ω̃ are one minus these. All
//! symbols: [notation](_guide::notation).
//!
//! # References
//!
//! - RTRL paper: A. Subramoney, *Efficient real time recurrent learning through combined activity and
//!   parameter sparsity*, 2023.
//! - LM paper: M. Schöne et al., *An efficient RNN language model using activity sparsity and sparse
//!   back-propagation through time*, 2023.
#![warn(missing_docs)]

pub mod archive;
pub mod cell;
pub mod check;
pub mod error;
#[cfg(feature = "experiment")]
pub mod experiment;
#[doc(hidden)]
pub mod file;
pub mod learner;
pub mod lm;
pub mod macs;
pub mod metrics;
pub mod model;
pub mod network;
pub mod optim;
pub mod params;
mod range;
pub mod readout;
pub mod rule;
pub mod scalar;
#[doc(hidden)]
pub mod sparse;
#[doc(hidden)]
pub mod stats;
#[cfg(feature = "stream")]
pub mod stream;
pub mod threads;
pub mod wiring;

pub use cell::{Cell, CellConfig, EventReset, ResetGate, Surrogate};
pub use error::{Error, Result};
#[cfg(feature = "experiment")]
pub use experiment::Config;
pub use learner::online::{Grouping, LeastSquares, StepReport, StreamLearner, StreamLearnerSpec, Trainer};
pub use learner::sequence::{LossAt, Sequence, SequenceLearner, SequenceLearnerSpec, Update};
pub use macs::Macs;
pub use model::{Model, ModelSpec};
pub use network::{LayerSpec, Network, NetworkSpec};
pub use params::{BiasInit, Init, MaskOn, MaskSharing, MaskSpec, ThresholdInit};
pub use readout::{Loss, Readout, Target};
pub use rule::{Claim, Rule, Skips};
pub use scalar::Real;
pub use wiring::{State, Step, Wiring};

/// User guide: learning rules, the command line, notation, results and speed.
///
/// The pages are also in the folder `docs` of the repository. Their examples are tested.
pub mod _guide {
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/choosing_a_rule.md")]
    pub mod choosing_a_rule {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/streaming_cli.md")]
    pub mod streaming_cli {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/language_model.md")]
    pub mod language_model {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/exactness.md")]
    pub mod exactness {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/notation.md")]
    pub mod notation {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/results.md")]
    pub mod results {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/speed.md")]
    pub mod speed {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/csv_columns.md")]
    pub mod csv_columns {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/equations.md")]
    pub mod equations {}
    #[doc = include_str!("../docs/rustdoc_links.txt")]
    #[doc = include_str!("../docs/glossary.md")]
    pub mod glossary {}
}

/// Tests the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
