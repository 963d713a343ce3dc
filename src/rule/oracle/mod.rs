//! Dense RTRL, the oracle of the tests. It shares no kernel with the other rules and is not
//! optimised.

mod form;

pub use form::DenseCost;

use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use form::{DenseFold, DenseForm};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Dense RTRL for one stream. It computes every product and is the reference for all other rules.
///
/// # Equation
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,
/// `g += Y_tᵀ c̄_t`.
///
/// Inner rows (the gated activities of an EGRU with the reset gate before the product) are folded
/// into the rows that read them: `A ← A + B diag(e) A_inner`, `M̄ ← M̄ + B diag(e) M̄_inner`. This
/// is an independent check of rules that store inner rows. Without sparsity it is also the cheaper
/// form, so it is the reference for their cost.
///
/// # Symbols
/// The symbols of [`Rule`]: h rows and p parameters; S, Y and M̄ of shape h × p; A and B of shape h
/// × h. Pruned parameters have no columns; [`Unmasked`](super::Unmasked) adds them.
///
/// # Cost
/// MACs per step for n units, m inputs and one layer: `n² p + 2 n p + p` for the event RNN
/// (including products with `d = 0`) and for the EGRU with the reset gate after the product. The
/// EGRU with the reset gate before the product needs `n² (2n + 1 + m)` more. MACs per credit:
/// `n p`. Memory: `4 h p + 2 h² + p` numbers.
///
/// # Exactness
/// [`Claim::Exact`].
///
/// # References
/// R. J. Williams & D. Zipser, *A learning algorithm for continually running fully recurrent neural
/// networks*, Neural Computation 1(2), 1989.
pub struct RtrlDense<T: Real> {
    wiring: Arc<Wiring>,
    form: DenseForm,
    /// `[p, h]`, Sᵀ. The matrices are stored by columns, so that the influence of a row is
    /// contiguous.
    s: DMatrix<T>,
    /// `[p, h]`, Yᵀ.
    y: DMatrix<T>,
    /// `[p, h]`, Yᵀ of the previous step.
    y_before: DMatrix<T>,
    /// `[p, h]`, M̄ᵀ.
    m_bar: DMatrix<T>,
    /// `[h, h]`, A.
    a: DMatrix<T>,
    /// `[h, h]`, B.
    b: DMatrix<T>,
    /// `[p]`
    gradient: DVector<T>,
    /// `[p]`, whether a parameter is a recurrent weight.
    recurrent: Vec<bool>,
}

impl<T: Real> RtrlDense<T> {
    /// Creates a rule for one stream.
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

    /// Computes A, B and M̄ as dense matrices and folds the inner rows. Returns the MACs.
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
