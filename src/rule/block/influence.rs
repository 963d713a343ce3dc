//! S at the anchors. The columns of each tile are parameters of one row, so that the immediate
//! influence of a block is added by one matrix product.

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

/// The columns of the parameters of one pre-activation, which are contiguous in the parameter
/// buffer.
pub struct GateColumns {
    /// Index of the pre-activation.
    pub pre: usize,
    /// Columns within the unit.
    pub columns: Range<usize>,
    /// Index of the first parameter in the parameter buffer.
    pub parameter: usize,
}

/// S in the columns of the parameters of one row.
pub struct UnitInfluence<T> {
    /// The row that the parameters belong to.
    pub row: usize,
    /// The first row that the parameters can reach. S is zero in all rows before it.
    pub first_row: usize,
    /// Gates of the row, ascending. Their ranges of columns partition all columns.
    pub gates: Vec<GateColumns>,
    /// `[columns]`, pairs (pre-activation, source).
    pub columns: Vec<(u32, u32)>,
    /// Pair (column, row) of the threshold among the parameters, if any.
    pub theta: Option<(usize, usize)>,
    /// `[⌈columns / 64⌉][slots][64]`, S.
    pub tiles: Vec<Vec<UnitLanes<T>>>,
}

/// S at the end of the last block. Units that are not advanced yet hold S at its start.
pub struct AnchorInfluence<T> {
    /// The anchor at the start of the last block.
    pub start: Anchor<T>,
    /// The anchor at the end of the last block.
    pub end: Anchor<T>,
    /// `[rows with parameters]`, ascending by row.
    pub units: Vec<UnitInfluence<T>>,
    /// Rows that a later step can read (through carry or A), ascending.
    lasting: Vec<usize>,
}

impl<T: Real> AnchorInfluence<T> {
    /// Creates an empty influence.
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

    /// Writes S to an archive, or restores it. The first `moved` units hold S at the end of the
    /// last block.
    ///
    /// # Errors
    /// If the archive belongs to another network.
    pub fn archive(&mut self, moved: usize, archive: &mut Archive) -> Result<()> {
        self.start.archive(&self.lasting, archive)?;
        self.end.archive(&self.lasting, archive)?;
        // Unused slots are not written.
        for (k, unit) in self.units.iter_mut().enumerate() {
            let slots = if k < moved { &self.end } else { &self.start }.slots().len();
            for tile in &mut unit.tiles {
                lanes::archive(archive, "influence.tile", &mut tile[..slots])?;
            }
        }
        Ok(())
    }

    /// Returns the maximum number of stored rows.
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

    /// Returns the number of stored entries of S. The first `moved` units hold S at the end of the
    /// last block.
    pub fn held(&self, moved: usize) -> usize {
        let of_unit = |(k, unit): (usize, &UnitInfluence<T>)| {
            let slots = if k < moved { &self.end } else { &self.start }.slots();
            unit.reached(slots) * unit.columns.len()
        };
        self.units.iter().enumerate().map(of_unit).sum()
    }
}

/// Returns the first row that parameters of each pre-activation can reach. `[pre-activations]`
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
    /// Creates a zero influence of the parameters of `row`. Returns `None` if the row has no
    /// pre-activation.
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
    /// Returns the first slot that the parameters can reach. `slots` is the row of each slot,
    /// ascending.
    pub fn first_slot(&self, slots: &[usize]) -> usize {
        slots.partition_point(|&row| row < self.first_row)
    }

    /// Returns the number of slots that the parameters can reach.
    pub fn reached(&self, slots: &[usize]) -> usize {
        slots.len() - self.first_slot(slots)
    }
}
