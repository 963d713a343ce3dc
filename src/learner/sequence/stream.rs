//! One stream: forward step, learning rule, loss and credit.

use crate::learner::core::NonFinite;
use crate::macs::Macs;
use crate::metrics::{DenseSize, ReachedColumns, Tally};
use crate::model::Model;
use crate::readout::Target;
use crate::rule::{self, Rule};
use crate::scalar::Real;
use crate::wiring::{State, Step};

/// An exact rule that runs in parallel, to measure the gradient error of the learning rule. Its
/// MACs are not counted.
struct ReferenceRule<T> {
    rule: Box<dyn Rule<T>>,
    gradient: Vec<T>,
}

/// The state of one stream: network state, rule, accumulated gradient and measurements.
pub struct Stream<T> {
    state: State<T>,
    step: Step<T>,
    rule: Box<dyn Rule<T>>,
    reference_rule: Option<ReferenceRule<T>>,
    output: Vec<T>,
    slope: Vec<T>,
    credit: Vec<T>,
    gradient: Vec<T>,
    /// Share of units with nonzero pseudo-derivative at the previous step. `None` at the first
    /// step.
    steep: Option<f64>,
    reached: ReachedColumns,
    /// Size of the influence matrix without masks.
    dense_influence: DenseSize,
    /// Number of steps since the reset.
    t: usize,
    /// Number of losses since the gradient was drained.
    losses: u64,
    /// The first value since the reset that was not finite, and its step.
    non_finite: Option<(NonFinite, usize)>,
    /// Measurements since the tally was last taken.
    pub tally: Tally,
}

impl<T: Real> Stream<T> {
    /// Creates a stream in its initial state.
    #[doc(hidden)]
    pub fn new(model: &Model<T>, rule: Box<dyn Rule<T>>) -> Self {
        let wiring = model.network.wiring();
        let zeros = |n: usize| vec![T::zero(); n];
        Self {
            state: State::new(wiring),
            step: Step::new(wiring),
            rule,
            reference_rule: None,
            output: zeros(model.readout.outputs),
            slope: zeros(model.readout.outputs),
            credit: zeros(model.readout.inputs),
            gradient: zeros(model.parameters()),
            steep: None,
            reached: ReachedColumns::new(wiring),
            dense_influence: DenseSize::new(wiring),
            t: 0,
            losses: 0,
            non_finite: None,
            tally: Tally::default(),
        }
    }

    /// Sets the reference rule. [`drain_reference_into`](Self::drain_reference_into) returns its
    /// gradient.
    #[doc(hidden)]
    pub fn set_reference(&mut self, rule: Box<dyn Rule<T>>) {
        let p = self.gradient.len() - self.readout_parameters();
        self.reference_rule = Some(ReferenceRule { rule, gradient: vec![T::zero(); p] });
    }

    fn readout_parameters(&self) -> usize {
        self.slope.len() * (self.credit.len() + 1)
    }

    /// Resets state and influence for a new sequence. The accumulated gradient is kept.
    #[doc(hidden)]
    pub fn reset(&mut self) {
        self.state.reset();
        self.rule.reset();
        if let Some(reference_rule) = &mut self.reference_rule {
            reference_rule.rule.reset();
        }
        self.steep = None;
        self.reached.reset();
        self.non_finite = None;
        self.t = 0;
    }

