//! The learners and the experiment: weight updates, streams, errors, saving and resuming.

mod experiment;
mod learner;
mod online;
mod resume;
