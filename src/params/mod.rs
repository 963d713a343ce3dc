//! Parameters: one flat buffer of named blocks that holds kept entries only, their masks and their first values.
//!
//! A pruned parameter has no place in the buffer, hence none in an optimiser, an influence matrix or a file.

pub mod init;
mod layout;
mod mask;

pub use init::{BiasInit, Init, ThresholdInit};
pub use layout::{Kind, Layout, ParamBlock, ParamBlockSpec};
pub use mask::{MaskOn, MaskSharing, MaskSpec};

/// A seeded generator for one purpose: ChaCha with 8 rounds, portable, one independent stream per purpose.
pub type Generator = rand_chacha::ChaCha8Rng;

/// The generator that belongs to `seed` and `purpose`. Different purposes never share random numbers, so that
/// drawing one more mask leaves the data as it was.
pub fn generator(seed: u64, purpose: Purpose) -> Generator {
    use rand::SeedableRng;
    let mut rng = Generator::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}

/// What random numbers are drawn for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Which parameters are kept.
    Mask = 1,
    /// Their first values.
    Init = 2,
    /// The samples of a task.
    Data = 3,
    /// The order in which samples are shown.
    Order = 4,
    /// The noise of stochastic learning rules.
    Noise = 5,
}
