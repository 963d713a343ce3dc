//! The program of a step. The symbolic part writes it once per step, and the numeric part executes
//! it for every tile.

use super::column_map::ColumnMap;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes::ROWS;
use crate::wiring::Step;

/// Index of no slot and no column.
pub const NOWHERE: u32 = u32::MAX;

/// The update `slot ← decay · slot + Σ coefficient · source`.
#[derive(Clone, Copy)]
pub struct RowUpdate<T> {
    /// The slot.
    pub at: u32,
    /// Factor of the slot.
    pub decay: T,
    /// Index of the first term in the list of terms.
    pub start: u32,
    /// Number of terms.
    pub terms: u32,
}

impl<T> RowUpdate<T> {
    /// Returns the range of the terms in the list of terms.
    #[inline(always)]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.terms) as usize
    }
}

/// A copy of a live row of Y: `e · slot`, plus `e_bar` in the column of its threshold. The copy
/// precedes the update of the slot.
#[derive(Clone, Copy)]
pub struct CopiedRow<T> {
    /// The slot of the row.
    pub slot: u32,
    /// e of the row.
    pub e: T,
    /// The column of the row's threshold, or `NOWHERE`.
    pub theta: u32,
    /// Ē of the row.
    pub e_bar: T,
}

/// A number that is added to one column of a slot.
#[derive(Clone, Copy)]
pub struct PointUpdate<T> {
    /// The slot.
    pub slot: u32,
    /// The column, less than the number of active columns.
    pub column: u32,
    /// The number.
    pub value: T,
}

/// An entry of M̄: its position in a tile, `slot · 128 + column`, and its value.
pub type PlacedEntry<T> = (u32, T);

/// Contiguous entries of M̄: `slot[column + k] += factor · φ[sources[start + k]]`.
#[derive(Clone, Copy, Default)]
pub struct Injection<T> {
    /// The slot.
    pub slot: u32,
    /// First column within the tile, less than 128.
    pub column: u32,
    /// Start of the entries in the list of sources.
    pub start: u32,
    /// End of the entries in the list of sources.
    pub end: u32,
    /// The gain, times e of the row if slots hold Y.
    pub factor: T,
}

/// A coefficient and the index of its slot or source.
pub type Term<T> = (T, u32);

/// The program of a step. Its lists are refilled in place at every step.
pub struct Program<T> {
    /// Copies of rows of Y; copy k is source k. Empty if slots hold Y.
    pub copies: Vec<CopiedRow<T>>,
    /// Updates from sources of the previous step, one per stored row.
    pub updates: Vec<RowUpdate<T>>,
    /// `[entries of A + 1]`, pairs (coefficient, source), of which updates use a prefix.
    pub terms: Vec<Term<T>>,
    /// `[sets][sources][ROWS]`, coefficients of `ROWS` updates each. Empty if terms are sparse.
    pub dense: Vec<[T; ROWS]>,
    /// Number of sources of the previous step.
    pub sources: usize,
    /// Updates from emissions of the same step.
    pub couplings: Vec<RowUpdate<T>>,
    /// `[terms of couplings]`, pairs (coefficient, slot).
    pub coupling_terms: Vec<Term<T>>,
    /// Contributions of Ē.
    pub points: Vec<PointUpdate<T>>,
    /// Entries of M̄ in tile k: `entries[starts[k]..ends[k]]`, if columns are not sorted.
    pub entries: Vec<PlacedEntry<T>>,
    /// `[tiles]`, start of each tile in `entries` or `injections`.
    pub starts: Vec<u32>,
    /// `[tiles]`, end of each tile in `entries` or `injections`.
    pub ends: Vec<u32>,
    /// Whether columns are sorted.
    pub sorted: bool,
    /// Spans of M̄ in tile k: `injections[starts[k]..ends[k]]`, if columns are sorted.
    pub injections: Vec<Injection<T>>,
    /// `[sources]`, φ of the step, if columns are sorted.
    pub phi: Vec<T>,
    /// `[sources / 64, rounded up]`, the set of nonzero sources, one bit per source.
    pub nonzero: Vec<u64>,
    /// Number of tiles with active columns before this step.
    pub before: usize,
    /// Number of tiles with active columns at this step.
    pub tiles: usize,
    /// Credit, pairs (coefficient, slot): `gradient += Σ coefficient · slot`.
    pub credit: Vec<Term<T>>,
    /// `[slots]`, the coefficient of each slot in `credit`; zero for other slots.
    pub credit_of: Vec<T>,
    /// Credit of Ē, pairs (number, column).
    pub credit_points: Vec<(T, u32)>,
}

