//! Threads that run the parallel parts of this crate.
//!
//! Learners run on the threads of the current [`Pool`]: that of the innermost [`Pool::install`], or
//! else one thread per core. Results do not depend on the number of threads.
//!
//! ```
//! use sparse_rtrl::{SequenceLearner, SequenceLearnerSpec, threads};
//!
//! let spec = SequenceLearnerSpec::new(1, 8, 1);
//! let loss = threads::pool(2)?.install(|| SequenceLearner::<f32>::new(&spec, 0)?.step(&[0.5], None))?;
//! assert_eq!(loss, None); // without a target
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```

use crate::error::{Error, Result};

/// A fixed number of threads.
pub struct Pool(rayon::ThreadPool);

impl Pool {
    /// Runs `job` on these threads and returns its result. They are the current threads of all
    /// learners in `job`.
    pub fn install<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R {
        self.0.install(job)
    }
}

/// Starts a pool of `threads` threads; 0 means one per core.
///
/// # Errors
/// If the threads cannot be started.
pub fn pool(threads: usize) -> Result<Pool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(Pool).map_err(|why| Error::Threads { threads, why: why.to_string() })
}
