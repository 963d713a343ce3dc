//! The map between the parameters of one layer and columns. Columns are grouped by the source of
//! their parameter, in the order in which the sources were first nonzero since the reset, and
//! sorted later (`sort.rs`). Inactive columns are not allocated.

use super::super::recursion::Form;
use super::spans::{ImmediateEntry, ImmediateSpans, STEPS_UNTIL_SORTED};
use super::tile::COLUMNS;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::params::Kind;
use crate::scalar::Real;
use crate::sparse::IndexRun;
use crate::wiring::Wiring;

/// Maps the parameters of one layer to columns of S.
///
/// Invariants:
///
/// - `order[c]` is the parameter of active column c.
/// - Source s is active if and only if `order` contains all of `parameters[s]`.
/// - The columns of the first `sorted` active sources come first, in ascending order of parameters.
pub struct ColumnMap {
    /// `[sources][parameters of the source]`, indices of parameters of this layer, ascending.
    pub(super) parameters: Vec<Vec<usize>>,
    /// `[sources]`, number of recurrent weights among the parameters of a source: all or none.
    recurrent: Vec<usize>,
    /// Inactive sources that have parameters in this layer, ascending.
    inactive: Vec<u32>,
    /// `[sources]`, whether a source is active.
    pub(super) is_active: Vec<bool>,
    /// Number of active sources.
    pub(super) active: usize,
    /// Number of steps since the last activation, at most [`STEPS_UNTIL_SORTED`].
    pub(super) unchanged: u32,
    /// Number of active sources whose columns are sorted.
    pub(super) sorted: usize,
    /// `[sorted columns]`, the column before the last sort.
    pub(super) from: Vec<u32>,
    /// M̄ of sorted columns.
    pub(super) spans: ImmediateSpans,
    /// Runs from columns to parameters of sorted columns.
    pub(super) runs: Vec<IndexRun>,
    /// `[entries of M̄]`, ascending by row.
    pub(super) entries: Vec<ImmediateEntry>,
    /// `[rows + 1]`, start of each row in `entries`.
    row_starts: Vec<u32>,
    /// `[sources][entries of the source]`, pairs (column within the group, index in `entries`),
    /// ascending.
    pub(super) of_source: Vec<Vec<(u32, u32)>>,
    /// `[active columns]`, the parameter of each column.
    pub(super) order: Vec<u32>,
    /// Number of columns, active and inactive.
    all: usize,
    /// Number of active columns of recurrent weights.
    recurrent_len: usize,
    /// `[tiles]`, start of each tile in the entries of a program. A tile has space for its entries
    /// of M̄ and one more.
    pub(super) starts: Vec<u32>,
    /// End of the space of the last tile.
    pub(super) end: u32,
    /// `[p]`, whether a parameter is a recurrent weight.
    pub(super) weighs: Vec<bool>,
    /// `[tiles × 128]`, 1 if the parameter of a column is a recurrent weight, else 0.
    pub(super) is_recurrent: Vec<u32>,
}

impl ColumnMap {
    /// Creates the map of a layer. All columns are inactive.
    pub fn new<T: Real>(wiring: &Wiring, form: &Form<T>, layer: usize) -> Self {
        let weights = wiring.layout().weights();
        let of_layer: Vec<bool> =
            (0..wiring.pre_rows().len()).map(|pre| wiring.layer_of(pre) == layer).collect();
        let weighs = wiring.layout().of_kind(Kind::Recurrent);
        let of_source = |source| {
            weights.col(source).filter(|&(pre, _)| of_layer[pre]).map(|(_, p)| p).collect::<Vec<_>>()
        };
        let parameters: Vec<_> = (0..wiring.sources().len()).map(of_source).collect();
        let recurrent = |own: &Vec<usize>| own.iter().filter(|&&parameter| weighs[parameter]).count();
        let (mut entries, mut row_starts, mut gates) = (Vec::new(), vec![0], 0);
        let mut of_source = vec![Vec::new(); parameters.len()];
        for row in 0..wiring.rows() {
            for (pre, at) in form.gains.row(row).filter(|&(pre, _)| of_layer[pre]) {
                gates += 1;
                for (source, parameter) in weights.row(pre) {
                    let column = parameters[source]
                        .binary_search(&parameter)
                        .expect("the source must have the parameter");
                    of_source[source].push((column as u32, entries.len() as u32));
                    entries.push(ImmediateEntry { source: source as u32, column: 0, at: at as u32 });
                }
            }
            row_starts.push(entries.len() as u32);
        }
        of_source.iter_mut().for_each(|own| own.sort_unstable());
        let all: usize = parameters.iter().map(Vec::len).sum();
        let tiles = all.div_ceil(COLUMNS);
        Self {
            recurrent: parameters.iter().map(recurrent).collect(),
            is_active: vec![false; parameters.len()],
            active: 0,
            unchanged: 0,
            sorted: 0,
            from: Vec::with_capacity(all),
            runs: Vec::with_capacity(all),
            spans: ImmediateSpans::new(wiring.rows(), gates, entries.len(), parameters.len()),
            entries,
            row_starts,
            of_source,
            inactive: Vec::with_capacity(parameters.len()),
            order: Vec::with_capacity(all),
            all,
            recurrent_len: 0,
            starts: Vec::with_capacity(tiles),
            end: 0,
            weighs,
            is_recurrent: vec![0; tiles * COLUMNS],
            parameters,
        }
    }

    /// Returns the number of columns, active and inactive.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Returns the number of active columns.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns the number of active columns of recurrent weights.
    pub fn recurrent_len(&self) -> usize {
        self.recurrent_len
    }

