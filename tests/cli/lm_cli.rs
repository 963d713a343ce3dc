//! `sparse-rtrl lm`, run as a program: training, evaluation, generation, resume after kills, errors.

use crate::programs::{folder, program, text};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sparse_rtrl::archive::Archive;
use sparse_rtrl::lm::LmRun;
use sparse_rtrl::lm::text::Corpus;
use sparse_rtrl::stream::checkpoint;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

const KILLS: usize = 50;

/// A setting that trains in about two seconds, with every kind of dropout and random windows.
const CONFIG: &str = "embedding = 12
sizes = [16, 12]
batch = 8
window = 12
random-windows = true
epochs = 3
param-sparsity = 0.5
train-thresholds = true
weight-decay = 0.01
[dropout]
word = 0.1
embedded = 0.1
between = 0.1
output = 0.1
connect = 0.2
";

const TRAIN: &str = "lm train --config lm.toml --quiet --checkpoint-seconds 0.03 --threads 1";

fn run(folder: &Path, arguments: &str) -> Output {
    crate::programs::run(folder, arguments, b"")
}

/// The state of a run without its times.
fn state(path: &Path) -> (Vec<u8>, Vec<f64>) {
    let mut archive = checkpoint::read(path).unwrap();
    let mut run = LmRun::restore(&mut archive).unwrap();
    let mut bytes = Archive::writer();
    run.trainer().archive(&mut bytes).unwrap();
    (bytes.into_bytes(), run.curve().iter().map(|row| row.valid_loss).collect())
}

#[test]
fn lm_train_killed_50_times_and_resumed_equals_uninterrupted() {
    let folder = folder("lm-kill");
    std::fs::write(folder.join("lm.toml"), CONFIG).unwrap();
    let whole = run(&folder, &format!("{TRAIN} --checkpoint whole.ckpt"));
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let seed = std::process::id().into();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let arguments = format!("{TRAIN} --checkpoint killed.ckpt");
    for _ in 0..KILLS {
        let mut child = program(&folder, &arguments).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(rng.random_range(30_000..120_000)));
        let _ = child.kill();
        let _ = child.wait();
    }
    let last = run(&folder, &arguments);
    assert!(last.status.success(), "seed {seed}: {}", text(&last.stderr));
    let (expected, got) = (state(&folder.join("whole.ckpt")), state(&folder.join("killed.ckpt")));
    assert_eq!(got.1, expected.1, "seed {seed}: validation losses");
    assert!(got.0 == expected.0, "seed {seed}: expected equal weights, optimiser and random numbers");
}

/// The perplexity of the validation text under the frequencies of the training text.
fn unigram_perplexity(corpus: &Corpus) -> f64 {
    let mut counts = vec![0.0f64; corpus.vocabulary.len()];
    corpus.train.iter().for_each(|&token| counts[token as usize] += 1.0);
    let total = corpus.train.len() as f64;
    let loss: f64 = corpus.valid.iter().map(|&token| -(counts[token as usize] / total).ln()).sum();
    (loss / corpus.valid.len() as f64).exp()
}

#[test]
fn lm_train_on_generated_text_beats_a_unigram_model() {
    let folder = folder("lm-tiny");
    let output = run(&folder, "lm train --preset tiny --epochs 2 --log tiny.csv");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let curve = std::fs::read_to_string(folder.join("tiny.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(curve.as_bytes());
    let at = rows.headers().unwrap().iter().position(|name| name == "valid_perplexity").unwrap();
    let perplexities: Vec<f64> = rows.records().map(|row| row.unwrap()[at].parse().unwrap()).collect();
    assert_eq!(perplexities.len(), 2);
    let unigram = unigram_perplexity(&Corpus::generated(0));
    assert!(perplexities[1] < perplexities[0], "{perplexities:?}");
    assert!(perplexities[1] < 0.4 * unigram, "{perplexities:?}, unigram {unigram}");
    let evaluation = text(&run(&folder, "lm eval lm.ckpt").stdout);
    for part in ["test perplexity", "activity sparsity", "backward sparsity", "MACs per token"] {
        assert!(evaluation.contains(part), "{part}: {evaluation}");
    }
    assert!(text(&output.stdout).ends_with(&evaluation), "{evaluation}");
    let generated = run(&folder, "lm generate lm.ckpt --prompt the --tokens 40 --temperature 0");
    let again = run(&folder, "lm generate lm.ckpt --prompt the --tokens 40 --temperature 0");
    assert!(text(&generated.stdout).split_whitespace().count() > 20, "{}", text(&generated.stdout));
    assert_eq!(generated.stdout, again.stdout);
    assert!(text(&run(&folder, "lm inspect lm.ckpt").stdout).contains("best epoch"));
    let other = run(&folder, "lm train --preset tiny --epochs 2 --seed 1");
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("--restart"), "{}", text(&other.stderr));
}

#[test]
fn lm_wrong_input_exits_with_one_line_and_its_code() {
    let folder = folder("lm-wrong");
    std::fs::write(folder.join("empty.txt"), "").unwrap();
    std::fs::write(folder.join("short.txt"), "a b c\n").unwrap();
    std::fs::write(folder.join("bytes.txt"), [b'a', 0xff, b'\n']).unwrap();
    std::fs::write(folder.join("wrong.toml"), "sizes = [8, 9]\nembedding = 8\n").unwrap();
    std::fs::write(folder.join("unknown.toml"), "sises = [8]\n").unwrap();
    std::fs::create_dir_all(folder.join("text")).unwrap();
    for (arguments, code, part) in [
        ("lm train empty.txt", 4, "at least 2 tokens"),
        ("lm train short.txt", 4, "at least 2 tokens"),
        ("lm train bytes.txt", 4, "UTF-8"),
        ("lm train text", 4, "train.txt"),
        ("lm train none.txt", 1, "none.txt"),
        ("lm train --config wrong.toml", 2, "size of the embedding"),
        ("lm train --config unknown.toml", 2, "sises"),
        ("lm train --epochs 0", 2, "epochs: expected at least 1"),
        ("lm train --preset huge", 2, "huge"),
        ("lm eval none.ckpt", 1, "none.ckpt"),
        ("lm eval short.txt", 4, "expected a checkpoint"),
        ("lm generate short.txt", 4, "expected a checkpoint"),
        ("lm inspect short.txt", 4, "expected a checkpoint"),
    ] {
        let output = run(&folder, arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{arguments}: {message}");
        assert!(message.contains(part), "{arguments}: {message}");
        assert!(!folder.join("lm.ckpt").exists(), "{arguments}: a checkpoint was written");
    }
}
