//! Online prediction of text byte by byte in one pass, measured in bits per byte:
//! `cargo study text`.

mod count;

use clap::Parser;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec, Trainer};
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl_studies::comparison::{self, Model, Predictions, Report};
use std::path::PathBuf;
use std::process::ExitCode;

/// Predict a text byte by byte, learning online.
///
/// Prints bits per byte and writes text.md, text.csv and text.svg. scripts/fetch_data.sh downloads
/// the text; --file uses another text, and --synthetic a generated text.
#[derive(Parser)]
struct Args {
    /// Folder with the data that scripts/fetch_data.sh downloads
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Predict this file instead
    #[arg(long, conflicts_with = "synthetic")]
    file: Option<PathBuf>,
    /// Use a generated text instead: 6,000 nested brackets
    #[arg(long)]
    synthetic: bool,
    /// Use only the first BYTES bytes
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
    /// δ: the learning rate at byte t is LEARNING_RATE / (1 + δ t)
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
    comparison::end(compare(&Args::parse()))
}

fn compare(args: &Args) -> Result<()> {
    comparison::check_seeds(args.seeds)?;
    let mut text = match &args.file {
        _ if args.synthetic => synthetic(),
        Some(file) => std::fs::read(file).map_err(|source| Error::Read { path: file.clone(), source })?,
        None => comparison::read(&args.data.join("tinyshakespeare").join("input.txt"))?.into_bytes(),
    };
    text.truncate(args.bytes.unwrap_or(usize::MAX));
    if text.len() < 1000 {
        return Err(Error::setting("text", "at least 1000 bytes", text.len()));
    }
    let text = &text;
    let mut models: Vec<Model> = [0, 1, 2, 4]
        .map(|order| {
            let name = format!("Witten–Bell, order {order}");
            Model::fixed(&name, "context counts", move || count::witten_bell(text, order))
        })
        .into();
    for (name, rule, trained) in [
        ("EGRU, untrained", "rtrl", false),
        ("EGRU, SnAp-1", "snap-1", true),
        ("EGRU, exact RTRL", "rtrl", true),
    ] {
        let spec = spec(args, rule, trained);
        spec.check()?;
        let about = format!("{} units, ω {}, Adam {}", args.units, args.param_sparsity, args.learning_rate);
        models.push(Model::seeded(name, &about, move |seed| lengths(&spec, seed, text)));
    }
    let outcomes = comparison::run(&models, args.seeds)?;
    let mean = |lengths: &Predictions, rows: std::ops::Range<usize>| {
        lengths[rows.clone()].iter().sum::<f64>() / rows.len() as f64
    };
    let last = text.len() - text.len() / 10..text.len();
    let own = args.synthetic || args.file.is_some();
    let report = Report {
        name: if own { "text-own" } else { "text" },
        program: "text",
        title: if own { "Text, byte by byte" } else { "tinyshakespeare, byte by byte" },
        notes: NOTES,
        measures: &["bits per byte", "last tenth"],
        measure: &|lengths| vec![mean(lengths, 0..text.len()), mean(lengths, last.clone())],
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
    comparison::write(&report, &outcomes, &args.out, &args.data)
}

const NOTES: &str = "Bits per byte: mean of −log₂ of the predicted probability of each byte, over the whole text in one pass. \
                     No model has prior knowledge of the text beyond the alphabet of 256 bytes. The networks read a byte as 8 bits; their \
                     softmax readout reads the units and the one-hot code of the last byte (without units, this is a model of order 1). \
                     *Untrained*: recurrent weights stay at their initial values and only the readout is trained. xz and bz2 compress the whole \
                     text at once. Single precision.";

/// Returns the specification of a learner. Inputs: the 8 bits of the last byte for the network, and
/// its one-hot code for the readout only.
fn spec(args: &Args, rule: &str, trained: bool) -> StreamLearnerSpec {
    let mut spec = StreamLearnerSpec::new(8, args.units, 256);
    spec.model.mask.sparsity = args.param_sparsity;
    spec.direct = 256;
    spec.echo = false;
    spec.model.loss = Loss::CrossEntropy;
    spec.least_squares = None;
    spec.standardise = vec![false; spec.width()];
    spec.model.rule = rule.into();
    spec.frozen = !trained;
    let Args { learning_rate: rate, decay, .. } = *args;
    spec.trainer = Trainer::Gradient { optimiser: "adam".into(), learning_rate: rate, decay, clip: None };
    spec
}

/// Returns the code length of every byte, in bits.
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

/// Generates nested brackets: the innermost open bracket determines the closing bracket.
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
