//! The dense recursion with inner rows folded away, and its cost.

use crate::wiring::Wiring;
use nalgebra::DMatrix;

/// The rows that a dense implementation keeps, and the pairs of rows that it multiplies.
pub(super) struct DenseForm {
    /// All rows but inner rows (without carry, not units and not read out), which are folded away; ascending.
    pub outer: Vec<usize>,
    /// Folds of an inner row into a row that reads it, in order of execution.
    pub folds: Vec<DenseFold>,
    /// Pairs (row, source row) of A and of B among outer rows, after folding.
    pub previous: Vec<(usize, usize)>,
    pub current: Vec<(usize, usize)>,
    /// Parameters of each row's own pre-activations.
    pub columns: Vec<Vec<usize>>, // [h]
}

/// `A_row += B_{row,inner} e_inner A_inner`, and likewise for B and M̄.
pub(super) struct DenseFold {
    pub row: usize,
    pub inner: usize,
    /// Columns in which A and B of the inner row may be nonzero.
    pub previous: Vec<usize>,
    pub current: Vec<usize>,
}

impl DenseForm {
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

/// Cost of [`RtrlDense`](crate::rule::RtrlDense) on a wiring, in closed form. A test compares it with the count of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseCost {
    /// MACs per step for advancing the influence matrix.
    pub influence: u64,
    /// MACs per credit.
    pub gradient: u64,
    /// MACs of a forward step in which every source is nonzero.
    pub forward: u64,
    /// MACs of assembling the couplings.
    pub coupling: u64,
}

impl DenseCost {
    /// The cost on this wiring. Pass [`Wiring::unmasked`] for the cost without any sparsity.
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
