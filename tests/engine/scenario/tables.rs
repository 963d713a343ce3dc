//! The structure of a network in dense tables, from its plan and patterns alone: the couplings and
//! gains that exist, with inner rows held or folded into the rows that read them. No function of
//! the rules is used.

use sparse_rtrl::params::Kind;
use sparse_rtrl::wiring::{Step, Wiring};

/// A dense matrix with a list of the entries that exist.
pub struct Grid {
    cols: usize,
    exists: Vec<bool>,
    value: Vec<f64>,
    /// The columns that exist, row by row, ascending.
    pub rows: Vec<Vec<usize>>,
}

impl Grid {
    fn new(rows: usize, cols: usize) -> Self {
        let zero = vec![0.0; rows * cols];
        Self { cols, exists: vec![false; rows * cols], value: zero, rows: vec![Vec::new(); rows] }
    }

    fn insert(&mut self, i: usize, j: usize) {
        self.exists[i * self.cols + j] = true;
    }

    fn list(&mut self) {
        for (i, row) in self.rows.iter_mut().enumerate() {
            *row = (0..self.cols).filter(|j| self.exists[i * self.cols + j]).collect();
        }
    }

    pub fn has(&self, i: usize, j: usize) -> bool {
        self.exists[i * self.cols + j]
    }

    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.value[i * self.cols + j]
    }

    /// Sets an entry, if it exists.
    fn set(&mut self, i: usize, j: usize, x: f64) {
        if self.has(i, j) {
            self.value[i * self.cols + j] = x;
        }
    }

    fn add(&mut self, i: usize, j: usize, x: f64) {
        assert!(self.has(i, j), "an entry outside the pattern");
        self.value[i * self.cols + j] += x;
    }

    pub fn of(&self, i: usize) -> impl Iterator<Item = (usize, f64)> {
        self.rows[i].iter().map(move |&j| (j, self.at(i, j)))
    }

    pub fn column_exists(&self, j: usize) -> bool {
        (0..self.rows.len()).any(|i| self.has(i, j))
    }

    pub fn len(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }
}

/// Whether a row exists only within a step: no unit, no output, no carry.
pub fn is_inner(wiring: &Wiring, row: usize) -> bool {
    !wiring.carries(row) && !wiring.units().contains(&row) && !wiring.outputs().contains(&row)
}

/// A, B and the gains of a network, as the cell defines them or with inner rows folded.
pub struct Tables {
    /// The rows that are not folded, ascending.
    pub rows: Vec<usize>,
    pub a: Grid,
    pub b: Grid,
    pub gains: Grid,
    /// Rows and the inner rows folded into them.
    pub folds: Vec<(usize, usize)>,
}

impl Tables {
    pub fn new(wiring: &Wiring, folding: bool) -> Self {
        let (n, pres) = (wiring.rows(), wiring.pre_rows());
        let (mut a, mut b) = (Grid::new(n, n), Grid::new(n, n));
        let mut gains = Grid::new(n, pres.len());
        wiring.previous().entries().for_each(|(i, j)| a.insert(i, j));
        wiring.current().entries().for_each(|(i, j)| b.insert(i, j));
        pres.iter().enumerate().for_each(|(pre, &row)| gains.insert(row, pre));
        let inner: Vec<bool> = (0..n).map(|row| folding && is_inner(wiring, row)).collect();
        let mut folds = Vec::new();
        for (i, j) in wiring.current().entries().filter(|e| inner[e.1]) {
            assert!(!inner[i], "an inner row reads another one");
            folds.push((i, j));
            wiring.previous().row(j).for_each(|(l, _)| a.insert(i, l));
            wiring.current().row(j).for_each(|(k, _)| b.insert(i, k));
            wiring.gates_of(j).iter().for_each(|&pre| gains.insert(i, pre));
        }
        for row in (0..n).filter(|&row| inner[row]) {
            for grid in [&mut a, &mut b, &mut gains] {
                grid.exists[row * grid.cols..(row + 1) * grid.cols].fill(false);
            }
        }
        for &(i, j) in &folds {
            b.exists[i * n + j] = false;
        }
        [&mut a, &mut b, &mut gains].into_iter().for_each(Grid::list);
        Self { rows: (0..n).filter(|&row| !inner[row]).collect(), a, b, gains, folds }
    }

