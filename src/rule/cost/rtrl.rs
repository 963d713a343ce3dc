//! Exact sparse RTRL: for each layer's parameters,
//!
//! `(l + c + a) k⁻ + b k + m` MACs a step, and `o k` a credit,
//!
//! with k the columns something has touched since the reset (k⁻ before this step), l the live rows that others read if any row
//! carries (else 0), c the rows with a carry other than 1, a the couplings of A that are not zero from live sources into held rows, b the same of B, m
//! the entries of M̄ in held rows whose source speaks, o the live output rows with credit; and `f` MACs for folding inner rows
//! away where that is done. Without activity sparsity every row is held and live, every column awake and every source speaks; without
//! parameter sparsity the same holds on the unmasked network. `h k + p` numbers for h held rows, and p more for the gradient.

use super::CostModel;
use crate::macs::Macs;
use crate::params::Kind;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// One layer's parameters: which columns are awake, and which rows are held and live.
struct Layer {
    number: usize,
    columns: Vec<bool>,
    reached: Vec<bool>,
    awake: Vec<bool>,
    held: Vec<bool>,
    live: Vec<bool>,
    /// Whether any row its parameters reach carries.
    carries: bool,
}

pub(in crate::rule) struct PanelCost<T> {
    wiring: Arc<Wiring>,
    /// Whether what happens to be zero is skipped.
    activity: bool,
    form: Form<T>,
    recurrent: Vec<bool>,
    layers: Vec<Layer>,
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
                awake: vec![false; p],
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
        let k_before = count(&self.awake);
        let r_before = self.awake.iter().zip(recurrent).filter(|(a, r)| **a && **r).count();
        let was = |row: usize| k_before > 0 && self.held[row] && self.live[row];
        let sources: Vec<bool> = (0..wiring.rows()).map(was).collect();
        let feeding = (0..wiring.rows()).filter(|&l| sources[l] && form.previous.col(l).len() > 0);
        let l = if self.carries { feeding.count() } else { 0 };
        for (column, (_, source)) in weights.entries().enumerate() {
            self.awake[column] |= self.columns[column] && counts(step.phi[source]);
        }
        let k = count(&self.awake);
        let shows = |row: usize| {
            let own = wiring.threshold(row).is_some_and(|column| self.columns[column]);
            own && step.e_bar[row] != T::zero()
        };
        self.live = (0..wiring.rows()).map(|row| counts(step.e[row]) || shows(row)).collect();

        let (mut c, mut a, mut b, mut m) = (0, 0, 0, 0);
        for row in 0..wiring.rows() {
            let across = form.previous.row(row).filter(|&(l, at)| sources[l] && counts(values.a[at]));
            let across = across.count();
            let relays = |&(j, at): &(usize, usize)| self.held[j] && self.live[j] && counts(values.b[at]);
            let within = form.current.row(row).filter(relays).count();
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
            layer.awake.fill(false);
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
            count(&layer.awake) * outputs.clone().zip(credit).filter(read).count()
        };
        let gradient: usize = self.layers.iter().map(of_layer).sum();
        Macs { gradient: gradient as u64, ..Macs::default() }
    }

    fn numbers(&self) -> usize {
        let of_layer = |layer: &Layer| count(&layer.held) * count(&layer.awake) + count(&layer.columns);
        self.layers.iter().map(of_layer).sum::<usize>() + self.wiring.parameters()
    }
}
