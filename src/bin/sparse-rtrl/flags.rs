//! The flags that configure the learner of a stream. A flag sets the setting of the same name. On
//! resume, it is compared with the setting in the checkpoint.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Command};
use serde::Serialize;
use serde_json::{Map, Value};
use sparse_rtrl::cell;
use sparse_rtrl::optim;
use sparse_rtrl::rule;
use sparse_rtrl::stream::session::Settings;
use std::str::FromStr;

/// Flags of settings. A flag that was not given is `None`.
#[derive(Args, Serialize, Default)]
#[serde(rename_all = "kebab-case")]
pub struct Flags {
    /// Column to predict. For a row in which it is empty, a prediction is made, but weights are not
    /// updated
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// Predict the target this number of rows ahead. From 1 on, the value of the target column is
    /// an input, and the weights are updated when the target of a prediction arrives. With 0, the
    /// target is predicted from the other columns of the same row. Skipped rows are not counted
    #[arg(long, value_name = "ROWS", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon: Option<usize>,
    /// Kind of the target: a number, one of two classes, or one of several classes
    #[arg(long, alias = "task", value_parser = ["regression", "binary", "classes"], help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    target_kind: Option<String>,
    /// Names of classes, or their maximum number; with a number, names are taken in order of
    /// appearance [default: 0,1 for binary]
    #[arg(long, value_name = "A,B,…|N", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<String>,
    /// Columns that are inputs [default: all except the group; the target is included only if the
    /// horizon is at least 1]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<String>>,
    /// A periodic input, encoded as sine and cosine: minuteofday:1440. Can be repeated
    #[arg(long, value_name = "COLUMN:PERIOD", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cyclic: Option<Vec<String>>,
    /// A categorical input, encoded as a unit vector: dayofweek:7 for the integers 0 to 6,
    /// sky:sun,rain for names, city:seen-9 for the first nine names that appear. Can be repeated
    #[arg(long, value_name = "COLUMN:CATEGORIES", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    one_hot: Option<Vec<String>>,
    /// Inputs of the readout that the network does not receive
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    direct: Option<Vec<String>>,
    /// Column with the name of the stream that a row belongs to. Streams share weights and have
    /// their own state. Needs --streams
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Maximum number of streams. Each stream has its own influence matrix. A row of a further
    /// stream is a row error
    #[arg(long, value_name = "N", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<usize>,
    /// Maximum distance of a number from its running mean, in running standard deviations. A larger
    /// distance is a row error from the 101st row on; off: no limit
    #[arg(long, alias = "absurd", value_name = "N|off", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    outlier_limit: Option<Limit>,

    /// Format of input rows [default: detected from the first line]
    #[arg(long, value_parser = ["csv", "jsonl", "auto"], help_heading = "Input")]
    #[serde(skip_serializing_if = "automatic")]
    input_format: Option<String>,
    /// Delimiter of CSV fields: one character, or tab
    #[arg(long, value_name = "CHARACTER", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<Delimiter>,
    /// Names of the columns, for CSV without a header line
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<String>>,
    /// Number of lines to skip after the header, for example a line with physical units
    #[arg(long, value_name = "N", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    skip_lines: Option<usize>,

    #[arg(long, help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<String>,
    /// Units per layer
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<usize>,
    /// Number of stacked layers
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<usize>,
    /// Position of the reset gate of an EGRU: before the matrix product, as published, or after it,
    /// which costs less
    #[arg(long, value_parser = ["before", "after"], help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_gate: Option<String>,
    /// Height of the pseudo-derivative of events
    #[arg(long, value_name = "γ", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    gamma: Option<f64>,
    /// Half-width of the pseudo-derivative of events
    #[arg(long, value_name = "ε", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    /// Parameter sparsity ω: share of pruned weights among those of --mask, in [0, 1)
    #[arg(long, value_name = "ω", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    param_sparsity: Option<f64>,
    /// Weights that are pruned: recurrent weights only, or input weights as well
    #[arg(long, value_parser = ["recurrent", "all"], help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<String>,
    /// Seed of masks and initial weights
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Single or double precision
    #[arg(long, value_parser = ["f32", "f64"], help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<String>,

