//! Weight updates from their equations: SGD, Adam, AMSGrad, Kalman filters, least squares.

use super::covariance::{Filter, LeastSquares};
use sparse_rtrl::learner::online::{Grouping, StreamLearnerSpec, Trainer};
use sparse_rtrl::macs::Macs;
use sparse_rtrl::network::Network;
use sparse_rtrl::readout::Loss;
use sparse_rtrl::rule::Rule;
use std::collections::BTreeMap;

pub struct WeightUpdate<'a> {
    pub features: &'a [f64],
    pub slope: &'a [f64],
    pub curvature: &'a [f64],
}

/// Whether the recurrent network is trained.
pub fn trains_network(spec: &StreamLearnerSpec) -> bool {
    !spec.frozen && spec.trainer != Trainer::Untrained
}

pub struct Updates {
    pub done: u64,
    p: usize,
    emissions: usize,
    /// Adam and AMSGrad: first and second moments of every weight, and the largest second moment.
    moments: Vec<(f64, f64, f64)>,
    filter: Option<Filter>,
    least: Option<LeastSquares>,
}

impl Updates {
    pub fn new(spec: &StreamLearnerSpec, network: &Network<f64>) -> Self {
        let wiring = network.wiring();
        let (p, emissions) = (wiring.parameters(), wiring.outputs().len());
        let d = emissions + spec.direct + if spec.echo { spec.model.network.inputs } else { 0 };
        let mut units = BTreeMap::<(usize, usize), Vec<usize>>::new();
        for block in wiring.layout().blocks() {
            for ((unit, _), &place) in block.kept.entries().zip(&block.places) {
                units.entry((block.spec.layer, unit)).or_default().push(place);
            }
        }
        let mut groups: Vec<Vec<usize>> = units.into_values().collect();
        if spec.least_squares.is_none() {
            for k in 0..spec.model.outputs {
                let bias = p + spec.model.outputs * d + k;
                groups.push((p + k * d..p + (k + 1) * d).chain([bias]).collect());
            }
        }
        let filter = match &spec.trainer {
            Trainer::Kalman { grouping, variance, forgetting, noise, .. } => {
                let groups = match grouping {
                    Grouping::Node => groups,
                    Grouping::Full => vec![groups.concat()],
                    other => panic!("no reference for {other:?}"),
                };
                Some(Filter::new(groups, *variance, *forgetting, *noise))
            }
            _ => None,
        };
        let least =
            spec.least_squares.map(|least| LeastSquares::new(d + 1, least.variance, least.forgetting));
        let moments = vec![(0.0, 0.0, 0.0); p + spec.model.outputs * (d + 1)];
        Self { done: 0, p, emissions, moments, filter, least }
    }

    /// One update of `w`; its MACs are added to `macs`. Returns the number of MACs that depend on
    /// rounding.
    pub fn learn(
        &mut self,
        spec: &StreamLearnerSpec,
        w: &mut [f64],
        rule: &mut dyn Rule<f64>,
        update_of: &WeightUpdate<'_>,
        macs: &mut Macs,
    ) -> u64 {
        let mut slack = 0;
        match &spec.trainer {
            Trainer::Untrained => {}
            Trainer::Gradient { .. } => self.descend(spec, w, rule, update_of, macs),
            Trainer::Kalman { error_variance: error, .. } => {
                let rows = self.rows(spec, w, rule, update_of, macs);
                let r = if spec.model.loss == Loss::SquaredError { *error } else { 1.0 };
                let over_r = |values: &[f64]| values.iter().map(|v| v / r).collect::<Vec<_>>();
                let filter = self.filter.as_mut().expect("a filter");
                let (done, uncertain) =
                    filter.update(w, &rows, &over_r(update_of.slope), &over_r(update_of.curvature));
                macs.update += done;
                slack = uncertain;
            }
            other => unreachable!("{other:?}"),
        }
        if let Some(least) = &mut self.least {
            let (k, d) = (update_of.slope.len(), update_of.features.len());
            let phi: Vec<f64> = update_of.features.iter().copied().chain([1.0]).collect();
            let (gain, done) = least.gain(&phi);
            macs.update += done + (k * (d + 1)) as u64;
            for (o, slope) in update_of.slope.iter().enumerate() {
                (0..d).for_each(|j| w[self.p + o * d + j] -= slope * gain[j]);
                w[self.p + k * d + o] -= slope * gain[d];
            }
        }
        self.done += 1;
        slack
    }

    /// One step along the gradient, for the weights that the optimiser trains.
    fn descend(
        &mut self,
        spec: &StreamLearnerSpec,
        w: &mut [f64],
        rule: &mut dyn Rule<f64>,
        update_of: &WeightUpdate<'_>,
        macs: &mut Macs,
    ) {
        let Trainer::Gradient { optimiser, learning_rate: rate, decay, clip } = &spec.trainer else {
            panic!("the reference updates by gradient")
        };
        let (k, d, p) = (update_of.slope.len(), update_of.features.len(), self.p);
        let mut g = vec![0.0; w.len()];
        for o in 0..k {
            (0..d).for_each(|j| g[p + o * d + j] = update_of.slope[o] * update_of.features[j]);
            g[p + k * d + o] = update_of.slope[o];
        }
        // Every product of ∂L/∂W and of Wᵀ ∂L/∂o.
        macs.gradient += 2 * (k * d) as u64;
        if !spec.frozen {
            let credit = |j: usize| (0..k).map(|o| w[p + o * d + j] * update_of.slope[o]).sum::<f64>();
            let credit: Vec<f64> = (0..self.emissions).map(credit).collect();
            rule.credit(&credit, macs);
            rule.drain(&mut g[..p], macs);
        }
        let trained = if spec.frozen { p } else { 0 }..if spec.least_squares.is_some() { p } else { w.len() };
        let norm = g[trained.clone()].iter().map(|g| g * g).sum::<f64>().sqrt();
        let scale = clip.map_or(1.0, |clip| (clip / norm).min(1.0));
        let rate = rate / (1.0 + decay * self.done as f64);
        let t = self.done as i32 + 1;
        for place in trained {
            let g = scale * g[place];
            w[place] -= rate
                * match optimiser.as_str() {
                    "sgd" => g,
                    name @ ("adam" | "amsgrad") => {
                        let (m, v, u) = &mut self.moments[place];
                        *m = 0.9 * *m + 0.1 * g;
                        *v = 0.999 * *v + 0.001 * g * g;
                        *u = if name == "adam" { *v } else { u.max(*v) };
                        (*m / (1.0 - 0.9f64.powi(t))) / ((*u / (1.0 - 0.999f64.powi(t))).sqrt() + 1e-8)
                    }
                    other => panic!("no equations for {other}"),
                };
        }
    }

    /// The rows `∂o_k/∂w`, one per output.
    fn rows(
        &self,
        spec: &StreamLearnerSpec,
        w: &[f64],
        rule: &mut dyn Rule<f64>,
        update_of: &WeightUpdate<'_>,
        macs: &mut Macs,
    ) -> Vec<Vec<f64>> {
        let (k, d, p) = (update_of.slope.len(), update_of.features.len(), self.p);
        let mut rows = vec![vec![0.0; w.len()]; k];
        for (o, row) in rows.iter_mut().enumerate() {
            rule.credit(&w[p + o * d..p + o * d + self.emissions], macs);
            rule.drain(&mut row[..p], macs);
            if spec.least_squares.is_none() {
                row[p + o * d..p + (o + 1) * d].copy_from_slice(update_of.features);
                row[p + k * d + o] = 1.0;
            }
        }
        rows
    }
}
