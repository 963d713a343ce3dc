//! Concurrent runs of several seeds and settings, with results in the order of the jobs.

use crate::error::Result;
use crate::threads::pool;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Runs every job once, concurrently on `threads` threads; 0 means one thread per processor. Jobs
/// start in their order. Each job runs in a [`Pool`](crate::threads::Pool) with an equal share of the
/// threads, at least one.
///
/// # Errors
/// If a job fails, or if threads cannot be started. The error is that of the first failed job in
/// the order of `jobs`, for any number of threads. After an error no further job starts, and
/// running jobs are completed.
pub fn fan_out<J: Sync>(jobs: &[J], threads: usize, work: impl Fn(&J) -> Result<()> + Sync) -> Result<()> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    let workers = threads.min(jobs.len());
    let share = |worker: usize| threads / workers + usize::from(worker < threads % workers);
    let pools = (0..workers).map(|worker| pool(share(worker))).collect::<Result<Vec<_>>>()?;
    let (next, stop, failure) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    std::thread::scope(|scope| {
        for pool in &pools {
            let (next, stop, failure, work) = (&next, &stop, &failure, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    if let Err(error) = pool.install(|| work(job)) {
                        stop.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().expect("no thread panics with this lock");
                        // All earlier jobs have been started and will be completed, so the first
                        // failed job does not depend on timing.
                        if failure.as_ref().is_none_or(|(first, _)| at < *first) {
                            *failure = Some((at, error));
                        }
                    }
                }
            });
        }
    });
    failure.into_inner().expect("no thread panics with this lock").map_or(Ok(()), |(_, error)| Err(error))
}

/// Passes the values of concurrent jobs to a function in the order of the jobs. Values of the first
/// unfinished job are passed at once. Values of later jobs are stored until all earlier jobs have
/// ended.
pub struct InOrder<V, F> {
    /// The first job that has not ended.
    front: usize,
    /// Values of later jobs, and whether these jobs have ended.
    waiting: BTreeMap<usize, (Vec<V>, bool)>,
    take: F,
}

impl<V, F: FnMut(V) -> Result<()>> InOrder<V, F> {
    /// Creates an empty queue that passes values to `take`, starting with those of job 0.
    pub fn new(take: F) -> Self {
        Self { front: 0, waiting: BTreeMap::new(), take }
    }

    /// Adds a value of a job.
    ///
    /// # Errors
    /// If `take` fails.
    pub fn push(&mut self, job: usize, value: V) -> Result<()> {
        if job == self.front {
            return (self.take)(value);
        }
        self.waiting.entry(job).or_default().0.push(value);
        Ok(())
    }

    /// Marks a job as ended, and passes the stored values that follow. Not called for a job that
    /// fails, so that no value of a later job is passed.
    ///
    /// # Errors
    /// If `take` fails.
    pub fn end(&mut self, job: usize) -> Result<()> {
        self.waiting.entry(job).or_default().1 = true;
        while let Some((values, ended)) = self.waiting.remove(&self.front) {
            values.into_iter().try_for_each(&mut self.take)?;
            if !ended {
                break;
            }
            self.front += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn fan_out_on_any_number_of_threads_runs_every_job_once() {
        for threads in [0, 1, 3, 20] {
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
                assert_eq!(done, jobs, "in order");
            }
            done.sort_unstable();
            assert_eq!(done, jobs);
        }
        fan_out(&[] as &[usize], 2, |_| panic!("no job")).unwrap();
    }

    #[test]
    fn fan_out_of_fewer_jobs_than_threads_divides_threads_among_jobs() {
        for (jobs, threads, expected) in [(1, 3, vec![3]), (2, 5, vec![2, 3]), (3, 3, vec![1, 1, 1])] {
            let shares = Mutex::new(Vec::new());
            // All jobs run at once, so that no thread runs two of them.
            let barrier = std::sync::Barrier::new(jobs);
            let work = |_: &usize| {
                barrier.wait();
                shares.lock().unwrap().push(rayon::current_num_threads());
                Ok(())
            };
            fan_out(&(0..jobs).collect::<Vec<_>>(), threads, work).unwrap();
            let mut shares = shares.into_inner().unwrap();
            shares.sort_unstable();
            assert_eq!(shares, expected, "{jobs} jobs on {threads} threads");
        }
    }

    #[test]
    fn fan_out_after_an_error_starts_no_further_job() {
        let done = AtomicUsize::new(0);
        let outcome = fan_out(&[0, 1, 2, 3], 1, |&job| {
            done.fetch_add(1, Ordering::Relaxed);
            if job == 1 { Err(Error::setting("job", "not 1", job)) } else { Ok(()) }
        });
        assert!(outcome.unwrap_err().to_string().contains("not 1"));
        assert_eq!(done.into_inner(), 2);
    }

    #[test]
    fn fan_out_with_two_errors_returns_that_of_the_first_job() {
        // Job 0 sleeps, so that job 1 fails first. If job 0 fails first, the test passes as well.
        let both_run = std::sync::Barrier::new(2);
        let outcome = fan_out(&[0, 1], 2, |&job: &usize| {
            both_run.wait();
            if job == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(Error::setting("job", "another", job))
        });
        assert!(outcome.unwrap_err().to_string().ends_with("got 0"));
    }

    /// Checks the values passed on, and their number after each call.
    #[test]
    fn in_order_of_parallel_jobs_passes_values_in_job_order() {
        let (mut seen, mut counts) = (Vec::new(), Vec::new());
        let passed = std::cell::RefCell::new(&mut seen);
        let mut order = InOrder::new(|value: &str| {
            passed.borrow_mut().push(value.to_string());
            Ok(())
        });
        let steps: [(usize, Option<&str>); 9] = [
            (1, Some("1a")),
            (0, Some("0a")),
            (2, Some("2a")),
            (2, None),
            (0, Some("0b")),
            (0, None),
            (1, Some("1b")),
            (3, Some("3a")),
            (1, None),
        ];
        for (job, value) in steps {
            match value {
                Some(value) => order.push(job, value).unwrap(),
                None => order.end(job).unwrap(),
            }
            counts.push(passed.borrow().len());
        }
        drop(order);
        assert_eq!(seen, ["0a", "0b", "1a", "1b", "2a", "3a"]);
        assert_eq!(counts, [0, 1, 1, 1, 2, 3, 4, 4, 6]);
    }

    #[test]
    fn in_order_of_an_unfinished_job_withholds_later_jobs() {
        let mut seen = Vec::new();
        let mut order = InOrder::new(|value| {
            seen.push(value);
            Ok(())
        });
        order.push(1, 10).unwrap();
        order.push(2, 20).unwrap();
        order.end(2).unwrap();
        order.end(0).unwrap();
        assert_eq!(seen, [10], "expected only values of the unfinished job");
    }
}