    /// Returns the number of tiles with active columns.
    pub fn tiles(&self) -> usize {
        self.len().div_ceil(COLUMNS)
    }

    /// Makes all columns inactive.
    pub fn reset(&mut self) {
        self.inactive.clear();
        self.inactive.extend(
            (0..self.parameters.len() as u32).filter(|&source| !self.parameters[source as usize].is_empty()),
        );
        self.entries.iter_mut().for_each(|entry| entry.column = 0);
        (self.recurrent_len, self.end, self.active, self.sorted, self.unchanged) = (0, 0, 0, 0, 0);
        self.is_active.fill(false);
        self.runs.clear();
        self.order.clear();
        self.starts.clear();
    }

    /// Activates the columns of inactive sources for which `nonzero` holds.
    pub fn activate(&mut self, nonzero: impl Fn(usize) -> bool) {
        let before = self.active;
        let mut inactive = std::mem::take(&mut self.inactive);
        inactive.retain(|&source| {
            let nonzero = nonzero(source as usize);
            if nonzero {
                self.append(source as usize);
            }
            !nonzero
        });
        self.inactive = inactive;
        self.unchanged = if self.active > before { 0 } else { STEPS_UNTIL_SORTED.min(self.unchanged + 1) };
    }

    /// Activates the columns of a source, after all active columns.
    fn append(&mut self, source: usize) {
        let start = self.len();
        self.is_active[source] = true;
        self.active += 1;
        self.order.extend(self.parameters[source].iter().map(|&parameter| parameter as u32));
        for &(column, at) in &self.of_source[source] {
            let column = start + column as usize;
            reserve_tile(&mut self.starts, &mut self.end, column / COLUMNS + 1);
            self.end += 1;
            self.entries[at as usize].column = column as u32;
        }
        reserve_tile(&mut self.starts, &mut self.end, self.order.len().div_ceil(COLUMNS));
        self.recurrent_len += self.recurrent[source];
        self.is_recurrent[start..self.order.len()].fill(u32::from(self.recurrent[source] > 0));
    }

    /// Writes the active sources in the order of activation to an archive, or restores them.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let place =
            |own: &Vec<usize>| self.order.iter().position(|&p| Some(p as usize) == own.first().copied());
        let active =
            self.parameters.iter().enumerate().filter_map(|(source, own)| Some((place(own)?, source)));
        let mut active: Vec<_> = active.collect();
        active.sort_unstable();
        let mut sources: Vec<usize> = active.into_iter().map(|(_, source)| source).collect();
        let (mut sorted, mut unchanged) = (self.sorted, self.unchanged);
        archive.field("columns.active", &mut sources)?;
        archive.field("columns.sorted", &mut sorted)?;
        archive.field("columns.unchanged", &mut unchanged)?;
        if !archive.reads() {
            return Ok(());
        }
        if sorted > sources.len() || unchanged > STEPS_UNTIL_SORTED {
            let found = format!("{sorted} of {} sources, unchanged for {unchanged} steps", sources.len());
            return Err(Error::State { field: "columns.sorted", found });
        }
        // The constant source is always nonzero and is activated first.
        let first = &sources[..sources.len().min(sorted.max(1))];
        if !(self.parameters[0].is_empty() || sources.is_empty() || first.contains(&0)) {
            return Err(Error::State {
                field: "columns.active",
                found: "other sources before the constant".into(),
            });
        }
        self.reset();
        for (k, wanted) in sources.into_iter().enumerate() {
            let before = self.active;
            self.activate(|source| source == wanted);
            if self.active == before {
                return Err(Error::State { field: "columns.active", found: format!("source {wanted}") });
            }
            if k + 1 == sorted {
                self.sort();
            }
        }
        self.unchanged = unchanged;
        Ok(())
    }

    /// Returns the start of each tile in the entries of a program. `[tiles]`
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Returns the maximum number of entries of a program.
    pub fn room(&self) -> usize {
        self.entries.len() + self.all.div_ceil(COLUMNS)
    }

    /// Returns the maximum number of spans of M̄.
    pub fn spans_room(&self) -> usize {
        self.spans.room()
    }

    /// Returns the number of sources, including sources without parameters in this layer.
    pub fn sources(&self) -> usize {
        self.parameters.len()
    }

    /// Returns the number of rows of M̄.
    pub fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// Returns whether a source is active: it has been nonzero since the reset.
    pub fn is_active(&self, source: u32) -> bool {
        self.is_active[source as usize]
    }

    /// Returns the entries of a row of M̄.
    #[inline(always)]
    pub fn entries(&self, row: usize) -> &[ImmediateEntry] {
        &self.entries[self.row_starts[row] as usize..self.row_starts[row + 1] as usize]
    }

    /// Returns the parameters of a source, ascending.
    pub fn parameters(&self, source: usize) -> &[usize] {
        &self.parameters[source]
    }

    /// Returns the parameters of the active columns, by tile. `[tiles][at most 128]`
    pub fn active(&self) -> impl Iterator<Item = &[u32]> {
        self.order.chunks(COLUMNS)
    }

    /// Returns, for each column of a tile, 1 if its parameter is a recurrent weight, else 0.
    /// `[128]`
    pub fn recurrent(&self, tile: usize) -> &[u32] {
        &self.is_recurrent[tile * COLUMNS..(tile + 1) * COLUMNS]
    }
}

/// Adds starts until there are `tiles` tiles, with space for one more entry per tile.
fn reserve_tile(starts: &mut Vec<u32>, end: &mut u32, tiles: usize) {
    while starts.len() < tiles {
        starts.push(*end);
        *end += 1;
    }
}
