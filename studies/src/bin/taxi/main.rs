//! New York's taxi passengers, two and a half hours ahead, learned online in one pass: what others published, what one line of code does, linear
//! models, untrained nets, and EGRUs taught by exact RTRL with Adam and with the extended Kalman filter.
//! `cargo study taxi`.

use clap::Parser;
use rand::RngExt;
use sparse_rtrl::cell::ResetGate;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::learner::online::{Grouping, LeastSquares, StreamLearnerSpec, Trainer};
use sparse_rtrl::params::{Purpose, generator};
use sparse_rtrl_studies::contest::{self, Model, Predictions, Report, events, least_squares};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Predict the taxi passengers of New York five half-hours ahead, learning as they are counted.
///
/// Prints what each model reaches and writes taxi.md, taxi.csv and taxi.svg. The data is fetched by scripts/fetch_data.sh; without it, --synthetic
/// makes up a city.
#[derive(Parser)]
struct Args {
    /// Folder that scripts/fetch_data.sh has filled
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Take a synthetic city of nine weeks instead
    #[arg(long)]
    synthetic: bool,
    /// Judge rows before 10,000 instead of those after: what settings were chosen on
    #[arg(long)]
    choosing: bool,
    /// Seeds, from 0 up
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Folder for the results
    #[arg(long, default_value = "results")]
    out: PathBuf,
}

/// Half-hours ahead.
const HORIZON: usize = 5;
const DAY: usize = 48;
const WEEK: usize = 7 * DAY;
/// The first row that is judged, and the first that settings were chosen on.
const JUDGED: usize = 10_000;
const CHOSEN: usize = 3_000;
/// The year's standard deviation, which published errors are divided by.
const DEVIATION: f64 = 6821.08;

fn main() -> ExitCode {
    contest::end(compare(&Args::parse()))
}

/// The passengers of every half-hour, and which half-hour of the week it is, from Monday 0:00.
struct Series {
    counts: Vec<f64>,
    slots: Vec<usize>,
}

fn compare(args: &Args) -> Result<()> {
    contest::check_seeds(args.seeds)?;
    let mut series = if args.synthetic { synthetic() } else { read(&args.data)? };
    if args.choosing {
        series.counts.truncate(JUDGED);
        series.slots.truncate(JUDGED);
    }
    let models = models(&series);
    let outcomes = contest::run(&models, args.seeds)?;
    let counts = &series.counts;
    let relative = |predictions: &Predictions, rows: std::ops::Range<usize>| {
        let error: f64 = rows.clone().map(|t| (predictions[t] - counts[t]).abs()).sum();
        error / rows.map(|t| counts[t]).sum::<f64>()
    };
    // Rows are judged by when their prediction was made.
    let from = if args.choosing {
        CHOSEN
    } else if args.synthetic {
        counts.len() / 2
    } else {
        JUDGED
    };
    let rows = HORIZON + from..counts.len();
    let judge = |predictions: &Predictions| {
        let squares = rows.clone().map(|t| (predictions[t] - counts[t]).powi(2)).sum::<f64>();
        let mut weeks: Vec<f64> =
            rows.clone().step_by(WEEK).map(|t| relative(predictions, t..(t + WEEK).min(rows.end))).collect();
        weeks.sort_by(f64::total_cmp);
        vec![
            relative(predictions, rows.clone()),
            (squares / rows.len() as f64).sqrt() / DEVIATION,
            weeks[weeks.len() / 2],
        ]
    };
    let published: &[(&str, &[f64])] = &[
        ("HTM", &[0.0785, 0.2756, f64::NAN]),
        ("LSTM, retrained weekly on the last 6000", &[0.0819, 0.2740, f64::NAN]),
        ("LSTM, retrained weekly on the last 3000", &[0.0879, 0.2982, f64::NAN]),
        ("LSTM, retrained weekly on the last 1000", &[0.0988, 0.3462, f64::NAN]),
        ("LSTM, online (sees targets too early)", &[0.1009, 0.3346, f64::NAN]),
        ("ESN, online (sees the target)", &[0.0957, 0.2863, f64::NAN]),
        ("TDNN, online", &[0.1044, 0.3288, f64::NAN]),
        ("ELM, online (sees the target)", &[0.1629, 0.4773, f64::NAN]),
    ];
    let report = Report {
        name: if args.synthetic { "taxi-synthetic" } else { "taxi" },
        example: "taxi",
        title: if args.synthetic {
            "A synthetic city, 2.5 hours ahead"
        } else {
            "NYC taxi passengers, 2.5 hours ahead"
        },
        notes: NOTES,
        measures: &["MAPE", "NRMSE", "median week"],
        judge: &judge,
        published: if args.synthetic || args.choosing { &[] } else { published },
        error: &relative,
        window: 2 * WEEK,
        drawn: &[
            "linear, 3 counts and half-hour of the week",
            "EGRU, Adam",
            "EGRU, Kalman",
            "EGRU, Kalman, half-hour of the week",
        ],
    };
    contest::write(&report, &outcomes, &args.out, &args.data)
}

