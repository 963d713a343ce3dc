//! The flags that say what a stream's learner is made of: each is a setting by the same name, laid over the default or held against a
//! checkpoint.

use clap::{Args, Command};
use serde::Serialize;
use serde_json::{Map, Value};
use sparse_rtrl::cell;
use sparse_rtrl::optim;
use sparse_rtrl::rule;
use sparse_rtrl::stream::session::Settings;
use std::str::FromStr;

/// Settings. None is set unless its flag is given.
#[derive(Args, Serialize, Default)]
#[serde(rename_all = "kebab-case")]
pub struct Flags {
    /// The column to predict. A row in which it is empty is predicted, and not learned from
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// CostModel the target that many rows ahead. From 1 on its own value is a feature, and learning waits until the target has come; with 0
    /// it is predicted from the other columns of its row. Rows are those that fit: one that is passed over shifts what is ahead by one
    #[arg(long, value_name = "ROWS", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon: Option<usize>,
    /// What the target is: a number, one of two classes, one of many
    #[arg(long, value_parser = ["regression", "binary", "classes"], help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// Names of classes, or how many there may be: then names are taken in order of appearance [default: 0,1 for a binary task]
    #[arg(long, value_name = "A,B,…|N", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<String>,
    /// Columns to learn from [default: all but the group; the target's own only with a horizon]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<String>>,
    /// A feature that goes round, as sine and cosine: minuteofday:1440. Can be given several times
    #[arg(long, value_name = "COLUMN:PERIOD", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cyclic: Option<Vec<String>>,
    /// A feature that is one of many, as a unit vector: dayofweek:7 for the integers 0 to 6, sky:sun,rain for names, city:seen-9 for the
    /// first nine names that come. Can be given several times
    #[arg(long, value_name = "COLUMN:WHAT", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    one_hot: Option<Vec<String>>,
    /// Features that only the readout reads, beside the network
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    direct: Option<Vec<String>>,
    /// The column that says which of many independent streams a row belongs to; they share the weights. Needs --streams
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The most streams there may be. Each has its own influence matrix; a row of one more is a bad row
    #[arg(long, value_name = "N", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<usize>,
    /// A number further than that many running standard deviations from the running mean makes a bad row, once 100 have come; or off
    #[arg(long, value_name = "N|off", help_heading = "Columns")]
    #[serde(skip_serializing_if = "Option::is_none")]
    absurd: Option<Limit>,

    /// How rows are written [default: as the first line looks]
    #[arg(long, value_parser = ["csv", "jsonl", "auto"], help_heading = "Input")]
    #[serde(skip_serializing_if = "automatic")]
    input_format: Option<String>,
    /// Between fields of CSV: one character, or tab
    #[arg(long, value_name = "CHARACTER", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<Delimiter>,
    /// Names of the columns, for CSV that does not begin with a line of them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<String>>,
    /// Lines beneath the names that are no rows, such as units
    #[arg(long, value_name = "N", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    skip_lines: Option<usize>,

    #[arg(long, help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<String>,
    /// Units of a layer
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<usize>,
    /// Stacked layers
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<usize>,
    /// Where EGRU's reset gate acts: before the matrix product, as published, or after it, which is cheaper
    #[arg(long, value_parser = ["before", "after"], help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_gate: Option<String>,
    /// Share of masked weights that do not exist, in [0, 1)
    #[arg(long, value_name = "ω", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    param_sparsity: Option<f64>,
    /// Which weights are masked: recurrent ones, or input weights as well
    #[arg(long, value_parser = ["recurrent", "all"], help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<String>,
    /// Of masks and first weights
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Single or double
    #[arg(long, value_parser = ["f32", "f64"], help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<String>,

