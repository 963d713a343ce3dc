//! Peak rates of the machine with the loops over tiles of columns, for lower bounds of the time per
//! step.

use rayon::prelude::*;
use serde::Serialize;
use sparse_rtrl::sparse::lanes::{self, Lanes, ROWS, combine, combine_dense, combine_two};
use std::hint::black_box;
use std::time::Instant;

/// Columns of a tile in the read test, and in the test of sparse sums.
const NARROW: usize = 64;
const WIDE: usize = 128;
/// Rows of a tile that fit into the first-level cache.
const LINES: usize = 48;
/// Terms of a sparse sum.
const TERMS: usize = 4;
/// Tiles and their rows: 50 MB, the size of S of an EGRU with 256 units. Part of it fits into a
/// large cache.
const TILES: usize = 768;
const DEEP: usize = 256;

/// GFLOP/s of a dense product and of sparse sums in the first-level cache, and GB/s of repeated
/// reads of 50 MB, over all threads.
#[derive(Serialize)]
pub struct Peaks {
    threads: usize,
    dense_gflops: f64,
    sparse_gflops: f64,
    read_gbytes: f64,
}

/// Measures the peak rates on the threads of the current pool.
pub fn measure() -> Peaks {
    let (arch, threads) = (pulp::Arch::new(), rayon::current_num_threads());
    let narrow = vec![Lanes([1.0f32; NARROW]); LINES];
    let wide = vec![Lanes([1.0f32; WIDE]); LINES];
    let coefficients = vec![[0.5f32; ROWS]; LINES];
    let terms: Vec<(f32, u32)> = (0..LINES * TERMS).map(|k| (0.5, (k * 29 % LINES) as u32)).collect();
    let all: Vec<(f32, u32)> = (0..DEEP).map(|line| (0.5, line as u32)).collect();
    let tiles: Vec<Vec<Lanes<f32, NARROW>>> =
        (0..TILES).into_par_iter().map(|_| vec![Lanes([1.0; NARROW]); DEEP]).collect();
    // Each thread works on the data in its own cache.
    let each =
        |work: &(dyn Fn() + Sync)| (0..threads).into_par_iter().for_each(|_| (0..2000).for_each(|_| work()));
    let dense =
        best(&|| each(&|| lanes::dispatch(arch, Dense { coefficients: &coefficients, from: &narrow })));
    let sparse = best(&|| each(&|| lanes::dispatch(arch, Sparse { terms: &terms, from: &wide })));
    let read = best(&|| tiles.par_iter().for_each(|from| lanes::dispatch(arch, Read { terms: &all, from })));
    let giga = |amount: usize, seconds: f64| (1e-8 * amount as f64 / seconds).round() / 10.0;
    Peaks {
        threads,
        dense_gflops: giga(2000 * threads * 2 * ROWS * NARROW * LINES, dense),
        sparse_gflops: giga(2000 * threads * 2 * LINES * TERMS * WIDE, sparse),
        read_gbytes: giga(4 * TILES * DEEP * NARROW, read),
    }
}

/// Returns the seconds of the fastest of many repetitions.
fn best(work: &dyn Fn()) -> f64 {
    let turn = || {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64()
    };
    (0..60).map(|_| turn()).fold(f64::INFINITY, f64::min)
}

struct Dense<'a> {
    coefficients: &'a [[f32; ROWS]],
    from: &'a [Lanes<f32, NARROW>],
}

impl lanes::Loop for Dense<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        let mut sums = [[0.0; NARROW]; ROWS];
        combine_dense::<f32, FUSED, WIDTH, NARROW, ROWS>(&mut sums, self.coefficients, self.from);
        black_box(&sums);
    }
}

struct Sparse<'a> {
    terms: &'a [(f32, u32)],
    from: &'a [Lanes<f32, WIDE>],
}

impl lanes::Loop for Sparse<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        for terms in self.terms.chunks_exact(2 * TERMS) {
            let (one, two) = terms.split_at(TERMS);
            black_box(&combine_two::<f32, FUSED, WIDE>([[0.0; WIDE]; 2], [one, two], self.from));
        }
    }
}

struct Read<'a> {
    terms: &'a [(f32, u32)],
    from: &'a [Lanes<f32, NARROW>],
}

impl lanes::Loop for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool, const WIDTH: usize>(self) {
        black_box(&combine::<f32, FUSED, NARROW>([0.0; NARROW], self.terms, self.from));
    }
}
