//! Cost of exact sparse RTRL.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::params::Kind;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// The parameters of one layer, and the state of their columns and rows.
struct Layer {
    /// Index of the layer.
    number: usize,
    /// `[p]`, whether the parameter belongs to the layer.
    columns: Vec<bool>,
    /// `[h]`, whether the parameters of the layer can influence the row.
    reached: Vec<bool>,
    /// `[p]`, whether the column is active.
    active: Vec<bool>,
    /// `[h]`, whether the row is held.
    held: Vec<bool>,
    /// `[h]`, whether the row is live.
    live: Vec<bool>,
    /// Whether any reached row carries.
    carries: bool,
}

/// Cost model of [`Rtrl`](crate::rule::Rtrl).
///
/// # Equation
/// `(l + c + a) k⁻ + b k + m` MACs per step and `o k` MACs per credit for the parameters of each
/// layer, and f MACs per step for folding. Memory: `Σ_layers (h k + p_layer) + p` numbers.
///
/// # Symbols
/// - k, k⁻: number of active columns at this step and before it
/// - l: number of live rows that other rows read, if any row carries, else 0
/// - c: number of rows with a carry other than 1
/// - a, b: number of nonzero couplings of A and of B from live rows to held rows
/// - m: number of entries of M̄ in held rows whose source is nonzero
/// - f: number of folded entries whose factor is nonzero
/// - o: number of live output rows with nonzero credit
/// - h: number of held rows
///
/// Without activity skips, every row is held and live, every column is active and every source
/// counts as nonzero.
pub(in crate::rule) struct PanelCost<T> {
    wiring: Arc<Wiring>,
    /// Whether zeros of activity are skipped.
    activity: bool,
    form: Form<T>,
    /// `[p]`, whether a parameter is a recurrent weight.
    recurrent: Vec<bool>,
    /// `[layers]`
    layers: Vec<Layer>,
}

/// Returns the mean MACs per step over p columns with a credit for every unit:
/// `κ p (l + c + η |A|) + h s p + κ ν n p`.
pub(in crate::rule) fn mean(of: &Means, p: f64) -> f64 {
    let Means { units: n, couplings: a, .. } = *of;
    let copied = if of.carry { of.live * n } else { 0.0 };
    of.active * p * (copied + of.carrying() + of.live_pairs * a)
        + of.held() * of.nonzero * p
        + of.active * of.live * n * p
}

/// Returns the mean MACs per step without activity skips: `p (2 c + |A|) + p + n p`.
pub(in crate::rule) fn mean_of_masks(of: &Means) -> f64 {
    let p = of.parameters;
    p * (2.0 * of.carrying() + of.couplings) + p + of.units * p
}

/// Returns the number of true values.
fn count(of: &[bool]) -> usize {
    of.iter().filter(|x| **x).count()
}

impl<T: Real> PanelCost<T> {
    /// Creates the cost model of a wiring, with or without activity skips.
    pub fn new(wiring: Arc<Wiring>, activity: bool) -> Self {
        let form = Form::choose(&wiring);
        let (n, p) = (wiring.rows(), wiring.parameters());
        let recurrent = wiring.layout().of_kind(Kind::Recurrent);
        let layer_of: Vec<usize> =
            wiring.layout().weights().entries().map(|(pre, _)| wiring.layer_of(pre)).collect();
        let layer = |k: usize| {
            let pres = (0..wiring.pre_rows().len()).filter(|&pre| wiring.layer_of(pre) == k);
            let rows = form.reach(pres, usize::MAX);
            Layer {
                number: k,
                columns: layer_of.iter().map(|&l| l == k).collect(),
                reached: (0..n).map(|row| rows.binary_search(&row).is_ok()).collect(),
                active: vec![false; p],
                held: vec![false; n],
                live: vec![false; n],
                carries: rows.iter().any(|&row| wiring.carries(row)),
            }
        };
        let layers = (0..wiring.layers()).map(layer).collect();
        Self { layers, recurrent, form, activity, wiring }
    }
}

