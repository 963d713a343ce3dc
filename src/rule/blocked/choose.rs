//! How long a block should be, and whether blocks are worth while at all: nanoseconds of one thread, reckoned from sizes.
//!
//! For n rows of which l are lines of S, p parameters, |A| couplings (those within a step included), a share ν of live rows, and a
//! gradient at every step:
//!
//! | | a step |
//! |---|---|
//! | direct | `LIST p (ν \|A\| + (1 + ν) n + ν n)`, without carry `LIST p (ν² \|A\| + ν n)` |
//! | blocks of K | `p (COLUMN + READ l + DOT K/2) + WALK ν \|A\| K/2 + ROW n K/2 + DENSE p (l²/K + l) + LIST ν \|A\| l` |
//!
//! The constants are those of one machine with AVX-512, in round numbers: what matters is their ratio. Where the two differ by less than a
//! third or so, either choice may turn out the better one.

use crate::cell::Wiring;

/// A MAC in a sum over a short list, in a product of dense matrices, and of reading S.
const LIST: f64 = 0.0165;
const DENSE: f64 = 0.0085;
const READ: f64 = 0.03;
/// A MAC of a dot product over steps, and what each column costs beside it.
const DOT: f64 = 0.02;
const COLUMN: f64 = 6.0;
/// A coupling, and a row, in a walk over one step.
const WALK: f64 = 0.6;
const ROW: f64 = 3.0;

/// Longest block considered.
const LONGEST: usize = 128;

/// The cheapest number of steps a block may have for a gradient at every step, if blocks are cheaper than the direct recursion at
/// all; `live` is the share of rows whose emission has a derivative.
pub fn best_steps(wiring: &Wiring, live: f64) -> Option<usize> {
    let rows = || 0..wiring.rows();
    let carry = rows().any(|row| wiring.carries(row));
    let lasting = rows().filter(|&row| wiring.carries(row) || wiring.previous().col(row).len() > 0).count();
    let (n, p) = (wiring.rows() as f64, wiring.parameters() as f64);
    let couplings = live * (wiring.previous().len() + wiring.current().len()) as f64;
    // Without carry only live rows are made, from live rows.
    let lines = if carry { lasting as f64 } else { live * lasting as f64 };
    let made = if carry { couplings + (1.0 + live) * n } else { live * couplings };
    let direct = LIST * p * (made + live * n);
    let blocked = |steps: usize| {
        let k = steps as f64;
        let walk = (WALK * couplings + ROW * n) * k / 2.0;
        let end = DENSE * p * (lines * lines / k + lines) + LIST * couplings * lines;
        p * (COLUMN + READ * lines + DOT * k / 2.0) + walk + end
    };
    let best = (1..=LONGEST).min_by(|&x, &y| blocked(x).total_cmp(&blocked(y)))?;
    (blocked(best) < direct).then_some(best)
}
