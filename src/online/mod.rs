//! Learning from a stream that never ends: predict, then learn, one step after another, in constant memory.
//!
//! ```
//! use sparse_rtrl::online::{Online, OnlineSpec};
//! use sparse_rtrl::readout::Target;
//!
//! // Two readings a step, 16 EGRU units, one value to predict.
//! let mut spec = OnlineSpec::new(2, 16, 1);
//! spec.mask.sparsity = 0.9;
//! let mut learner = Online::<f32>::new(&spec, 0)?;
//! for t in 0..1000 {
//!     let x = [(0.1 * t as f64).sin(), t as f64 % 7.0];
//!     let predicted = learner.predict(&x)?[0]; // changes nothing
//!     let came = 100.0 + 20.0 * x[0] * x[1];
//!     learner.learn(&x, Some(Target::Values(&[came])))?;
//!     assert!(predicted.is_finite());
//! }
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! Inputs and targets are in the user's own units: they are standardised as they come ([`scaler`]), and predictions are turned back.
//!
//! **Late targets.** With a horizon h the target of step t comes with step t + h, as in a forecast. The learner then lags: it stands at step t
//! until that target comes, learns from it, and a copy that only runs forward goes over the inputs since then to predict. Nothing is learned
//! from what is not known yet.
//!
//! **Gradient apart from update.** With a loss of your own, [`Online::observe`] makes a step and [`Online::credit`] learns from its
//! `∂L/∂o`.

mod lane;
mod saved;
pub mod scaler;
mod spec;
mod teach;

pub use spec::{Grouping, Least, OnlineSpec, Teacher};

use crate::archive::Archive;
use crate::cell::{Network, State, Step};
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::params::{BlockSpec, Purpose, generator};
use crate::readout::{Loss, Readout, Target};
use crate::rule::{self, Skips};
use crate::scalar::Real;
use crate::sparse::Pattern;
use lane::Lane;
use scaler::Scaler;
use teach::{Lesson, Teach};

/// What a learner says of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The prediction from this step's inputs: of its target, which comes h steps on. Values in their own units; for classes,
    /// probabilities (of class 1, for two classes on one output).
    pub prediction: &'a [f64],
    /// What had been predicted for the target that comes with this step, before it was known; nothing as long as it is too early for that.
    pub predicted: Option<&'a [f64]>,
    /// The loss of the target that came, in standardised units.
    pub loss: Option<f64>,
}

/// A network that learns from streams.
pub struct Online<T: Real> {
    spec: OnlineSpec,
    network: Network<T>,
    readout: Readout,
    w: Vec<T>,
    teach: Teach<T>,
    inputs: Scaler,
    targets: Scaler,
    lanes: Vec<Lane<T>>,
    /// The forward-only copy, and what was said last; whether it was said of a step that waits for credit.
    ahead: (State<T>, Step<T>),
    said: Said<T>,
    at_hand: bool,
}

/// Room for what is said of a step.
struct Said<T> {
    features: Vec<T>,
    output: Vec<T>,
    slope: Vec<T>,
    curvature: Vec<f64>,
    target: Vec<T>,
    prediction: Vec<f64>,
    predicted: Vec<f64>,
    /// Room to read something else in between.
    aside: (Vec<T>, Vec<T>),
}

impl<T> Said<T> {
    /// Lays features and output aside, or takes them back.
    fn turn_aside(&mut self) {
        std::mem::swap(&mut self.features, &mut self.aside.0);
        std::mem::swap(&mut self.output, &mut self.aside.1);
    }
}

impl<T: Real> Online<T> {
    /// Draws masks and first values from `seed`.
    ///
    /// # Errors
    /// If a name is unknown, a number out of range, or the whole larger than memory.
    pub fn new(spec: &OnlineSpec, seed: u64) -> Result<Self> {
        spec.check()?;
        spec.check_size::<T>()?;
        let mut masks = generator(seed, Purpose::Mask);
        let draw = |blocks: &[_]| spec.network.draw_masks(&spec.mask, blocks, &mut masks);
        let mut learner = Self::build(spec, seed, draw)?;
        let mut values = generator(seed, Purpose::Init);
        let p = learner.network.wiring().parameters();
        let drawn = spec.init.draw(learner.network.wiring().layout(), &mut values)?;
        learner.w[..p].copy_from_slice(&drawn);
        if spec.least.is_none() {
            learner.draw_readout(p, &mut values);
        }
        Ok(learner)
    }

