//! Settings of a session, as plain data. Each setting has the name of its command-line flag.

use crate::cell::{CellConfig, ResetGate, Surrogate};
use crate::error::{Error, Result};
use crate::learner::online::{Grouping, LeastSquares, StreamLearnerSpec, Trainer};
use crate::network::LayerSpec;
use crate::params::MaskOn;
use crate::range::within;
use crate::readout::Loss;
use crate::stream::feed::{Format, RowReader, RowReaderSpec, TargetKind};
use crate::stream::score::Metric;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Names of the settings that may change when a session is resumed.
pub const TUNABLE: [&str; 5] = ["outlier-limit", "learning-rate", "decay", "clip", "error-clip"];

/// Floating-point precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits.
    F64,
}

/// The method that trains the readout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReadoutBy {
    /// Recursive least squares.
    Rls,
    /// The trainer of the network.
    #[serde(alias = "teacher")]
    Trainer,
}

/// The settings of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The columns and their meaning.
    #[serde(flatten)]
    pub rows: RowReaderSpec,
    /// Format of input rows. `None`: detected from the first line.
    pub input_format: Option<Format>,
    /// Delimiter of CSV fields, one ASCII character.
    pub delimiter: char,
    /// Names of the columns, for CSV without a header line.
    pub columns: Option<Vec<String>>,
    /// Number of lines to skip after the header.
    pub skip_lines: usize,
    /// Name of the cell.
    pub cell: String,
    /// Units per layer.
    pub units: usize,
    /// Number of layers.
    pub layers: usize,
    /// Position of the reset gate of an EGRU.
    pub reset_gate: ResetGate,
    /// γ, the height of the pseudo-derivative of events.
    pub gamma: f64,
    /// ε, the half-width of the pseudo-derivative of events.
    pub epsilon: f64,
    /// Parameter sparsity ω: share of pruned weights among those of `mask`, in [0, 1).
    pub param_sparsity: f64,
    /// Weights that are pruned.
    pub mask: MaskOn,
    /// Name of the learning rule.
    pub rule: String,
    /// The trainer of the network: the name of an optimiser, `kalman-node`, `kalman-full` or
    /// `none`.
    #[serde(alias = "teacher")]
    pub trainer: String,
    /// Optimiser: η₀, the learning rate before the first update.
    pub learning_rate: f64,
    /// Optimiser: decay δ of the learning rate `η₀ / (1 + δ t)`, t being the number of updates.
    pub decay: f64,
    /// Optimiser: maximum norm of the gradient. `None`: no clipping.
    pub clip: Option<f64>,
    /// Kalman: initial variance of a weight.
    pub variance: f64,
    /// Kalman: observation-noise variance R, in squared standard deviations of the target.
    pub error_variance: f64,
    /// Kalman: forgetting factor λ per step.
    pub forgetting: f64,
    /// Kalman: process-noise variance Q per step.
    pub noise: f64,
    /// The method that trains the readout. `None`: least squares for numbers, the trainer of the
    /// network for classes.
    pub readout: Option<ReadoutBy>,
    /// Least squares: initial variance of a weight.
    pub readout_variance: f64,
    /// Least squares: forgetting factor λ per step.
    pub readout_forgetting: f64,
    /// Maximum prediction error used in an update, in standard deviations of the target. `None`: no
    /// limit.
    pub error_clip: Option<f64>,
    /// Single or double precision.
    pub precision: Precision,
    /// Seed of masks and initial weights.
    pub seed: u64,
    /// Metrics in the output. `None`: the defaults for the kind of target.
    pub metrics: Option<Vec<Metric>>,
    /// Number of recent predictions in windowed metrics; 0 for none.
    pub window: usize,
    /// Number of rows per output line.
    pub every: u64,
    /// Format of output lines.
    pub format: Format,
}

impl Settings {
    /// Returns the defaults for the target column `target`.
    pub fn new(target: &str) -> Self {
        let (least, trainer) = (LeastSquares::default(), Trainer::default());
        let Trainer::Gradient { optimiser, learning_rate, decay, clip } = trainer else {
            unreachable!("the default trainer is an optimiser")
        };
        Self {
            rows: RowReaderSpec::new(target),
            input_format: None,
            delimiter: ',',
            columns: None,
            skip_lines: 0,
            cell: "egru".into(),
            units: 32,
            layers: 1,
            reset_gate: ResetGate::default(),
            gamma: Surrogate::default().gamma,
            epsilon: Surrogate::default().epsilon,
            param_sparsity: 0.9,
            mask: MaskOn::default(),
            rule: "rtrl".into(),
            trainer: optimiser,
            learning_rate,
            decay,
            clip,
            variance: 1.0,
            error_variance: 1.0,
            forgetting: 0.9999,
            noise: 0.0,
            readout: None,
            readout_variance: least.variance,
            readout_forgetting: least.forgetting,
            error_clip: None,
            precision: Precision::F32,
            seed: 0,
            metrics: None,
            window: 1000,
            every: 1,
            format: Format::Csv,
        }
    }

    /// Returns these settings with some replaced, by name.
    ///
    /// # Errors
    /// If a name is unknown or a value has the wrong type.
    #[doc(hidden)]
    pub fn overlaid(&self, others: &Map<String, Value>) -> Result<Self> {
        let mut overlaid = self.clone();
        for (name, value) in others {
            let mut all = overlaid.as_map();
            match all.get_mut(name) {
                Some(place) => place.clone_from(value),
                None => return Err(Error::setting(name, "the name of a setting", value)),
            }
            overlaid = serde_json::from_value(Value::Object(all))
                .map_err(|why| Error::setting(name, "a valid value", why))?;
        }
        Ok(overlaid)
    }

