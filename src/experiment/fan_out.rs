//! Where seeds and settings fan out: many runs side by side, each on one thread.

use super::pool;
use crate::error::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Does every job once, side by side on that many threads, 0 for as many as the machine has. Jobs start in the order they come in;
/// each has a rayon pool of one thread around it, so that what it computes does not depend on how many there are.
///
/// # Errors
/// The first error of a job, by time, or if threads cannot be started. Jobs that run go on to their end then; none is started any more.
pub fn fan_out<J: Sync>(jobs: &[J], threads: usize, work: impl Fn(&J) -> Result<()> + Sync) -> Result<()> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    let pools = (0..threads.min(jobs.len())).map(|_| pool(1)).collect::<Result<Vec<_>>>()?;
    let (next, stop, failure) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    std::thread::scope(|scope| {
        for pool in &pools {
            let (next, stop, failure, work) = (&next, &stop, &failure, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    if let Err(error) = pool.install(|| work(job)) {
                        stop.store(true, Ordering::Relaxed);
                        failure.lock().expect("no thread panics while it holds this").get_or_insert(error);
                    }
                }
            });
        }
    });
    failure.into_inner().expect("as above").map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn every_job_is_done_once_on_a_pool_of_one() {
        for threads in [0, 1, 3, 40] {
            let done = Mutex::new(Vec::new());
            let jobs: Vec<usize> = (0..20).collect();
            let outcome = fan_out(&jobs, threads, |&job| {
                assert_eq!(rayon::current_num_threads(), 1);
                done.lock().unwrap().push(job);
                Ok(())
            });
            outcome.unwrap();
            let mut done = done.into_inner().unwrap();
            if threads == 1 {
                assert_eq!(done, jobs, "in their order");
            }
            done.sort_unstable();
            assert_eq!(done, jobs);
        }
        fan_out(&[] as &[usize], 2, |_| panic!("no job")).unwrap();
    }

    #[test]
    fn nothing_starts_after_an_error() {
        let done = AtomicUsize::new(0);
        let outcome = fan_out(&[0, 1, 2, 3], 1, |&job| {
            done.fetch_add(1, Ordering::Relaxed);
            if job == 1 { Err(Error::setting("job", "not 1", job)) } else { Ok(()) }
        });
        assert!(outcome.unwrap_err().to_string().contains("not 1"));
        assert_eq!(done.into_inner(), 2);
    }
}