    /// Everything in its place, all weights zero.
    fn build(
        spec: &OnlineSpec,
        seed: u64,
        draw: impl FnOnce(&[BlockSpec]) -> Result<Vec<Pattern>>,
    ) -> Result<Self> {
        let network = Network::new(&spec.network, draw)?;
        let wiring = network.wiring();
        let inputs = wiring.outputs().len() + spec.direct + if spec.echo { spec.network.inputs } else { 0 };
        let readout = Readout { inputs, outputs: spec.outputs };
        let build = rule::find::<T>(&spec.rule)?.build;
        let noise = |k: usize| seed.wrapping_add((k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let lanes =
            (0..spec.streams).map(|k| Lane::new(&network, build(wiring, Skips::ALL, noise(k)))).collect();
        let all =
            if spec.standardise.is_empty() { vec![true; spec.width()] } else { spec.standardise.clone() };
        let by_value = spec.loss == Loss::SquaredError && spec.standardise_target;
        Ok(Self {
            w: vec![T::zero(); wiring.parameters() + readout.parameters()],
            teach: Teach::new(spec, &network, &readout)?,
            inputs: Scaler::new(all),
            targets: Scaler::new(vec![by_value; spec.outputs]),
            lanes,
            ahead: (State::new(wiring), Step::new(wiring)),
            said: Said {
                features: vec![T::zero(); inputs],
                output: vec![T::zero(); spec.outputs],
                slope: vec![T::zero(); spec.outputs],
                // Filters alone ask for it.
                curvature: match spec.teacher {
                    Teacher::Kalman { .. } => vec![0.0; spec.outputs * spec.outputs],
                    _ => Vec::new(),
                },
                target: vec![T::zero(); spec.outputs],
                prediction: vec![0.0; spec.outputs],
                predicted: vec![0.0; spec.outputs],
                aside: (vec![T::zero(); inputs], vec![T::zero(); spec.outputs]),
            },
            at_hand: false,
            readout,
            network,
            spec: spec.clone(),
        })
    }

    /// Glorot-normal weights from emissions; none from inputs.
    fn draw_readout(&mut self, p: usize, rng: &mut impl rand::Rng) {
        let emissions = self.network.wiring().outputs().len();
        let narrow = Readout { inputs: emissions, outputs: self.spec.outputs };
        let drawn = narrow.draw::<T>(&self.spec.init, rng);
        for k in 0..self.spec.outputs {
            let to = p + k * self.readout.inputs;
            self.w[to..to + emissions].copy_from_slice(&drawn[k * emissions..(k + 1) * emissions]);
            let bias = self.spec.outputs * emissions + k;
            self.w[p + self.spec.outputs * self.readout.inputs + k] = drawn[bias];
        }
    }

    /// What it is made of.
    pub fn spec(&self) -> &OnlineSpec {
        &self.spec
    }

    /// Takes over what of `spec` changes no shape: an optimiser's rate, decay and clip, and the clip of errors. It applies from the next
    /// update on.
    pub fn retune(&mut self, spec: &OnlineSpec) {
        self.spec.error_clip = spec.error_clip;
        self.spec.teacher.retune(&spec.teacher);
        self.teach.retune(&spec.teacher);
    }

    /// Its network.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// All weights: the network's p, then the readout's, `W` row-major and `b`.
    pub fn weights(&self) -> &[T] {
        &self.w
    }

    /// The outputs o behind the last prediction, raw: of values, in standardised units.
    pub fn output(&self) -> &[T] {
        &self.said.output
    }

    /// Means and deviations of inputs and of targets so far.
    pub fn scalers(&self) -> (&Scaler, &Scaler) {
        (&self.inputs, &self.targets)
    }

    /// What was predicted, with a horizon, for the target that the next step of a stream brings.
    pub fn due(&self, stream: usize) -> Option<&[f64]> {
        let lane = &self.lanes[stream];
        let due = self.spec.horizon > 0 && lane.waiting.len() == self.spec.horizon;
        lane.forecasts.front().filter(|_| due).map(Vec::as_slice)
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.teach.updates()
    }

    /// Work done by all streams.
    pub fn macs(&self) -> Macs {
        self.lanes.iter().fold(Macs::default(), |mut total, lane| {
            total += lane.macs;
            total
        })
    }

    /// Bytes of influence and gathered gradient in use, of all streams.
    pub fn bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.rule.bytes()).sum()
    }

