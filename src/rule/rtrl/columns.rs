//! The columns of one layer's parameters: grouped by the source their parameter reads, in the order in which sources first spoke, and
//! cut into tiles. A column whose source has been silent since the reset has no place yet. Once no source has spoken for the first
//! time in long, those that are awake are put in the order of parameters (`arrange.rs`).

use super::super::recursion::Form;
use super::arrange::{QUIET, Run, Spans};
use super::tile::COLUMNS;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::params::Kind;
use crate::scalar::Real;
use crate::wiring::Wiring;

/// An entry of M̄: `M̄[row, column] = gain[at] · φ[source]`; the column is 0 while it sleeps.
#[derive(Clone, Copy)]
pub struct Entry {
    pub source: u32,
    pub column: u32,
    pub at: u32,
}

/// Which columns there are, and where.
pub struct Columns {
    /// For every source its parameters, in order, and how many of them are recurrent weights: all or none.
    pub(super) parameters: Vec<Vec<usize>>,
    recurrent: Vec<usize>,
    /// The sources that have columns and are silent so far, ascending; whether a source is awake; how many are; and for how many steps no
    /// other has woken, counted up to [`QUIET`].
    asleep: Vec<u32>,
    pub(super) is_awake: Vec<bool>,
    pub(super) awake: usize,
    pub(super) quiet: u32,
    /// How many sources have their columns in the order of parameters, before all others; and for every such column, where it was before it was put
    /// there.
    pub(super) arranged: usize,
    pub(super) from: Vec<u32>,
    pub(super) spans: Spans,
    pub(super) runs: Vec<Run>,
    /// M̄ by rows, and where each row's entries start; one more at the end.
    pub(super) entries: Vec<Entry>,
    row_starts: Vec<u32>,
    /// For every source its entries, in the order of its columns, and to which of its columns they belong.
    pub(super) of_source: Vec<Vec<(u32, u32)>>,
    /// The parameter of every awake column.
    pub(super) order: Vec<u32>,
    all: usize,
    recurrent_len: usize,
    /// Where there is room for the entries of M̄ in each tile, one more than it can have, and where that room ends.
    pub(super) starts: Vec<u32>,
    pub(super) end: u32,
    /// For every parameter, whether it is a recurrent weight; for every column, whether its parameter is: as a number to count with.
    pub(super) weighs: Vec<bool>,
    pub(super) is_recurrent: Vec<u32>,
}

