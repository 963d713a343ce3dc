//! The columns of one layer's parameters: grouped by the source their parameter reads, in the order in which sources first spoke, and
//! cut into tiles. A column whose source has been silent since the reset has no place yet.

use super::super::form::Form;
use super::tile::COLUMNS;
use crate::archive::Archive;
use crate::cell::Wiring;
use crate::error::{Error, Result};
use crate::params::Kind;
use crate::scalar::Real;

/// An entry of M̄: `M̄[row, column] = gain[at] · φ`, `column` counting the columns of one source; the row follows from the gain.
#[derive(Clone, Copy)]
pub struct Entry {
    pub column: u32,
    pub at: u32,
}

/// The part of a source's entries that lies in one tile; `shift` leads from their columns to places in it, modulo its width.
#[derive(Clone, Copy)]
pub struct Span {
    pub source: u32,
    pub shift: u32,
    from: u32,
    to: u32,
}

/// Which columns there are, and where.
pub struct Columns {
    /// For every source its parameters, in order, and how many of them are recurrent weights: all or none.
    parameters: Vec<Vec<usize>>,
    recurrent: Vec<usize>,
    entries: Vec<Entry>,
    /// Where each source's entries start; one more at the end.
    starts: Vec<usize>,
    /// Where each source's columns are, once it has spoken.
    places: Vec<Option<usize>>,
    /// The parameter of every awake column.
    order: Vec<u32>,
    len: usize,
    recurrent_len: usize,
    spans: Vec<Span>,
    /// Where the spans of each tile end.
    ends: Vec<usize>,
    /// For every column, whether its parameter is a recurrent weight: as a number to count with.
    is_recurrent: Vec<u32>,
}

impl Columns {
    /// The columns of the parameters of a layer, none of them awake.
    pub fn new<T: Real>(wiring: &Wiring, form: &Form<T>, layer: usize) -> Self {
        let weights = wiring.layout().weights();
        let of_layer: Vec<bool> =
            (0..wiring.pre_rows().len()).map(|pre| wiring.layer_of(pre) == layer).collect();
        let recurrent = wiring.layout().of_kind(Kind::Recurrent);
        let sources = wiring.sources().len();
        let (mut parameters, mut entries, mut starts) = (Vec::new(), Vec::new(), vec![0]);
        for source in 0..sources {
            let own: Vec<(usize, usize)> = weights.col(source).filter(|&(pre, _)| of_layer[pre]).collect();
            for (column, &(pre, _)) in own.iter().enumerate() {
                let places = form.gains.col(pre);
                entries.extend(places.map(|(_, at)| Entry { column: column as u32, at: at as u32 }));
            }
            starts.push(entries.len());
            parameters.push(own.into_iter().map(|(_, parameter)| parameter).collect::<Vec<_>>());
        }
        let recurrent = |own: &Vec<usize>| own.iter().filter(|&&parameter| recurrent[parameter]).count();
        let p: usize = parameters.iter().map(Vec::len).sum();
        let tiles = p.div_ceil(COLUMNS);
        Self {
            recurrent: parameters.iter().map(recurrent).collect(),
            parameters,
            entries,
            starts,
            places: vec![None; sources],
            order: Vec::with_capacity(p),
            len: 0,
            recurrent_len: 0,
            spans: Vec::with_capacity(sources + tiles),
            ends: vec![0; tiles],
            is_recurrent: vec![0; tiles * COLUMNS],
        }
    }

    /// p: all columns, awake or not.
    pub fn all(&self) -> usize {
        self.parameters.iter().map(Vec::len).sum()
    }

    /// Columns that are awake; those of them that belong to recurrent weights.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn recurrent_len(&self) -> usize {
        self.recurrent_len
    }

    /// Tiles that awake columns lie in.
    pub fn tiles(&self) -> usize {
        self.len.div_ceil(COLUMNS)
    }

    /// All asleep again.
    pub fn reset(&mut self) {
        self.places.fill(None);
        (self.len, self.recurrent_len) = (0, 0);
        self.order.clear();
        self.spans.clear();
        self.ends.fill(0);
    }

    /// Wakes the columns of a source, if it has any and they are not awake.
    pub fn wake(&mut self, source: usize) {
        let n = self.parameters[source].len();
        if self.places[source].is_some() || n == 0 {
            return;
        }
        let start = self.len;
        self.places[source] = Some(start);
        self.order.extend(self.parameters[source].iter().map(|&parameter| parameter as u32));
        self.len += n;
        self.recurrent_len += self.recurrent[source];
        self.is_recurrent[start..self.len].fill(u32::from(self.recurrent[source] > 0));
        let own = &self.entries[self.starts[source]..self.starts[source + 1]];
        for tile in start / COLUMNS..self.len.div_ceil(COLUMNS) {
            // The first of its columns that lies in this tile, and the first that no longer does.
            let first = (tile * COLUMNS).saturating_sub(start) as u32;
            let last = ((tile + 1) * COLUMNS - start) as u32;
            let at = |column: u32| (self.starts[source] + own.partition_point(|e| e.column < column)) as u32;
            self.spans.push(Span {
                source: source as u32,
                shift: (start % COLUMNS) as u32,
                from: at(first),
                to: at(last),
            });
            self.ends[tile] = self.spans.len();
        }
    }

    /// Writes which sources are awake, in order, or wakes those that were.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        let awake =
            self.places.iter().enumerate().filter_map(|(source, place)| Some((place.as_ref()?, source)));
        let mut order: Vec<_> = awake.collect();
        order.sort_unstable();
        let mut sources: Vec<usize> = order.into_iter().map(|(_, source)| source).collect();
        archive.field("columns.awake", &mut sources)?;
        if archive.reads() {
            self.reset();
            if let Some(source) = sources.iter().find(|source| **source >= self.places.len()) {
                return Err(Error::State { field: "columns.awake", found: format!("source {source}") });
            }
            sources.into_iter().for_each(|source| self.wake(source));
        }
        Ok(())
    }

    /// The spans of a tile that has columns.
    pub fn spans(&self, tile: usize) -> &[Span] {
        let start = if tile == 0 { 0 } else { self.ends[tile - 1] };
        &self.spans[start..self.ends[tile]]
    }

    /// The entries of a span.
    pub fn entries(&self, span: &Span) -> &[Entry] {
        &self.entries[span.from as usize..span.to as usize]
    }

    /// Entries of M̄, if every source speaks and every row is held.
    pub fn entries_len(&self) -> usize {
        self.entries.len()
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
