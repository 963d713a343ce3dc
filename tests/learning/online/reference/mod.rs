//! A reference implementation of the streaming learner from its equations, in double precision. It
//! stores every input and computes moments in two passes. It uses the network, the rules and the
//! initial weights of `StreamLearner`, and none of its other code.

mod covariance;
mod readout;
mod update;

use readout::{Output, evaluate};
use sparse_rtrl::learner::online::{StreamLearner, StreamLearnerSpec};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::Network;
use sparse_rtrl::readout::{Loss, Target};
use sparse_rtrl::rule::{self, Rule, Skips};
use sparse_rtrl::scalar::Real;
use sparse_rtrl::wiring::{State, Step};
use update::Updates;

/// The results of a step.
#[derive(Debug, PartialEq)]
pub struct StepResult {
    pub prediction: Vec<f64>,
    pub predicted: Option<Vec<f64>>,
    pub loss: Option<f64>,
    pub output: Vec<f64>,
}

/// One stream: its state after the last learned step, and all standardised inputs and forecasts
/// since the reset.
struct Stream {
    state: State<f64>,
    step: Step<f64>,
    rule: Box<dyn Rule<f64>>,
    rows: Vec<Vec<f64>>,
    learned: usize,
    forecasts: Vec<Vec<f64>>,
}

pub struct Reference {
    pub spec: StreamLearnerSpec,
    pub w: Vec<f64>,
    /// MACs, counted product by product.
    pub macs: Macs,
    /// MACs of the last update that depend on rounding.
    pub slack: u64,
    network: Network<f64>,
    streams: Vec<Stream>,
    inputs: Vec<Vec<f64>>,
    targets: Vec<Vec<f64>>,
    updates: Updates,
    /// Inputs of the readout at the last step.
    features: Vec<f64>,
}

impl Reference {
    /// Starts with the masks and weights of a new learner. Gradients come from the named rule.
    pub fn of<T: Real>(learner: &StreamLearner<T>, rule: &str) -> Self {
        let spec = learner.spec().clone();
        let layout = learner.network().wiring().layout();
        let kept = layout.blocks().iter().map(|block| block.kept.clone()).collect();
        let network = Network::<f64>::new(&spec.model.network, |_| Ok(kept)).unwrap();
        let wiring = network.wiring().clone();
        let stream = |_| Stream {
            state: State::new(&wiring),
            step: Step::new(&wiring),
            rule: (rule::find::<f64>(rule).unwrap().build)(&wiring, Skips::ALL, 0),
            rows: Vec::new(),
            learned: 0,
            forecasts: Vec::new(),
        };
        let (inputs, outputs) = (spec.width(), spec.model.outputs);
        Self {
            w: learner.weights().iter().map(|w| w.as_f64()).collect(),
            macs: Macs::default(),
            slack: 0,
            streams: (0..spec.streams).map(stream).collect(),
            inputs: vec![Vec::new(); inputs],
            targets: vec![Vec::new(); outputs],
            updates: Updates::new(&spec, &network),
            features: Vec::new(),
            network,
            spec,
        }
    }

    pub fn updates(&self) -> u64 {
        self.updates.done
    }

    pub fn reset(&mut self, stream: usize) {
        let stream = &mut self.streams[stream];
        stream.state = State::new(self.network.wiring());
        stream.rule.reset();
        stream.rows.clear();
        stream.forecasts.clear();
        stream.learned = 0;
    }

    /// Mean and deviation of every input, then of every target.
    pub fn moments(&self) -> Vec<(f64, f64)> {
        self.inputs.iter().chain(&self.targets).map(|values| moments(values)).collect()
    }

    /// The prediction of the next target, if its step was made.
    pub fn due(&self, stream: usize) -> Option<&Vec<f64>> {
        let (stream, h) = (&self.streams[stream], self.spec.horizon);
        (h > 0 && stream.rows.len() >= h).then(|| &stream.forecasts[stream.rows.len() - h])
    }

    pub fn step(&mut self, stream: usize, x: &[f64], target: Option<Target<'_, f64>>) -> StepResult {
        let z = self.record_input(x);
        let h = self.spec.horizon;
        let predicted = self.due(stream).cloned();
        self.streams[stream].rows.push(z);
        let learns = self.streams[stream].rows.len() > h;
        let mut result = StepResult { prediction: Vec::new(), predicted, loss: None, output: Vec::new() };
        if learns {
            (result.prediction, result.output, result.loss) = self.learn(stream, target);
        } else if let Some(Target::Values(values)) = target {
            self.record_target(values);
        }
        if h == 0 {
            result.predicted = Some(result.prediction.clone());
        } else {
            (result.prediction, result.output) = self.forecast(stream, None);
            self.streams[stream].forecasts.push(result.prediction.clone());
        }
        result
    }

    /// The prediction for `x`.
    pub fn predict(&mut self, stream: usize, x: &[f64]) -> Vec<f64> {
        let z = self.standardised(x);
        self.forecast(stream, Some(z)).0
    }

    /// A step for a loss that is not built in. Returns the raw outputs.
    pub fn observe(&mut self, x: &[f64]) -> Vec<f64> {
        let z = self.record_input(x);
        self.streams[0].rows.push(z);
        let output = self.advance(0);
        output.o
    }

    pub fn credit(&mut self, slope: &[f64]) {
        let k = slope.len();
        let identity = (0..k * k).map(|at| f64::from(at % (k + 1) == 0)).collect::<Vec<_>>();
        self.update_weights(0, slope, &identity);
    }

    fn record_input(&mut self, x: &[f64]) -> Vec<f64> {
        self.inputs.iter_mut().zip(x).for_each(|(history, x)| history.push(*x));
        self.standardised(x)
    }