impl<T: Real> Program<T> {
    /// Reserves memory for `rows` rows, the couplings of a form, the entries of M̄, and `tiles`
    /// tiles.
    pub fn new(rows: usize, form: &Form<T>, columns: &ColumnMap, tiles: usize) -> Self {
        let (previous, current) = (form.previous.len(), form.current.len());
        Self {
            copies: Vec::with_capacity(rows),
            updates: Vec::with_capacity(rows),
            terms: vec![(T::zero(), 0); previous + 1],
            dense: Vec::with_capacity(rows.div_ceil(ROWS) * rows),
            sources: 0,
            couplings: Vec::with_capacity(rows),
            coupling_terms: Vec::with_capacity(current),
            points: Vec::with_capacity(rows + current),
            entries: vec![(0, T::zero()); columns.room()],
            sorted: false,
            injections: vec![Injection::default(); columns.spans_room()],
            phi: vec![T::zero(); columns.sources()],
            nonzero: vec![0; columns.sources().div_ceil(64)],
            starts: Vec::with_capacity(tiles),
            ends: Vec::with_capacity(tiles),
            before: 0,
            tiles: 0,
            credit: Vec::with_capacity(rows),
            credit_of: vec![T::zero(); rows],
            credit_points: Vec::with_capacity(rows),
        }
    }

    /// Returns the number of slots and sources that a tile reads and writes per step.
    pub fn rows(&self) -> usize {
        let terms: usize = self.updates.iter().map(|slot| slot.terms as usize).sum();
        self.copies.len() + self.updates.len() + terms + self.coupling_terms.len()
    }

    /// Writes the terms as dense sets of coefficients if at least half of them are present. Every
    /// source is then read once per `ROWS` updates.
    pub fn densify(&mut self) {
        self.dense.clear();
        let terms: usize = self.updates.iter().map(|slot| slot.terms as usize).sum();
        if self.updates.len() < ROWS || 2 * terms < self.updates.len() * self.sources {
            return;
        }
        let sets = self.updates.len() / ROWS;
        self.dense.resize(sets * self.sources, [T::zero(); ROWS]);
        for (k, slot) in self.updates[..sets * ROWS].iter().enumerate() {
            for &(a, source) in &self.terms[slot.range()] {
                self.dense[(k / ROWS) * self.sources + source as usize][k % ROWS] = a;
            }
        }
    }

    /// Returns the spans of M̄ in a tile; empty if columns are not sorted.
    #[inline(always)]
    pub fn injections(&self, tile: usize) -> &[Injection<T>] {
        if self.sorted { &self.injections[self.starts[tile] as usize..self.ends[tile] as usize] } else { &[] }
    }

    /// Returns the entries of M̄ in a tile; empty if columns are sorted.
    #[inline(always)]
    pub fn entries(&self, tile: usize) -> &[PlacedEntry<T>] {
        if self.sorted { &[] } else { &self.entries[self.starts[tile] as usize..self.ends[tile] as usize] }
    }
}

/// e and Ē of the previous step.
pub struct PreviousStep<T> {
    /// Whether zero rows, columns and products are skipped.
    pub activity: bool,
    /// `[rows]`
    pub e: Vec<T>,
    /// `[rows]`
    pub e_bar: Vec<T>,
}

impl<T: Real> PreviousStep<T> {
    /// Creates zeros.
    pub fn new(rows: usize, activity: bool) -> Self {
        Self { activity, e: vec![T::zero(); rows], e_bar: vec![T::zero(); rows] }
    }

    /// Copies e and Ē of a step.
    pub fn update(&mut self, step: &Step<T>) {
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
    }
}
