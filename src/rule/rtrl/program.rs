//! The program of a step: data that the symbolic part writes once and the numeric part executes for every tile.

use super::column_map::ColumnMap;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes::ROWS;
use crate::wiring::Step;

/// No slot, no column.
pub const NOWHERE: u32 = u32::MAX;

/// `slot ← decay · slot + Σ coefficient · source`, with the range of its terms.
#[derive(Clone, Copy)]
pub struct RowUpdate<T> {
    pub at: u32,
    pub decay: T,
    pub start: u32,
    pub terms: u32,
}

impl<T> RowUpdate<T> {
    /// Its terms in their list.
    #[inline(always)]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.terms) as usize
    }
}

/// A live row of Y, copied before its slot of S is overwritten: `e · slot`, and Ē in the column of its threshold.
#[derive(Clone, Copy)]
pub struct CopiedRow<T> {
    pub slot: u32,
    pub e: T,
    pub theta: u32,
    pub e_bar: T,
}

/// A number to add at one column of a slot.
#[derive(Clone, Copy)]
pub struct PointUpdate<T> {
    pub slot: u32,
    pub column: u32,
    pub value: T,
}

/// An entry of M̄: its place in a tile, `slot · C + column`, and its value.
pub type PlacedEntry<T> = (u32, T);

/// Contiguous entries of M̄: `slot[column..] += factor · φ` of the sources `start..end` of their list.
#[derive(Clone, Copy, Default)]
pub struct Injection<T> {
    pub slot: u32,
    pub column: u32,
    pub start: u32,
    pub end: u32,
    pub factor: T,
}

/// A coefficient, and the index of the slot or source it belongs to.
pub type Term<T> = (T, u32);

/// The program of a step. Lists grow to the largest size that a step needs and are refilled in place.
pub struct Program<T> {
    pub copies: Vec<CopiedRow<T>>,
    /// Updates from sources of the previous step, their terms, and dense sets of coefficients where most terms are present.
    pub updates: Vec<RowUpdate<T>>,
    pub terms: Vec<Term<T>>,
    pub dense: Vec<[T; ROWS]>,
    /// The number of sources.
    pub sources: usize,
    /// Updates from emissions of the same step.
    pub couplings: Vec<RowUpdate<T>>,
    pub coupling_terms: Vec<Term<T>>,
    pub points: Vec<PointUpdate<T>>,
    /// M̄ by tile, with the start and end of each tile's entries.
    pub entries: Vec<PlacedEntry<T>>,
    pub starts: Vec<u32>,
    pub ends: Vec<u32>,
    /// M̄ where columns are sorted, with the φ it reads, and the set of nonzero sources as bits.
    pub sorted: bool,
    pub injections: Vec<Injection<T>>,
    pub phi: Vec<T>,
    pub nonzero: Vec<u64>,
    /// Tiles with columns before this step, and now.
    pub before: usize,
    pub tiles: usize,
    /// Credit: `gradient += Σ coefficient · slot`, the same by slot, and single numbers.
    pub credit: Vec<Term<T>>,
    pub credit_of: Vec<T>,
    pub credit_points: Vec<(T, u32)>,
}

impl<T: Real> Program<T> {
    /// Room for `rows` rows, the couplings of a form, the entries of M̄, and `tiles` tiles.
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

    /// The number of lanes that a tile reads and writes in a step.
    pub fn rows(&self) -> usize {
        let terms: usize = self.updates.iter().map(|slot| slot.terms as usize).sum();
        self.copies.len() + self.updates.len() + terms + self.coupling_terms.len()
    }

    /// Writes terms as dense sets of coefficients if at least half of them are present: then every source is read once for four slots.
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

    /// The spans of M̄ in a tile; none where columns are not sorted.
    #[inline(always)]
    pub fn injections(&self, tile: usize) -> &[Injection<T>] {
        if self.sorted { &self.injections[self.starts[tile] as usize..self.ends[tile] as usize] } else { &[] }
    }

    /// The entries of M̄ in a tile; none where columns are sorted.
    #[inline(always)]
    pub fn entries(&self, tile: usize) -> &[PlacedEntry<T>] {
        if self.sorted { &[] } else { &self.entries[self.starts[tile] as usize..self.ends[tile] as usize] }
    }
}

/// e and Ē of the previous step. [rows] each
pub struct PreviousStep<T> {
    /// Whether zero rows, columns and products are skipped.
    pub activity: bool,
    pub e: Vec<T>,
    pub e_bar: Vec<T>,
}

impl<T: Real> PreviousStep<T> {
    pub fn new(rows: usize, activity: bool) -> Self {
        Self { activity, e: vec![T::zero(); rows], e_bar: vec![T::zero(); rows] }
    }

    pub fn update(&mut self, step: &Step<T>) {
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
    }
}
