//! Time of a training step of the language model, over nonzero entries and dense:
//! `cargo study lm_speed`.

use clap::Parser;
use sparse_rtrl::error::Result;
use sparse_rtrl::experiment;
use sparse_rtrl::lm::{LanguageModel, LmCell, LmSpec, LmState, Mode, Window};
use sparse_rtrl::optim::{Adam, Optimiser};
use sparse_rtrl::params::{Purpose, generator};
use std::process::ExitCode;
use std::time::Instant;

/// Time a training step of an EGRU, GRU and LSTM language model.
///
/// The state of the EGRU is synthetic: thresholds and pseudo-derivative are set so that the wanted
/// shares of units are active and live. All modes have the same weights and tokens.
#[derive(Parser)]
struct Args {
    /// Size of the embedding
    #[arg(long, default_value_t = 650)]
    embedding: usize,
    /// Units of each layer
    #[arg(long, value_delimiter = ',', default_value = "650,650,650")]
    sizes: Vec<usize>,
    /// Number of tokens
    #[arg(long, default_value_t = 10_000)]
    vocabulary: usize,
    /// Samples of the batch
    #[arg(long, default_value_t = 20)]
    batch: usize,
    /// Steps of the window
    #[arg(long, default_value_t = 70)]
    window: usize,
    /// Wanted activity sparsity
    #[arg(long, default_value_t = 0.85)]
    activity: f64,
    /// Wanted share of live units
    #[arg(long, default_value_t = 0.55)]
    live: f64,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Timed steps of each mode
    #[arg(long, default_value_t = 3)]
    repeats: usize,
}

fn main() -> ExitCode {
    match experiment::pool(Args::parse().threads).and_then(|pool| pool.install(|| measure(&Args::parse()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let tokens = tokens(args);
    println!(
        "| cell | mode | step ms | forward ms | MACs per token, M | dense MACs, M | α | live | tape kB per token |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut spec = LmSpec::new(args.vocabulary, args.embedding, args.sizes.clone());
    let mut w = weights(&spec);
    calibrate(&mut spec, &mut w, args, &tokens)?;
    for mode in [Mode::Sparse, Mode::Auto, Mode::Dense] {
        row(&spec, &w, args, &tokens, mode)?;
    }
    for cell in [LmCell::Gru, LmCell::Lstm] {
        let spec = LmSpec { cell, ..spec.clone() };
        let w = weights(&spec);
        row(&spec, &w, args, &tokens, Mode::Dense)?;
    }
    Ok(())
}

fn tokens(args: &Args) -> Vec<u32> {
    use rand::RngExt;
    let mut rng = generator(0, Purpose::Data);
    (0..(args.window + 1) * args.batch).map(|_| rng.random_range(0..args.vocabulary as u32)).collect()
}

/// Weights of unit variance per unit.
fn weights(spec: &LmSpec) -> Vec<f32> {
    use rand_distr::{Distribution, StandardNormal};
    let model = LanguageModel::<f32>::new(spec, Mode::Sparse).expect("a valid specification");
    let mut rng = generator(0, Purpose::Init);
    let mut w: Vec<f32> = (0..model.layout().len)
        .map(|_| {
            let z: f64 = StandardNormal.sample(&mut rng);
            (0.05 * z) as f32
        })
        .collect();
    for layer in &model.layout().layers {
        if let Some(theta) = layer.theta.clone() {
            w[theta].fill(0.1);
        }
    }
    w
}

/// Sets thresholds and the width of the pseudo-derivative by bisection.
fn calibrate(spec: &mut LmSpec, w: &mut [f32], args: &Args, tokens: &[u32]) -> Result<()> {
    let shares = |spec: &LmSpec, w: &[f32]| -> Result<(f64, f64)> {
        let mut model = LanguageModel::<f32>::new(spec, Mode::Auto)?;
        let mut state = LmState::new(spec, args.batch);
        let window = Window { tokens, dropout: None };
        let report = model.window(w, &mut state, window, None);
        let units = report.tokens as f64 * spec.sizes.iter().sum::<usize>() as f64;
        let share = |counts: &[u64]| counts.iter().sum::<u64>() as f64 / units;
        Ok((1.0 - share(&report.events), share(&report.live)))
    };
    let layout = LanguageModel::<f32>::new(spec, Mode::Auto)?.layout().clone();
    let thetas: Vec<usize> = layout.layers.iter().filter_map(|layer| layer.theta.clone()).flatten().collect();
    let (mut low, mut high) = (0.0f64, 1.0);
    for _ in 0..12 {
        let theta = (low + high) / 2.0;
        thetas.iter().for_each(|&at| w[at] = theta as f32);
        if shares(spec, w)?.0 < args.activity { low = theta } else { high = theta }
    }
    let (mut low, mut high) = (0.0f64, 2.0);
    for _ in 0..12 {
        let epsilon = (low + high) / 2.0;
        spec.config.surrogate.epsilon = epsilon;
        spec.config.surrogate.gamma = 1.0 / epsilon;
        if shares(spec, w)?.1 < args.live { low = epsilon } else { high = epsilon }
    }
    Ok(())
}

fn row(spec: &LmSpec, w: &[f32], args: &Args, tokens: &[u32], mode: Mode) -> Result<()> {
    let mut model = LanguageModel::<f32>::new(spec, mode)?;
    model.set_threshold_gradients(false);
    let mut w = w.to_vec();
    let mut adam = Adam::with_beta_1(w.len(), 1e-9, 0.0);
    let mut gradient = vec![0.0; w.len()];
    let window = Window { tokens, dropout: None };
    let (mut best, mut forward) = (f64::INFINITY, f64::INFINITY);
    let mut report = None;
    for _ in 0..args.repeats + 1 {
        let mut state = LmState::new(spec, args.batch);
        let start = Instant::now();
        gradient.fill(0.0);
        report = Some(model.window(&w, &mut state, window, Some(&mut gradient)));
        adam.update(&mut w, &gradient);
        best = best.min(start.elapsed().as_secs_f64());
        let mut state = LmState::new(spec, args.batch);
        let start = Instant::now();
        model.window(&w, &mut state, window, None);
        forward = forward.min(start.elapsed().as_secs_f64());
    }
    let report = report.expect("at least one step");
    let tokens = report.tokens as f64;
    let units = tokens * spec.sizes.iter().sum::<usize>() as f64;
    let share = |counts: &[u64]| counts.iter().sum::<u64>() as f64 / units;
    println!(
        "| {:?} | {mode:?} | {:.0} | {:.0} | {:.2} | {:.2} | {:.3} | {:.3} | {:.1} |",
        spec.cell,
        1e3 * best,
        1e3 * forward,
        report.macs.0 as f64 / tokens / 1e6,
        report.macs.1 as f64 / tokens / 1e6,
        1.0 - share(&report.events),
        share(&report.live),
        report.tape_bytes as f64 / tokens / 1e3,
    );
    Ok(())
}
