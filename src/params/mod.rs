//! Parameters: their layout in one flat buffer, their masks and their initial values.
//!
//! The buffer holds the kept parameters only. Optimisers, influence matrices and files follow its
//! layout, so pruned parameters take no memory there either.

pub mod init;
mod layout;
mod mask;

pub use init::{BiasInit, Init, ThresholdInit};
pub use layout::{Kind, Layout, ParamBlock, ParamBlockSpec};
pub use mask::{MaskOn, MaskSharing, MaskSpec};

/// The random number generator: ChaCha with 8 rounds, with the same numbers on every platform.
pub type Generator = rand_chacha::ChaCha8Rng;

/// Returns the generator of `seed` and `purpose`.
///
/// Each purpose has an independent stream of random numbers. For example, the data of a seed do not
/// change if more masks are drawn.
pub fn generator(seed: u64, purpose: Purpose) -> Generator {
    use rand::SeedableRng;
    let mut rng = Generator::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}

/// Purpose of random numbers.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Parameter masks.
    Mask = 1,
    /// Initial values.
    Init = 2,
    /// Samples of a dataset.
    Data = 3,
    /// Order of the training samples.
    Order = 4,
    /// Noise of stochastic learning rules.
    Noise = 5,
}
