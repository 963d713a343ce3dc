//! Seeded random numbers.

use rand::SeedableRng;
use rand::rand_core::{Infallible, TryRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A random number generator: ChaCha with 8 rounds, with the same numbers on every platform.
///
/// The implementation of traits of `rand` is an implementation detail and not promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator(ChaCha8Rng);

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

/// Returns the generator of `seed` and `purpose`.
///
/// Each purpose has an independent stream of random numbers. For example, the data of a seed do not
/// change if more masks are drawn.
pub fn generator(seed: u64, purpose: Purpose) -> Generator {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    Generator(rng)
}

/// Purpose of random numbers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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
