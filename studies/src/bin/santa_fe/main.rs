//! Online prediction of the Santa Fe laser series, one step ahead, in one pass:
//! `cargo study santa_fe`.
//!
//! Compares linear models, untrained networks, and EGRUs and GRUs trained by exact RTRL with Adam
//! and with the extended Kalman filter.

use clap::Parser;
use sparse_rtrl::cell::ResetGate;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::learner::online::{Grouping, LeastSquares, StreamLearnerSpec, Trainer};
use sparse_rtrl_studies::comparison::{self, Model, Predictions, Report, events, least_squares};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Predict the intensity of a chaotic laser one step ahead, learning online.
///
/// Prints the error of each model and writes santa_fe.md, santa_fe.csv and santa_fe.svg.
/// scripts/fetch_data.sh downloads the data; --synthetic uses a generated series instead (intensity
/// of a Lorenz system).
#[derive(Parser)]
struct Args {
    /// Folder with the data that scripts/fetch_data.sh downloads
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Use a generated series of 2,500 points instead
    #[arg(long)]
    synthetic: bool,
    /// Seeds, from 0 up
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Folder for the results
    #[arg(long, default_value = "results")]
    out: PathBuf,
}

/// Rows excluded from the evaluation: the first part of the competition's series.
const LEAD: usize = 1000;

fn main() -> ExitCode {
    comparison::end(compare(&Args::parse()))
}

fn compare(args: &Args) -> Result<()> {
    comparison::check_seeds(args.seeds)?;
    let series = if args.synthetic { synthetic() } else { read(&args.data)? };
    let models = models(&series);
    let outcomes = comparison::run(&models, args.seeds)?;
    let evaluated = LEAD..series.len();
    let mean = series[evaluated.clone()].iter().sum::<f64>() / evaluated.len() as f64;
    let variance =
        series[evaluated.clone()].iter().map(|x| (x - mean).powi(2)).sum::<f64>() / evaluated.len() as f64;
    let error = |predictions: &Predictions, rows: std::ops::Range<usize>| {
        rows.clone().map(|t| (predictions[t] - series[t]).powi(2)).sum::<f64>() / rows.len() as f64 / variance
    };
    let report = Report {
        name: if args.synthetic { "santa_fe-synthetic" } else { "santa_fe" },
        program: "santa_fe",
        title: if args.synthetic {
            "Synthetic laser, one step ahead"
        } else {
            "Santa Fe laser, one step ahead"
        },
        notes: NOTES,
        measures: &["NMSE"],
        measure: &|predictions| vec![error(predictions, evaluated.clone())],
        published: &[],
        error: &error,
        window: 500,
        drawn: &["linear, 25 lags", "GRU, untrained", "EGRU, Adam", "EGRU, Kalman", "GRU, Kalman"],
    };
    comparison::write(&report, &outcomes, &args.out, &args.data)
}

const NOTES: &str = "NMSE: mean squared error over rows from 1,000, divided by the variance of these rows; mean ± standard deviation over seeds. One \
                     pass with an update at every step, in double precision; inputs and targets are standardised online. Settings were chosen \
                     on the same series with other seeds (from 10). *Untrained*: recurrent weights stay at their initial \
                     values and only the readout is trained. ω = 0.9: 90 % of the recurrent weights are pruned. In the settings column, v is the \
                     initial variance of the weights, r the observation noise, λ the forgetting factor and q the process noise.";