const NOTES: &str = "From rows up to t, the count at t + 5 half-hours, for t ≥ 10,000. MAPE: mean |error| over mean count. NRMSE: root mean square \
                     error over 6821.08, the year's standard deviation. Median week: the MAPE that half of the weeks stay below. One pass, strictly causal: what is learned from at t are counts up to \
                     t, and inputs and targets are standardised by what has come so far (the published models normalise with the whole year). \
                     Mean ± standard deviation over seeds. Settings were chosen on rows before 10,000 and other seeds (`--choosing` judges \
                     there), by the mean and by the median week; other settings, three of the filter and one of Adam, had been judged on the later rows \
                     before. Published: Y. Cui, S. Ahmad & J. Hawkins, Neural Computation 28(11), 2016. *Untrained*: the same net as drawn, \
                     with only its readout learning. Nets read the count, the hour and the day of the week; *half-hour of the week* adds a \
                     one-hot of 336 that the readout alone reads.";

fn models(series: &Series) -> Vec<Model<'_>> {
    let counts = &series.counts;
    let past = move |t: usize, back: usize| t.checked_sub(back).map_or(f64::NAN, |t| counts[t]);
    let each = move |of: &dyn Fn(usize) -> f64| -> Predictions { (0..counts.len()).map(of).collect() };
    let mut models = vec![
        Model::fixed("same half-hour last week", "", move || each(&|t| past(t, WEEK))),
        Model::fixed(
            "last week, and half of how it differs",
            "v[t+5−336] + ½ (v[t] − v[t−336])",
            move || each(&|t| past(t, WEEK) + 0.5 * (past(t, HORIZON) - past(t, HORIZON + WEEK))),
        ),
    ];
    let scaled = move |t: usize, back: usize| counts[t.saturating_sub(back)] / DEVIATION;
    let slot = move |t: usize| (0..WEEK).map(move |k| f64::from(k == series.slots[t]));
    let about = "recursive least squares, λ .9998";
    models.push(Model::fixed("linear, 14 counts: now, yesterday, last week", about, move || {
        let now = [0, 1, 2, 3, 4, 5];
        let before = [DAY, WEEK].map(|s| [s - HORIZON, s - HORIZON + 1, s, s + 1]);
        let lags = move |t| now.iter().chain(before.as_flattened()).map(|&back| scaled(t, back)).collect();
        least_squares(lags, counts, HORIZON, (1e3, 0.9998, DEVIATION))
    }));
    for (name, lags) in [("3 counts", 3), ("16 lags", 16)] {
        let name = format!("linear, {name} and half-hour of the week");
        models.push(Model::fixed(&name, "recursive least squares, λ .9999", move || {
            let features = |t| (0..lags).map(|back| scaled(t, back)).chain(slot(t)).collect();
            least_squares(features, counts, HORIZON, (100.0, 0.9999, DEVIATION))
        }));
    }
    let mut net = |name: &str, about: &str, of_week: bool, mut spec: StreamLearnerSpec| {
        spec.direct = if of_week { WEEK } else { 0 };
        spec.standardise = (0..spec.width()).map(|k| k == 0).collect();
        let inputs = move |t: usize| {
            let slot = series.slots[t];
            let hour = (0..24).map(|k| f64::from(k == slot % DAY / 2));
            let day = (0..7).map(|k| f64::from(k == slot / DAY));
            let angle = (slot % DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
            let own = [counts[t]].into_iter().chain(hour).chain(day).chain([angle.sin(), angle.cos()]);
            let direct = (0..if of_week { WEEK } else { 0 }).map(|k| f64::from(k == slot));
            own.chain(direct).collect()
        };
        let name = if of_week { format!("{name}, half-hour of the week") } else { name.to_string() };
        models.push(Model::learner(&name, about, spec, inputs, counts));
    };
    for of_week in [false, true] {
        let about = "32 units, ω 0.9; least squares on them, λ .9999";
        net("EGRU, untrained", about, of_week, untrained("egru", 0.9));
        net("GRU, untrained", "32 units; least squares on them, λ .9999", of_week, untrained("gru", 0.0));
        net(
            "EGRU, Adam",
            "64 units, ω 0.9; 2e-2/(1 + δ t); least squares for the readout",
            of_week,
            adam(of_week),
        );
        net("EGRU, Kalman", "48 units, ω 0.9; filter by node, v 10, r .5, q 3e-6", of_week, kalman());
    }
    models
}