impl Layer {
    /// Updates the state with a step. Returns the MACs of the step.
    fn observe<T: Real>(
        &mut self,
        wiring: &Wiring,
        form: &Form<T>,
        recurrent: &[bool],
        activity: bool,
        step: &Step<T>,
    ) -> Macs {
        let counts = |x: T| x != T::zero() || !activity;
        let values = form.values(step);
        let weights = wiring.layout().weights();
        let k_before = count(&self.active);
        let r_before = self.active.iter().zip(recurrent).filter(|(a, r)| **a && **r).count();
        let was = |row: usize| k_before > 0 && self.held[row] && self.live[row];
        let sources: Vec<bool> = (0..wiring.rows()).map(was).collect();
        let feeding = (0..wiring.rows()).filter(|&l| sources[l] && form.previous.col(l).len() > 0);
        let l = if self.carries { feeding.count() } else { 0 };
        for (column, (_, source)) in weights.entries().enumerate() {
            self.active[column] |= self.columns[column] && counts(step.phi[source]);
        }
        let k = count(&self.active);
        let shows = |row: usize| {
            let own = wiring.threshold(row).is_some_and(|column| self.columns[column]);
            own && step.e_bar[row] != T::zero()
        };
        self.live = (0..wiring.rows()).map(|row| counts(step.e[row]) || shows(row)).collect();

        let (mut c, mut a, mut b, mut m) = (0, 0, 0, 0);
        for row in 0..wiring.rows() {
            let across = form.previous.row(row).filter(|&(l, at)| sources[l] && counts(values.a[at]));
            let across = across.count();
            let couples = |&(j, at): &(usize, usize)| self.held[j] && self.live[j] && counts(values.b[at]);
            let within = form.current.row(row).filter(couples).count();
            let own = |pre: usize| wiring.layer_of(pre) == self.number;
            let mut gains = form.gains.row(row).filter(|&(pre, _)| own(pre));
            let mut gained = || gains.any(|(_, at)| values.gain[at] != T::zero());
            let mut fed = || !activity || shows(row) || across + within > 0 || gained();
            self.held[row] = self.reached[row] && (wiring.carries(row) || (self.live[row] && fed()));
            if self.held[row] {
                c += usize::from(wiring.carries(row) && step.d[row] != T::one());
                a += across;
                b += within;
                for (pre, _) in form.gains.row(row) {
                    let enters =
                        |&(source, column): &(usize, usize)| self.columns[column] && counts(step.phi[source]);
                    m += weights.row(pre).filter(enters).count();
                }
            }
        }
        Macs {
            influence: ((l + c + a) * k_before + b * k + m) as u64,
            recurrent: (a * r_before) as u64,
            ..Macs::default()
        }
    }
}

impl<T: Real> CostModel<T> for PanelCost<T> {
    fn reset(&mut self) {
        for layer in &mut self.layers {
            layer.active.fill(false);
            for row in 0..layer.held.len() {
                layer.held[row] &= self.wiring.carries(row);
            }
        }
    }

    fn observe(&mut self, step: &Step<T>) -> Macs {
        let mut macs = Macs { coupling: self.form.evaluate(step, self.activity), ..Macs::default() };
        for layer in &mut self.layers {
            macs += layer.observe(&self.wiring, &self.form, &self.recurrent, self.activity, step);
        }
        macs
    }

    fn credit(&mut self, credit: &[T]) -> Macs {
        let outputs = self.wiring.outputs();
        let of_layer = |layer: &Layer| {
            let read = |&(row, c): &(usize, &T)| {
                layer.held[row] && layer.live[row] && (*c != T::zero() || !self.activity)
            };
            count(&layer.active) * outputs.clone().zip(credit).filter(read).count()
        };
        let gradient: usize = self.layers.iter().map(of_layer).sum();
        Macs { gradient: gradient as u64, ..Macs::default() }
    }

    fn footprint(&self) -> usize {
        let of_layer = |layer: &Layer| count(&layer.held) * count(&layer.active) + count(&layer.columns);
        self.layers.iter().map(of_layer).sum::<usize>() + self.wiring.parameters()
    }
}
