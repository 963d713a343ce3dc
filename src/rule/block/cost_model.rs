//! How many steps a block should have, and whether blocks are worthwhile at all: nanoseconds of one thread, estimated from sizes.
//!
//! For n rows of which h are held and l are lines of S, p parameters, a couplings out of live rows (those within a step included), a share ν of
//! live rows, and a gradient at every step:
//!
//! | | nanoseconds per step |
//! |---|---|
//! | direct | `p (column_direct + move f h + list (a + (1 + 2 ν) n))`, without carry `p (column_direct + move f h + list (ν a + ν n))` |
//! | blocks of K | `p (column + dot 3K/4) + q (read + far f) l + (adjoints a + row n) K + dense q (l²/K + l) + back (a + n) l` |
//!
//! with q the places of its tiles, filled or not, and `f = min(1, p h / near)`, or l for h: the share of S that comes from memory and not from a
//! cache.
//!
//! The constants differ between families of processors, since caches do. The choice must not: a seed has one result, and a checkpoint may be
//! resumed on another machine. So there is a set of [`Costs`] for each family that was measured, and the choice is the one whose time is the least
//! multiple of the best one's on the family where that multiple is largest.
//!
//! The sets were fitted to times in single precision on one thread over n ∈ {32, 64, 128, 256}, ω̃ ∈ {1, .5, .2, .1}, event RNN and EGRU with 32 inputs
//! and three rows in ten live, direct and in blocks of 8, 16, 32, 64, 96 and 128 steps, which
//! `cargo study speed -- --inputs 32 --check-choice 0.2` repeats and compares with the choice. On the second
//! family the choice was within 5 % of the best of these times at 28 of 32 settings, within 10 % at 30, and 12 and 17 % off at two (event RNNs of 256 and
//! 128 units without masks).

use super::tile::COLUMNS;
use crate::wiring::Wiring;

/// Nanoseconds on one family of processors.
struct Costs {
    /// The direct recursion: each column, each entry that it moves to memory and back, each MAC in a sum over a short list.
    column_direct: f64,
    moved: f64,
    list: f64,
    /// A column of a block, each entry of S that is read, what it costs more from memory, and each step of a dot product over steps.
    column: f64,
    read: f64,
    far: f64,
    dot: f64,
    /// A coupling, and a row, in a backward pass over one step.
    adjoints: f64,
    row: f64,
    /// A MAC in a product of dense matrices, and of Λ.
    dense: f64,
    back: f64,
    /// Entries of S at which most of it comes from memory.
    near: f64,
}

/// AMD Zen 5 and Intel Sapphire Rapids, both with AVX-512.
const FAMILIES: [Costs; 2] = [
    Costs {
        column_direct: 3.5,
        moved: 0.5,
        list: 0.0085,
        column: 3.7,
        read: 0.04,
        far: 0.06,
        dot: 0.09,
        adjoints: 0.5,
        row: 3.2,
        dense: 0.0105,
        back: 0.04,
        near: 8e6,
    },
    Costs {
        column_direct: 7.5,
        moved: 0.42,
        list: 0.026,
        column: 7.0,
        read: 0.175,
        far: 0.095,
        dot: 0.015,
        adjoints: 0.81,
        row: 16.0,
        dense: 0.0214,
        back: 0.88,
        near: 7.2e6,
    },
];

/// Longest block considered.
const LONGEST: usize = 128;

/// What the costs of a step depend on.
struct Sizes {
    n: f64,
    p: f64,
    places: f64,
    couplings: f64,
    live: f64,
    /// Rows held by the direct recursion, and lines of S of a block.
    held: f64,
    lines: f64,
    carry: bool,
}

impl Sizes {
    fn new(wiring: &Wiring, live: f64) -> Self {
        let rows = || 0..wiring.rows();
        let carry = rows().any(|row| wiring.carries(row));
        let lasts = |row: &usize| wiring.carries(*row) || wiring.previous().col(*row).len() > 0;
        let (n, lasting) = (wiring.rows() as f64, rows().filter(lasts).count() as f64);
        // Tiles of a block belong to one row each.
        let weights = wiring.layout().weights();
        let of_row = |row: usize| wiring.gates_of(row).iter().map(|&pre| weights.row(pre).len()).sum();
        // Without carry only live rows are made, from live rows.
        let (held, lines) = if carry { (n, lasting) } else { (live * n, live * lasting) };
        Self {
            p: wiring.parameters() as f64,
            places: rows().map(|row| usize::next_multiple_of(of_row(row), COLUMNS)).sum::<usize>() as f64,
            couplings: live * (wiring.previous().len() + wiring.current().len()) as f64,
            n,
            live,
            held,
            lines,
            carry,
        }
    }
}

impl Costs {
    /// The share of S that comes from memory, if it has that many lines.
    fn far(&self, sizes: &Sizes, lines: f64) -> f64 {
        (sizes.p * lines / self.near).min(1.0)
    }

    fn direct(&self, sizes: &Sizes) -> f64 {
        let &Sizes { n, p, couplings, live, held, carry, .. } = sizes;
        let made = if carry { couplings + (1.0 + live) * n } else { live * couplings };
        p * (self.column_direct + self.moved * self.far(sizes, held) * held + self.list * (made + live * n))
    }

    fn blocked(&self, sizes: &Sizes, steps: usize) -> f64 {
        let &Sizes { n, p, places, couplings, lines, .. } = sizes;
        let k = steps as f64;
        let read = self.read + self.far * self.far(sizes, lines);
        let columns = p * (self.column + self.dot * 0.75 * k) + places * read * lines;
        let adjoints = (self.adjoints * couplings + self.row * n) * k;
        let advance = self.dense * places * (lines * lines / k + lines) + self.back * (couplings + n) * lines;
        columns + adjoints + advance
    }

    /// Of blocks of so many steps, or of the direct recursion.
    fn of(&self, sizes: &Sizes, steps: Option<usize>) -> f64 {
        steps.map_or_else(|| self.direct(sizes), |steps| self.blocked(sizes, steps))
    }
}

/// The number of steps that a block should have for a gradient at every step, or none if the direct recursion should be used;
/// `live` is the share of rows whose emission has a derivative.
///
/// The choice depends on the wiring alone. On each family of processors that was measured it is near the best one.
pub fn best_steps(wiring: &Wiring, live: f64) -> Option<usize> {
    let sizes = Sizes::new(wiring, live);
    let choices = || std::iter::once(None).chain((1..=LONGEST).map(Some));
    let least = FAMILIES
        .each_ref()
        .map(|costs| choices().map(|steps| costs.of(&sizes, steps)).fold(f64::INFINITY, f64::min));
    let worst = |steps: Option<usize>| {
        let ratios = FAMILIES.iter().zip(least).map(|(costs, least)| costs.of(&sizes, steps) / least);
        ratios.fold(0.0, f64::max)
    };
    choices().min_by(|&x, &y| worst(x).total_cmp(&worst(y))).flatten()
}