fn untrained(cell: &str, sparsity: f64) -> StreamLearnerSpec {
    StreamLearnerSpec {
        trainer: Trainer::Untrained,
        least: Some(LeastSquares { variance: 1.0, forgetting: 0.9999 }),
        ..spec(cell, 32, sparsity)
    }
}

fn adam(of_week: bool) -> StreamLearnerSpec {
    let mut spec = spec("egru", 64, 0.9);
    let decay = if of_week { 1e-3 } else { 3e-3 };
    spec.trainer = Trainer::Gradient { optimiser: "adam".into(), rate: 2e-2, decay, clip: None };
    if of_week {
        events(&mut spec, 0.02, 1.0, 1.0);
        spec.network.layers[0].config.reset_gate = ResetGate::After;
        spec.least = Some(LeastSquares { variance: 1.0, forgetting: 0.9999 });
        spec.error_clip = Some(0.5);
    } else {
        events(&mut spec, 0.05, 1.0, 0.5);
        spec.least = Some(LeastSquares { variance: 0.1, forgetting: 0.9999 });
        spec.error_clip = Some(0.2);
    }
    spec
}

fn kalman() -> StreamLearnerSpec {
    let mut spec = spec("egru", 48, 0.9);
    events(&mut spec, 0.05, 0.5, 0.7);
    spec.trainer = Trainer::Kalman {
        grouping: Grouping::Node,
        variance: 10.0,
        error: 0.5,
        forgetting: 1.0,
        noise: 3e-6,
    };
    spec.least = None;
    spec.error_clip = Some(0.2);
    spec
}

/// Count, 24 hours, 7 days, and the time of day as an angle.
fn spec(cell: &str, units: usize, sparsity: f64) -> StreamLearnerSpec {
    contest::spec(1 + 24 + 7 + 2, cell, units, sparsity, HORIZON)
}

/// Numenta's file: three lines of header, then timestamp, count, minute of the day, day of the week (0 = Monday).
fn read(folder: &Path) -> Result<Series> {
    let path = folder.join("nyc_taxi").join("nyc_taxi.csv");
    let text = contest::read(&path)?;
    let mut series = Series { counts: Vec::new(), slots: Vec::new() };
    for (line, text) in text.lines().enumerate().skip(3) {
        let wrong = || Error::Format {
            path: path.clone(),
            why: format!(
                "line {}: expected a time, a count, a minute of the day and a day of the week, found '{text}'",
                line + 1
            ),
        };
        let fields: Vec<usize> =
            text.split(',').skip(1).map_while(|field| field.trim().parse().ok()).collect();
        let &[count, minute, day] = &fields[..] else { return Err(wrong()) };
        if minute >= 1440 || day >= 7 {
            return Err(wrong());
        }
        series.counts.push(count as f64);
        series.slots.push(day * DAY + minute / 30);
    }
    match series.counts.len() > 2 * WEEK {
        true => Ok(series),
        false => Err(Error::Format {
            path,
            why: format!("expected weeks of half-hours, found {}", series.counts.len()),
        }),
    }
}

/// A city with rush hours, nights out at the end of the week, and weather that comes and goes.
fn synthetic() -> Series {
    let hump = |hour: f64, at: f64, width: f64| {
        (-((hour - at + 36.0).rem_euclid(24.0) - 12.0).powi(2) / width).exp()
    };
    let (mut weather, mut rng) = (0.0, generator(0, Purpose::Data));
    let mut count = |t: usize| {
        let (day, hour) = (t / DAY % 7, (t % DAY) as f64 / 2.0);
        let work = if day < 5 { 1.0 } else { 0.4 };
        let out = if (4..6).contains(&day) { 1.0 } else { 0.3 };
        weather = 0.98 * weather + rng.random_range(-0.05..0.05);
        let people = 3.0
            + 14.0 * work * (hump(hour, 8.5, 6.0) + hump(hour, 18.5, 12.0))
            + 16.0 * out * hump(hour, 23.0, 10.0);
        (1000.0 * people * (1.0 + weather)).round()
    };
    let counts: Vec<f64> = (0..9 * WEEK).map(&mut count).collect();
    Series { slots: (0..counts.len()).map(|t| t % WEEK).collect(), counts }
}
