//! Learning from a stream of rows: reading, scoring, checkpoints and weight files. The command line
//! is built on this module.

pub mod checkpoint;
pub mod feed;
pub mod score;
pub mod session;
pub mod weights;
