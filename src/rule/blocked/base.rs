//! S at the beginning of a block: tiles of columns that belong to one row's parameters, so that what enters them during the block is
//! a product of two matrices.

use super::history::{History, LANES, Record};
use super::walk::Walk;
use crate::cell::Wiring;
use crate::rule::form::Form;
use crate::scalar::Real;
use crate::sparse::block::{self, combine};

/// Columns of a tile.
pub const COLUMNS: usize = 64;

/// The columns of one line in a tile.
pub type Block<T> = block::Block<T, COLUMNS>;

/// A parameter: the pre-activation it feeds, the source it reads, its place in the buffer.
#[derive(Clone, Copy)]
pub struct Column {
    pub pre: usize,
    pub source: usize,
    pub parameter: usize,
}

/// Some parameters that feed the same row.
pub struct Tile<T> {
    pub columns: Vec<Column>,
    /// Column and row of a threshold, if one is among them.
    pub theta: Option<(usize, usize)>,
    pub blocks: Vec<Block<T>>,
    /// Gradient of the last walk in these columns.
    pub gradient: Block<T>,
}

/// All tiles of one row's parameters.
pub struct Unit<T> {
    pub row: usize,
    /// The first row they can reach.
    pub first: usize,
    pub tiles: Vec<Tile<T>>,
    /// δ = gain ⊙ λ of one pre-activation, step by step.
    delta: Vec<T>,
}

/// S of the rows that a later step can read, and their e and Ē.
pub struct Base<T> {
    /// Whether there is any: not before the end of a sequence's first block.
    pub present: bool,
    /// The rows that are lines now, ascending.
    pub rows: Vec<usize>,
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
    pub live: Vec<bool>,
    pub units: Vec<Unit<T>>,
    /// Rows that something reads a step later: by carry, or by A.
    lasting: Vec<usize>,
}

impl<T: Real> Base<T> {
    /// No base yet, for blocks of that many steps.
    pub fn new(wiring: &Wiring, steps: usize) -> Self {
        let n = wiring.rows();
        let lasting: Vec<usize> =
            (0..n).filter(|&row| wiring.carries(row) || wiring.previous().col(row).len() > 0).collect();
        let form = Form::<T>::held(wiring);
        let layers: Vec<usize> = (0..wiring.pre_rows().len()).map(|pre| wiring.layer_of(pre)).collect();
        let first_of = |layer: usize| {
            let pres = (0..layers.len()).filter(|&pre| layers[pre] == layer);
            form.reach(pres, usize::MAX).first().copied().unwrap_or(n)
        };
        let firsts: Vec<usize> = (0..wiring.layers()).map(first_of).collect();
        let mut theta_rows = vec![None; wiring.parameters()];
        for row in 0..n {
            if let Some(parameter) = wiring.threshold(row) {
                theta_rows[parameter] = Some(row);
            }
        }
        let unit = |row: usize| -> Option<Unit<T>> {
            let gates = wiring.gates_of(row);
            let columns = gates.iter().flat_map(|&pre| {
                let weights = wiring.layout().weights().row(pre);
                weights.map(move |(source, parameter)| Column { pre, source, parameter })
            });
            let columns: Vec<Column> = columns.collect();
            let tile = |columns: &[Column]| {
                let mut thetas = columns.iter().enumerate();
                let theta = thetas.find_map(|(k, column)| Some((k, theta_rows[column.parameter]?)));
                Tile {
                    columns: columns.to_vec(),
                    theta,
                    blocks: vec![Block::zero(); lasting.len()],
                    gradient: Block::zero(),
                }
            };
            let first = firsts[layers[*gates.first()?]];
            let delta = vec![T::zero(); steps.next_multiple_of(LANES)];
            Some(Unit { row, first, tiles: columns.chunks(COLUMNS).map(tile).collect(), delta })
        };
        Self {
            present: false,
            rows: Vec::with_capacity(lasting.len()),
            e: vec![T::zero(); n],
            e_bar: vec![T::zero(); n],
            live: vec![false; n],
            units: (0..n).filter_map(unit).collect(),
            lasting,
        }
    }

    /// The rows that will be lines after a step: those a later step can read.
    pub fn lines_after<'a>(
        &'a self,
        wiring: &'a Wiring,
        step: &'a Record<T>,
    ) -> impl Iterator<Item = usize> + 'a {
        self.lasting.iter().copied().filter(|&row| wiring.carries(row) || step.live[row])
    }

    /// The most lines there can be.
    pub fn most_lines(&self) -> usize {
        self.lasting.len()
    }

    /// Takes over which rows are lines, and e and Ē of the step they belong to.
    pub fn follow(&mut self, rows: &[usize], step: &Record<T>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
        self.live.copy_from_slice(&step.live);
        self.present = true;
    }

    /// Entries of S held.
    pub fn held(&self) -> usize {
        if !self.present {
            return 0;
        }
        let of_unit = |unit: &Unit<T>| {
            let lines = self.rows.len() - self.rows.partition_point(|&row| row < unit.first);
            lines * unit.tiles.iter().map(|tile| tile.columns.len()).sum::<usize>()
        };
        self.units.iter().map(of_unit).sum()
    }
}

/// What a walk has earned in the columns of a unit, for the machine's vector units:
/// `∂L/∂w = (∂L/∂S)ᵀ S + Σ_s δ_s φ_s`, the sum over the first `last` steps.
pub struct Gather<'a, T> {
    pub unit: &'a mut Unit<T>,
    pub rows: &'a [usize],
    pub walk: &'a Walk<T>,
    pub history: &'a History<T>,
    pub last: usize,
}

impl<T: Real> block::Loop for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { unit, rows, walk, history, last } = self;
        let start = walk.terms.partition_point(|term| rows[term.1 as usize] < unit.first);
        // λ is zero at the steps that make up the last sixteen.
        let (stride, last) = (history.stride / LANES, last.div_ceil(LANES));
        let (gains, phis) = (history.gains.as_chunks::<LANES>().0, history.phis.as_chunks().0);
        let lambdas = &walk.lambdas.as_chunks::<LANES>().0[unit.row * stride..][..last];
        let delta = unit.delta.as_chunks_mut::<LANES>().0;
        for tile in &mut unit.tiles {
            let terms = &walk.terms[start..];
            tile.gradient.0 = combine::<T, FUSED, COLUMNS>([T::zero(); COLUMNS], terms, &tile.blocks);
            let mut sums = tile.gradient.0.iter_mut();
            for columns in tile.columns.chunk_by(|a, b| a.pre == b.pre) {
                let gains = &gains[columns[0].pre * stride..][..last];
                for (delta, (gain, lambda)) in delta.iter_mut().zip(gains.iter().zip(lambdas)) {
                    for k in 0..LANES {
                        delta[k] = gain[k] * lambda[k];
                    }
                }
                for (column, sum) in columns.iter().zip(&mut sums) {
                    *sum += dot::<T, FUSED>(&delta[..last], &phis[column.source * stride..][..last]);
                }
            }
        }
    }
}

/// `Σ_s x_s y_s`, in sixteen sums that are added up by halves: an order that no machine's vectors change.
#[inline(always)]
fn dot<T: Real, const FUSED: bool>(x: &[[T; LANES]], y: &[[T; LANES]]) -> T {
    let mut sums = [T::zero(); LANES];
    for (x, y) in x.iter().zip(y) {
        for k in 0..LANES {
            sums[k] = block::add_product::<T, FUSED>(sums[k], x[k], y[k]);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
}