    #[arg(long, help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[arg(long, help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    teacher: Option<String>,
    /// Of an optimiser, before the first update
    #[arg(long, value_name = "η", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    /// The learning rate at update t is η / (1 + δ t)
    #[arg(long, value_name = "δ", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    decay: Option<f64>,
    /// Scale longer gradients down to this norm; or off
    #[arg(long, value_name = "NORM|off", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    clip: Option<Limit>,
    /// Errors larger than that many standard deviations of the target teach as if they were no larger; or off
    #[arg(long, value_name = "N|off", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_clip: Option<Limit>,
    /// Kalman: the variance a weight starts with
    #[arg(long, value_name = "P", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    variance: Option<f64>,
    /// Kalman: the variance of errors that are not the weights' fault, in squared deviations of the target
    #[arg(long, value_name = "R", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_variance: Option<f64>,
    /// Kalman: how much is kept of what was learned, a step, in (0, 1]
    #[arg(long, value_name = "λ", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    forgetting: Option<f64>,
    /// Kalman: the variance a weight gains, a step
    #[arg(long, value_name = "Q", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<f64>,
    /// Who teaches the readout: recursive least squares, or the network's teacher [default: rls for numbers, teacher for classes]
    #[arg(long, value_parser = ["rls", "teacher"], help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    readout: Option<String>,
    /// LeastSquares squares: the variance a weight starts with
    #[arg(long, value_name = "P", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    readout_variance: Option<f64>,
    /// LeastSquares squares: how much is kept, a step, in (0, 1]
    #[arg(long, value_name = "λ", help_heading = "Learning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    readout_forgetting: Option<f64>,

    /// What is measured, since the beginning and over the last rows: mae, rmse, nrmse, mape (Σ|error| / Σ|target|) of numbers; accuracy,
    /// log-loss of classes
    /// [default: mae,nrmse or accuracy,log-loss]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<String>>,
    /// Predictions that count in windowed metrics; 0 for none
    #[arg(long, value_name = "N", help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<usize>,
    /// Write a line every that many rows only
    #[arg(long, value_name = "ROWS", help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    /// How lines are written
    #[arg(long, value_parser = ["csv", "jsonl"], help_heading = "Output")]
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
}

impl Flags {
    /// Those that were given, by name.
    pub fn given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("flags are numbers, words and lists of them"),
        }
    }
}

/// `auto` is as good as nothing.
fn automatic(format: &Option<String>) -> bool {
    format.as_ref().is_none_or(|name| name == "auto")
}

/// A number, or none.
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

/// One character.
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

/// Adds what the registries know, and every default.
pub fn complete(command: Command) -> Command {
    let listing = |heading: &str, entries: Vec<(String, &str)>| {
        let lines = entries.iter().map(|(name, about)| format!("\n- {name}: {about}"));
        std::iter::once(format!("{heading}:")).chain(lines).collect::<String>()
    };
    let cells = cell::registry::<f32>().iter().map(|c| (c.name.to_string(), c.about)).collect();
    let rules = rule::registry::<f32>().into_iter().filter(|r| !r.grows).map(|r| (r.name, r.about)).collect();
    let mut teachers: Vec<_> =
        optim::registry::<f32>().iter().map(|o| (o.name.to_string(), o.about)).collect();
    teachers.extend([
        (
            "kalman-node".to_string(),
            "extended Kalman filter, a covariance a unit (Puskorius & Feldkamp 1994)",
        ),
        ("kalman-full".to_string(), "the same with one covariance of all weights: slow, for small nets"),
        ("none".to_string(), "the network stays as drawn; only the readout learns"),
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
        // A list comes after its heading.
        let (first, rest) =
            help.split_once(':').filter(|(_, rest)| rest.starts_with('\n')).unwrap_or((&help, ""));
        let colon = if rest.is_empty() { "" } else { ":" };
        arg.help(format!("{first} [default: {value}]{colon}{rest}"))
    };
    command
        .mut_arg("cell", |arg| arg.help(listing("Cell", cells)))
        .mut_arg("rule", |arg| arg.help(listing("Learning rule", rules)))
        .mut_arg("teacher", |arg| arg.help(listing("What teaches the network", teachers)))
        .mut_args(with_default)
}
