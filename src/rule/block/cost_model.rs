//! The choice between blocks of K steps and the direct recursion, by an estimate of the time in
//! nanoseconds on one thread.
//!
//! There is a gradient at every step. The sizes are: n rows, of which h are held by the direct
//! recursion and l by an anchor; p parameters; a, the number of couplings out of live rows, B
//! included; ν, the share of live rows.
//!
//! Nanoseconds per step:
//!
//! ```text
//! direct, with carry      p (column_direct + moved f h + list (a + (1 + 2 ν) n))
//! direct, without carry   p (column_direct + moved f h + list (ν a + ν n))
//! blocks of K             p (column + dot 3K/4) + q (read + far f) l + (adjoints a + row n) K
//!                         + dense q (l²/K + l) + back (a + n) l
//! ```
//!
//! Here q is the number of columns of all tiles, used and unused, and `f = min(1, p h / near)`
//! (with l instead of h for blocks) is the share of S that is read from memory and not from a
//! cache.
//!
//! The constants differ between families of processors. The choice must not differ: the result of a
//! seed is unique, and a checkpoint can be resumed on another machine. There is therefore one set
//! of [`Costs`] per measured family. For each choice, the time is divided by the shortest time on
//! the same family. The choice with the smallest maximum of this ratio over the families is taken.
//!
//! The constants were fitted to times in single precision on one thread: n ∈ {32, 64, 128, 256}, ω̃
//! ∈ {1, .5, .2, .1}, event RNN and EGRU, 32 inputs, 30 % live rows, direct and in blocks of 8, 16,
//! 32, 64, 96 and 128 steps. `cargo study speed -- --inputs 32 --check-choice 0.2` repeats the
//! measurement and compares it with the choice. On the second family, the choice was within 5 % of
//! the shortest time at 28 of 32 settings, within 10 % at 30 settings, and 12 % and 17 % slower at
//! two settings (event RNNs of 256 and 128 units without masks).

use super::tile::COLUMNS;
use crate::wiring::Wiring;

/// Times in nanoseconds on one family of processors.
struct Costs {
    /// Direct recursion: a column.
    column_direct: f64,
    /// Direct recursion: an entry of S that is read from memory and written back.
    moved: f64,
    /// Direct recursion: a MAC in a sum over a short list.
    list: f64,
    /// Blocks: a column.
    column: f64,
    /// Blocks: an entry of S that is read.
    read: f64,
    /// Blocks: additional time of an entry of S that is read from memory.
    far: f64,
    /// Blocks: a step of a dot product over steps.
    dot: f64,
    /// Blocks: a coupling in a backward pass over one step.
    adjoints: f64,
    /// Blocks: a row in a backward pass over one step.
    row: f64,
    /// Blocks: a MAC in a product of dense matrices.
    dense: f64,
    /// Blocks: a MAC of Λ.
    back: f64,
    /// Number of entries of S from which all of S is read from memory.
    near: f64,
}

/// Times on AMD Zen 5 and Intel Sapphire Rapids, both with AVX-512.
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

/// Maximum number of steps of a block.
const LONGEST: usize = 128;

/// Sizes that determine the time of a step.
struct Sizes {
    /// n, number of rows.
    n: f64,
    /// p, number of parameters.
    p: f64,
    /// q, number of columns of all tiles, used and unused.
    places: f64,
    /// a, number of couplings out of live rows.
    couplings: f64,
    /// ν, share of live rows.
    live: f64,
    /// h, number of rows held by the direct recursion.
    held: f64,
    /// l, number of rows of S at an anchor.
    lines: f64,
    /// Whether any row carries.
    carry: bool,
}

impl Sizes {
    fn new(wiring: &Wiring, live: f64) -> Self {
        let rows = || 0..wiring.rows();
        let carry = rows().any(|row| wiring.carries(row));
        let lasts = |row: &usize| wiring.carries(*row) || wiring.previous().col(*row).len() > 0;
        let (n, lasting) = (wiring.rows() as f64, rows().filter(lasts).count() as f64);
        // Each tile of a block belongs to one row.
        let weights = wiring.layout().weights();
        let of_row = |row: usize| wiring.gates_of(row).iter().map(|&pre| weights.row(pre).len()).sum();
        // Without carry, only live rows are held.
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
    /// Returns the share of S that is read from memory, for S with `lines` rows.
    fn far(&self, sizes: &Sizes, lines: f64) -> f64 {
        (sizes.p * lines / self.near).min(1.0)
    }

    /// Returns the time of a step of the direct recursion.
    fn direct(&self, sizes: &Sizes) -> f64 {
        let &Sizes { n, p, couplings, live, held, carry, .. } = sizes;
        let made = if carry { couplings + (1.0 + live) * n } else { live * couplings };
        p * (self.column_direct + self.moved * self.far(sizes, held) * held + self.list * (made + live * n))
    }

    /// Returns the time of a step in blocks of `steps` steps.
    fn blocked(&self, sizes: &Sizes, steps: usize) -> f64 {
        let &Sizes { n, p, places, couplings, lines, .. } = sizes;
        let k = steps as f64;
        let read = self.read + self.far * self.far(sizes, lines);
        let columns = p * (self.column + self.dot * 0.75 * k) + places * read * lines;
        let adjoints = (self.adjoints * couplings + self.row * n) * k;
        let advance = self.dense * places * (lines * lines / k + lines) + self.back * (couplings + n) * lines;
        columns + adjoints + advance
    }

    /// Returns the time of a step in blocks of `steps` steps, or of the direct recursion for
    /// `None`.
    fn of(&self, sizes: &Sizes, steps: Option<usize>) -> f64 {
        steps.map_or_else(|| self.direct(sizes), |steps| self.blocked(sizes, steps))
    }
}

/// Returns the number of steps per block with the lowest estimated time for a gradient at every
/// step, or `None` if the direct recursion is faster. `live` is the share of live rows.
///
/// The choice depends on the wiring and `live`, not on the machine. It minimises the largest ratio
/// to the shortest time over the measured families of processors.
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
