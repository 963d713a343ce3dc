//! How long a block should be, and whether blocks are worth while at all: MACs in the mean, weighed by what they take.
//!
//! For n rows, p parameters, |A| couplings, a share ν of live rows, a gradient at every step:
//!
//! | | a step |
//! |---|---|
//! | direct | `p (ν n + n + ν \|A\|) + ν n p` |
//! | blocks of K | `n p` (reading S) `+ p K/2` (entries of the block) `+ ν \|A\| K/2` (walk) `+ (n² p + K n p)/K` (advance) `+ ν \|A\| n` (its walk) |
//!
//! Products of dense matrices run near the machine's peak, sums over short lists at about half of it, a walk through couplings one
//! by one at a tenth.

use crate::cell::Wiring;

/// What a MAC of a kind takes, relative to one in a product of dense matrices.
const LIST: f64 = 2.0;
const WALK: f64 = 10.0;

/// Longest block considered.
const LONGEST: usize = 128;

/// The cheapest number of steps a block may have for a gradient at every step, if blocks are cheaper than the direct recursion at
/// all; `live` is the share of rows whose emission has a derivative.
pub fn best_steps(wiring: &Wiring, live: f64) -> Option<usize> {
    let (n, p, a) = (wiring.rows() as f64, wiring.parameters() as f64, wiring.previous().len() as f64);
    let carry = (0..wiring.rows()).any(|row| wiring.carries(row));
    // Without carry only live rows are made, from live rows.
    let rows = if carry { n } else { live * n };
    let products = if carry { live * a } else { live * live * a };
    let direct = LIST * p * (products + if carry { (1.0 + live) * n } else { 0.0 } + live * n);
    let blocked = |k: usize| {
        let k = k as f64;
        let gather = LIST * p * (rows + k / 2.0) + WALK * live * a * k / 2.0;
        gather + (rows * rows * p + k * rows * p) / k + LIST * live * a * rows
    };
    let best = (1..=LONGEST).min_by(|&x, &y| blocked(x).total_cmp(&blocked(y)))?;
    (blocked(best) < direct).then_some(best)
}
