//! The numeric part of a step: `S ← diag(d) S + A Y_{t-1} + M̄ + B Y` and `g ← g + Yᵀ c̄`, for one
//! tile after another.

use super::program::{CopiedRow, Injection, NOWHERE, PlacedEntry, PointUpdate, Program, RowUpdate};
use super::tile::{COLUMNS, Tile, TileLanes, lock};
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS, combine, combine_dense, combine_two, flushed, normal};
use std::sync::Mutex;

/// Executes a step, or only its credit, for some tiles.
pub struct TilePass<'a, T> {
    /// The program of the step.
    pub program: &'a Program<T>,
    /// `[entries of M̄]`, the sources of spans.
    pub sources: &'a [u32],
    /// Whether slots hold S and not Y.
    pub carries: bool,
    /// Whether the step is executed, and not only its credit.
    pub advance: bool,
    /// `[tiles]`
    pub tiles: &'a [Mutex<Tile<T>>],
    /// Indices of the tiles to process.
    pub numbers: &'a mut dyn Iterator<Item = usize>,
    /// `[slots][128]`, scratch: the copied rows of Y, or the new tile.
    pub spare: &'a mut Vec<TileLanes<T>>,
}

impl<T: Real> lanes::Loop for TilePass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { program, sources, carries, advance, tiles, numbers, spare } = self;
        // Credit can be applied during the update if nothing but M̄ is added to a slot afterwards.
        let plain = program.couplings.is_empty() && program.points.is_empty() && program.dense.is_empty();
        let at_once = advance && !carries && plain && !program.credit.is_empty();
        for number in numbers {
            let tile = &mut *lock(&tiles[number]);
            let old = number < program.before;
            if at_once {
                tile.gradient.0 =
                    make_with_credit::<T, FUSED>(program, old, &tile.blocks, spare, tile.gradient.0);
                std::mem::swap(&mut tile.blocks, spare);
                add_immediate_with_credit(program, program.entries(number), tile);
                for injection in program.injections(number) {
                    let credit = program.credit_of[injection.slot as usize];
                    add_immediate_span(program, sources, injection, tile, credit);
                }
            } else if advance {
                if carries {
                    if old {
                        copy(program, number, &tile.blocks, spare);
                    }
                    make::<T, FUSED, WIDTH, true>(program, old, spare, &mut tile.blocks);
                } else {
                    make::<T, FUSED, WIDTH, false>(program, old, &tile.blocks, spare);
                    std::mem::swap(&mut tile.blocks, spare);
                }
                add_immediate(program.entries(number), &mut tile.blocks);
                for injection in program.injections(number) {
                    add_immediate_span(program, sources, injection, tile, T::zero());
                }
                add_points(&program.points, number, &mut tile.blocks);
                add_coupling::<T, FUSED>(program, &mut tile.blocks);
            }
            if !at_once && !program.credit.is_empty() {
                tile.gradient.0 =
                    combine::<T, FUSED, COLUMNS>(tile.gradient.0, &program.credit, &tile.blocks);
            }
            for &(value, column) in program.credit_points.iter().filter(|p| tile_of(p.1) == number) {
                tile.gradient.0[column as usize % COLUMNS] += value;
            }
            tile.gradient.0 = normal(tile.gradient.0);
        }
    }
}

fn tile_of(column: u32) -> usize {
    column as usize / COLUMNS
}

/// Copies `Y = diag(e) S + Ē` of the live rows that the step reads.
#[inline(always)]
fn copy<T: Real>(program: &Program<T>, number: usize, from: &[TileLanes<T>], to: &mut [TileLanes<T>]) {
    for (&CopiedRow { slot, e, theta, e_bar }, to) in program.copies.iter().zip(to) {
        for (y, &s) in to.0.iter_mut().zip(&from[slot as usize].0) {
            *y = e * s;
        }
        if theta != NOWHERE && tile_of(theta) == number {
            to.0[theta as usize % COLUMNS] += e_bar;
        }
    }
}

/// Computes `slot ← decay · slot + Σ coefficient · source` for `ROWS` slots at a time if
/// coefficients are dense, else for single slots. New tiles (not `old`) read no source. Without
/// `CARRY`, slots are not read.
#[inline(always)]
fn make<T: Real, const FUSED: bool, const WIDTH: usize, const CARRY: bool>(
    program: &Program<T>,
    old: bool,
    from: &[TileLanes<T>],
    to: &mut [TileLanes<T>],
) {
    let dense = if old && !program.dense.is_empty() { program.updates.len() / ROWS * ROWS } else { 0 };
    for (set, updates) in program.updates[..dense].chunks_exact(ROWS).enumerate() {
        let mut sums: [[T; COLUMNS]; ROWS] = std::array::from_fn(|r| kept::<T, CARRY>(&updates[r], to));
        let coefficients = &program.dense[set * program.sources..][..program.sources];
        combine_dense::<T, FUSED, WIDTH, COLUMNS, ROWS>(&mut sums, coefficients, &from[..program.sources]);
        for (slot, sum) in updates.iter().zip(sums) {
            to[slot.at as usize].0 = flushed(sum);
        }
    }
    for slot in &program.updates[dense..] {
        let terms = if old { &program.terms[slot.range()] } else { &[] };
        let sum = combine::<T, FUSED, COLUMNS>(kept::<T, CARRY>(slot, to), terms, from);
        to[slot.at as usize].0 = flushed(sum);
    }
}

