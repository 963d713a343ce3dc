//! Dense RTRL: the reference implementation. [`RtrlDense`] has the equations.

use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Which rows a dense implementer would keep, and which pairs of them he would multiply.
struct DenseForm {
    /// All rows but inner ones (without carry, not a unit and not read out), which are folded away.
    outer: Vec<usize>,
    /// Folds of an inner row into a row that reads it, in order.
    folds: Vec<DenseFold>,
    /// `(row, source)` pairs of `A` and of `B` among outer rows, after folding.
    previous: Vec<(usize, usize)>,
    current: Vec<(usize, usize)>,
    /// Parameters of each row's own gates.
    columns: Vec<Vec<usize>>,
}

/// `A_row += B_{row,inner} e A_inner`, the same for `B` and M̄.
struct DenseFold {
    row: usize,
    inner: usize,
    /// Columns in which the inner row's A and B may have entries.
    previous: Vec<usize>,
    current: Vec<usize>,
}

impl DenseForm {
    fn new(wiring: &Wiring) -> Self {
        let n = wiring.rows();
        let is_inner = |row: &usize| {
            !wiring.carries(*row) && !wiring.units().contains(row) && !wiring.outputs().contains(row)
        };
        let (inner, outer): (Vec<_>, Vec<_>) = (0..n).partition(is_inner);
        let mut a = DMatrix::from_element(n, n, false);
        let mut b = a.clone();
        wiring.previous().entries().for_each(|e| a[e] = true);
        wiring.current().entries().for_each(|e| b[e] = true);
        let mut folds = Vec::new();
        for &j in &inner {
            for i in j + 1..n {
                if b[(i, j)] {
                    let previous: Vec<_> = (0..n).filter(|&l| a[(j, l)]).collect();
                    let current: Vec<_> = (0..j).filter(|&k| b[(j, k)]).collect();
                    previous.iter().for_each(|&l| a[(i, l)] = true);
                    current.iter().for_each(|&k| b[(i, k)] = true);
                    folds.push(DenseFold { row: i, inner: j, previous, current });
                }
            }
        }
        let pairs = |of: &DMatrix<bool>| {
            let all = outer.iter().flat_map(|&i| outer.iter().map(move |&l| (i, l)));
            all.filter(|&e| of[e]).collect()
        };
        let mut columns = vec![Vec::new(); n];
        for (column, (pre, _)) in wiring.layout().weights().entries().enumerate() {
            columns[wiring.pre_rows()[pre]].push(column);
        }
        Self { previous: pairs(&a), current: pairs(&b), outer, folds, columns }
    }
}

/// What the dense rule costs on a wiring, in closed form. A test holds it against the oracle's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseCost {
    /// MACs of advancing the influence matrix by a step.
    pub influence: u64,
    /// MACs of one credit.
    pub gradient: u64,
    /// MACs of the forward step, all sources speaking.
    pub forward: u64,
    /// MACs of assembling the couplings.
    pub coupling: u64,
}

impl DenseCost {
    /// The cost on this wiring as it is; on [`Wiring::unmasked`] for the cost without any sparsity.
    pub fn new(wiring: &Wiring) -> Self {
        let form = DenseForm::new(wiring);
        let (p, rows) = (wiring.parameters(), form.outer.len());
        let products = form.previous.len() + form.current.len() + 2 * rows;
        let fold = |f: &DenseFold| f.previous.len() + f.current.len() + form.columns[f.inner].len();
        let folds: usize = form.folds.iter().map(fold).sum();
        let coupled = |(_, source): &(usize, usize)| {
            use crate::wiring::Source::{Current, Previous};
            matches!(wiring.sources()[*source], Previous(_) | Current(_))
        };
        Self {
            influence: (products * p + p + folds) as u64,
            gradient: (wiring.outputs().len() * p) as u64,
            forward: p as u64,
            coupling: wiring.layout().weights().entries().filter(coupled).count() as u64,
        }
    }
}

/// Dense RTRL for one stream: the reference that shares no kernel and no skip with the other rules.
///
/// # Equation
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,  `g += Y_tᵀ c̄_t`
///
/// with every product computed, zero or not (RTRL paper, equation 4). If the cell computes in two stages (an EGRU with the reset gate before the product), the product of the stages is formed:
/// `A ← A + B diag(e) A_inner`, `M̄ ← M̄ + B diag(e) M̄_inner`. This is independent of the two-stage form of the other rules, and cheaper where nothing is sparse.
///
/// # Cost
///
/// In MACs per step for n units, m inputs, p parameters and one layer: `n² p + 2 n p + p` for the event RNN (its `d = 0` is multiplied) and the EGRU
/// with the reset gate after the product, and `n² (2n + 1 + m)` more with the reset gate before it. [`DenseCost`] counts it for any network.
///
/// # Exactness
///
/// Exact ([`Claim::Exact`]).
pub struct RtrlDense<T: Real> {
    wiring: Arc<Wiring>,
    form: DenseForm,
    s: DMatrix<T>,
    y: DMatrix<T>,
    y_before: DMatrix<T>,
    a: DMatrix<T>,
    b: DMatrix<T>,
    m_bar: DMatrix<T>,
    gradient: DVector<T>,
    /// Which parameters are recurrent weights.
    recurrent: Vec<bool>,
}