    /// Fills the tables from a step. Returns the MACs of folding; with `skip`, folds by zero cost
    /// nothing.
    pub fn fill(&mut self, wiring: &Wiring, step: &Step<f64>, skip: bool) -> u64 {
        let Self { a, b, gains, folds, .. } = self;
        [&mut *a, &mut *b, &mut *gains].into_iter().for_each(|grid| grid.value.fill(0.0));
        wiring.previous().entries().zip(&step.a).for_each(|((i, j), &x)| a.set(i, j, x));
        wiring.current().entries().zip(&step.b).for_each(|((i, j), &x)| b.set(i, j, x));
        wiring.pre_rows().iter().enumerate().for_each(|(pre, &row)| gains.set(row, pre, step.gain[pre]));
        let mut macs = 0;
        for &(i, j) in folds.iter() {
            let at = wiring.current().position(i, j).expect("a fold is an entry of B");
            let factor = step.b[at] * step.e[j];
            if factor == 0.0 && skip {
                continue;
            }
            wiring.previous().row(j).for_each(|(l, at)| a.add(i, l, factor * step.a[at]));
            wiring.current().row(j).for_each(|(k, at)| b.add(i, k, factor * step.b[at]));
            wiring.gates_of(j).iter().for_each(|&pre| gains.add(i, pre, factor * step.gain[pre]));
            macs += entries_of(wiring, j);
        }
        macs
    }

    /// The MACs of a step if all rows are live. The choice between holding and folding depends on
    /// them.
    pub fn bound(&self, wiring: &Wiring) -> u64 {
        let weights = wiring.layout().weights();
        let products = (self.a.len() + self.b.len()) * wiring.parameters();
        let injected: usize = self.gains.rows.iter().flatten().map(|&pre| weights.row(pre).len()).sum();
        let folded: u64 = self.folds.iter().map(|&(_, j)| entries_of(wiring, j)).sum();
        (products + injected) as u64 + folded
    }

    /// Whether a rule with this choice folds inner rows.
    pub fn folding_is_cheaper(wiring: &Wiring) -> bool {
        let (held, folded) = (Self::new(wiring, false), Self::new(wiring, true));
        !folded.folds.is_empty() && folded.bound(wiring) <= held.bound(wiring)
    }
}

/// The entries of A, B and the gains in a row; folding multiplies them.
fn entries_of(wiring: &Wiring, row: usize) -> u64 {
    (wiring.previous().row(row).len() + wiring.current().row(row).len() + wiring.gates_of(row).len()) as u64
}

/// For every pre-activation, the layer whose parameters feed it.
pub fn layers_of_pres(wiring: &Wiring) -> Vec<usize> {
    let mut layers = vec![0; wiring.pre_rows().len()];
    for block in wiring.layout().blocks() {
        layers[block.spec.rows.clone()].fill(block.spec.layer);
    }
    layers
}

/// For every parameter, whether it is a recurrent weight.
pub fn recurrent(wiring: &Wiring) -> Vec<bool> {
    let mut recurrent = vec![false; wiring.parameters()];
    let blocks = wiring.layout().blocks().iter().filter(|b| b.spec.kind == Kind::Recurrent);
    blocks.flat_map(|b| &b.places).for_each(|&place| recurrent[place] = true);
    recurrent
}

/// The rows that the given pre-activations can influence, by closure over the tables.
pub fn reached(tables: &Tables, wiring: &Wiring, pres: &[bool]) -> Vec<bool> {
    let n = wiring.rows();
    let mut reached: Vec<bool> = (0..n).map(|i| tables.gains.rows[i].iter().any(|&pre| pres[pre])).collect();
    loop {
        let before = reached.clone();
        for i in 0..n {
            let from = |grid: &Grid| grid.rows[i].iter().any(|&j| reached[j]);
            reached[i] = reached[i] || from(&tables.a) || from(&tables.b);
        }
        if reached == before {
            return reached;
        }
    }
}
