//! Learners and experiments: weight updates, streams, errors, checkpoints.

mod experiment;
mod learner;
mod online;
mod resume;