    #[arg(long, help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[arg(long, alias = "teacher", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    trainer: Option<String>,
    /// Optimiser: learning rate before the first update
    #[arg(long, value_name = "η", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    /// Optimiser: the learning rate at update t is η / (1 + δ t)
    #[arg(long, value_name = "δ", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    decay: Option<f64>,
    /// Optimiser: scale longer gradients down to this norm; off: no limit
    #[arg(long, value_name = "NORM|off", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    clip: Option<Limit>,
    /// Limit the prediction error used in an update to this number of standard deviations of the
    /// target; off: no limit
    #[arg(long, value_name = "N|off", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_clip: Option<Limit>,
    /// Kalman: initial variance of a weight
    #[arg(long, value_name = "P", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    variance: Option<f64>,
    /// Kalman: observation-noise variance R, in squared standard deviations of the target
    #[arg(long, value_name = "R", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_variance: Option<f64>,
    /// Kalman: forgetting factor λ per step, in (0, 1]
    #[arg(long, value_name = "λ", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    forgetting: Option<f64>,
    /// Kalman: process-noise variance Q that a weight gains per step
    #[arg(long, value_name = "Q", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<f64>,
    /// Method that trains the readout: recursive least squares, or the trainer of the network
    /// [default: rls for numbers, trainer for classes]
    #[arg(long, value_parser = readout_names(), help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    readout: Option<String>,
    /// Least squares: initial variance of a weight
    #[arg(long, value_name = "P", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    readout_variance: Option<f64>,
    /// Least squares: forgetting factor λ per step, in (0, 1]
    #[arg(long, value_name = "λ", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    readout_forgetting: Option<f64>,

    /// Metrics, over the whole stream and over the window: mae, rmse, nrmse, mape (Σ|error| /
    /// Σ|target|) for numbers; accuracy, log-loss for classes
    /// [default: mae,nrmse or accuracy,log-loss]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<String>>,
    /// Number of recent predictions in windowed metrics; 0 for none
    #[arg(long, value_name = "N", help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<usize>,
    /// Number of rows per output line
    #[arg(long, value_name = "ROWS", help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    /// Format of output lines
    #[arg(long, value_parser = ["csv", "jsonl"], help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
}

impl Flags {
    /// Returns the settings whose flags were given, by name.
    pub fn given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("flags must serialize to a map"),
        }
    }
}

/// Returns whether the format is detected from the first line.
fn automatic(format: &Option<String>) -> bool {
    format.as_ref().is_none_or(|name| name == "auto")
}

/// Returns the parser of `--readout`. `teacher` is the former name of `trainer`.
fn readout_names() -> impl TypedValueParser<Value = String> {
    let names = [PossibleValue::new("rls"), PossibleValue::new("trainer").alias("teacher")];
    PossibleValuesParser::new(names).map(|name| if name == "teacher" { "trainer".into() } else { name })
}

/// A limit, or `None` for `off`.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Limit(Option<f64>);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            _ => text.parse().map(|n| Self(Some(n))).map_err(|_| "expected a number or 'off'".into()),
        }
    }
}

/// A delimiter of one character.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Delimiter(char);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        match (text, characters.next(), characters.next()) {
            ("tab" | "\\t", ..) => Ok(Self('\t')),
            (_, Some(one), None) => Ok(Self(one)),
            _ => Err("expected one character, or tab".into()),
        }
    }
}

/// Adds the registered names and every default to the help.
pub fn complete(command: Command) -> Command {
    let listing = |heading: &str, entries: Vec<(String, &str)>| {
        let lines = entries.iter().map(|(name, about)| format!("\n- {name}: {about}"));
        std::iter::once(format!("{heading}:")).chain(lines).collect::<String>()
    };
    let cells = cell::registry::<f32>().iter().map(|c| (c.name.to_string(), c.about)).collect();
    let rules = rule::registry::<f32>().into_iter().filter(|r| !r.grows).map(|r| (r.name, r.about)).collect();
    let mut trainers: Vec<_> =
        optim::registry::<f32>().iter().map(|o| (o.name.to_string(), o.about)).collect();
    trainers.extend([
        (
            "kalman-node".to_string(),
            "extended Kalman filter, one covariance per unit (Puskorius & Feldkamp 1994)",
        ),
        (
            "kalman-full".to_string(),
            "extended Kalman filter with one covariance of all weights; slow, for small networks",
        ),
        ("none".to_string(), "no update of the network; only the readout is trained"),
    ]);
    let defaults = Settings::new("").as_map();
    let with_default = |arg: clap::Arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let takes_value = arg.get_action().takes_values();
        let name = arg.get_long().unwrap_or_default().to_string();
        let arg = arg.allow_negative_numbers(takes_value);
        let value = match defaults.get(&name) {
            Some(Value::String(word)) if !word.is_empty() => word.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null) if ["clip", "error-clip"].contains(&name.as_str()) => "off".into(),
            _ => return arg,
        };
        // The default is inserted before the colon of a list.
        let (first, rest) =
            help.split_once(':').filter(|(_, rest)| rest.starts_with('\n')).unwrap_or((&help, ""));
        let colon = if rest.is_empty() { "" } else { ":" };
        arg.help(format!("{first} [default: {value}]{colon}{rest}"))
    };
    command
        .mut_arg("cell", |arg| arg.help(listing("Cell", cells)))
        .mut_arg("rule", |arg| arg.help(listing("Learning rule", rules)))
        .mut_arg("trainer", |arg| arg.help(listing("Method that trains the network", trainers)))
        .mut_args(with_default)
}