fn models(series: &[f64]) -> Vec<Model<'_>> {
    let lags = move |n: usize| {
        move |t: usize| -> Vec<f64> { (0..n).map(|k| series[t.saturating_sub(k)] / 50.0).collect() }
    };
    let persistence = || -> Predictions {
        (0..series.len()).map(|t| if t == 0 { f64::NAN } else { series[t - 1] }).collect()
    };
    let mut models = vec![Model::fixed("persistence", "previous value", persistence)];
    for n in [2, 10, 25] {
        let run = move || least_squares(lags(n), series, 1, (1e4, 1.0, 50.0));
        models.push(Model::fixed(&format!("linear, {n} lags"), "recursive least squares, λ 1", run));
    }
    let mut net = |name: &str, about: &str, spec: StreamLearnerSpec| {
        models.push(Model::learner(name, about, spec, |t| vec![series[t]], series));
    };
    let least = |variance, forgetting| Some(LeastSquares { variance, forgetting });
    let untrained = |cell: &str, sparsity| StreamLearnerSpec {
        trainer: Trainer::Untrained,
        least_squares: least(1e5, 0.9998),
        ..spec(cell, 64, sparsity)
    };
    net("EGRU, untrained", "64 units, ω 0.9; least-squares readout, λ .9998", untrained("egru", 0.9));
    net("GRU, untrained", "64 units; least-squares readout, λ .9998", untrained("gru", 0.0));

    let mut adam = spec("egru", 64, 0.9);
    adam.model.network.layers[0].config.reset_gate = ResetGate::After;
    events(&mut adam, 0.05, 2.0, 0.3);
    adam.trainer =
        Trainer::Gradient { optimiser: "adam".into(), learning_rate: 3e-3, decay: 3e-4, clip: None };
    adam.least_squares = least(1.0, 1.0);
    adam.error_clip = Some(0.3);
    net("EGRU, Adam", "64 units, ω 0.9; learning rate 3e-3/(1 + 3e-4 t); least-squares readout", adam);

    let mut filter = spec("egru", 48, 0.9);
    events(&mut filter, 0.1, 2.0, 1.0);
    filter.trainer = Trainer::Kalman {
        grouping: Grouping::Full,
        variance: 30.0,
        error_variance: 0.5,
        forgetting: 0.9998,
        noise: 1e-4,
    };
    filter.least_squares = None;
    filter.error_clip = Some(3.0);
    net("EGRU, Kalman", "48 units, ω 0.9; full covariance, v 30, r .5, λ .9998, q 1e-4", filter);

    let mut filter = spec("gru", 32, 0.9);
    filter.trainer = Trainer::Kalman {
        grouping: Grouping::Full,
        variance: 1.0,
        error_variance: 3e-3,
        forgetting: 1.0,
        noise: 0.0,
    };
    filter.least_squares = None;
    filter.error_clip = Some(1.0);
    net("GRU, Kalman", "32 units, ω 0.9; full covariance, v 1, r .003", filter);
    models
}

fn spec(cell: &str, units: usize, sparsity: f64) -> StreamLearnerSpec {
    comparison::spec(1, cell, units, sparsity, 1)
}

/// Reads the 1,000 points of the competition and the 9,093 points that follow.
fn read(folder: &Path) -> Result<Vec<f64>> {
    let mut series = Vec::new();
    for name in ["SantaFe_A.dat", "SantaFe_A_cont.dat"] {
        let path = folder.join("santafe").join(name);
        for (line, text) in
            comparison::read(&path)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty())
        {
            let wrong = |_| Error::Format {
                path: path.clone(),
                why: format!("line {}: expected a number, got '{}'", line + 1, text.trim()),
            };
            series.push(text.trim().parse().map_err(wrong)?);
        }
    }
    match series.len() > 2 * LEAD {
        true => Ok(series),
        false => Err(Error::Format {
            path: folder.into(),
            why: format!("expected more than 2,000 points, got {}", series.len()),
        }),
    }
}

/// Generates x² of the Lorenz system, a model of this kind of laser (H. Haken 1975), rounded to 8
/// bits like the measured series.
fn synthetic() -> Vec<f64> {
    let (mut x, mut y, mut z) = (1.0f64, 1.0f64, 20.0f64);
    let mut step = || {
        for _ in 0..40 {
            let (dx, dy, dz) = (10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z);
            (x, y, z) = (x + 0.002 * dx, y + 0.002 * dy, z + 0.002 * dz);
        }
        (0.8 * x * x).min(255.0).round()
    };
    (0..2500).map(|_| step()).collect()
}
