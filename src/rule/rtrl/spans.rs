//! M̄ of sorted columns, stored by rows as spans of contiguous columns.

use super::tile::COLUMNS;

/// An entry of M̄: `M̄[row, column] = gain[at] · φ[source]`.
#[derive(Clone, Copy)]
pub struct ImmediateEntry {
    /// Index of the source.
    pub source: u32,
    /// Index of the column, less than the number of active columns; 0 if it is inactive.
    pub column: u32,
    /// Position of the gain in the form.
    pub at: u32,
}

/// Number of steps without activation after which columns are sorted. Sorting takes the time of ten
/// to twenty steps and saves a tenth of the time of each later step.
pub const STEPS_UNTIL_SORTED: u32 = 256;

/// Contiguous entries of M̄ of one gate in one tile.
#[derive(Clone, Copy)]
pub struct ImmediateSpan {
    /// Position of the gain in the form.
    pub at: u32,
    /// Index of the tile.
    pub tile: u32,
    /// First column within the tile, less than 128.
    pub column: u32,
    /// Start of the entries in the list of sources.
    pub start: u32,
    /// End of the entries in the list of sources.
    pub end: u32,
}

/// M̄ of sorted columns, by rows.
#[derive(Default)]
pub struct ImmediateSpans {
    /// `[spans]`, ascending by row.
    spans: Vec<ImmediateSpan>,
    /// `[rows + 1]`, start of each row in `spans`.
    row_starts: Vec<u32>,
    /// `[entries]`, the source of each entry, in the order of spans.
    sources: Vec<u32>,
    /// `[spans][words]`, the set of sources of each span, one bit per source.
    sets: Vec<u64>,
    /// `[tiles]`, start of each tile in the injections of a program.
    starts: Vec<u32>,
    /// Number of words per set: sources / 64, rounded up.
    words: usize,
}

impl ImmediateSpans {
    /// Reserves memory for these numbers of rows, gates, entries and sources.
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

    /// Returns the spans of a row, each with the set of its sources.
    #[inline(always)]
    pub fn of(&self, row: usize) -> impl Iterator<Item = (&ImmediateSpan, &[u64])> {
        let range = self.row_starts[row] as usize..self.row_starts[row + 1] as usize;
        let sets = &self.sets[range.start * self.words..range.end * self.words];
        self.spans[range].iter().zip(sets.chunks_exact(self.words))
    }

    /// Returns the maximum number of spans.
    pub fn room(&self) -> usize {
        self.spans.capacity()
    }

    /// Returns the start of each tile in the injections of a program. `[tiles]`
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Returns the source of each entry, in the order of spans. `[entries]`
    pub fn sources(&self) -> &[u32] {
        &self.sources
    }

    /// Collects the spans of M̄. `entries` returns the active entries of a row; there are `rows`
    /// rows and `tiles` tiles with active columns.
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
