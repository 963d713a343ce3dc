//! Weight updates by the three kinds of trainers:
//!
//! - gradient: `g = Yᵀ c̄` with `c̄ = W_outᵀ ∂L/∂o`, then one step of an optimiser;
//! - Kalman: rows `∂o_k/∂w = Yᵀ W_out[k, :]`, one credit per row, then one step of the filter;
//! - none: the weights of the network are constant.
//!
//! The readout is trained with the network or by recursive least squares.

use super::scratch::Evaluation;
use super::spec::{Grouping, StreamLearnerSpec, Trainer};
use super::stream_state::StreamState;
use crate::archive::Archive;
use crate::error::Result;
use crate::learner::core::{NonFinite, descend};
use crate::model::Model;
use crate::optim::{self, Kalman, Optimiser, Rls};
use crate::readout::{Loss, Readout};
use crate::scalar::Real;
use crate::wiring::Wiring;
use std::ops::Range;

/// The state of the trainer of the network and of the trainer of the readout.
pub struct TrainerState<T> {
    network: By<T>,
    readout: Option<Rls>,
    /// Range of the weights that the trainer updates: network and readout, network, or readout.
    trained: Range<usize>,
    /// Number of emissions. They are the first features of the readout.
    emissions: usize,
    /// Scratch: gradient of all weights. [p + parameters of the readout]
    gradient: Vec<T>,
    /// Scratch: credit of all features of the readout. [features]
    credit: Vec<T>,
}

enum By<T> {
    Nothing,
    Gradient { optimiser: Box<dyn Optimiser<T>>, learning_rate: f64, decay: f64, clip: Option<f64> },
    Kalman { filter: Kalman, rows: Vec<T>, error_variance: f64 },
}

impl<T: Real> TrainerState<T> {
    /// Creates the trainer of a checked specification.
    ///
    /// # Errors
    /// If the optimiser is unknown.
    pub fn new(spec: &StreamLearnerSpec, model: &Model<T>) -> Result<Self> {
        let (wiring, readout) = (model.network.wiring(), &model.readout);
        let p = wiring.parameters();
        let all = p + readout.parameters();
        let trained = if spec.frozen { p } else { 0 }..if spec.least_squares.is_some() { p } else { all };
        let by = match &spec.trainer {
            Trainer::Untrained => By::Nothing,
            Trainer::Gradient { optimiser, learning_rate, decay, clip } => By::Gradient {
                optimiser: (optim::find(optimiser)?.build)(trained.len(), *learning_rate),
                learning_rate: *learning_rate,
                decay: *decay,
                clip: *clip,
            },
            Trainer::Kalman { grouping, variance, error_variance, forgetting, noise } => {
                let mut groups = match grouping {
                    Grouping::Node => nodes(wiring),
                    Grouping::Full => vec![(0..p).collect()],
                };
                if spec.least_squares.is_none() {
                    let of_readout = outputs(readout, p);
                    match grouping {
                        Grouping::Node => groups.extend(of_readout),
                        Grouping::Full => groups[0].extend(of_readout.into_iter().flatten()),
                    }
                }
                let groups = groups.into_iter().map(|places| (places, *variance));
                By::Kalman {
                    filter: Kalman::new(groups, spec.model.outputs, *forgetting, *noise),
                    rows: vec![T::zero(); spec.model.outputs * trained.len()],
                    error_variance: if spec.model.loss == Loss::SquaredError { *error_variance } else { 1.0 },
                }
            }
        };
        let readout_by =
            spec.least_squares.map(|own| Rls::new(readout.inputs + 1, own.variance, own.forgetting));
        Ok(Self {
            network: by,
            readout: readout_by,
            trained,
            emissions: wiring.outputs().len(),
            gradient: vec![T::zero(); all],
            credit: vec![T::zero(); readout.inputs],
        })
    }

    /// Copies learning rate, decay and clip from `trainer`, if both are optimisers.
    pub fn retune(&mut self, trainer: &Trainer) {
        if let (
            By::Gradient { learning_rate, decay, clip, .. },
            Trainer::Gradient { learning_rate: new_rate, decay: new_decay, clip: new_clip, .. },
        ) = (&mut self.network, trainer)
        {
            (*learning_rate, *decay, *clip) = (*new_rate, *new_decay, *new_clip);
        }
    }

    /// Returns whether the network is trained. Its rule must then observe all steps.
    pub fn trains_network(&self) -> bool {
        !matches!(self.network, By::Nothing) && self.trained.start == 0
    }

    /// Updates the weights `w` from an evaluation of the loss. `updates` is the number of earlier
    /// updates.
    ///
    /// # Errors
    /// If the gradient norm or a gain is not finite. `w` may then be partly updated.
    pub fn update(
        &mut self,
        model: &Model<T>,
        w: &mut [T],
        updates: u64,
        stream_state: &mut StreamState<T>,
        evaluation: &Evaluation<T>,
    ) -> std::result::Result<(), NonFinite> {
        let p = model.network.wiring().parameters();
        self.update_network(&model.readout, w, updates, stream_state, evaluation)?;
        self.update_readout(p, w, stream_state, evaluation)
    }