impl Columns {
    /// The columns of the parameters of a layer, none of them awake.
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
                    entries.push(Entry { source: source as u32, column: 0, at: at as u32 });
                }
            }
            row_starts.push(entries.len() as u32);
        }
        of_source.iter_mut().for_each(|own| own.sort_unstable());
        let all: usize = parameters.iter().map(Vec::len).sum();
        let tiles = all.div_ceil(COLUMNS);
        Self {
            recurrent: parameters.iter().map(recurrent).collect(),
            is_awake: vec![false; parameters.len()],
            awake: 0,
            quiet: 0,
            arranged: 0,
            from: Vec::with_capacity(all),
            runs: Vec::with_capacity(all),
            spans: Spans::new(wiring.rows(), gates, entries.len(), parameters.len()),
            entries,
            row_starts,
            of_source,
            asleep: Vec::with_capacity(parameters.len()),
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

    /// p: all columns, awake or not.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Columns that are awake; those of them that belong to recurrent weights.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn recurrent_len(&self) -> usize {
        self.recurrent_len
    }

    /// Tiles that awake columns lie in.
    pub fn tiles(&self) -> usize {
        self.len().div_ceil(COLUMNS)
    }

    /// All asleep again.
    pub fn reset(&mut self) {
        self.asleep.clear();
        self.asleep.extend(
            (0..self.parameters.len() as u32).filter(|&source| !self.parameters[source as usize].is_empty()),
        );
        self.entries.iter_mut().for_each(|entry| entry.column = 0);
        (self.recurrent_len, self.end, self.awake, self.arranged, self.quiet) = (0, 0, 0, 0, 0);
        self.is_awake.fill(false);
        self.runs.clear();
        self.order.clear();
        self.starts.clear();
    }

    /// Wakes the columns of the sources that speak, of those that are not awake.
    pub fn wake(&mut self, speaks: impl Fn(usize) -> bool) {
        let before = self.awake;
        let mut asleep = std::mem::take(&mut self.asleep);
        asleep.retain(|&source| {
            let speaks = speaks(source as usize);
            if speaks {
                self.append(source as usize);
            }
            !speaks
        });
        self.asleep = asleep;
        self.quiet = if self.awake > before { 0 } else { QUIET.min(self.quiet + 1) };
    }

    fn append(&mut self, source: usize) {
        let start = self.len();
        self.is_awake[source] = true;
        self.awake += 1;
        self.order.extend(self.parameters[source].iter().map(|&parameter| parameter as u32));
        for &(column, at) in &self.of_source[source] {
            let column = start + column as usize;
            make_room(&mut self.starts, &mut self.end, column / COLUMNS + 1);
            self.end += 1;
            self.entries[at as usize].column = column as u32;
        }
        make_room(&mut self.starts, &mut self.end, self.order.len().div_ceil(COLUMNS));
        self.recurrent_len += self.recurrent[source];
        self.is_recurrent[start..self.order.len()].fill(u32::from(self.recurrent[source] > 0));
    }

    /// Writes which sources are awake, in order, or wakes those that were.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let place =
            |own: &Vec<usize>| self.order.iter().position(|&p| Some(p as usize) == own.first().copied());
        let awake =
            self.parameters.iter().enumerate().filter_map(|(source, own)| Some((place(own)?, source)));
        let mut awake: Vec<_> = awake.collect();
        awake.sort_unstable();
        let mut sources: Vec<usize> = awake.into_iter().map(|(_, source)| source).collect();
        let (mut arranged, mut quiet) = (self.arranged, self.quiet);
        archive.field("columns.awake", &mut sources)?;
        archive.field("columns.arranged", &mut arranged)?;
        archive.field("columns.quiet", &mut quiet)?;
        if !archive.reads() {
            return Ok(());
        }
        if arranged > sources.len() || quiet > QUIET {
            let found = format!("{arranged} of {} sources, quiet for {quiet} steps", sources.len());
            return Err(Error::State { field: "columns.arranged", found });
        }
        // The constant has always spoken, and first.
        let first = &sources[..sources.len().min(arranged.max(1))];
        if !(self.parameters[0].is_empty() || sources.is_empty() || first.contains(&0)) {
            return Err(Error::State { field: "columns.awake", found: "others before the constant".into() });
        }
        self.reset();
        for (k, wanted) in sources.into_iter().enumerate() {
            let before = self.awake;
            self.wake(|source| source == wanted);
            if self.awake == before {
                return Err(Error::State { field: "columns.awake", found: format!("source {wanted}") });
            }
            if k + 1 == arranged {
                self.arrange();
            }
        }
        self.quiet = quiet;
        Ok(())
    }

    /// Where there is room for each tile's entries of M̄: for all it can have and one more.
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

    /// Sources, with columns or without.
    pub fn sources(&self) -> usize {
        self.parameters.len()
    }

    /// Rows of M̄.
    pub fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// Whether a source has spoken.
    pub fn is_awake(&self, source: u32) -> bool {
        self.is_awake[source as usize]
    }

    /// A row's entries of M̄.
    #[inline(always)]
    pub fn entries(&self, row: usize) -> &[Entry] {
        &self.entries[self.row_starts[row] as usize..self.row_starts[row + 1] as usize]
    }

    /// The parameters of a source, in the order of its columns.
    pub fn parameters(&self, source: usize) -> &[usize] {
        &self.parameters[source]
    }

    /// The parameters of the awake columns, tile by tile.
    pub fn awake(&self) -> impl Iterator<Item = &[u32]> {
        self.order.chunks(COLUMNS)
    }

    /// For the columns of a tile, whether their parameter is a recurrent weight, as 0 or 1.
    pub fn recurrent(&self, tile: usize) -> &[u32] {
        &self.is_recurrent[tile * COLUMNS..(tile + 1) * COLUMNS]
    }
}

/// Begins the room of tiles up to that many, each with one entry more than it has.
fn make_room(starts: &mut Vec<u32>, end: &mut u32, tiles: usize) {
    while starts.len() < tiles {
        starts.push(*end);
        *end += 1;
    }
}
