//! What one step does to the lines of S and Y, the same for every block of columns. It is made once a step, and then carried through
//! tile by tile.

use super::columns::Columns;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes::ROWS;
use crate::wiring::Step;

/// No line, no column.
pub const NOWHERE: u32 = u32::MAX;

/// A line to be made: `line ← decay · line + Σ coefficient · source`, and where its terms are.
#[derive(Clone, Copy)]
pub struct Line<T> {
    pub at: u32,
    pub decay: T,
    pub start: u32,
    pub terms: u32,
}

impl<T> Line<T> {
    /// Its terms in their list.
    #[inline(always)]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.terms) as usize
    }
}

/// A live row of Y, to be copied out before its line of S is overwritten: `e · line`, and Ē in the column of its threshold.
#[derive(Clone, Copy)]
pub struct Copied<T> {
    pub line: u32,
    pub e: T,
    pub theta: u32,
    pub e_bar: T,
}

/// A number to be added at one place of a line.
#[derive(Clone, Copy)]
pub struct Point<T> {
    pub line: u32,
    pub column: u32,
    pub value: T,
}

/// An entry of M̄: a place in a tile, its blocks taken as one after another, and what is added there.
pub type Entry<T> = (u32, T);

/// Neighbouring entries of M̄: `line[column..] += factor · φ` of the sources in a stretch of their list.
#[derive(Clone, Copy, Default)]
pub struct Injection<T> {
    pub line: u32,
    pub column: u32,
    pub start: u32,
    pub end: u32,
    pub factor: T,
}

/// A coefficient, and the line or copy it belongs to.
pub type Term<T> = (T, u32);

/// Lists that grow to what a step needs at most, and are then refilled in place.
pub struct Program<T> {
    pub copies: Vec<Copied<T>>,
    /// Lines from sources of the step before, their terms, and as dense sets of coefficients where most terms exist.
    pub lines: Vec<Line<T>>,
    pub terms: Vec<Term<T>>,
    pub dense: Vec<[T; ROWS]>,
    /// Lanes that are read as sources.
    pub sources: usize,
    /// Lines from emissions of the same step.
    pub relays: Vec<Line<T>>,
    pub relay_terms: Vec<Term<T>>,
    pub points: Vec<Point<T>>,
    /// M̄, tile by tile; where each tile's entries start, and where they end.
    pub entries: Vec<Entry<T>>,
    pub starts: Vec<u32>,
    pub ends: Vec<u32>,
    /// The same where columns are arranged, with the φ they read, and the set of sources that speak, bit by bit.
    pub arranged: bool,
    pub injections: Vec<Injection<T>>,
    pub phi: Vec<T>,
    pub speaks: Vec<u64>,
    /// Tiles that had columns before this step, and that have some now.
    pub before: usize,
    pub tiles: usize,
    /// Credit: `gradient += Σ coefficient · line`, the same for every line, and single numbers.
    pub credit: Vec<Term<T>>,
    pub credit_of: Vec<T>,
    pub credit_points: Vec<(T, u32)>,
}

impl<T: Real> Program<T> {
    /// Room for that many rows, couplings in a form, the entries of M̄ in columns, and tiles.
    pub fn new(rows: usize, form: &Form<T>, columns: &Columns, tiles: usize) -> Self {
        let (previous, current) = (form.previous.len(), form.current.len());
        Self {
            copies: Vec::with_capacity(rows),
            lines: Vec::with_capacity(rows),
            terms: vec![(T::zero(), 0); previous + 1],
            dense: Vec::with_capacity(rows.div_ceil(ROWS) * rows),
            sources: 0,
            relays: Vec::with_capacity(rows),
            relay_terms: Vec::with_capacity(current),
            points: Vec::with_capacity(rows + current),
            entries: vec![(0, T::zero()); columns.room()],
            arranged: false,
            injections: vec![Injection::default(); columns.spans_room()],
            phi: vec![T::zero(); columns.sources()],
            speaks: vec![0; columns.sources().div_ceil(64)],
            starts: Vec::with_capacity(tiles),
            ends: Vec::with_capacity(tiles),
            before: 0,
            tiles: 0,
            credit: Vec::with_capacity(rows),
            credit_of: vec![T::zero(); rows],
            credit_points: Vec::with_capacity(rows),
        }
    }

    /// Rows that a tile reads in a step: what the step costs, a column.
    pub fn rows(&self) -> usize {
        let terms: usize = self.lines.iter().map(|line| line.terms as usize).sum();
        self.copies.len() + self.lines.len() + terms + self.relay_terms.len()
    }

    /// Writes terms out as dense sets of coefficients if at least half of them exist; then every source is read once for several lines.
    pub fn densify(&mut self) {
        self.dense.clear();
        let terms: usize = self.lines.iter().map(|line| line.terms as usize).sum();
        if self.lines.len() < ROWS || 2 * terms < self.lines.len() * self.sources {
            return;
        }
        let sets = self.lines.len() / ROWS;
        self.dense.resize(sets * self.sources, [T::zero(); ROWS]);
        for (k, line) in self.lines[..sets * ROWS].iter().enumerate() {
            for &(a, source) in &self.terms[line.range()] {
                self.dense[(k / ROWS) * self.sources + source as usize][k % ROWS] = a;
            }
        }
    }

    /// The entries of M̄ in a tile, where columns are arranged: none if they are not.
    #[inline(always)]
    pub fn injections(&self, tile: usize) -> &[Injection<T>] {
        if self.arranged {
            &self.injections[self.starts[tile] as usize..self.ends[tile] as usize]
        } else {
            &[]
        }
    }

    /// The entries of M̄ in a tile: none if columns are arranged.
    #[inline(always)]
    pub fn entries(&self, tile: usize) -> &[Entry<T>] {
        if self.arranged { &[] } else { &self.entries[self.starts[tile] as usize..self.ends[tile] as usize] }
    }
}

/// e and Ē of the last step.
pub struct Last<T> {
    /// Whether rows, columns and products that happen to be zero are skipped.
    pub activity: bool,
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
}

impl<T: Real> Last<T> {
    pub fn new(rows: usize, activity: bool) -> Self {
        Self { activity, e: vec![T::zero(); rows], e_bar: vec![T::zero(); rows] }
    }

    pub fn follow(&mut self, step: &Step<T>) {
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
    }
}
