//! Columns put in the order of their parameters, once no more of them seem to wake.
//!
//! While sources wake, columns lie in the order in which they did, so that those asleep have no place yet. It strews what belongs
//! together: the parameters of a row, which are what it injects, and the gradient a tile hands over. In the order of parameters, both
//! are neighbours, and `S[i, c] ← S[i, c] + gain_i φ_c` walks along a row. Columns never interact: their order changes no number.

use super::columns::Columns;
use super::panel::Panel;
use super::program::NOWHERE;
use super::tile::{self, COLUMNS, Lanes, Tile};
use crate::scalar::Real;
use std::sync::Mutex;

/// Steps in which no source has woken, until columns are arranged: to do so takes as long as ten to twenty steps, and saves a tenth of
/// each that follows.
pub const QUIET: u32 = 256;

/// Neighbouring columns of a tile whose parameters are neighbours as well.
#[derive(Clone, Copy)]
pub struct Run {
    pub column: u32,
    pub parameter: u32,
    pub len: u32,
}

/// Neighbouring entries of M̄: of one gate and in one tile. Their columns are neighbours as well.
#[derive(Clone, Copy)]
pub struct Span {
    /// Where the gain is.
    pub at: u32,
    pub tile: u32,
    /// The first column in the tile.
    pub column: u32,
    /// Its entries in the list of sources.
    pub start: u32,
    pub end: u32,
}

/// M̄ by rows, where columns are in the order of parameters.
#[derive(Default)]
pub struct Spans {
    spans: Vec<Span>,
    /// Where each row's spans start; one more at the end.
    row_starts: Vec<u32>,
    /// The sources of their entries; for each span the same as a set, bit by bit.
    sources: Vec<u32>,
    sets: Vec<u64>,
    /// Where there is room for each tile's spans.
    starts: Vec<u32>,
    /// Words that a set takes.
    words: usize,
}

impl Spans {
    /// Room for that many rows, gates, entries and sources.
    pub fn new(rows: usize, gates: usize, entries: usize, sources: usize) -> Self {
        let (most, words) = (2 * gates + entries / COLUMNS, sources.div_ceil(64));
        Self {
            spans: Vec::with_capacity(most),
            row_starts: Vec::with_capacity(rows + 1),
            sources: Vec::with_capacity(entries),
            sets: Vec::with_capacity(most * words),
            starts: Vec::with_capacity(entries.div_ceil(COLUMNS)),
            words,
        }
    }

    /// A row's spans, and the set of each one's sources.
    #[inline(always)]
    pub fn of(&self, row: usize) -> impl Iterator<Item = (&Span, &[u64])> {
        let range = self.row_starts[row] as usize..self.row_starts[row + 1] as usize;
        let sets = &self.sets[range.start * self.words..range.end * self.words];
        self.spans[range].iter().zip(sets.chunks_exact(self.words))
    }

    /// The most there can be.
    pub fn room(&self) -> usize {
        self.spans.capacity()
    }

    /// Where there is room for the spans of each tile.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The sources of all entries.
    pub fn sources(&self) -> &[u32] {
        &self.sources
    }

    /// Writes down M̄ as it lies now.
    pub fn fill(&mut self, columns: &Columns) {
        self.spans.clear();
        self.row_starts.clear();
        self.sources.clear();
        for row in 0..columns.rows() {
            let first = self.spans.len();
            self.row_starts.push(first as u32);
            for entry in columns.entries(row).iter().filter(|entry| columns.is_awake(entry.source)) {
                let (tile, column) = (entry.column / COLUMNS as u32, entry.column % COLUMNS as u32);
                let next = self.sources.len() as u32;
                match self.spans[first..].last_mut() {
                    Some(span)
                        if (span.at, span.tile, span.column + span.end - span.start)
                            == (entry.at, tile, column) =>
                    {
                        span.end += 1;
                    }
                    _ => self.spans.push(Span { at: entry.at, tile, column, start: next, end: next + 1 }),
                }
                self.sources.push(entry.source);
            }
        }
        self.row_starts.push(self.spans.len() as u32);
        self.sets.clear();
        self.sets.resize(self.spans.len() * self.words, 0);
        self.starts.clear();
        self.starts.resize(columns.tiles(), 0);
        for (span, set) in self.spans.iter().zip(self.sets.chunks_exact_mut(self.words)) {
            for &source in &self.sources[span.start as usize..span.end as usize] {
                set[source as usize / 64] |= 1 << (source % 64);
            }
            self.starts[span.tile as usize] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += std::mem::replace(start, end);
        }
    }
}

