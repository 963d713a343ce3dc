//! Learners: a network, a readout, a rule per stream and an optimiser, behind one call per step.

pub mod online;
pub mod sequence;
