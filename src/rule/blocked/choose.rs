//! How long a block should be, and whether blocks are worth while at all: nanoseconds of one thread, reckoned from sizes.
//!
//! For n rows of which h are held and l are lines of S, p parameters, a couplings out of live rows (those within a step included), a share ν of
//! live rows, and a gradient at every step:
//!
//! | | a step |
//! |---|---|
//! | direct | `p (AWAKE + MOVE f h + LIST (a + (1 + 2 ν) n))`, without carry `p (AWAKE + MOVE f h + LIST (ν a + ν n))` |
//! | blocks of K | `p (COLUMN + DOT 3K/4) + q (READ + FAR f) l + (WALK a + ROW n) K + DENSE q (l²/K + l) + BACK (a + n) l` |
//!
//! with q the places of its tiles, filled or not, and `f = min(1, p h / NEAR)`, or l for h: how much of S comes from memory, and not from a cache.
//!
//! The constants were fitted to the times of a machine with AVX-512 (Zen 5), one thread, single precision, over n ∈ {32, 64, 128, 256}, ω̃ ∈ {1, .5,
//! .2, .1}, event RNN and EGRU with 32 inputs and three rows in ten live, direct and in blocks of 8, 16, 32, 64, 96 and 128 steps, which
//! `cargo run --release --example speed -- --inputs 32 --check-choice 0.2` repeats. What matters is their ratio. By those times the choice was
//! within 5 % of the best of them at 30 of the 32 settings, and 10 and 16 % off at two (an event RNN of 256 units and an EGRU of 64, both at ω̃ = .2).

use super::base::COLUMNS;
use crate::cell::Wiring;

/// The direct recursion: each column, each entry that it moves to memory and back, each MAC in a sum over a short list.
const AWAKE: f64 = 3.5;
const MOVE: f64 = 0.5;
const LIST: f64 = 0.0085;
/// A column of a block, each entry of S that is read, what it costs more from memory, and each step of a dot product over steps.
const COLUMN: f64 = 3.7;
const READ: f64 = 0.04;
const FAR: f64 = 0.06;
const DOT: f64 = 0.09;
/// A coupling, and a row, in a walk over one step.
const WALK: f64 = 0.5;
const ROW: f64 = 3.2;
/// A MAC in a product of dense matrices, and of Λ.
const DENSE: f64 = 0.0105;
const BACK: f64 = 0.04;

/// Entries of S at which most of it comes from memory.
const NEAR: f64 = 8e6;

/// Longest block considered.
const LONGEST: usize = 128;

/// The cheapest number of steps a block may have for a gradient at every step, if blocks are cheaper than the direct recursion at
/// all; `live` is the share of rows whose emission has a derivative.
pub fn best_steps(wiring: &Wiring, live: f64) -> Option<usize> {
    let rows = || 0..wiring.rows();
    let carry = rows().any(|row| wiring.carries(row));
    let lasting = rows().filter(|&row| wiring.carries(row) || wiring.previous().col(row).len() > 0).count();
    let (n, p) = (wiring.rows() as f64, wiring.parameters() as f64);
    // Tiles of a block belong to one row each.
    let of_row =
        |row: usize| wiring.gates_of(row).iter().map(|&pre| wiring.layout().weights().row(pre).len()).sum();
    let places = rows().map(|row| usize::next_multiple_of(of_row(row), COLUMNS)).sum::<usize>() as f64;
    let couplings = live * (wiring.previous().len() + wiring.current().len()) as f64;
    // Without carry only live rows are made, from live rows.
    let (held, lines) = if carry { (n, lasting as f64) } else { (live * n, live * lasting as f64) };
    let made = if carry { couplings + (1.0 + live) * n } else { live * couplings };
    let far = |lines: f64| (p * lines / NEAR).min(1.0);
    let direct = p * (AWAKE + MOVE * far(held) * held + LIST * (made + live * n));
    let blocked = |steps: usize| {
        let k = steps as f64;
        let columns = p * (COLUMN + DOT * 0.75 * k) + places * (READ + FAR * far(lines)) * lines;
        let walk = (WALK * couplings + ROW * n) * k;
        let advance = DENSE * places * (lines * lines / k + lines) + BACK * (couplings + n) * lines;
        columns + walk + advance
    };
    let best = (1..=LONGEST).min_by(|&x, &y| blocked(x).total_cmp(&blocked(y)))?;
    (blocked(best) < direct).then_some(best)
}