impl Columns {
    /// Whether columns are to be arranged.
    pub fn are_settled(&self) -> bool {
        self.quiet == QUIET && self.awake > self.arranged
    }

    /// Whether all columns that are awake are in the order of parameters.
    #[inline(always)]
    pub fn are_arranged(&self) -> bool {
        self.arranged > 0 && self.arranged == self.awake
    }

    /// Whether some are, before all others.
    pub fn any_arranged(&self) -> bool {
        self.arranged > 0
    }

    /// Puts the columns that are awake in the order of parameters.
    pub fn arrange(&mut self) {
        self.from.clear();
        self.from.extend(0..self.order.len() as u32);
        self.from.sort_unstable_by_key(|&column| self.order[column as usize]);
        self.order.sort_unstable();
        self.starts.clear();
        self.starts.resize(self.tiles(), 0);
        for source in (0..self.parameters.len()).filter(|&source| self.is_awake[source]) {
            for &(column, at) in &self.of_source[source] {
                let parameter = self.parameters[source][column as usize] as u32;
                let column = self.order.binary_search(&parameter).expect("it is awake");
                self.entries[at as usize].column = column as u32;
                self.starts[column / COLUMNS] += 1;
            }
        }
        self.end = 0;
        for start in &mut self.starts {
            let entries = std::mem::replace(start, self.end);
            self.end += entries + 1;
        }
        for (is_recurrent, &parameter) in self.is_recurrent.iter_mut().zip(&self.order) {
            *is_recurrent = u32::from(self.weighs[parameter as usize]);
        }
        self.runs.clear();
        for (tile, parameters) in self.order.chunks(COLUMNS).enumerate() {
            let mut column = (tile * COLUMNS) as u32;
            for own in parameters.chunk_by(|a, b| a + 1 == *b) {
                let len = own.len() as u32;
                self.runs.push(Run { column, parameter: own[0], len });
                column += len;
            }
        }
        let mut spans = std::mem::take(&mut self.spans);
        spans.fill(self);
        (self.spans, self.arranged) = (spans, self.awake);
    }

    /// For every column, where it was before columns were arranged.
    pub fn from(&self) -> &[u32] {
        &self.from
    }

    /// M̄ by rows, where columns are arranged.
    #[inline(always)]
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// The awake columns, where they are arranged.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}

impl<T: Real> Panel<T> {
    /// Arranges columns, and what is held of them, if none has woken for long. What was planned must have been carried out.
    pub(super) fn arrange(&mut self) {
        if !self.columns.are_settled() {
            return;
        }
        self.columns.arrange();
        let found = self.follow_thresholds();
        debug_assert!(found, "the constant is awake");
        let Self { columns, tiles, held, line, strip, .. } = self;
        let (tiles, from) = (&mut tiles[..columns.tiles()], columns.from());
        for &row in held.iter() {
            let line = line[row as usize] as usize;
            permute(tiles, from, strip, |tile| &mut tile.blocks[line]);
        }
        permute(tiles, from, strip, |tile| &mut tile.gradient);
    }

    /// Finds the columns of thresholds where they are now. Returns whether all are there.
    pub(super) fn follow_thresholds(&mut self) -> bool {
        let arranged = &self.columns.order[..self.columns.from().len()];
        let mut own = self.theta.iter_mut().zip(&self.thresholds).filter(|own| *own.0 != NOWHERE);
        own.all(|(theta, parameter)| match arranged.binary_search(parameter) {
            Ok(column) => {
                *theta = column as u32;
                true
            }
            Err(_) => false,
        })
    }
}

/// Moves the columns of one block of every tile to their new places; `strip` has room for them.
fn permute<T: Real>(
    tiles: &mut [Mutex<Tile<T>>],
    from: &[u32],
    strip: &mut [T],
    block: impl Fn(&mut Tile<T>) -> &mut Lanes<T>,
) {
    let strip = &mut strip[..from.len()];
    for (tile, strip) in tiles.iter_mut().map(tile::own).zip(strip.chunks_mut(COLUMNS)) {
        strip.copy_from_slice(&block(tile).0[..strip.len()]);
    }
    for (tile, from) in tiles.iter_mut().map(tile::own).zip(from.chunks(COLUMNS)) {
        for (to, &column) in block(tile).0.iter_mut().zip(from) {
            *to = strip[column as usize];
        }
    }
}
