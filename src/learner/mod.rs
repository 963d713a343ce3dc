//! Learners: a model, one learning rule per stream and a trainer.
//!
//! [`sequence`] trains on batches of sequences. [`online`] trains in one pass over streams of
//! unlimited length.

mod core;
pub mod online;
pub mod sequence;