    /// Returns all settings by name.
    #[doc(hidden)]
    pub fn as_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("settings must serialise to a map"),
        }
    }

    /// Returns these settings with the [tunable](TUNABLE) ones replaced by those of `others`.
    ///
    /// # Errors
    /// If a setting of `others` that is not tunable differs.
    #[doc(hidden)]
    pub fn retuned(&self, others: &Map<String, Value>) -> Result<Self> {
        let tuned = |(name, _): &(&String, &Value)| TUNABLE.contains(&name.as_str());
        let tuned = others.iter().filter(tuned).map(|(name, value)| (name.clone(), value.clone())).collect();
        let retuned = self.overlaid(&tuned)?;
        retuned.check_same(others)?;
        Ok(retuned)
    }

    /// Checks that the settings `others` have the same values.
    ///
    /// # Errors
    /// If a setting of `others` differs.
    #[doc(hidden)]
    pub fn check_same(&self, others: &Map<String, Value>) -> Result<()> {
        let own = self.as_map();
        // 1 and 1.0 are equal.
        let same = |a: &Value, b: &Value| a == b || a.as_f64().is_some_and(|a| Some(a) == b.as_f64());
        match others.iter().find(|(name, value)| !own.get(*name).is_some_and(|own| same(own, value))) {
            Some((name, value)) => {
                let expected = own.get(name).map_or("nothing".into(), |own| own.to_string());
                Err(Error::setting(name, &format!("{expected}, as in the checkpoint"), value))
            }
            None => Ok(()),
        }
    }

    /// Returns these settings with all defaults that depend on other settings set.
    pub fn resolved(mut self) -> Self {
        let of_values = self.rows.target_kind == TargetKind::Regression;
        self.readout.get_or_insert(if of_values { ReadoutBy::Rls } else { ReadoutBy::Trainer });
        let suited = if of_values { [Metric::Mae, Metric::Nrmse] } else { Metric::OF_CLASSES };
        self.metrics.get_or_insert(suited.into());
        self
    }

    /// Returns the metrics.
    pub fn metrics(&self) -> &[Metric] {
        self.metrics.as_deref().unwrap_or_default()
    }

    /// Returns the delimiter as a byte.
    ///
    /// # Errors
    /// If the delimiter is not an ASCII character, or is a quote or line end.
    pub fn delimiter(&self) -> Result<u8> {
        match u8::try_from(self.delimiter) {
            Ok(byte) if byte.is_ascii() && !b"\"\r\n".contains(&byte) => Ok(byte),
            _ => {
                Err(Error::setting("delimiter", "one ASCII character, no quote or line end", self.delimiter))
            }
        }
    }

    /// Returns the specification of the learner for the columns of `reader`.
    ///
    /// # Errors
    /// If a setting is out of range or two settings contradict each other.
    pub fn learner(&self, reader: &RowReader) -> Result<StreamLearnerSpec> {
        let of_values = self.rows.target_kind == TargetKind::Regression;
        let fitting: &[Metric] = if of_values { &Metric::OF_VALUES } else { &Metric::OF_CLASSES };
        if let Some(metric) = self.metrics().iter().find(|metric| !fitting.contains(metric)) {
            let names = fitting.iter().map(|m| m.name()).collect::<Vec<_>>().join(", ");
            return Err(Error::setting(
                "metrics",
                &format!("some of {names}, for this kind of target"),
                metric.name(),
            ));
        }
        for (name, got, range) in [
            ("window", self.window as u64, 0..=10_000_000),
            ("every", self.every, 1..=u64::MAX),
            ("layers", self.layers as u64, 1..=1000),
        ] {
            within(name, got, range)?;
        }
        self.delimiter()?;
        let (inputs, direct) = reader.widths();
        let outputs = match self.rows.target_kind {
            TargetKind::Regression | TargetKind::Binary => 1,
            TargetKind::Classes => reader.classes().map_or(1, |labels| labels.most()),
        };
        let mut spec = StreamLearnerSpec::new(inputs, self.units, outputs);
        let surrogate = Surrogate::new(self.gamma, self.epsilon);
        let config = CellConfig { reset_gate: self.reset_gate, surrogate, ..CellConfig::default() };
        let layer = LayerSpec::new(&self.cell, self.units, config);
        spec.model.network.layers = vec![layer; self.layers];
        spec.direct = direct;
        spec.model.loss = match self.rows.target_kind {
            TargetKind::Regression => Loss::SquaredError,
            TargetKind::Binary => Loss::BinaryCrossEntropy,
            TargetKind::Classes => Loss::CrossEntropy,
        };
        (spec.model.mask.sparsity, spec.model.mask.on) = (self.param_sparsity, self.mask);
        spec.model.rule.clone_from(&self.rule);
        spec.trainer = self.trainer();
        let least = LeastSquares { variance: self.readout_variance, forgetting: self.readout_forgetting };
        spec.least_squares = (self.readout == Some(ReadoutBy::Rls)).then_some(least);
        spec.error_clip = self.error_clip;
        spec.horizon = self.rows.horizon;
        spec.standardise = reader.standardise();
        spec.streams = self.rows.streams;
        spec.check()?;
        Ok(spec)
    }

    fn trainer(&self) -> Trainer {
        let kalman = |grouping| Trainer::Kalman {
            grouping,
            variance: self.variance,
            error_variance: self.error_variance,
            forgetting: self.forgetting,
            noise: self.noise,
        };
        match self.trainer.as_str() {
            "none" => Trainer::Untrained,
            "kalman-node" => kalman(Grouping::Node),
            "kalman-full" => kalman(Grouping::Full),
            optimiser => Trainer::Gradient {
                optimiser: optimiser.into(),
                learning_rate: self.learning_rate,
                decay: self.decay,
                clip: self.clip,
            },
        }
    }
}
