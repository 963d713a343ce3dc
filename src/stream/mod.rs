//! Learning from a stream of rows: reading, scoring, checkpoints and weights on disk. What the command line is made of.

pub mod checkpoint;
pub mod feed;
pub mod score;
pub mod session;
pub mod weights;
