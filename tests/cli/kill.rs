//! A stream is stopped at a hundred random times and resumed each time. Its files are then equal
//! to those of an uninterrupted stream: no row is learned twice, and none is lost. Some rounds stop
//! it by SIGKILL, others by SIGTERM. Some rounds start a second process on the same files, which
//! must be refused.
//!
//! The learner diverges in some rows and is rolled back. Checkpoints are due at odd rows. The order
//! of the three groups is irregular, so that rows after a resume do not come in the order in which
//! groups first occurred.

use crate::programs::{folder, program, run, text};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const KILLS: usize = 100;
/// Rows between checkpoints.
const CHECKPOINT_EVERY: usize = 101;
/// The exit code of a process whose files are in use.
const IN_USE: Option<i32> = Some(6);

/// A stream with missing targets, invalid rows and three groups.
fn input(rows: usize) -> String {
    let row = |t: usize| match t % 97 {
        13 => "a,,\n".to_string(),
        55 => "b,1,2,3\n".to_string(),
        k => {
            let hash = (t as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            // With this learning rate, such a value makes the learner diverge at its next update.
            let y = if hash.is_multiple_of(131) { 1e9 } else { (t as f64 * 0.1).sin() };
            format!("{},{y:.4},{}\n", ["a", "b", "c"][(hash % 3) as usize], k % 24)
        }
    };
    std::iter::once("who,y,hour\n".to_string()).chain((0..rows).map(row)).collect()
}

fn arguments(name: &str) -> String {
    format!(
        "stream in.csv --target y --horizon 2 --group who --streams 3 --cyclic hour:24 --units 8 --param-sparsity 0.5 \
         --readout trainer --trainer sgd --learning-rate 0.1 --window 40 --on-bad-row skip --on-divergence rollback --quiet --resume \
         --checkpoint {name}.ckpt --checkpoint-every {CHECKPOINT_EVERY} -o {name}.csv"
    )
}

/// Random rounds, reproducible from a seed.
struct Rounds {
    seed: u64,
    rng: ChaCha8Rng,
    /// Number of second processes that were refused.
    refused: usize,
}

impl Rounds {
    /// With the seed `SPARSE_RTRL_KILL_SEED`, or else the id of the process.
    fn new() -> Self {
        let given = std::env::var("SPARSE_RTRL_KILL_SEED");
        let seed = match &given {
            Ok(seed) => seed.parse().expect("SPARSE_RTRL_KILL_SEED: expected a whole number"),
            Err(_) => std::process::id().into(),
        };
        eprintln!("kill.rs: SPARSE_RTRL_KILL_SEED={seed}");
        Self { seed, rng: ChaCha8Rng::seed_from_u64(seed), refused: 0 }
    }

    /// The end of every failure message: how to repeat the run.
    fn repeat_hint(&self) -> String {
        format!("repeat with SPARSE_RTRL_KILL_SEED={}", self.seed)
    }

    fn wait(&mut self) {
        std::thread::sleep(Duration::from_micros(self.rng.random_range(500..60_000)));
    }

    /// Starts a process and stops it after a random time. Returns whether it was stopped before its
    /// end.
    fn run_and_stop(&mut self, folder: &Path) -> bool {
        let mut child = spawn(folder);
        let second = self.rng.random_ratio(1, 8).then(|| {
            self.wait();
            spawn(folder)
        });
        self.wait();
        let by_term = self.rng.random_ratio(1, 3);
        let running = child.try_wait().unwrap().is_none();
        if by_term && running {
            let pid = child.id().to_string();
            // The process may end before the signal is sent.
            let _ = Command::new("kill").args(["-s", "TERM", &pid]).stderr(Stdio::null()).status().unwrap();
        } else {
            child.kill().unwrap();
        }
        let code = child.wait().unwrap().code();
        // A process ended by a signal has no exit code. It may also end before the signal arrives.
        let by_signal = running && (code.is_none() || by_term && code == Some(143));
        let expected = by_signal || code == Some(0) || second.is_some() && code == IN_USE;
        assert!(expected, "exit code {code:?}; {}", self.repeat_hint());
        if let Some(mut second) = second {
            let ended = second.try_wait().unwrap();
            second.kill().unwrap();
            let code = second.wait().unwrap().code();
            let expected = ended.is_none() || [Some(0), IN_USE].contains(&code);
            assert!(expected, "exit code {code:?} of the second process; {}", self.repeat_hint());
            self.refused += usize::from(code == IN_USE);
        }
        running || code == IN_USE
    }

    /// Completes both streams and compares their files.
    fn check(&self, folder: &Path) {
        for name in ["whole", "stopped"] {
            let output = run(folder, &arguments(name), b"");
            assert!(output.status.success(), "{}; {}", text(&output.stderr), self.repeat_hint());
        }
        for ending in ["csv", "ckpt"] {
            let read = |name: &str| fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
            let equal = read("whole") == read("stopped");
            assert!(equal, "the {ending} files differ; {}", self.repeat_hint());
            assert!(!folder.join(format!("stopped.{ending}.lock")).exists(), "{}", self.repeat_hint());
        }
        assert!(self.refused > 0, "no second process was refused; {}", self.repeat_hint());
        let json = text(&run(folder, "inspect stopped.ckpt --json", b"").stdout);
        let description: serde_json::Value = serde_json::from_str(&json).unwrap();
        let (diverged, rows) =
            (description["diverged"].as_u64().unwrap(), description["rows"].as_u64().unwrap());
        // Often enough to diverge between two checkpoints, and rarely enough to learn in between.
        let expected = rows / 500..rows / 50;
        assert!(
            expected.contains(&diverged),
            "diverged {diverged} times in {rows} rows; {}",
            self.repeat_hint()
        );
    }
}

fn spawn(folder: &Path) -> Child {
    let mut command = program(folder, &arguments("stopped"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn stream_killed_and_resumed_100_times_equals_uninterrupted() {
    let folder = folder("kill");
    let mut rounds = Rounds::new();
    // Rows are added whenever the process ends before it is stopped.
    let (mut rows, mut kills) = (20_000, 0);
    fs::write(folder.join("in.csv"), input(rows)).unwrap();
    while kills < KILLS {
        match rounds.run_and_stop(&folder) {
            true => kills += 1,
            false => {
                rows += 10_000;
                fs::write(folder.join("in.csv"), input(rows)).unwrap();
            }
        }
    }
    rounds.check(&folder);
}