    fn standardised(&self, x: &[f64]) -> Vec<f64> {
        let active = |k: usize| self.spec.standardise.get(k).copied().unwrap_or(true);
        let z = |(k, x): (usize, &f64)| if active(k) { standardise(&self.inputs[k], *x) } else { *x };
        x.iter().enumerate().map(z).collect()
    }

    fn standardises_targets(&self) -> bool {
        self.spec.model.loss == Loss::SquaredError && self.spec.standardise_target
    }

    fn record_target(&mut self, values: &[f64]) {
        self.targets.iter_mut().zip(values).for_each(|(history, value)| history.push(*value));
    }

    /// Learns the oldest row that is not yet learned. Returns its prediction, its raw outputs, and
    /// the loss of its target.
    fn learn(&mut self, stream: usize, target: Option<Target<'_, f64>>) -> (Vec<f64>, Vec<f64>, Option<f64>) {
        let Output { o, prediction } = self.advance(stream);
        let Some(target) = target else { return (prediction, o, None) };
        let mut values = Vec::new();
        if let Target::Values(raw) = target {
            self.record_target(raw);
            let z = |(k, y): (usize, &f64)| {
                if self.standardises_targets() { standardise(&self.targets[k], *y) } else { *y }
            };
            values = raw.iter().enumerate().map(z).collect();
        }
        let class = match target {
            Target::Class(class) => Some(class),
            Target::Values(_) => None,
        };
        let (loss, mut slope, curvature) = evaluate(self.spec.model.loss, &o, class, &values);
        if let Some(limit) = self.spec.error_clip {
            slope.iter_mut().for_each(|s| *s = s.clamp(-limit, limit));
        }
        self.update_weights(stream, &slope, &curvature);
        (prediction, o, Some(loss))
    }

    fn update_weights(&mut self, stream: usize, slope: &[f64], curvature: &[f64]) {
        let stream = &mut self.streams[stream];
        let update_of = update::WeightUpdate { features: &self.features, slope, curvature };
        self.slack =
            self.updates.learn(&self.spec, &mut self.w, stream.rule.as_mut(), &update_of, &mut self.macs);
        self.network.wiring().layout().blocks().iter().for_each(|block| {
            if block.spec.kind == sparse_rtrl::params::Kind::Threshold {
                block.places.iter().for_each(|&place| self.w[place] = self.w[place].clamp(0.0, 1.0));
            }
        });
    }

    /// One step on the oldest row without one.
    fn advance(&mut self, stream: usize) -> Output {
        let wiring = self.network.wiring().clone();
        let at = &mut self.streams[stream];
        let x = at.rows[at.learned].clone();
        at.learned += 1;
        let (p, m) = (wiring.parameters(), wiring.inputs());
        self.network.advance(&self.w[..p], &x[..m], &at.state, &mut at.step, &mut Macs::default());
        at.state.follow(&at.step);
        let entries = || wiring.layout().weights().entries();
        self.macs.forward += entries().filter(|(_, source)| at.step.phi[*source] != 0.0).count() as u64;
        if update::trains_network(&self.spec) {
            self.macs.coupling += entries().filter(|(_, source)| *source > m).count() as u64;
            at.rule.observe(&at.step, &mut self.macs);
        }
        let state = at.state.clone();
        self.features = self.features_of(&state, &x);
        self.output(&self.features.clone())
    }

    /// Forward steps over all rows that are not yet learned, and `more`. Returns the prediction and
    /// the raw outputs.
    fn forecast(&mut self, stream: usize, more: Option<Vec<f64>>) -> (Vec<f64>, Vec<f64>) {
        let at = &self.streams[stream];
        let (p, m) = (self.network.wiring().parameters(), self.network.wiring().inputs());
        let (mut state, mut step) = (at.state.clone(), Step::new(self.network.wiring()));
        let rows: Vec<_> = at.rows[at.learned..].iter().cloned().chain(more).collect();
        for x in &rows {
            self.network.forward(&self.w[..p], &x[..m], &state, &mut step);
            state.follow(&step);
            let entries = self.network.wiring().layout().weights().entries();
            self.macs.forward += entries.filter(|(_, source)| step.phi[*source] != 0.0).count() as u64;
        }
        let features = self.features_of(&state, rows.last().expect("a row"));
        let Output { o, prediction } = self.output(&features);
        (prediction, o)
    }

    /// Inputs of the readout: emissions, then direct inputs, then inputs of the network.
    fn features_of(&self, state: &State<f64>, x: &[f64]) -> Vec<f64> {
        let m = self.spec.model.network.inputs;
        let mut features = state.y[self.network.wiring().outputs()].to_vec();
        features.extend(&x[m..]);
        if self.spec.echo {
            features.extend(&x[..m]);
        }
        features
    }

    fn output(&mut self, features: &[f64]) -> Output {
        let k = self.spec.model.outputs;
        let readout = &self.w[self.network.wiring().parameters()..];
        self.macs.forward += (k * features.iter().filter(|f| **f != 0.0).count()) as u64;
        let mut output = readout::output(self.spec.model.loss, k, readout, features);
        if self.standardises_targets() {
            for (k, prediction) in output.prediction.iter_mut().enumerate() {
                let (mean, deviation) = moments(&self.targets[k]);
                *prediction = mean + deviation * *prediction;
            }
        }
        output
    }
}

/// Mean and standard deviation in two passes. The deviation of constant values is 1.
fn moments(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if values.iter().all(|v| *v == values[0]) { 1.0 } else { deviation })
}

fn standardise(history: &[f64], x: f64) -> f64 {
    let (mean, deviation) = moments(history);
    ((x - mean) / deviation).clamp(-10.0, 10.0)
}
