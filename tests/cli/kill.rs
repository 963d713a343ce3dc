//! Killed at a hundred random moments and resumed each time, a stream ends with the very bytes of one that was left alone: no row is learned
//! twice, and none is lost. In some rounds it is stopped by a signal that it can answer, and in some a second process is started on the same
//! files, which is refused.
//!
//! The learner diverges now and then and is rolled back. Checkpoints are due at odd rows, and three groups come in no fixed turn, so that rows
//! after a resume do not come in the order in which groups were first seen.

use crate::programs::{folder, program, run, text};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const KILLS: usize = 100;
/// Rows between checkpoints.
const EVERY: usize = 101;
/// The exit code of a process whose files are in use.
const IN_USE: Option<i32> = Some(6);

/// A stream with gaps, bad rows and three groups.
fn input(rows: usize) -> String {
    let row = |t: usize| match t % 97 {
        13 => "a,,\n".to_string(),
        55 => "b,1,2,3\n".to_string(),
        k => {
            let mixed = (t as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            // A learner of this rate diverges at what it sees next of a value like this.
            let y = if mixed.is_multiple_of(131) { 1e9 } else { (t as f64 * 0.1).sin() };
            format!("{},{y:.4},{}\n", ["a", "b", "c"][(mixed % 3) as usize], k % 24)
        }
    };
    std::iter::once("who,y,hour\n".to_string()).chain((0..rows).map(row)).collect()
}

fn words(name: &str) -> String {
    format!(
        "stream in.csv --target y --horizon 2 --group who --streams 3 --cyclic hour:24 --units 8 --param-sparsity 0.5 \
         --readout trainer --trainer sgd --learning-rate 0.1 --window 40 --on-bad-row skip --on-divergence rollback --quiet --resume \
         --checkpoint {name}.ckpt --checkpoint-every {EVERY} -o {name}.csv"
    )
}

/// What is done, in the order drawn from a seed.
struct Rounds {
    seed: u64,
    rng: ChaCha8Rng,
    /// Second processes that were refused.
    refused: usize,
}

impl Rounds {
    /// From `SPARSE_RTRL_KILL_SEED`, or from the process.
    fn new() -> Self {
        let given = std::env::var("SPARSE_RTRL_KILL_SEED");
        let seed = match &given {
            Ok(seed) => seed.parse().expect("SPARSE_RTRL_KILL_SEED: a whole number"),
            Err(_) => std::process::id().into(),
        };
        eprintln!("kill.rs: SPARSE_RTRL_KILL_SEED={seed}");
        Self { seed, rng: ChaCha8Rng::seed_from_u64(seed), refused: 0 }
    }

    /// Said of every failure.
    fn again(&self) -> String {
        format!("repeat with SPARSE_RTRL_KILL_SEED={}", self.seed)
    }

    fn wait(&mut self) {
        std::thread::sleep(Duration::from_micros(self.rng.random_range(500..60_000)));
    }

    /// Lets it run for a while and stops it; says whether it was stopped before its end.
    fn stopped(&mut self, folder: &Path) -> bool {
        let mut child = spawn(folder);
        let second = self.rng.random_ratio(1, 8).then(|| {
            self.wait();
            spawn(folder)
        });
        self.wait();
        let politely = self.rng.random_ratio(1, 3);
        let running = child.try_wait().unwrap().is_none();
        if politely && running {
            let pid = child.id().to_string();
            // It may end at this very moment.
            let _ = Command::new("kill").args(["-s", "TERM", &pid]).stderr(Stdio::null()).status().unwrap();
        } else {
            child.kill().unwrap();
        }
        let code = child.wait().unwrap().code();
        // Ended by the signal it has no code; it may come to its end before the signal does.
        let by_signal = running && (code.is_none() || politely && code == Some(143));
        let expected = by_signal || code == Some(0) || second.is_some() && code == IN_USE;
        assert!(expected, "exit code {code:?}; {}", self.again());
        if let Some(mut second) = second {
            let ended = second.try_wait().unwrap();
            second.kill().unwrap();
            let code = second.wait().unwrap().code();
            let expected = ended.is_none() || [Some(0), IN_USE].contains(&code);
            assert!(expected, "exit code {code:?} of the second; {}", self.again());
            self.refused += usize::from(code == IN_USE);
        }
        running || code == IN_USE
    }

    fn check(&self, folder: &Path) {
        for name in ["whole", "stopped"] {
            let output = run(folder, &words(name), b"");
            assert!(output.status.success(), "{}; {}", text(&output.stderr), self.again());
        }
        for ending in ["csv", "ckpt"] {
            let read = |name: &str| fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
            let alike = read("whole") == read("stopped");
            assert!(alike, "the {ending} files differ; {}", self.again());
            assert!(!folder.join(format!("stopped.{ending}.lock")).exists(), "{}", self.again());
        }
        assert!(self.refused > 0, "a second process is refused; {}", self.again());
        let said = text(&run(folder, "inspect stopped.ckpt --json", b"").stdout);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let (diverged, rows) = (said["diverged"].as_u64().unwrap(), said["rows"].as_u64().unwrap());
        // Often between two checkpoints, but not so often that nothing is learned in between.
        let often = rows / 500..rows / 50;
        assert!(often.contains(&diverged), "diverged {diverged} times in {rows} rows; {}", self.again());
    }
}

fn spawn(folder: &Path) -> Child {
    let mut command = program(folder, &words("stopped"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn stream_killed_and_resumed_a_hundred_times_equals_one_left_alone() {
    let folder = folder("kill");
    let mut rounds = Rounds::new();
    // As many rows as keep it busy until the last round: more are added while it goes too fast.
    let (mut rows, mut kills) = (20_000, 0);
    fs::write(folder.join("in.csv"), input(rows)).unwrap();
    while kills < KILLS {
        match rounds.stopped(&folder) {
            true => kills += 1,
            false => {
                rows += 10_000;
                fs::write(folder.join("in.csv"), input(rows)).unwrap();
            }
        }
    }
    rounds.check(&folder);
}
