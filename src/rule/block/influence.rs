//! S at the anchors, in tiles of columns that belong to one row's parameters: what enters them during a block is a product of two matrices.

use super::anchor::Anchor;
use super::tape::TapeStep;
use super::tile::{COLUMNS, UnitLanes};
use crate::archive::Archive;
use crate::error::Result;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes;
use crate::wiring::Wiring;
use std::ops::Range;

/// The parameters of one pre-activation, contiguous in the parameter buffer: their columns, and the index of the first of them there.
pub struct GateColumns {
    pub pre: usize,
    pub columns: Range<usize>,
    pub parameter: usize,
}

/// The columns of one row's parameters, and S in them.
pub struct UnitInfluence<T> {
    pub row: usize,
    /// The first row that these parameters can reach: S is zero in all rows before it.
    pub first_row: usize,
    /// The columns by pre-activation; ascending, and together all of them.
    pub gates: Vec<GateColumns>,
    /// Pre-activation and source of each column. [columns]
    pub columns: Vec<(u32, u32)>,
    /// Column and row of a threshold, if one is among the parameters.
    pub theta: Option<(usize, usize)>,
    /// S. [⌈columns / C⌉][slots]
    pub tiles: Vec<Vec<UnitLanes<T>>>,
}

/// S at the end of the last block or, for units that have not been advanced yet, at its start.
pub struct AnchorInfluence<T> {
    /// The start of the last block, and its end.
    pub start: Anchor<T>,
    pub end: Anchor<T>,
    pub units: Vec<UnitInfluence<T>>,
    /// Rows that a later step can read, ascending: by carry, or by A.
    lasting: Vec<usize>,
}

impl<T: Real> AnchorInfluence<T> {
    /// No influence yet.
    pub fn new(wiring: &Wiring) -> Self {
        let n = wiring.rows();
        let lasting: Vec<usize> =
            (0..n).filter(|&row| wiring.carries(row) || wiring.previous().col(row).len() > 0).collect();
        let first_rows = first_rows::<T>(wiring);
        let mut theta_rows = vec![None; wiring.parameters()];
        for row in 0..n {
            if let Some(parameter) = wiring.threshold(row) {
                theta_rows[parameter] = Some(row);
            }
        }
        let unit = |row| UnitInfluence::new(wiring, row, &first_rows, &theta_rows, lasting.len());
        Self {
            start: Anchor::new(n, lasting.len()),
            end: Anchor::new(n, lasting.len()),
            units: (0..n).filter_map(unit).collect(),
            lasting,
        }
    }

    /// Saves or restores S. The first `moved` units are at the end of the last block.
    ///
    /// # Errors
    /// If the archive belongs to another network.
    pub fn archive(&mut self, moved: usize, archive: &mut Archive) -> Result<()> {
        self.start.archive(&self.lasting, archive)?;
        self.end.archive(&self.lasting, archive)?;
        // The content of unused slots must not appear in what is saved.
        for (k, unit) in self.units.iter_mut().enumerate() {
            let slots = if k < moved { &self.end } else { &self.start }.slots().len();
            for tile in &mut unit.tiles {
                lanes::archive(archive, "influence.tile", &mut tile[..slots])?;
            }
        }
        Ok(())
    }

    /// The largest number of stored rows.
    pub fn max_slots(&self) -> usize {
        self.lasting.len()
    }

    /// Starts the advance over a block whose last step is `step`.
    pub fn begin_block(&mut self, wiring: &Wiring, step: &TapeStep<T>) {
        std::mem::swap(&mut self.start, &mut self.end);
        self.end.set(wiring, &self.lasting, step);
    }

    /// Removes all influence.
    pub fn clear(&mut self) {
        (self.start.present, self.end.present) = (false, false);
    }

    /// Entries of S that are stored, if the first `moved` units are at the end of the last block.
    pub fn held(&self, moved: usize) -> usize {
        let of_unit = |(k, unit): (usize, &UnitInfluence<T>)| {
            let slots = if k < moved { &self.end } else { &self.start }.slots();
            unit.reached(slots) * unit.columns.len()
        };
        self.units.iter().enumerate().map(of_unit).sum()
    }
}

/// The first row that parameters of each pre-activation can reach. [pre-activations]
fn first_rows<T: Real>(wiring: &Wiring) -> Vec<usize> {
    let form = Form::<T>::held(wiring);
    let layers: Vec<usize> = (0..wiring.pre_rows().len()).map(|pre| wiring.layer_of(pre)).collect();
    let first_of = |layer: usize| {
        let pres = (0..layers.len()).filter(|&pre| layers[pre] == layer);
        form.reach(pres, usize::MAX).first().copied().unwrap_or(wiring.rows())
    };
    let firsts: Vec<usize> = (0..wiring.layers()).map(first_of).collect();
    layers.iter().map(|&layer| firsts[layer]).collect()
}

impl<T: Real> UnitInfluence<T> {
    /// The columns of the parameters of `row`; `None` if it has no pre-activation.
    fn new(
        wiring: &Wiring,
        row: usize,
        first_rows: &[usize],
        theta_rows: &[Option<usize>],
        slots: usize,
    ) -> Option<Self> {
        let pres = wiring.gates_of(row);
        // (pre, source, parameter)
        let columns = pres.iter().flat_map(|&pre| {
            let weights = wiring.layout().weights().row(pre);
            weights.map(move |(source, parameter)| (pre, source, parameter))
        });
        let columns: Vec<_> = columns.collect();
        let mut end = 0;
        let gate = |of_gate: &[(usize, usize, usize)]| {
            let start = end;
            end += of_gate.len();
            GateColumns { pre: of_gate[0].0, columns: start..end, parameter: of_gate[0].2 }
        };
        let gates: Vec<_> = columns.chunk_by(|x, y| x.0 == y.0).map(gate).collect();
        let mut thetas = columns.iter().enumerate();
        let theta = thetas.find_map(|(k, column)| Some((k, theta_rows[column.2]?)));
        let columns: Vec<_> = columns.iter().map(|column| (column.0 as u32, column.1 as u32)).collect();
        Some(Self {
            row,
            first_row: first_rows[*pres.first()?],
            theta,
            tiles: vec![vec![UnitLanes::zero(); slots]; columns.len().div_ceil(COLUMNS)],
            gates,
            columns,
        })
    }
}

impl<T> UnitInfluence<T> {
    /// The first slot that these parameters can reach, of the rows `slots`.
    pub fn first_slot(&self, slots: &[usize]) -> usize {
        slots.partition_point(|&row| row < self.first_row)
    }

    /// Number of the rows `slots` that these parameters can reach.
    pub fn reached(&self, slots: &[usize]) -> usize {
        slots.len() - self.first_slot(slots)
    }
}
