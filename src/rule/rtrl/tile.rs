//! A tile: the blocks of all rows for the same columns, their gradient, and how a step is carried through it.

use super::program::{Copied, Entry, Line, NOWHERE, Point, Program};
use crate::scalar::Real;
use crate::sparse::block::{self, ROWS, combine, combine_dense};

/// Columns of a tile: in single precision eight vectors of AVX-512, whose sums are independent of one another.
pub const COLUMNS: usize = 128;

/// The columns of one line in a tile.
pub type Block<T> = block::Block<T, COLUMNS>;

/// Some neighbouring columns of all lines.
pub struct Tile<T> {
    /// One block a line.
    pub blocks: Vec<Block<T>>,
    /// Gradient gathered in these columns.
    pub gradient: Block<T>,
}

impl<T: Real> Tile<T> {
    pub fn new(lines: usize) -> Self {
        Self { blocks: vec![Block::zero(); lines], gradient: Block::zero() }
    }
}

/// A step to be carried through some tiles, or only its credit.
pub struct Pass<'a, T> {
    pub program: &'a Program<T>,
    /// Lines hold S, of rows that carry, and not Y.
    pub carries: bool,
    pub advance: bool,
    /// The tiles, the first one's number, and room for the blocks that a step reads or makes.
    pub tiles: &'a mut [Tile<T>],
    pub first: usize,
    pub spare: &'a mut Vec<Block<T>>,
}

impl<T: Real> block::Loop for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let Self { program, carries, advance, tiles, first, spare } = self;
        for (k, tile) in tiles.iter_mut().enumerate() {
            let number = first + k;
            if advance {
                let old = number < program.before;
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
                add_points(&program.points, number, &mut tile.blocks);
                relay::<T, FUSED>(program, &mut tile.blocks);
            }
            if !program.credit.is_empty() {
                tile.gradient.0 =
                    combine::<T, FUSED, COLUMNS>(tile.gradient.0, &program.credit, &tile.blocks);
            }
            for &(value, column) in program.credit_points.iter().filter(|p| tile_of(p.1) == number) {
                tile.gradient.0[column as usize % COLUMNS] += value;
            }
        }
    }
}

fn tile_of(column: u32) -> usize {
    column as usize / COLUMNS
}

/// `Y = diag(e) S + Ē`, for the live rows that the step reads.
#[inline(always)]
fn copy<T: Real>(program: &Program<T>, number: usize, from: &[Block<T>], to: &mut [Block<T>]) {
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
    from: &[Block<T>],
    to: &mut [Block<T>],
) {
    let dense = if old && !program.dense.is_empty() { program.lines.len() / ROWS * ROWS } else { 0 };
    for (set, lines) in program.lines[..dense].chunks_exact(ROWS).enumerate() {
        let mut sums: [[T; COLUMNS]; ROWS] = std::array::from_fn(|r| kept::<T, CARRY>(&lines[r], to));
        let coefficients = &program.dense[set * program.sources..][..program.sources];
        combine_dense::<T, FUSED, WIDTH, COLUMNS>(&mut sums, coefficients, &from[..program.sources]);
        for (line, sum) in lines.iter().zip(sums) {
            to[line.at as usize].0 = sum;
        }
    }
    for line in &program.lines[dense..] {
        let terms = if old { &program.terms[line.range()] } else { &[] };
        let sum = combine::<T, FUSED, COLUMNS>(kept::<T, CARRY>(line, to), terms, from);
        to[line.at as usize].0 = sum;
    }
}

/// What stays of a line: `decay · line`.
#[inline(always)]
fn kept<T: Real, const CARRY: bool>(line: &Line<T>, of: &[Block<T>]) -> [T; COLUMNS] {
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
fn inject<T: Real>(entries: &[Entry<T>], to: &mut [Block<T>]) {
    for &(place, value) in entries {
        to[place as usize / COLUMNS].0[place as usize % COLUMNS] += value;
    }
}

#[inline(always)]
fn add_points<T: Real>(points: &[Point<T>], number: usize, to: &mut [Block<T>]) {
    for point in points.iter().filter(|p| tile_of(p.column) == number) {
        to[point.line as usize].0[point.column as usize % COLUMNS] += point.value;
    }
}

/// `S ← S + B Y_t`, line by line: the lines read are earlier ones, and final.
#[inline(always)]
fn relay<T: Real, const FUSED: bool>(program: &Program<T>, to: &mut [Block<T>]) {
    for line in &program.relays {
        let sum =
            combine::<T, FUSED, COLUMNS>(to[line.at as usize].0, &program.relay_terms[line.range()], to);
        to[line.at as usize].0 = sum;
    }
}
