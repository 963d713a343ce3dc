//! Scenarios: settings of streaming learners and matching rows.

use super::*;
use sparse_rtrl::cell::CellConfig;
use sparse_rtrl::learner::online::LeastSquares;
use sparse_rtrl::network::LayerSpec;
use sparse_rtrl::params::BiasInit;

/// Settings and the properties of their stream.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub spec: StreamLearnerSpec,
    /// Every third target is missing.
    pub gaps: bool,
    /// Step at which each stream is reset, one after another.
    pub resets: Option<usize>,
    /// Targets are classes.
    pub classes: Option<usize>,
}

impl Scenario {
    /// The input of row t of a stream. Input 1 is first constant and later zero in every fourth
    /// row. The others have one outlier each.
    pub fn x(&self, stream: usize, t: usize) -> Vec<f64> {
        let value = |k: usize| {
            let phase = 0.7 * k as f64 + 1.3 * stream as f64;
            let outlier = if t == 122 + 3 * k { 40.0 * (-1f64).powi(k as i32) } else { 0.0 };
            match k {
                1 if t < 5 => 0.25,
                1 if t.is_multiple_of(4) => 0.0,
                2 => 3.0 + (0.9 * t as f64 + phase).sin() + outlier,
                _ => (0.31 * t as f64 + phase).sin() + 0.4 * (0.11 * (t * t) as f64).cos() + outlier,
            }
        };
        (0..self.spec.width()).map(value).collect()
    }

    /// The target values of row t, if its target is present.
    pub fn values(&self, stream: usize, t: usize) -> Vec<f64> {
        let value = |k: usize| {
            let outlier = if t == 130 + k { 60.0 } else { 0.0 };
            0.8 * (0.23 * t as f64 + 0.5 * k as f64 + stream as f64).sin() - 0.3 * k as f64 + outlier
        };
        (0..self.spec.model.outputs).map(value).collect()
    }

    pub fn target<'a>(&self, t: usize, values: &'a [f64]) -> Option<Target<'a, f64>> {
        match self.classes {
            _ if self.gaps && t % 3 == 1 => None,
            Some(classes) => Some(Target::Class((t * t + t / 3) % classes)),
            None => Some(Target::Values(values)),
        }
    }

    /// Every scenario with every trainer, and the readout trained by it or by least squares.
    pub fn all() -> Vec<Self> {
        let least = Some(LeastSquares { variance: 0.7, forgetting: 0.95 });
        let mut all = Vec::new();
        for scenario in scenarios_without_trainer() {
            for (name, trainer) in trainers() {
                for least in [None, least] {
                    let mut scenario = scenario.clone();
                    scenario.name = format!("{}, {name}, least squares {}", scenario.name, least.is_some());
                    scenario.spec.frozen = name == "frozen";
                    (scenario.spec.trainer, scenario.spec.least_squares) = (trainer.clone(), least);
                    if scenario.spec.check().is_ok() {
                        all.push(scenario);
                    }
                }
            }
        }
        all
    }
}

fn trainers() -> Vec<(&'static str, Trainer)> {
    let gradient = |optimiser: &str, rate, decay, clip| Trainer::Gradient {
        optimiser: optimiser.into(),
        learning_rate: rate,
        decay,
        clip,
    };
    let kalman = |grouping, variance, error, forgetting, noise| Trainer::Kalman {
        grouping,
        variance,
        error_variance: error,
        forgetting,
        noise,
    };
    vec![
        ("untrained", Trainer::Untrained),
        ("adam", gradient("adam", 0.02, 0.05, Some(0.4))),
        ("amsgrad", gradient("amsgrad", 0.02, 0.05, Some(0.4))),
        ("sgd", gradient("sgd", 0.1, 0.02, None)),
        ("frozen", gradient("sgd", 0.1, 0.02, Some(0.8))),
        ("filters by node", kalman(Grouping::Node, 0.4, 0.3, 0.98, 1e-3)),
        ("one filter", kalman(Grouping::Full, 0.3, 0.7, 1.0, 0.0)),
        ("one filter with forgetting", kalman(Grouping::Full, 0.2, 0.5, 0.96, 2e-2)),
    ]
}

/// Networks, readouts and streams, without trainers.
fn scenarios_without_trainer() -> Vec<Scenario> {
    let scenario = |name: &str, spec: StreamLearnerSpec| Scenario {
        name: name.into(),
        spec,
        gaps: false,
        resets: None,
        classes: None,
    };
    let sparse = |mut spec: StreamLearnerSpec| {
        spec.model.mask.sparsity = 0.4;
        spec.model.init.bias = BiasInit::Uniform;
        spec
    };
    let layer = |cell: &str, units| LayerSpec::new(cell, units, CellConfig::default());

    let plain = scenario("plain", sparse(StreamLearnerSpec::new(2, 5, 1)));

    let mut wide = scenario("three outputs, late", sparse(StreamLearnerSpec::new(2, 4, 3)));
    (wide.spec.horizon, wide.spec.direct, wide.gaps, wide.resets) = (3, 2, true, Some(60));

    let mut classes = scenario("three classes", sparse(StreamLearnerSpec::new(2, 4, 3)));
    (classes.spec.model.loss, classes.spec.echo, classes.classes) = (Loss::CrossEntropy, false, Some(3));

    let mut two = scenario("two classes, late", sparse(StreamLearnerSpec::new(3, 4, 1)));
    (two.spec.model.loss, two.spec.horizon, two.classes, two.gaps) =
        (Loss::BinaryCrossEntropy, 1, Some(2), true);

    let mut unit = scenario("classes as unit vectors", sparse(StreamLearnerSpec::new(2, 4, 3)));
    (unit.spec.echo, unit.spec.streams, unit.classes) = (false, 2, Some(3));
    unit.spec.standardise = vec![false; 2];
    unit.spec.error_clip = Some(0.6);

    let mut deep = scenario("two layers and a trace, three streams", sparse(StreamLearnerSpec::new(2, 4, 2)));
    deep.spec.model.network.layers = vec![layer("egru", 4), layer("event-rnn", 3)];
    deep.spec.model.network.trace = Some(0.8);
    (deep.spec.streams, deep.spec.horizon, deep.resets, deep.spec.direct) = (3, 2, Some(40), 1);
    deep.spec.standardise = vec![true, false, true];
    deep.spec.standardise_target = false;

    let mut gru = scenario("gru, errors clipped", sparse(StreamLearnerSpec::new(3, 4, 2)));
    gru.spec.model.network.layers = vec![layer("gru", 4)];
    (gru.spec.error_clip, gru.resets, gru.gaps) = (Some(0.25), Some(70), true);
    gru.spec.model.rule = "rtrl-dense".into();

    vec![plain, wide, classes, two, unit, deep, gru]
}
