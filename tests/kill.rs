//! Killed at a hundred random moments and resumed each time, a stream ends with the very bytes of one that was left alone: no row is learned
//! twice, and none is lost.
#![cfg(all(unix, feature = "cli"))]

#[path = "common/program.rs"]
mod programs;

use programs::{folder, program, run, text};
use rand::{RngExt, SeedableRng};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const KILLS: usize = 100;

/// A stream with gaps, bad rows and two groups.
fn input(rows: usize) -> String {
    let row = |t: usize| match t % 97 {
        13 => "a,,\n".to_string(),
        55 => "b,1,2,3\n".to_string(),
        k => format!("{},{:.4},{}\n", ["a", "b"][t % 2], (t as f64 * 0.1).sin(), k % 24),
    };
    std::iter::once("who,y,hour\n".to_string()).chain((0..rows).map(row)).collect()
}

fn words(name: &str, every: usize) -> String {
    format!(
        "stream in.csv --target y --horizon 2 --group who --streams 2 --cyclic hour:24 --units 8 --param-sparsity 0.5 \
         --window 40 --on-bad-row skip --on-divergence rollback --quiet --resume --checkpoint {name}.ckpt \
         --checkpoint-every {every} -o {name}.csv"
    )
}

/// Lets it run for a while and kills it; says whether it was still running.
fn killed(folder: &Path, after: Duration) -> bool {
    let mut command = program(folder, &words("killed", 100));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

fn ends_alike(folder: &Path, rows: usize) {
    fs::write(folder.join("in.csv"), input(rows)).unwrap();
    let output = run(folder, &words("whole", 100), b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = run(folder, &words("killed", 100), b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    for ending in ["csv", "ckpt"] {
        let read = |name: &str| fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
        assert!(read("whole") == read("killed"), "the {ending} files are the same, byte for byte");
    }
}

#[test]
fn killed_and_resumed_is_uninterrupted() {
    let folder = folder("kill");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(std::process::id().into());
    // As many rows as keep it busy until the last kill: more are added while it goes too fast.
    let (mut rows, mut kills) = (20_000, 0);
    fs::write(folder.join("in.csv"), input(rows)).unwrap();
    while kills < KILLS {
        match killed(&folder, Duration::from_micros(rng.random_range(500..60_000))) {
            true => kills += 1,
            false => {
                rows += 10_000;
                fs::write(folder.join("in.csv"), input(rows)).unwrap();
            }
        }
    }
    ends_alike(&folder, rows);
}
