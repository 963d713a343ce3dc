//! State of one stream of a streaming learner.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::macs::Macs;
use crate::network::Network;
use crate::rule::Rule;
use crate::scalar::Real;
use crate::wiring::{State, Step};
use std::collections::VecDeque;

/// The state of one stream.
///
/// The network state is that of the most recent step whose target was due. The inputs of later
/// steps are pending.
pub struct StreamState<T> {
    /// State and emission after the last completed step.
    pub state: State<T>,
    /// Derivatives of the last completed step.
    pub step: Step<T>,
    /// The learning rule.
    pub rule: Box<dyn Rule<T>>,
    /// Standardised inputs of the pending steps, oldest first.
    pub pending: VecDeque<Vec<T>>,
    /// Predictions of the pending steps, oldest first.
    pub forecasts: VecDeque<Vec<f64>>,
    /// MACs since creation.
    pub macs: Macs,
    /// Number of completed steps since the reset.
    pub steps: u64,
}

impl<T: Real> StreamState<T> {
    /// Creates the initial state.
    pub fn new(network: &Network<T>, rule: Box<dyn Rule<T>>) -> Self {
        let wiring = network.wiring();
        Self {
            state: State::new(wiring),
            step: Step::new(wiring),
            rule,
            pending: VecDeque::new(),
            forecasts: VecDeque::new(),
            macs: Macs::default(),
            steps: 0,
        }
    }

    /// Resets everything except the MACs.
    pub fn reset(&mut self) {
        self.state.reset();
        self.rule.reset();
        self.pending.clear();
        self.forecasts.clear();
        self.steps = 0;
    }

    /// Runs one step of the network. If `trained`, the rule observes the step.
    pub fn advance(&mut self, network: &Network<T>, w: &[T], x: &[T], trained: bool) {
        if trained {
            network.advance(w, x, &self.state, &mut self.step, &mut self.macs);
            self.rule.observe(&self.step, &mut self.macs);
        } else {
            self.macs.forward += network.forward(w, x, &self.state, &mut self.step);
        }
        self.state.follow(&self.step);
        self.steps += 1;
    }

    /// Saves or restores the state.
    ///
    /// # Errors
    /// If the archive contains another learner.
    pub fn archive(
        &mut self,
        archive: &mut Archive,
        inputs: usize,
        outputs: usize,
        horizon: usize,
    ) -> Result<()> {
        archive.list("state.c", &mut self.state.c)?;
        archive.list("state.y", &mut self.state.y)?;
        archive.field("waiting", &mut self.pending)?;
        archive.field("forecasts", &mut self.forecasts)?;
        archive.field("macs", &mut self.macs)?;
        archive.field("steps", &mut self.steps)?;
        let steps = self.pending.len();
        let of_steps = steps <= horizon && self.forecasts.len() == steps;
        let of_values = self.pending.iter().all(|x| x.len() == inputs)
            && self.forecasts.iter().all(|o| o.len() == outputs);
        if !(of_steps && of_values) {
            return Err(Error::State { field: "waiting", found: "steps of another learner".into() });
        }
        self.rule.archive(archive)
    }
}
