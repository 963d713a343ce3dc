//! The dense recursion with folded inner rows, and its cost.

use crate::wiring::Wiring;
use nalgebra::DMatrix;

/// The outer rows of a wiring, and the pairs of rows that are multiplied.
pub(super) struct DenseForm {
    /// The outer rows, ascending. Inner rows have no carry and are neither units nor outputs; they
    /// are folded.
    pub outer: Vec<usize>,
    /// Folds of an inner row into a row that reads it, in order of execution.
    pub folds: Vec<DenseFold>,
    /// Pairs (row, source row) of A after folding; both are outer rows.
    pub previous: Vec<(usize, usize)>,
    /// Pairs (row, source row) of B after folding; both are outer rows.
    pub current: Vec<(usize, usize)>,
    /// `[h]`, the parameters of each row's pre-activations, ascending.
    pub columns: Vec<Vec<usize>>,
}

/// The fold `A_row += B_{row,inner} e_inner A_inner`, and likewise for B and M̄.
pub(super) struct DenseFold {
    /// The row that reads the inner row.
    pub row: usize,
    /// The inner row, less than `row`.
    pub inner: usize,
    /// Columns in which A of the inner row may be nonzero, ascending.
    pub previous: Vec<usize>,
    /// Columns in which B of the inner row may be nonzero, ascending, less than `inner`.
    pub current: Vec<usize>,
}

impl DenseForm {
    /// Returns the form of a wiring.
    pub fn new(wiring: &Wiring) -> Self {
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

/// Cost of [`RtrlDense`](crate::rule::RtrlDense) on a wiring, in closed form. A test compares it
/// with the count of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseCost {
    /// MACs per step of the influence matrix.
    pub influence: u64,
    /// MACs per credit.
    pub gradient: u64,
    /// MACs of a forward step with nonzero sources.
    pub forward: u64,
    /// MACs per step of the couplings.
    pub coupling: u64,
}

impl DenseCost {
    /// Returns the cost on this wiring. Pass [`Wiring::unmasked`] for the cost without sparsity.
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
