//! Cost of exact sparse RTRL.

use super::{CostModel, Means};
use crate::macs::Macs;
use crate::params::Kind;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// The parameters of one layer: which columns are active, and which rows are held and live.
struct Layer {
    number: usize,
    columns: Vec<bool>, // [p]: whether the layer owns the parameter
    reached: Vec<bool>, // [h]: rows that its parameters can influence
    active: Vec<bool>,  // [p]
    held: Vec<bool>,    // [h]
    live: Vec<bool>,    // [h]
    /// Whether any row that its parameters reach carries.
    carries: bool,
}

/// Cost model of [`Rtrl`](crate::rule::Rtrl).
///
/// # Equation
/// For the parameters of each layer, `(l + c + a) k⁻ + b k + m` MACs per step and `o k` per credit, and `f` MACs per step
/// for folding inner rows away where that is done. Memory: `Σ_layers (h k + p_layer) + p` numbers.
///
/// # Symbols
/// - k, k⁻: active columns, those whose source has been nonzero since the reset; and their number before this step
/// - l: live rows that others read, if any row carries, else 0
/// - c: rows with a carry other than 1
/// - a, b: nonzero couplings of A and of B from live rows into held rows
/// - m: entries of M̄ in held rows whose source is nonzero
/// - o: live output rows with nonzero credit
/// - h: held rows
///
/// Without activity skips every row is held and live, every column is active and every source counts as nonzero.
pub(in crate::rule) struct PanelCost<T> {
    wiring: Arc<Wiring>,
    /// Whether zeros of activity are skipped.
    activity: bool,
    form: Form<T>,
    recurrent: Vec<bool>,
    layers: Vec<Layer>,
}

/// Mean MACs per step over p columns with a credit to every unit: `κ p (l + c + η |A|) + h s p + κ ν n p`.
pub(in crate::rule) fn mean(of: &Means, p: f64) -> f64 {
    let Means { units: n, couplings: a, .. } = *of;
    let copied = if of.carry { of.live * n } else { 0.0 };
    of.active * p * (copied + of.carrying() + of.live_pairs * a)
        + of.held() * of.nonzero * p
        + of.active * of.live * n * p
}

/// Mean MACs per step without activity skips: `p (2 c + |A|) + p + n p`.
pub(in crate::rule) fn mean_of_masks(of: &Means) -> f64 {
    let p = of.parameters;
    p * (2.0 * of.carrying() + of.couplings) + p + of.units * p
}

fn count(of: &[bool]) -> usize {
    of.iter().filter(|x| **x).count()
}

impl<T: Real> PanelCost<T> {
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
