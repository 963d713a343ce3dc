//! One seed, one result: the same CSV, byte for byte, whatever the number of threads.

use sparse_rtrl::experiment::{self, Config, Preset};
use sparse_rtrl::learner::Update;
use sparse_rtrl::record::Recorder;
use std::path::PathBuf;

fn csv(config: &Config, seed: u64, threads: usize, name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut recorder = Recorder::create(&path).unwrap();
    let run = || experiment::run::<f32>(config, seed, |row| recorder.write(row));
    experiment::pool(threads).unwrap().install(run).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn one_seed_gives_the_same_bytes_with_any_number_of_threads() {
    for (k, update) in [Update::Sequence, Update::Steps(4)].into_iter().enumerate() {
        let config = Config { iterations: 30, test_every: 10, update, ..Config::spiral(Preset::Default) };
        let one = csv(&config, 3, 1, &format!("one-{k}.csv"));
        let two = csv(&config, 3, 2, &format!("two-{k}.csv"));
        let three = csv(&config, 3, 3, &format!("three-{k}.csv"));
        assert!(one.len() > 1000);
        assert!(one == two && one == three);
        assert!(one != csv(&config, 4, 1, &format!("other-{k}.csv")), "another seed is another run");
    }
}
