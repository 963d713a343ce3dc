//! S at the beginning of a block: tiles of columns that belong to one row's parameters, so that what enters them during the block is
//! a product of two matrices.

use super::earn::Earnings;
use super::history::Record;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes;
use crate::wiring::Wiring;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Columns of a tile.
pub const COLUMNS: usize = 64;

/// The columns of one line in a tile.
pub type Lanes<T> = lanes::Lanes<T, COLUMNS>;

/// The parameters of one pre-activation, neighbours in the buffer as well: their columns, and where they begin there.
pub struct Run {
    pub pre: usize,
    pub columns: Range<usize>,
    pub parameter: usize,
}

/// One row's parameters.
pub struct Unit<T> {
    pub row: usize,
    /// The first row they can reach.
    pub first: usize,
    pub runs: Vec<Run>,
    /// Pre-activation and source of each column.
    pub columns: Vec<(u32, u32)>,
    /// Column and row of a threshold, if one is among them.
    pub theta: Option<(usize, usize)>,
    /// Some columns each, line by line.
    pub tiles: Vec<Vec<Lanes<T>>>,
    /// Gradient of the last walk in these columns.
    pub gradient: Vec<[T; COLUMNS]>,
    pub earnings: Earnings<T>,
}

/// A moment at which S is known: the rows that a later step can read, and e and Ē there.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real")]
pub struct Anchor<T> {
    /// Whether there is any: not before the end of a sequence's first block.
    pub present: bool,
    /// The rows that are lines of S, ascending.
    pub rows: Vec<usize>,
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
    pub live: Vec<bool>,
}

impl<T: Real> Anchor<T> {
    fn new(rows: usize, lines: usize) -> Self {
        let zeros = || vec![T::zero(); rows];
        Self {
            present: false,
            rows: Vec::with_capacity(lines),
            e: zeros(),
            e_bar: zeros(),
            live: vec![false; rows],
        }
    }

    /// Its lines; none if it is not there.
    pub fn lines(&self) -> &[usize] {
        if self.present { &self.rows } else { &[] }
    }
}

/// S at the end of the last block or, for units that were not advanced yet, at its beginning.
pub struct Base<T> {
    /// Where the last block began, and where it ended.
    pub left: Anchor<T>,
    pub reached: Anchor<T>,
    pub units: Vec<Unit<T>>,
    /// Rows that something reads a step later: by carry, or by A.
    lasting: Vec<usize>,
}

impl<T: Real> Anchor<T> {
    /// # Errors
    /// If what is read is of another network.
    fn archive(&mut self, lasting: &[usize], archive: &mut Archive) -> Result<()> {
        let n = self.e.len();
        archive.field("base.anchor", self)?;
        let sizes = [self.e.len(), self.e_bar.len(), self.live.len()];
        let fits = sizes == [n; 3] && self.rows.is_sorted_by(|a, b| a < b);
        self.rows.reserve(lasting.len().saturating_sub(self.rows.len()));
        match fits && self.rows.iter().all(|row| lasting.binary_search(row).is_ok()) {
            true => Ok(()),
            false => Err(Error::State { field: "base.anchor", found: "one of another network".into() }),
        }
    }
}

impl<T: Real> Base<T> {
    /// Writes S where it is known, the first `moved` units at the end of the last block, or takes it back.
    ///
    /// # Errors
    /// If what is read is of another network.
    pub fn archive(&mut self, moved: usize, archive: &mut Archive) -> Result<()> {
        self.left.archive(&self.lasting, archive)?;
        self.reached.archive(&self.lasting, archive)?;
        // Lines that are not held are nobody's: what they are must not be seen in what is saved.
        for (k, unit) in self.units.iter_mut().enumerate() {
            let lines = if k < moved { &self.reached } else { &self.left }.lines().len();
            for tile in &mut unit.tiles {
                lanes::archive(archive, "base.tile", &mut tile[..lines])?;
            }
        }
        Ok(())
    }

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
            // (pre, source, parameter)
            let columns = gates.iter().flat_map(|&pre| {
                let weights = wiring.layout().weights().row(pre);
                weights.map(move |(source, parameter)| (pre, source, parameter))
            });
            let columns: Vec<_> = columns.collect();
            let mut end = 0;
            let run = |run: &[(usize, usize, usize)]| {
                let start = end;
                end += run.len();
                Run { pre: run[0].0, columns: start..end, parameter: run[0].2 }
            };
            let runs: Vec<_> = columns.chunk_by(|x, y| x.0 == y.0).map(run).collect();
            let tiles = columns.len().div_ceil(COLUMNS);
            let mut thetas = columns.iter().enumerate();
            let theta = thetas.find_map(|(k, column)| Some((k, theta_rows[column.2]?)));
            let columns: Vec<_> = columns.iter().map(|column| (column.0 as u32, column.1 as u32)).collect();
            Some(Unit {
                row,
                first: firsts[layers[*gates.first()?]],
                theta,
                tiles: vec![vec![Lanes::zero(); lasting.len()]; tiles],
                gradient: vec![[T::zero(); COLUMNS]; tiles],
                earnings: Earnings::new(&runs, &columns, steps),
                runs,
                columns,
            })
        };
        Self {
            left: Anchor::new(n, lasting.len()),
            reached: Anchor::new(n, lasting.len()),
            units: (0..n).filter_map(unit).collect(),
            lasting,
        }
    }

    /// The most lines there can be.
    pub fn most_lines(&self) -> usize {
        self.lasting.len()
    }

    /// From now on S is wanted after another block, of which this was the last step: at the rows that a later step can read.
    pub fn go_on(&mut self, wiring: &Wiring, step: &Record<T>) {
        std::mem::swap(&mut self.left, &mut self.reached);
        let to = &mut self.reached;
        let read = self.lasting.iter().filter(|&&row| wiring.carries(row) || step.live[row]);
        to.rows.clear();
        to.rows.extend(read);
        to.e.copy_from_slice(&step.e);
        to.e_bar.copy_from_slice(&step.e_bar);
        to.live.copy_from_slice(&step.live);
        to.present = true;
    }

    /// No S at all.
    pub fn forget(&mut self) {
        (self.left.present, self.reached.present) = (false, false);
    }

    /// Entries of S held, if the first `moved` units are at the end of the last block.
    pub fn held(&self, moved: usize) -> usize {
        let of_unit = |(k, unit): (usize, &Unit<T>)| {
            let lines = if k < moved { &self.reached } else { &self.left }.lines();
            unit.reach(lines) * unit.columns.len()
        };
        self.units.iter().enumerate().map(of_unit).sum()
    }
}

impl<T> Unit<T> {
    /// How many of these lines its parameters can reach.
    pub fn reach(&self, lines: &[usize]) -> usize {
        lines.len() - lines.partition_point(|&row| row < self.first)
    }
}
