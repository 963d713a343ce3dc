//! What one step does to the lines of S and Y, the same for every block of columns. It is made once a step, and then carried through
//! tile by tile.

use crate::cell::Step;
use crate::scalar::Real;
use crate::sparse::block::ROWS;

/// No line, no column.
pub const NOWHERE: u32 = u32::MAX;

/// A line to be made: `line ← decay · line + Σ coefficient · source`; its terms end at `end`.
#[derive(Clone, Copy)]
pub struct Line<T> {
    pub at: u32,
    pub decay: T,
    pub end: u32,
}

/// A live row of Y, to be copied out before its line of S is overwritten: `e · line`, and Ē in the column of its threshold.
#[derive(Clone, Copy)]
pub struct Copied<T> {
    pub line: u32,
    pub e: T,
    pub theta: u32,
    pub e_bar: T,
}

/// A number to be added at one place.
#[derive(Clone, Copy)]
pub struct Point<T> {
    pub line: u32,
    pub column: u32,
    pub value: T,
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
    /// Blocks that are read as sources.
    pub sources: usize,
    /// Lines from emissions of the same step.
    pub relays: Vec<Line<T>>,
    pub relay_terms: Vec<Term<T>>,
    pub points: Vec<Point<T>>,
    /// The line of each row; rows that are not held share one that nobody reads.
    pub line_of: Vec<u32>,
    /// M̄: gains in the order of the form, and φ.
    pub gain: Vec<T>,
    pub phi: Vec<T>,
    /// Tiles that had columns before this step, and that have some now.
    pub before: usize,
    pub tiles: usize,
    /// Credit: `gradient += Σ coefficient · line`, and single numbers.
    pub credit: Vec<Term<T>>,
    pub credit_points: Vec<(T, u32)>,
}

impl<T: Real> Program<T> {
    /// Room for that many rows, couplings, gains and sources.
    pub fn new(rows: usize, previous: usize, current: usize, gains: usize, sources: usize) -> Self {
        Self {
            copies: Vec::with_capacity(rows),
            lines: Vec::with_capacity(rows),
            terms: vec![(T::zero(), 0); previous + 1],
            dense: Vec::with_capacity(rows.div_ceil(ROWS) * rows),
            sources: 0,
            relays: Vec::with_capacity(rows),
            relay_terms: Vec::with_capacity(current),
            points: Vec::with_capacity(rows + current),
            line_of: vec![NOWHERE; rows],
            gain: vec![T::zero(); gains],
            phi: vec![T::zero(); sources],
            before: 0,
            tiles: 0,
            credit: Vec::with_capacity(rows),
            credit_points: Vec::with_capacity(rows),
        }
    }

    /// The terms of a line of the step before, in a list of lines.
    pub fn range(lines: &[Line<T>], k: usize) -> std::ops::Range<usize> {
        let start = if k == 0 { 0 } else { lines[k - 1].end as usize };
        start..lines[k].end as usize
    }

    /// Writes the terms out as dense sets of coefficients if at least half of them exist; then every source is read once for several
    /// lines.
    pub fn densify(&mut self) {
        self.dense.clear();
        let terms = self.lines.last().map_or(0, |line| line.end as usize);
        if self.lines.len() < ROWS || 2 * terms < self.lines.len() * self.sources {
            return;
        }
        let sets = self.lines.len() / ROWS;
        self.dense.resize(sets * self.sources, [T::zero(); ROWS]);
        for k in 0..sets * ROWS {
            for &(a, source) in &self.terms[Self::range(&self.lines, k)] {
                self.dense[(k / ROWS) * self.sources + source as usize][k % ROWS] = a;
            }
        }
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
