//! `sparse-rtrl inspect`: the content of a checkpoint.

use crate::failure::{EXIT_CODES, Failure, Outcome};
use crate::file_use::{FileUse, check_distinct};
use serde::Serialize;
use serde_json::{Map, Value};
use sparse_rtrl::Real;
use sparse_rtrl::StreamLearner;
use sparse_rtrl::file::lock::Lock;
use sparse_rtrl::stream::feed::TargetKind;
use sparse_rtrl::stream::session::{self, Precision, Session};
use sparse_rtrl::stream::{checkpoint, weights};
use std::fmt::Write;
use std::path::PathBuf;

/// Describe a checkpoint: model, settings, position, metrics
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  sparse-rtrl inspect sensor.ckpt
  sparse-rtrl inspect sensor.ckpt --json | jq .metrics
  sparse-rtrl inspect sensor.ckpt --export weights.safetensors

There is one tensor per parameter block: layer0.wu_x (units x inputs), layer0.wu_y (units x units,
0 if a weight is pruned) with layer0.wu_y.mask (1 if it is kept), layer0.bu and layer0.theta (units),
readout.weight (outputs x features: emissions, direct inputs, network inputs), readout.bias (outputs).

{EXIT_CODES}"))]
pub struct Args {
    /// A checkpoint of sparse-rtrl stream
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the weights to a safetensors file
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// The description of a checkpoint.
#[derive(Serialize)]
struct Description {
    settings: Map<String, Value>,
    columns: Vec<String>,
    rows: u64,
    learned: u64,
    skipped: u64,
    diverged: u64,
    checksum: String,
    updates: u64,
    parameters: usize,
    parameters_unmasked: usize,
    param_sparsity: f64,
    macs: u64,
    bytes: usize,
    metrics: Map<String, Value>,
    inputs: Vec<Moments>,
    target: Moments,
    blocks: Vec<BlockNorm>,
}

/// The standardisation of an input or of the target. `None`: it is not standardised.
#[derive(Serialize)]
struct Moments {
    name: String,
    mean: Option<f64>,
    deviation: Option<f64>,
}

/// Size and norm of a parameter block.
#[derive(Serialize)]
struct BlockNorm {
    name: String,
    kept: usize,
    of: usize,
    norm: f64,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let export = args.export.as_deref();
    check_distinct([FileUse::Read(&args.file)].into_iter().chain(export.map(FileUse::Replace)))?;
    // The checkpoint is read without a lock: it is replaced atomically. The exported file is
    // locked, so that no two processes write it.
    let export = export.map(Lock::take_where_possible).transpose()?;
    let mut archive = checkpoint::read(&args.file)?;
    let about = |error: sparse_rtrl::Error| {
        Failure::new(crate::failure::UNUSABLE, format!("{}: {error}", args.file.display()))
    };
    let (settings, columns) = session::peek(&mut archive).map_err(about)?;
    let description = match settings.precision {
        Precision::F32 => Session::<f32>::resume(&settings, columns, &mut archive)
            .map_err(about)
            .and_then(|s| look(export.as_ref(), &s)),
        Precision::F64 => Session::<f64>::resume(&settings, columns, &mut archive)
            .map_err(about)
            .and_then(|s| look(export.as_ref(), &s)),
    }?;
    crate::print(&match args.json {
        true => serde_json::to_string_pretty(&description).unwrap_or_default(),
        false => description.words(),
    })
}

fn look<T: Real>(export: Option<&Lock>, session: &Session<T>) -> Outcome<Description> {
    if let Some(lock) = export {
        weights::export(session.learner(), lock.path())?;
    }
    Ok(describe(session))
}

/// Returns sizes and norms of the parameter blocks and of the readout.
fn block_norms<T: Real>(learner: &StreamLearner<T>) -> Vec<BlockNorm> {
    let (wiring, w) = (learner.network().wiring(), learner.weights());
    let norm =
        |values: &mut dyn Iterator<Item = usize>| values.map(|k| w[k].as_f64().powi(2)).sum::<f64>().sqrt();
    let mut blocks: Vec<BlockNorm> = wiring
        .layout()
        .blocks()
        .iter()
        .map(|block| BlockNorm {
            name: block.spec.name.clone(),
            kept: block.kept.len(),
            of: block.spec.dense_len(),
            norm: norm(&mut block.places.iter().copied()),
        })
        .collect();
    let p = wiring.parameters();
    blocks.push(BlockNorm {
        name: "readout".into(),
        kept: w.len() - p,
        of: w.len() - p,
        norm: norm(&mut (p..w.len())),
    });
    blocks
}

fn describe<T: Real>(session: &Session<T>) -> Description {
    let (learner, counts, settings) = (session.learner(), session.counts(), session.settings());
    let wiring = learner.network().wiring();
    let (inputs, targets) = learner.scalers();
    let p = wiring.parameters();
    let moments = |name: String, moments: &sparse_rtrl::stats::Moments, active: bool| Moments {
        name,
        mean: active.then(|| moments.mean()),
        deviation: active.then(|| moments.deviation()),
    };
    let mut metrics = Map::new();
    for metric in settings.metrics() {
        metrics.insert(metric.name().into(), session.score().overall(*metric).into());
        if settings.window > 0 {
            metrics.insert(format!("window-{}", metric.name()), session.score().recent(*metric).into());
        }
    }
    let names = session.reader().names();
    Description {
        settings: settings.as_map(),
        columns: session.columns().to_vec(),
        rows: session.position().rows,
        learned: counts.learned,
        skipped: counts.skipped,
        diverged: counts.diverged,
        checksum: format!("{:08x}", session.position().crc),
        updates: learner.updates(),
        parameters: p,
        parameters_unmasked: wiring.unmasked().parameters(),
        param_sparsity: 1.0 - wiring.layout().kept_share(learner.spec().model.mask.on.kinds()),
        macs: learner.macs().total(),
        bytes: learner.bytes(),
        metrics,
        inputs: names
            .into_iter()
            .zip(inputs.moments())
            .zip(session.reader().standardise())
            .map(|((name, m), active)| moments(name, m, active))
            .collect(),
        target: moments(
            settings.rows.target.clone(),
            &targets.moments()[0],
            settings.rows.target_kind == TargetKind::Regression,
        ),
        blocks: block_norms(learner),
    }
}

impl Description {
    fn words(&self) -> String {
        let setting = |name: &str| match &self.settings[name] {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let mut text = String::new();
        let mut line = |what: &str, value: String| {
            let _ = writeln!(text, "{what:<12} {value}");
        };
        line(
            "network",
            format!(
                "{} x {} {} units, {}",
                setting("layers"),
                setting("units"),
                setting("cell"),
                setting("precision")
            ),
        );
        line(
            "parameters",
            format!(
                "{} of {}, ω {:.3} as drawn",
                self.parameters, self.parameters_unmasked, self.param_sparsity
            ),
        );
        line(
            "trained by",
            format!("{} with {}, readout by {}", setting("trainer"), setting("rule"), setting("readout")),
        );
        line(
            "predicts",
            format!("{} ({}), {} rows ahead", setting("target"), setting("target-kind"), setting("horizon")),
        );
        line("columns", self.columns.join(", "));
        line(
            "rows",
            format!(
                "{}: {} learned, {} skipped; {} updates, diverged {} times; checksum {}",
                self.rows, self.learned, self.skipped, self.updates, self.diverged, self.checksum
            ),
        );
        line(
            "work",
            format!("{:.3e} MACs, {:.1} kB of influence", self.macs as f64, self.bytes as f64 / 1e3),
        );
        for (name, value) in &self.metrics {
            line(name, value.as_f64().map_or("–".into(), |value| format!("{value:.6}")));
        }
        self.tables(&mut text);
        text
    }

    /// Appends tables of scalers and of weights.
    fn tables(&self, text: &mut String) {
        let _ = writeln!(text, "\nstandardised          mean    deviation");
        for Moments { name, mean, deviation } in self.inputs.iter().chain([&self.target]) {
            let _ = match (mean, deviation) {
                (Some(mean), Some(deviation)) => writeln!(text, "{name:<16} {mean:>11.5} {deviation:>11.5}"),
                _ => writeln!(text, "{name:<16}   unstandardised"),
            };
        }
        let _ = writeln!(text, "\nweights               kept          of        norm");
        for BlockNorm { name, kept, of, norm } in &self.blocks {
            let _ = writeln!(text, "{name:<16} {kept:>9} {of:>11} {norm:>11.5}");
        }
    }
}