    fn update_network(
        &mut self,
        readout: &Readout,
        w: &mut [T],
        updates: u64,
        stream_state: &mut StreamState<T>,
        evaluation: &Evaluation<T>,
    ) -> std::result::Result<(), NonFinite> {
        let p = w.len() - readout.parameters();
        match &mut self.network {
            By::Nothing => Ok(()),
            By::Gradient { optimiser, learning_rate, decay, clip } => {
                let (of_network, of_readout) = self.gradient.split_at_mut(p);
                of_network.fill(T::zero());
                of_readout.fill(T::zero());
                let w_out = &w[p..];
                stream_state.macs.gradient += readout.backward(
                    w_out,
                    &evaluation.features,
                    &evaluation.slope,
                    of_readout,
                    &mut self.credit,
                );
                if self.trained.start == 0 {
                    stream_state.rule.credit(&self.credit[..self.emissions], &mut stream_state.macs);
                    stream_state.rule.drain(of_network, &mut stream_state.macs);
                }
                let gradient = &mut self.gradient[self.trained.clone()];
                optimiser.set_rate(*learning_rate / (1.0 + *decay * updates as f64));
                descend(optimiser.as_mut(), *clip, &mut w[self.trained.clone()], gradient)
            }
            By::Kalman { filter, rows, error_variance } => {
                rows.fill(T::zero());
                for (k, row) in rows.chunks_exact_mut(self.trained.end).enumerate() {
                    let of_output = &w[p + k * readout.inputs..p + (k + 1) * readout.inputs];
                    stream_state.rule.credit(&of_output[..self.emissions], &mut stream_state.macs);
                    stream_state.rule.drain(&mut row[..p], &mut stream_state.macs);
                    if self.trained.end > p {
                        let own = p + k * readout.inputs;
                        row[own..own + readout.inputs].copy_from_slice(&evaluation.features);
                        row[p + readout.outputs * readout.inputs + k] = T::one();
                    }
                }
                let slope: Vec<f64> = evaluation.slope.iter().map(|s| s.as_f64() / *error_variance).collect();
                let curvature: Vec<f64> = evaluation.curvature.iter().map(|f| f / *error_variance).collect();
                let done = filter.update(&mut w[..self.trained.end], rows, &slope, &curvature);
                stream_state.macs.update += done.ok_or(NonFinite { what: "Kalman gain", value: f64::NAN })?;
                Ok(())
            }
        }
    }

    fn update_readout(
        &mut self,
        p: usize,
        w: &mut [T],
        stream_state: &mut StreamState<T>,
        evaluation: &Evaluation<T>,
    ) -> std::result::Result<(), NonFinite> {
        let Some(rls) = &mut self.readout else { return Ok(()) };
        let inputs = evaluation.features.len();
        let features = evaluation.features.iter().copied().chain([T::one()]);
        let (weights, biases) = w[p..].split_at_mut(evaluation.slope.len() * inputs);
        let done = rls.update(features, |gain| {
            for ((&slope, row), bias) in
                evaluation.slope.iter().zip(weights.chunks_exact_mut(inputs)).zip(biases)
            {
                let slope = slope.as_f64();
                row.iter_mut().zip(gain).for_each(|(w, gain)| *w = (*w - T::of(slope * gain)).flushed());
                *bias = (*bias - T::of(slope * gain[inputs])).flushed();
            }
        });
        stream_state.macs.update += done.ok_or(NonFinite { what: "least-squares gain", value: f64::NAN })?;
        stream_state.macs.update += (evaluation.slope.len() * (inputs + 1)) as u64;
        Ok(())
    }

    /// Saves or restores the state.
    ///
    /// # Errors
    /// If the archive contains another trainer or size.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        match &mut self.network {
            By::Nothing => Ok(()),
            By::Gradient { optimiser, .. } => optimiser.archive(archive),
            By::Kalman { filter, .. } => filter.archive(archive),
        }?;
        self.readout.as_mut().map_or(Ok(()), |rls| rls.archive(archive))
    }
}

/// Returns the parameter indices of each unit: those of its gates, and its threshold.
fn nodes(wiring: &Wiring) -> Vec<Vec<usize>> {
    let mut nodes = std::collections::BTreeMap::<(usize, usize), Vec<usize>>::new();
    for block in wiring.layout().blocks() {
        for ((unit, _), &place) in block.kept.entries().zip(&block.places) {
            nodes.entry((block.spec.layer, unit)).or_default().push(place);
        }
    }
    nodes.into_values().collect()
}

/// Returns the parameter indices of each output of the readout, starting at `p`.
fn outputs(readout: &Readout, p: usize) -> Vec<Vec<usize>> {
    let of = |k: usize| {
        let weights = p + k * readout.inputs..p + (k + 1) * readout.inputs;
        weights.chain([p + readout.outputs * readout.inputs + k]).collect()
    };
    (0..readout.outputs).map(of).collect()
}