    /// What the first stream would say to `x`, if it came now. Changes nothing, and standardises by what has been seen before.
    ///
    /// # Errors
    /// If an input is not finite.
    ///
    /// # Panics
    /// If `x` has not as many entries as there are inputs.
    pub fn predict(&mut self, x: &[f64]) -> Result<&[f64]> {
        self.predict_in(0, x)
    }

    /// [`predict`](Self::predict), of any stream.
    ///
    /// # Errors
    /// As there.
    pub fn predict_in(&mut self, stream: usize, x: &[f64]) -> Result<&[f64]> {
        self.check_input(stream, x)?;
        let z = self.standardise(x);
        // Credit may still come for the step made last: what the readout read of it must stay.
        self.said.turn_aside();
        self.look_ahead(stream, Some(&z));
        self.said.turn_aside();
        Ok(&self.said.prediction)
    }

    /// The first stream takes in `x`, and learns from the target that came with it: that of this step, or of the one h steps ago.
    /// Returns the loss, in standardised units.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn learn(&mut self, x: &[f64], target: Option<Target<'_, f64>>) -> Result<Option<f64>> {
        Ok(self.step(x, target)?.loss)
    }

    /// Prediction and learning in one, for the first stream: `x` comes, and with it a target, that of this step or, with a horizon h, of
    /// the step h steps ago. The prediction is made without the target it is of.
    ///
    /// # Errors
    /// If an input, a target, an output, the loss, a gain or a new weight is not finite. Nothing is learned from that step; the stream
    /// begins afresh, and good data can follow at once. If it is the input or the target, nothing at all has happened. (If it is a gain or a
    /// weight, the weights are as they were, but an optimiser's running moments may have seen the gradient.)
    ///
    /// # Panics
    /// If `x` has not as many entries as there are inputs, or the target does not fit the loss.
    pub fn step(&mut self, x: &[f64], target: Option<Target<'_, f64>>) -> Result<Answer<'_>> {
        self.step_in(0, x, target)
    }

    /// [`step`](Self::step), of any stream.
    ///
    /// # Errors
    /// As there.
    pub fn step_in(
        &mut self,
        stream: usize,
        x: &[f64],
        target: Option<Target<'_, f64>>,
    ) -> Result<Answer<'_>> {
        self.check_input(stream, x)?;
        self.check_target(stream, target)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        let horizon = self.spec.horizon;
        let lane = &mut self.lanes[stream];
        let due = lane.waiting.len() == horizon;
        if horizon == 0 {
            lane.waiting.push_back(z);
            let loss = self.learn_oldest(stream, target)?;
            self.said.predicted.copy_from_slice(&self.said.prediction);
            return Ok(Answer {
                prediction: &self.said.prediction,
                predicted: Some(&self.said.predicted),
                loss,
            });
        }
        let mut loss = None;
        if due {
            self.said.predicted.clone_from(&lane.forecasts.pop_front().expect("one for each that waits"));
            loss = self.learn_oldest(stream, target)?;
        } else {
            self.see_target(target);
        }
        self.lanes[stream].waiting.push_back(z);
        self.look_ahead(stream, None);
        self.check_output(stream)?;
        self.lanes[stream].forecasts.push_back(self.said.prediction.clone());
        Ok(Answer {
            prediction: &self.said.prediction,
            predicted: due.then_some(&self.said.predicted[..]),
            loss,
        })
    }

    /// The first stream makes a step and says its outputs o, raw: neither turned back to units nor into probabilities. What it is to learn
    /// from the step is said by [`credit`](Self::credit).
    ///
    /// # Errors
    /// If an input or an output is not finite.
    ///
    /// # Panics
    /// If there is a horizon, or `x` has not as many entries as there are inputs.
    pub fn observe(&mut self, x: &[f64]) -> Result<&[T]> {
        assert_eq!(self.spec.horizon, 0, "a loss of your own needs its step at hand: the horizon must be 0");
        self.check_input(0, x)?;
        self.inputs.observe(x);
        let z = self.standardise(x);
        self.lanes[0].waiting.push_back(z);
        self.advance_oldest(0)?;
        self.at_hand = true;
        Ok(&self.said.output)
    }

    /// Learns from the last step of the first stream, given `∂L/∂o`.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    ///
    /// # Panics
    /// If `slope` has not one entry per output, or no step was [observed](Self::observe) since the last credit.
    pub fn credit(&mut self, slope: &[T]) -> Result<()> {
        assert_eq!(slope.len(), self.spec.outputs, "∂L/∂o must have one entry per output");
        assert!(std::mem::take(&mut self.at_hand), "credit must follow a step that was observed");
        self.said.slope.copy_from_slice(slope);
        let k = self.spec.outputs;
        self.said.curvature.fill(0.0);
        self.said.curvature.iter_mut().step_by(k + 1).for_each(|f| *f = 1.0);
        self.teach(0)
    }

    /// One stream begins afresh: its state, its influence and what waits for a target are dropped. What was learned stays.
    pub fn reset(&mut self, stream: usize) {
        self.lanes[stream].reset();
    }

    /// The oldest waiting step is made, and learned from if its target came.
    fn learn_oldest(&mut self, stream: usize, target: Option<Target<'_, f64>>) -> Result<Option<f64>> {
        self.advance_oldest(stream)?;
        // As predicted before the target was known, in units as known before it.
        self.say();
        let Some(target) = target else { return Ok(None) };
        self.see_target(Some(target));
        let said = &mut self.said;
        let target = match target {
            Target::Class(k) => Target::Class(k),
            Target::Values(_) => Target::Values(&said.target[..]),
        };
        let loss = self.spec.loss.evaluate(&said.output, target, &mut said.slope).as_f64();
        if !said.curvature.is_empty() {
            self.spec.loss.curvature(&said.output, &mut said.curvature);
        }
        if !loss.is_finite() {
            return Err(self.give_up(stream, "loss", loss));
        }
        if let Some(limit) = self.spec.error_clip.map(T::of) {
            self.said.slope.iter_mut().for_each(|s| *s = s.max(-limit).min(limit));
        }
        self.teach(stream)?;
        Ok(Some(loss))
    }

    fn advance_oldest(&mut self, stream: usize) -> Result<()> {
        self.at_hand = false;
        let lane = &mut self.lanes[stream];
        let x = lane.waiting.pop_front().expect("a step that waits");
        let (m, p) = (self.network.wiring().inputs(), self.network.wiring().parameters());
        lane.advance(&self.network, &self.w[..p], &x[..m], self.teach.teaches_network());
        read(&self.network, &self.spec, &lane.state, &x, &mut self.said.features);
        lane.macs.forward += self.readout.forward(&self.w[p..], &self.said.features, &mut self.said.output);
        self.check_output(stream)
    }

    /// What would be said after everything that waits, and `more`.
    fn look_ahead(&mut self, stream: usize, more: Option<&Vec<T>>) {
        let lane = &mut self.lanes[stream];
        let (m, p) = (self.network.wiring().inputs(), self.network.wiring().parameters());
        let (state, step) = &mut self.ahead;
        state.clone_from(&lane.state);
        let mut last = None;
        for x in lane.waiting.iter().chain(more) {
            lane.macs.forward += self.network.forward(&self.w[..p], &x[..m], state, step);
            state.follow(step);
            last = Some(x);
        }
        let Some(x) = last else { return };
        read(&self.network, &self.spec, state, x, &mut self.said.features);
        lane.macs.forward += self.readout.forward(&self.w[p..], &self.said.features, &mut self.said.output);
        self.say();
    }

    /// Turns outputs into a prediction.
    fn say(&mut self) {
        let said = &mut self.said;
        let o = |k: usize| said.output[k].as_f64();
        match self.spec.loss {
            Loss::SquaredError => {
                for (k, prediction) in said.prediction.iter_mut().enumerate() {
                    *prediction = self.targets.restore(k, said.output[k].as_f64());
                }
            }
            Loss::BinaryCrossEntropy => said.prediction[0] = 1.0 / (1.0 + (-o(0)).exp()),
            Loss::CrossEntropy => {
                let top = said.output.iter().map(|o| o.as_f64()).fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = said.output.iter().map(|o| (o.as_f64() - top).exp()).sum();
                for (prediction, o) in said.prediction.iter_mut().zip(&said.output) {
                    *prediction = (o.as_f64() - top).exp() / total;
                }
            }
        }
    }

    fn teach(&mut self, stream: usize) -> Result<()> {
        let said = &self.said;
        let lesson = Lesson { features: &said.features, slope: &said.slope, curvature: &said.curvature };
        let lane = &mut self.lanes[stream];
        let done = self.teach.learn(&self.network, &self.readout, &mut self.w, lane, &lesson);
        done.map_err(|(what, value)| self.give_up(stream, what, value))
    }

    /// Takes a target into the running moments, and standardises it.
    fn see_target(&mut self, target: Option<Target<'_, f64>>) {
        if let Some(Target::Values(values)) = target {
            self.targets.observe(values);
            for (k, (to, &value)) in self.said.target.iter_mut().zip(values).enumerate() {
                *to = T::of(self.targets.standardise(k, value));
            }
        }
    }

    fn standardise(&self, x: &[f64]) -> Vec<T> {
        x.iter().enumerate().map(|(k, &x)| T::of(self.inputs.standardise(k, x))).collect()
    }

    fn check_input(&self, stream: usize, x: &[f64]) -> Result<()> {
        assert_eq!(
            x.len(),
            self.spec.width(),
            "x must have an entry for each input, the direct ones included"
        );
        match x.iter().find(|x| !T::of(**x).is_finite()) {
            Some(&bad) => Err(self.not_finite(stream, "input", bad)),
            None => Ok(()),
        }
    }

    fn check_target(&self, stream: usize, target: Option<Target<'_, f64>>) -> Result<()> {
        let Some(Target::Values(values)) = target else { return Ok(()) };
        assert_eq!(values.len(), self.spec.outputs, "a target must have one value per output");
        match values.iter().find(|v| !T::of(**v).is_finite()) {
            Some(&bad) => Err(self.not_finite(stream, "target", bad)),
            None => Ok(()),
        }
    }

    fn check_output(&mut self, stream: usize) -> Result<()> {
        match self.said.output.iter().find(|o| !o.is_finite()).map(|o| o.as_f64()) {
            Some(bad) => Err(self.give_up(stream, "output", bad)),
            None => Ok(()),
        }
    }

    fn not_finite(&self, stream: usize, what: &'static str, value: f64) -> Error {
        let update = self.teach.updates() as usize + 1;
        Error::NotFinite { what, update, step: self.lanes[stream].steps as usize, value }
    }

    fn give_up(&mut self, stream: usize, what: &'static str, value: f64) -> Error {
        let error = self.not_finite(stream, what, value);
        self.lanes[stream].reset();
        error
    }

    /// Writes everything that it has become, or takes it back; what it is made of must be the same.
    ///
    /// # Errors
    /// If what is read is of another learner.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("weights", &mut self.w)?;
        self.teach.archive(archive)?;
        self.inputs.archive(archive)?;
        self.targets.archive(archive)?;
        let (inputs, outputs, horizon) = (self.spec.width(), self.spec.outputs, self.spec.horizon);
        self.lanes.iter_mut().try_for_each(|lane| lane.archive(archive, inputs, outputs, horizon))
    }
}

/// What the readout reads: emissions, direct inputs, and the network's inputs if it echoes them.
fn read<T: Real>(network: &Network<T>, spec: &OnlineSpec, state: &State<T>, x: &[T], features: &mut [T]) {
    let y = &state.y[network.wiring().outputs()];
    let (own, direct) = x.split_at(spec.network.inputs);
    let echo = if spec.echo { own } else { &[] };
    let all = y.iter().chain(direct).chain(echo);
    features.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
}
