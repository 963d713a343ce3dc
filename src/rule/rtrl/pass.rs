//! A step carried through tiles: `S ← diag(d) S + A Y_{t-1} + M̄ + B Y`, and `g ← g + Yᵀ c̄`, one tile after another.

use super::program::{Copied, Entry, Injection, Line, NOWHERE, Point, Program};
use super::tile::{COLUMNS, Lanes, Tile, lock};
use crate::scalar::Real;
use crate::sparse::lanes::{self, ROWS, combine, combine_dense, combine_two, flushed, normal};
use std::sync::Mutex;

/// A step to be carried through some tiles, or only its credit.
pub struct Pass<'a, T> {
    pub program: &'a Program<T>,
    /// The sources that injections read.
    pub sources: &'a [u32],
    /// Lines hold S, of rows that carry, and not Y.
    pub carries: bool,
    pub advance: bool,
    /// All tiles, the numbers of those to take, and room for the blocks that a step reads or makes.
    pub tiles: &'a [Mutex<Tile<T>>],
    pub numbers: &'a mut dyn Iterator<Item = usize>,
    pub spare: &'a mut Vec<Lanes<T>>,
}

impl<T: Real> lanes::Loop for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { program, sources, carries, advance, tiles, numbers, spare } = self;
        // What is made is final at once, unless there is something else to add to it.
        let plain = program.relays.is_empty() && program.points.is_empty() && program.dense.is_empty();
        let at_once = advance && !carries && plain && !program.credit.is_empty();
        for number in numbers {
            let tile = &mut *lock(&tiles[number]);
            let old = number < program.before;
            if at_once {
                tile.gradient.0 =
                    make_with_credit::<T, FUSED>(program, old, &tile.blocks, spare, tile.gradient.0);
                std::mem::swap(&mut tile.blocks, spare);
                inject_with_credit(program, program.entries(number), tile);
                for injection in program.injections(number) {
                    let credit = program.credit_of[injection.line as usize];
                    inject_span(program, sources, injection, tile, credit);
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
                inject(program.entries(number), &mut tile.blocks);
                for injection in program.injections(number) {
                    inject_span(program, sources, injection, tile, T::zero());
                }
                add_points(&program.points, number, &mut tile.blocks);
                relay::<T, FUSED>(program, &mut tile.blocks);
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

/// `Y = diag(e) S + Ē`, for the live rows that the step reads.
#[inline(always)]
fn copy<T: Real>(program: &Program<T>, number: usize, from: &[Lanes<T>], to: &mut [Lanes<T>]) {
    for (&Copied { line, e, theta, e_bar }, to) in program.copies.iter().zip(to) {
        for (y, &s) in to.0.iter_mut().zip(&from[line as usize].0) {
            *y = e * s;
        }
        if theta != NOWHERE && tile_of(theta) == number {
            to.0[theta as usize % COLUMNS] += e_bar;
        }
    }
}

/// `line ← decay · line + Σ coefficient · source`, line by line or, with dense coefficients, some at a time. Without `old` columns
/// there is nothing to read; lines that do not `CARRY` are not read either.
#[inline(always)]
fn make<T: Real, const FUSED: bool, const WIDTH: usize, const CARRY: bool>(
    program: &Program<T>,
    old: bool,
    from: &[Lanes<T>],
    to: &mut [Lanes<T>],
) {
    let dense = if old && !program.dense.is_empty() { program.lines.len() / ROWS * ROWS } else { 0 };
    for (set, lines) in program.lines[..dense].chunks_exact(ROWS).enumerate() {
        let mut sums: [[T; COLUMNS]; ROWS] = std::array::from_fn(|r| kept::<T, CARRY>(&lines[r], to));
        let coefficients = &program.dense[set * program.sources..][..program.sources];
        combine_dense::<T, FUSED, WIDTH, COLUMNS, ROWS>(&mut sums, coefficients, &from[..program.sources]);
        for (line, sum) in lines.iter().zip(sums) {
            to[line.at as usize].0 = flushed(sum);
        }
    }
    for line in &program.lines[dense..] {
        let terms = if old { &program.terms[line.range()] } else { &[] };
        let sum = combine::<T, FUSED, COLUMNS>(kept::<T, CARRY>(line, to), terms, from);
        to[line.at as usize].0 = flushed(sum);
    }
}

/// The same for lines that do not carry, with credit at once, while they are in registers. Returns the gradient.
#[inline(always)]
fn make_with_credit<T: Real, const FUSED: bool>(
    program: &Program<T>,
    old: bool,
    from: &[Lanes<T>],
    to: &mut [Lanes<T>],
    mut gradient: [T; COLUMNS],
) -> [T; COLUMNS] {
    let zero = [T::zero(); COLUMNS];
    let (lines, all) = (&program.lines[..], &program.terms[..]);
    let terms = |line: &Line<T>| if old { &all[line.range()] } else { &[] };
    let mut credit = |sum: [T; COLUMNS], c: T| {
        if c != T::zero() {
            for k in 0..COLUMNS {
                gradient[k] = lanes::add_product::<T, FUSED>(gradient[k], c, sum[k]);
            }
        }
    };
    // Where no row carries, lines lie in the order they are made in.
    let (pairs, last) = lines.as_chunks::<2>();
    let (to_pairs, _) = to[..lines.len()].as_chunks_mut::<2>();
    let (credit_of, _) = program.credit_of[..lines.len()].as_chunks::<2>();
    for (([one, two], to), c) in pairs.iter().zip(to_pairs).zip(credit_of) {
        let [y, z] = combine_two::<T, FUSED, COLUMNS>([zero; 2], [terms(one), terms(two)], from).map(flushed);
        to[0].0 = y;
        to[1].0 = z;
        credit(y, c[0]);
        credit(z, c[1]);
    }
    for line in last {
        let sum = flushed(combine::<T, FUSED, COLUMNS>(zero, terms(line), from));
        to[line.at as usize].0 = sum;
        credit(sum, program.credit_of[line.at as usize]);
    }
    gradient
}

/// What stays of a line: `decay · line`.
#[inline(always)]
fn kept<T: Real, const CARRY: bool>(line: &Line<T>, of: &[Lanes<T>]) -> [T; COLUMNS] {
    let mut sum = [T::zero(); COLUMNS];
    if CARRY {
        let block = &of[line.at as usize].0;
        for k in 0..COLUMNS {
            sum[k] = line.decay * block[k];
        }
    }
    sum
}

/// `S ← S + M̄`, entry by entry.
#[inline(always)]
fn inject<T: Real>(entries: &[Entry<T>], to: &mut [Lanes<T>]) {
    for &(place, value) in entries {
        let x = &mut to[place as usize / COLUMNS].0[place as usize % COLUMNS];
        *x = (*x + value).flushed();
    }
}

/// The same with credit at once.
#[inline(always)]
fn inject_with_credit<T: Real>(program: &Program<T>, entries: &[Entry<T>], to: &mut Tile<T>) {
    for &(place, value) in entries {
        let (line, column) = (place as usize / COLUMNS, place as usize % COLUMNS);
        let x = &mut to.blocks[line].0[column];
        *x = (*x + value).flushed();
        to.gradient.0[column] += program.credit_of[line] * value;
    }
}

/// `S ← S + M̄` and `g ← g + c M̄`, for neighbouring entries.
#[inline(always)]
fn inject_span<T: Real>(
    program: &Program<T>,
    sources: &[u32],
    injection: &Injection<T>,
    to: &mut Tile<T>,
    credit: T,
) {
    let &Injection { line, column, start, end, factor } = injection;
    let line = to.blocks[line as usize].0[column as usize..].iter_mut();
    let sources = &sources[start as usize..end as usize];
    if credit == T::zero() {
        return line.zip(sources).for_each(|(x, &source)| {
            *x = (*x + factor * program.phi[source as usize]).flushed();
        });
    }
    let gradient = to.gradient.0[column as usize..].iter_mut();
    for ((x, g), &source) in line.zip(gradient).zip(sources) {
        let value = factor * program.phi[source as usize];
        *x = (*x + value).flushed();
        *g += credit * value;
    }
}

#[inline(always)]
fn add_points<T: Real>(points: &[Point<T>], number: usize, to: &mut [Lanes<T>]) {
    for point in points.iter().filter(|p| tile_of(p.column) == number) {
        let x = &mut to[point.line as usize].0[point.column as usize % COLUMNS];
        *x = (*x + point.value).flushed();
    }
}

/// `S ← S + B Y_t`, line by line: the lines read are earlier ones, and final.
#[inline(always)]
fn relay<T: Real, const FUSED: bool>(program: &Program<T>, to: &mut [Lanes<T>]) {
    for line in &program.relays {
        let sum =
            combine::<T, FUSED, COLUMNS>(to[line.at as usize].0, &program.relay_terms[line.range()], to);
        to[line.at as usize].0 = flushed(sum);
    }
}
