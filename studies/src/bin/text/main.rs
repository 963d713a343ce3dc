//! Text, byte by byte, learned online in one pass: how many bits a byte takes, if each is predicted from those before it.
//! `cargo study text`.

#[allow(dead_code, unused_imports)] // shared with examples that predict numbers
mod count;

use clap::Parser;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec, Trainer};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl_studies::contest::{self, Model, Predictions, Report};
use std::path::PathBuf;
use std::process::ExitCode;

/// Predict a text byte by byte, with an update after each byte.
///
/// Prints bits per byte and writes text.md, text.csv and text.svg. The text is fetched by scripts/fetch_data.sh; any other can be given, and
/// --synthetic makes one up.
#[derive(Parser)]
struct Args {
    /// Folder that scripts/fetch_data.sh has filled
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// A text of your own
    #[arg(long, conflicts_with = "synthetic")]
    file: Option<PathBuf>,
    /// Take a synthetic text instead: 6,000 brackets that nest
    #[arg(long)]
    synthetic: bool,
    /// Stop after that many bytes
    #[arg(long)]
    bytes: Option<usize>,
    /// Units of the network
    #[arg(long, default_value_t = 64)]
    units: usize,
    /// Share of recurrent weights that are pruned, in [0, 1)
    #[arg(long, default_value_t = 0.9)]
    param_sparsity: f64,
    /// Adam's learning rate
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// δ: the rate at byte t is rate / (1 + δ t)
    #[arg(long, default_value_t = 3e-6)]
    decay: f64,
    /// Seeds, from 0 up
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Folder for the results
    #[arg(long, default_value = "results")]
    out: PathBuf,
}

fn main() -> ExitCode {
    contest::end(compare(&Args::parse()))
}

fn compare(args: &Args) -> Result<()> {
    contest::check_seeds(args.seeds)?;
    let mut text = match &args.file {
        _ if args.synthetic => synthetic(),
        Some(file) => std::fs::read(file).map_err(|source| Error::Read { path: file.clone(), source })?,
        None => contest::read(&args.data.join("tinyshakespeare").join("input.txt"))?.into_bytes(),
    };
    text.truncate(args.bytes.unwrap_or(usize::MAX));
    if text.len() < 1000 {
        return Err(Error::setting("text", "at least 1000 bytes", text.len()));
    }
    let text = &text;
    let mut models: Vec<Model> = [0, 1, 2, 4]
        .map(|order| {
            let name = format!("Witten–Bell, order {order}");
            Model::fixed(&name, "counts of contexts", move || count::witten_bell(text, order))
        })
        .into();
    for (name, rule, taught) in [
        ("EGRU, untrained", "rtrl", false),
        ("EGRU, SnAp-1", "snap-1", true),
        ("EGRU, exact RTRL", "rtrl", true),
    ] {
        let spec = spec(args, rule, taught);
        spec.check()?;
        let about = format!("{} units, ω {}, Adam {}", args.units, args.param_sparsity, args.learning_rate);
        models.push(Model::seeded(name, &about, move |seed| lengths(&spec, seed, text)));
    }
    let outcomes = contest::run(&models, args.seeds)?;
    let mean = |lengths: &Predictions, rows: std::ops::Range<usize>| {
        lengths[rows.clone()].iter().sum::<f64>() / rows.len() as f64
    };
    let last = text.len() - text.len() / 10..text.len();
    let own = args.synthetic || args.file.is_some();
    let report = Report {
        name: if own { "text-own" } else { "text" },
        example: "text",
        title: if own { "Text, byte by byte" } else { "tinyshakespeare, byte by byte" },
        notes: NOTES,
        measures: &["bits a byte", "of the last tenth"],
        judge: &|lengths| vec![mean(lengths, 0..text.len()), mean(lengths, last.clone())],
        published: if own || args.bytes.is_some() {
            &[]
        } else {
            &[("xz", &[2.614, f64::NAN]), ("bz2", &[2.356, f64::NAN])]
        },
        error: &mean,
        window: (text.len() / 40).max(100),
        drawn: &[
            "Witten–Bell, order 1",
            "Witten–Bell, order 2",
            "Witten–Bell, order 4",
            "EGRU, SnAp-1",
            "EGRU, exact RTRL",
        ],
    };
    contest::write(&report, &outcomes, &args.out, &args.data)
}

const NOTES: &str = "Mean −log₂ of the probability each byte was given before it was known, over the whole text in one pass. Every model knows of 256 \
                     possible bytes and nothing else. The nets read a byte as 8 bits; their softmax reads the units and which byte the last \
                     one was (so that without units it is a model of order 1). xz and bz2 see the whole text at once. In single precision.";

/// Bits of the byte into the network; a one-hot of it for the readout alone.
fn spec(args: &Args, rule: &str, taught: bool) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(8, args.units, 256);
    spec.mask.sparsity = args.param_sparsity;
    spec.direct = 256;
    spec.echo = false;
    spec.loss = Loss::CrossEntropy;
    spec.least = None;
    spec.standardise = vec![false; spec.width()];
    spec.rule = rule.into();
    spec.frozen = !taught;
    let Args { learning_rate: rate, decay, .. } = *args;
    spec.trainer = Trainer::Gradient { optimiser: "adam".into(), rate, decay, clip: None };
    spec
}

/// Code lengths in bits of every byte.
fn lengths(spec: &StreamLearnerSpec, seed: u64, text: &[u8]) -> Result<Predictions> {
    let mut learner = StreamLearner::<f32>::new(spec, seed)?;
    let mut x = vec![0.0; spec.width()];
    let mut lengths = Vec::with_capacity(text.len());
    let mut before = 0u8;
    for &byte in text {
        for (bit, x) in x[..8].iter_mut().enumerate() {
            *x = if before >> bit & 1 == 1 { 1.0 } else { -1.0 };
        }
        x[8 + before as usize] = 1.0;
        let answer = learner.step(&x, Some(Target::Class(byte as usize)))?;
        lengths.push(-answer.prediction[byte as usize].log2());
        x[8 + before as usize] = 0.0;
        before = byte;
    }
    Ok(lengths)
}

/// Brackets that nest: what closes is known from what is open.
fn synthetic() -> Vec<u8> {
    let (mut open, mut text, mut noise) = (Vec::new(), Vec::new(), 0.37f64);
    while text.len() < 6_000 {
        noise = 3.99 * noise * (1.0 - noise);
        if open.is_empty() || (noise > 0.5 && open.len() < 6) {
            let kind = (noise * 1000.0) as usize % 3;
            open.push(b")]}"[kind]);
            text.push(b"([{"[kind]);
        } else {
            text.extend(open.pop());
        }
    }
    text
}