impl<T: Real> RtrlDense<T> {
    /// A rule for one stream.
    pub fn new(wiring: Arc<Wiring>) -> Self {
        let (n, p) = (wiring.rows(), wiring.parameters());
        let (square, tall) = (DMatrix::zeros(n, n), DMatrix::zeros(p, n));
        Self {
            form: DenseForm::new(&wiring),
            s: tall.clone(),
            y: tall.clone(),
            y_before: tall.clone(),
            a: square.clone(),
            b: square,
            m_bar: tall,
            gradient: DVector::zeros(p),
            recurrent: wiring.layout().of_kind(Kind::Recurrent),
            wiring,
        }
    }

    /// Writes A, B and M̄ out in full and folds the inner rows away. Returns the MACs.
    fn unfold(&mut self, step: &Step<T>) -> u64 {
        let mut macs = 0;
        self.a.fill(T::zero());
        self.b.fill(T::zero());
        self.m_bar.fill(T::zero());
        self.wiring.previous().entries().zip(&step.a).for_each(|(e, &v)| self.a[e] = v);
        self.wiring.current().entries().zip(&step.b).for_each(|(e, &v)| self.b[e] = v);
        for (column, (pre, source)) in self.wiring.layout().weights().entries().enumerate() {
            self.m_bar[(column, self.wiring.pre_rows()[pre])] = step.gain[pre] * step.phi[source];
            macs += 1;
        }
        for DenseFold { row, inner, previous, current } in &self.form.folds {
            let factor = self.b[(*row, *inner)] * step.e[*inner];
            for (matrix, columns) in [(&mut self.a, previous), (&mut self.b, current)] {
                for &l in columns {
                    let entry = matrix[(*inner, l)];
                    matrix[(*row, l)] += factor * entry;
                }
            }
            for &column in &self.form.columns[*inner] {
                let m = self.m_bar[(column, *inner)];
                self.m_bar[(column, *row)] += factor * m;
            }
            macs += previous.len() + current.len() + self.form.columns[*inner].len();
        }
        macs as u64
    }
}

impl<T: Real> Rule<T> for RtrlDense<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.s.fill(T::zero());
        self.y.fill(T::zero());
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        let p = self.wiring.parameters();
        macs.influence += self.unfold(step);
        std::mem::swap(&mut self.y, &mut self.y_before);
        let mut products = 0;
        for &i in &self.form.outer {
            let mut row = self.s.column_mut(i);
            row *= step.d[i];
            products += 1;
            for &(_, l) in self.form.previous.iter().filter(|pair| pair.0 == i) {
                row.axpy(self.a[(i, l)], &self.y_before.column(l), T::one());
                products += 1;
            }
            for &(_, j) in self.form.current.iter().filter(|pair| pair.0 == i) {
                row.axpy(self.b[(i, j)], &self.y.column(j), T::one());
                products += 1;
            }
            row += self.m_bar.column(i);
            row.apply(|x| *x = x.flushed());
            let mut emission = self.y.column_mut(i);
            emission.copy_from(&row);
            emission *= step.e[i];
            products += 1;
            if let Some(theta) = self.wiring.threshold(i) {
                emission[theta] += step.e_bar[i];
            }
            emission.apply(|x| *x = x.flushed());
        }
        macs.influence += (products * p) as u64;
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        for (row, &c) in outputs.zip(credit) {
            self.gradient.axpy(c, &self.y.column(row), T::one());
            macs.gradient += self.gradient.len() as u64;
        }
        self.gradient.apply(|g| *g = g.normal());
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        super::drain_into(self.gradient.as_mut_slice(), gradient);
    }

    fn influence(&mut self) -> Option<Influence> {
        let emissions = self.wiring.units().iter().map(|&row| self.y.column(row));
        let mut total =
            Influence { held: self.form.outer.len() * self.wiring.parameters(), ..Influence::default() };
        for emission in emissions {
            for (_, &recurrent) in emission.iter().zip(&self.recurrent).filter(|(y, _)| **y != T::zero()) {
                total.nonzero += 1;
                total.recurrent += usize::from(recurrent);
            }
        }
        Some(total)
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        for matrix in [&mut self.s, &mut self.y] {
            let mut values = matrix.as_slice().to_vec();
            archive.list("dense", &mut values)?;
            matrix.copy_from_slice(&values);
        }
        let mut gradient = self.gradient.as_slice().to_vec();
        archive.list("dense.gradient", &mut gradient)?;
        self.gradient.copy_from_slice(&gradient);
        Ok(())
    }

    fn bytes(&self) -> usize {
        let matrices = self.s.len() + self.y.len() + self.y_before.len() + self.m_bar.len();
        (matrices + self.a.len() + self.b.len() + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