/// Runs [`make`] without carry and adds the credit of the new slots. Returns the gradient.
#[inline(always)]
fn make_with_credit<T: Real, const FUSED: bool>(
    program: &Program<T>,
    old: bool,
    from: &[TileLanes<T>],
    to: &mut [TileLanes<T>],
    mut gradient: [T; COLUMNS],
) -> [T; COLUMNS] {
    let zero = [T::zero(); COLUMNS];
    let (updates, all) = (&program.updates[..], &program.terms[..]);
    let terms = |slot: &RowUpdate<T>| if old { &all[slot.range()] } else { &[] };
    let mut credit = |sum: [T; COLUMNS], c: T| {
        if c != T::zero() {
            for k in 0..COLUMNS {
                gradient[k] = lanes::add_product::<T, FUSED>(gradient[k], c, sum[k]);
            }
        }
    };
    // Without carry, slots are in the order of updates.
    let (pairs, last) = updates.as_chunks::<2>();
    let (to_pairs, _) = to[..updates.len()].as_chunks_mut::<2>();
    let (credit_of, _) = program.credit_of[..updates.len()].as_chunks::<2>();
    for (([one, two], to), c) in pairs.iter().zip(to_pairs).zip(credit_of) {
        let [y, z] = combine_two::<T, FUSED, COLUMNS>([zero; 2], [terms(one), terms(two)], from).map(flushed);
        to[0].0 = y;
        to[1].0 = z;
        credit(y, c[0]);
        credit(z, c[1]);
    }
    for slot in last {
        let sum = flushed(combine::<T, FUSED, COLUMNS>(zero, terms(slot), from));
        to[slot.at as usize].0 = sum;
        credit(sum, program.credit_of[slot.at as usize]);
    }
    gradient
}

/// Returns `decay · slot`, or zero without `CARRY`.
#[inline(always)]
fn kept<T: Real, const CARRY: bool>(slot: &RowUpdate<T>, of: &[TileLanes<T>]) -> [T; COLUMNS] {
    let mut sum = [T::zero(); COLUMNS];
    if CARRY {
        let block = &of[slot.at as usize].0;
        for k in 0..COLUMNS {
            sum[k] = slot.decay * block[k];
        }
    }
    sum
}

/// Computes `S ← S + M̄`, entry by entry.
#[inline(always)]
fn add_immediate<T: Real>(entries: &[PlacedEntry<T>], to: &mut [TileLanes<T>]) {
    for &(place, value) in entries {
        let x = &mut to[place as usize / COLUMNS].0[place as usize % COLUMNS];
        *x = (*x + value).flushed();
    }
}

/// Computes `S ← S + M̄` and `g ← g + c M̄`, entry by entry.
#[inline(always)]
fn add_immediate_with_credit<T: Real>(program: &Program<T>, entries: &[PlacedEntry<T>], to: &mut Tile<T>) {
    for &(place, value) in entries {
        let (slot, column) = (place as usize / COLUMNS, place as usize % COLUMNS);
        let x = &mut to.blocks[slot].0[column];
        *x = (*x + value).flushed();
        to.gradient.0[column] += program.credit_of[slot] * value;
    }
}

/// Computes `S ← S + M̄` and `g ← g + c M̄` for contiguous entries.
#[inline(always)]
fn add_immediate_span<T: Real>(
    program: &Program<T>,
    sources: &[u32],
    injection: &Injection<T>,
    to: &mut Tile<T>,
    credit: T,
) {
    let &Injection { slot, column, start, end, factor } = injection;
    let slot = to.blocks[slot as usize].0[column as usize..].iter_mut();
    let sources = &sources[start as usize..end as usize];
    if credit == T::zero() {
        return slot.zip(sources).for_each(|(x, &source)| {
            *x = (*x + factor * program.phi[source as usize]).flushed();
        });
    }
    let gradient = to.gradient.0[column as usize..].iter_mut();
    for ((x, g), &source) in slot.zip(gradient).zip(sources) {
        let value = factor * program.phi[source as usize];
        *x = (*x + value).flushed();
        *g += credit * value;
    }
}

/// Adds the contributions of Ē to the slots of a tile.
#[inline(always)]
fn add_points<T: Real>(points: &[PointUpdate<T>], number: usize, to: &mut [TileLanes<T>]) {
    for point in points.iter().filter(|p| tile_of(p.column) == number) {
        let x = &mut to[point.slot as usize].0[point.column as usize % COLUMNS];
        *x = (*x + point.value).flushed();
    }
}

/// Computes `S ← S + B Y_t`, one slot after another. A slot reads only slots that are complete.
#[inline(always)]
fn add_coupling<T: Real, const FUSED: bool>(program: &Program<T>, to: &mut [TileLanes<T>]) {
    for slot in &program.couplings {
        let sum =
            combine::<T, FUSED, COLUMNS>(to[slot.at as usize].0, &program.coupling_terms[slot.range()], to);
        to[slot.at as usize].0 = flushed(sum);
    }
}
