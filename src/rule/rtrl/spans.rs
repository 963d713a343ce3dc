//! M̄ by rows in spans of contiguous columns, where columns are sorted.

use super::tile::COLUMNS;

/// An entry of M̄: `M̄[row, column] = gain[at] · φ[source]`. The column is 0 while it is inactive.
#[derive(Clone, Copy)]
pub struct ImmediateEntry {
    pub source: u32,
    pub column: u32,
    pub at: u32,
}

/// Steps without activation after which columns are sorted. Sorting takes as long as ten to twenty steps, and saves a tenth of each later step.
pub const STEPS_UNTIL_SORTED: u32 = 256;

/// Contiguous entries of M̄ in one tile, of one gate.
#[derive(Clone, Copy)]
pub struct ImmediateSpan {
    /// The position of the gain.
    pub at: u32,
    pub tile: u32,
    /// The first column in the tile.
    pub column: u32,
    /// Its entries in the list of sources.
    pub start: u32,
    pub end: u32,
}

/// M̄ by rows, where columns are sorted.
#[derive(Default)]
pub struct ImmediateSpans {
    spans: Vec<ImmediateSpan>,
    /// The start of each row's spans. [rows + 1]
    row_starts: Vec<u32>,
    /// The sources of all entries; for each span the set of its sources as bits. [spans][words]
    sources: Vec<u32>,
    sets: Vec<u64>,
    /// The start of the room for each tile's spans. [tiles]
    starts: Vec<u32>,
    /// Words per set.
    words: usize,
}

impl ImmediateSpans {
    /// Room for `rows`, `gates`, `entries` and `sources`.
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

    /// The spans of a row, each with the set of its sources.
    #[inline(always)]
    pub fn of(&self, row: usize) -> impl Iterator<Item = (&ImmediateSpan, &[u64])> {
        let range = self.row_starts[row] as usize..self.row_starts[row + 1] as usize;
        let sets = &self.sets[range.start * self.words..range.end * self.words];
        self.spans[range].iter().zip(sets.chunks_exact(self.words))
    }

    /// The largest number of spans.
    pub fn room(&self) -> usize {
        self.spans.capacity()
    }

    /// The start of the room for each tile's spans.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The sources of all entries.
    pub fn sources(&self) -> &[u32] {
        &self.sources
    }

    /// Collects the spans of M̄. The active entries of each of `rows` rows are `entries(row)`; active columns fill `tiles` tiles.
    pub fn fill<'a, I: Iterator<Item = &'a ImmediateEntry>>(
        &mut self,
        rows: usize,
        tiles: usize,
        entries: impl Fn(usize) -> I,
    ) {
        self.spans.clear();
        self.row_starts.clear();
        self.sources.clear();
        for row in 0..rows {
            let first = self.spans.len();
            self.row_starts.push(first as u32);
            for entry in entries(row) {
                let (tile, column) = (entry.column / COLUMNS as u32, entry.column % COLUMNS as u32);
                let next = self.sources.len() as u32;
                match self.spans[first..].last_mut() {
                    Some(span)
                        if (span.at, span.tile, span.column + span.end - span.start)
                            == (entry.at, tile, column) =>
                    {
                        span.end += 1;
                    }
                    _ => self.spans.push(ImmediateSpan {
                        at: entry.at,
                        tile,
                        column,
                        start: next,
                        end: next + 1,
                    }),
                }
                self.sources.push(entry.source);
            }
        }
        self.row_starts.push(self.spans.len() as u32);
        self.sets.clear();
        self.sets.resize(self.spans.len() * self.words, 0);
        self.starts.clear();
        self.starts.resize(tiles, 0);
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
