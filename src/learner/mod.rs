//! Learners: a model, a rule per stream and a trainer, with one call per step.
//!
//! [`sequence`] learns from batches of sequences, [`online`] in one pass over endless streams.

mod core;
pub mod online;
pub mod sequence;
