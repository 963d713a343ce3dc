//! The columns of one layer's parameters: parameter ↔ column. Columns are grouped by the source their parameter reads, in the order in which sources
//! were first nonzero since the reset, and sorted later (`sort.rs`). A column whose source has been zero since the reset is inactive and not allocated.

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
/// Invariants: `order[c]` is the parameter of active column c; a source s is active if and only if `order` contains `parameters[s]`; the first
/// `sorted` active sources hold the first columns, in ascending order of parameters.
pub struct ColumnMap {
    /// For every source its parameters of this layer, ascending, and the number of them that are recurrent weights: all or none.
    pub(super) parameters: Vec<Vec<usize>>,
    recurrent: Vec<usize>,
    /// The inactive sources with columns, ascending; whether a source is active; the number of active ones; and the number of steps since the
    /// last activation, at most [`STEPS_UNTIL_SORTED`].
    inactive: Vec<u32>,
    pub(super) is_active: Vec<bool>,
    pub(super) active: usize,
    pub(super) unchanged: u32,
    /// The number of sources whose columns are sorted, before all others; and for each of these columns, its position before it was
    /// sorted.
    pub(super) sorted: usize,
    pub(super) from: Vec<u32>,
    pub(super) spans: ImmediateSpans,
    pub(super) runs: Vec<IndexRun>,
    /// M̄ by rows, and the start of each row's entries. [rows + 1]
    pub(super) entries: Vec<ImmediateEntry>,
    row_starts: Vec<u32>,
    /// For every source its entries in the order of its columns, as (column within the group, entry).
    pub(super) of_source: Vec<Vec<(u32, u32)>>,
    /// The parameter of every active column. [active columns]
    pub(super) order: Vec<u32>,
    all: usize,
    recurrent_len: usize,
    /// The start of the room for each tile's entries of M̄, one more than it can have, and the end of that room.
    pub(super) starts: Vec<u32>,
    pub(super) end: u32,
    /// For every parameter, whether it is a recurrent weight [p]; for every column the same as 0 or 1 [columns].
    pub(super) weighs: Vec<bool>,
    pub(super) is_recurrent: Vec<u32>,
}

impl ColumnMap {
    /// The columns of the parameters of a layer, all inactive.
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
                    let column = parameters[source].binary_search(&parameter).expect("one of its own");
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

    /// p: the number of columns, active or not.
    pub fn all(&self) -> usize {
        self.all
    }

    /// The number of active columns.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn recurrent_len(&self) -> usize {
        self.recurrent_len
    }

    /// The number of tiles with active columns.
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

    /// Saves the active sources in order, or restores them.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let place =
            |own: &Vec<usize>| self.order.iter().position(|&p| Some(p as usize) == own.first().copied());
        let active =
            self.parameters.iter().enumerate().filter_map(|(source, own)| Some((place(own)?, source)));
        let mut active: Vec<_> = active.collect();
        active.sort_unstable();
        let mut sources: Vec<usize> = active.into_iter().map(|(_, source)| source).collect();
        let (mut sorted, mut unchanged) = (self.sorted, self.unchanged);
        archive.field("columns.awake", &mut sources)?;
        archive.field("columns.arranged", &mut sorted)?;
        archive.field("columns.quiet", &mut unchanged)?;
        if !archive.reads() {
            return Ok(());
        }
        if sorted > sources.len() || unchanged > STEPS_UNTIL_SORTED {
            let found = format!("{sorted} of {} sources, unchanged for {unchanged} steps", sources.len());
            return Err(Error::State { field: "columns.arranged", found });
        }
        // The constant is always nonzero, and is activated first.
        let first = &sources[..sources.len().min(sorted.max(1))];
        if !(self.parameters[0].is_empty() || sources.is_empty() || first.contains(&0)) {
            return Err(Error::State { field: "columns.awake", found: "others before the constant".into() });
        }
        self.reset();
        for (k, wanted) in sources.into_iter().enumerate() {
            let before = self.active;
            self.activate(|source| source == wanted);
            if self.active == before {
                return Err(Error::State { field: "columns.awake", found: format!("source {wanted}") });
            }
            if k + 1 == sorted {
                self.sort();
            }
        }
        self.unchanged = unchanged;
        Ok(())
    }

    /// The start of the room for each tile's entries of M̄.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Room for the entries of M̄ in all tiles.
    pub fn room(&self) -> usize {
        self.entries.len() + self.all.div_ceil(COLUMNS)
    }

    /// Room for spans of M̄.
    pub fn spans_room(&self) -> usize {
        self.spans.room()
    }

    /// The number of sources, with columns or without.
    pub fn sources(&self) -> usize {
        self.parameters.len()
    }

    /// The number of rows of M̄.
    pub fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// Whether a source has been nonzero since the reset.
    pub fn is_active(&self, source: u32) -> bool {
        self.is_active[source as usize]
    }

    /// The entries of a row of M̄.
    #[inline(always)]
    pub fn entries(&self, row: usize) -> &[ImmediateEntry] {
        &self.entries[self.row_starts[row] as usize..self.row_starts[row + 1] as usize]
    }

    /// The parameters of a source, in the order of its columns.
    pub fn parameters(&self, source: usize) -> &[usize] {
        &self.parameters[source]
    }

    /// The parameters of the active columns, by tile.
    pub fn active(&self) -> impl Iterator<Item = &[u32]> {
        self.order.chunks(COLUMNS)
    }

    /// For the columns of a tile, whether their parameter is a recurrent weight, as 0 or 1.
    pub fn recurrent(&self, tile: usize) -> &[u32] {
        &self.is_recurrent[tile * COLUMNS..(tile + 1) * COLUMNS]
    }
}

/// Reserves room for tiles up to `tiles`, with one entry more than each has.
fn reserve_tile(starts: &mut Vec<u32>, end: &mut u32, tiles: usize) {
    while starts.len() < tiles {
        starts.push(*end);
        *end += 1;
    }
}