    /// Runs one step and returns the loss, if there is a target.
    ///
    /// Computes the new state and the outputs, and updates the influence matrix of the rule. If
    /// there is a target, adds the gradient of the loss.
    ///
    /// # Panics
    /// If `x` does not have m entries, `w` does not have the number of parameters of the model, or
    /// the target does not fit the loss.
    #[doc(hidden)]
    pub fn step(&mut self, model: &Model<T>, w: &[T], x: &[T], target: Option<Target<'_, T>>) -> Option<T> {
        let wiring = model.network.wiring();
        let (w, w_out) = w.split_at(wiring.parameters());
        let mut macs = Macs::default();

        model.network.advance(w, x, &self.state, &mut self.step, &mut macs);
        self.state.follow(&self.step);
        self.rule.observe(&self.step, &mut macs);
        if let Some(reference_rule) = &mut self.reference_rule {
            reference_rule.rule.observe(&self.step, &mut Macs::default());
        }
        let y = &self.state.y[wiring.outputs()];
        macs.forward += model.readout.forward(w_out, y, &mut self.output);
        let loss = target.map(|target| {
            let loss = model.loss.evaluate(&self.output, target, &mut self.slope);
            let gradient = &mut self.gradient[wiring.parameters()..];
            macs.gradient += model.readout.backward(w_out, y, &self.slope, gradient, &mut self.credit);
            self.rule.credit(&self.credit, &mut macs);
            if let Some(reference_rule) = &mut self.reference_rule {
                reference_rule.rule.credit(&self.credit, &mut Macs::default());
            }
            loss
        });

        self.steep = Some(self.tally.observe(wiring, &self.step, self.steep));
        if let Some(influence) = self.rule.influence() {
            let zeros = self.reached.observe(wiring, &self.step, self.dense_influence);
            self.tally.influence(influence, zeros, self.dense_influence);
        }
        if let Some(loss) = loss {
            self.tally.loss(loss.as_f64());
            self.losses += 1;
        }
        self.tally.macs += macs;
        self.watch(x, loss);
        self.t += 1;
        loss
    }

    /// Resets state and influence, and discards accumulated gradient and measurements.
    #[doc(hidden)]
    pub fn discard(&mut self) {
        self.reset();
        self.forget();
    }

    /// Discards accumulated gradient and measurements. State and influence are kept.
    #[doc(hidden)]
    pub fn forget(&mut self) {
        self.drain();
        self.gradient.fill(T::zero());
        if let Some(reference_rule) = &mut self.reference_rule {
            reference_rule.gradient.fill(T::zero());
        }
        self.losses = 0;
        self.tally = Tally::default();
    }

    /// Records the first input, loss or output since the reset that is not finite.
    fn watch(&mut self, x: &[T], loss: Option<T>) {
        let bad = |what, x: &T| (NonFinite { what, value: x.as_f64() }, self.t);
        let input = x.iter().find(|x| !x.is_finite()).map(|x| bad("input", x));
        let output = || self.output.iter().find(|o| !o.is_finite()).map(|o| bad("output", o));
        let loss = loss.filter(|loss| !loss.is_finite()).map(|loss| bad("loss", &loss));
        self.non_finite = self.non_finite.or(input).or(loss).or_else(output);
    }

    /// Returns the number of steps since the reset.
    pub fn steps(&self) -> usize {
        self.t
    }

    /// Returns the first input, loss or output since the reset that was not finite, and its step.
    #[doc(hidden)]
    pub fn non_finite(&self) -> Option<(NonFinite, usize)> {
        self.non_finite
    }

    /// Drains the gradient of the rule into [`gradient`](Self::gradient).
    #[doc(hidden)]
    pub fn drain(&mut self) {
        let p = self.gradient.len() - self.readout_parameters();
        self.rule.drain(&mut self.gradient[..p], &mut self.tally.macs);
        if let Some(reference_rule) = &mut self.reference_rule {
            reference_rule.rule.drain(&mut reference_rule.gradient, &mut Macs::default());
        }
    }

    /// Returns the drained gradient of the summed loss: the p entries of the network, then those of
    /// the readout.
    #[doc(hidden)]
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }

    /// Adds the drained gradient to `total` and sets it to zero. Returns the number of losses in
    /// the sum.
    #[doc(hidden)]
    pub fn drain_into(&mut self, total: &mut [T]) -> u64 {
        rule::drain_into(&mut self.gradient, total);
        std::mem::take(&mut self.losses)
    }

    /// Adds the drained gradient of the reference rule to `total` and sets it to zero.
    #[doc(hidden)]
    pub fn drain_reference_into(&mut self, total: &mut [T]) {
        if let Some(reference_rule) = &mut self.reference_rule {
            rule::drain_into(&mut reference_rule.gradient, total);
        }
    }

    /// Returns whether the class predicted at the last step is `class`.
    #[doc(hidden)]
    pub fn decides(&self, model: &Model<T>, class: usize) -> bool {
        model.loss.class(&self.output) == class
    }

    /// Returns the outputs of the last step.
    pub fn output(&self) -> &[T] {
        &self.output
    }

    /// Returns state and emission of every row after the last step.
    pub fn state(&self) -> &State<T> {
        &self.state
    }

    /// Returns the learning rule.
    pub fn rule(&self) -> &dyn Rule<T> {
        self.rule.as_ref()
    }
}
