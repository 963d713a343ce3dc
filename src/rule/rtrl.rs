//! Exact RTRL that skips (RTRL paper, sections 4 and 5; design §1):
//!
//! `S_t = diag(d) S_{t-1} + A Y_{t-1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,  `g += Y_tᵀ c̄_t`.
//!
//! | what is zero | and is not touched |
//! |---|---|
//! | a masked parameter | its column of S, its share of A: neither exists (ω̃²) |
//! | a row of Y with `e = 0`, `Ē = 0` | as a source in `A Y`, `B Y` and in g (β̃, first power) |
//! | a row of S without carry, with `e = 0` | as a destination too, and in storage (β̃²: the event RNN, and the gated activities of an EGRU) |
//! | a column whose source has been silent since the reset | in every row: in the update, in g and in storage |
//! | an entry of A, B or φ that happens to be zero | its product |
//!
//! The rows of S of a unit *with* carry, an EGRU's, never vanish: `(1 − u) S_{t-1}` keeps them alive (design trap 1).
//!
//! # Storage
//!
//! S is row-major. Its columns are grouped by the source their parameter reads, and a group is appended when its
//! source first speaks: the columns that can be nonzero are always a prefix `0..len` of every row, and all loops run
//! over that prefix without a branch. `A Y` reads rows that are being overwritten, so the live rows `Y_{t-1}` that
//! something reads are copied out first. No allocation after construction.
//!
//! # Inner rows
//!
//! The gated activities of an EGRU with the reset gate before the product are rows within a step. They are held, or folded
//! into the rows that read them, whichever is cheaper for the mask: see `rule/form.rs`.
//!
//! # Cost
//!
//! In MACs a step, with `k` columns awake (`k⁻` before this step) and `l` live sources: `l k⁻` for Y, `k⁻` a row for the
//! carry, `k⁻` for every entry of A with a live source, `k` for every entry of B with one, and one for every awake
//! entry of M̄ whose source is not silent. A credit costs `k` for every live output row with credit.

use super::form::Form;
use super::{Claim, Influence, Rule};
use crate::cell::{Step, Wiring};
use crate::macs::Macs;
use crate::scalar::Real;
use crate::sparse::kernel;
use std::sync::Arc;

/// No row of storage, or no column group, has been given out.
const NONE: usize = usize::MAX;

/// Exact RTRL over kept parameters, skipping what is zero.
pub struct Rtrl<T> {
    wiring: Arc<Wiring>,
    form: Form<T>,
    /// The widest vectors this machine has; loops called through it are compiled for them.
    arch: pulp::Arch,
    /// Whether rows, columns and products that happen to be zero are skipped.
    activity: bool,
    /// Rows whose emission another row reads a step later.
    feeders: Vec<usize>,
    /// Rows that read an emission of the same step.
    readers: Vec<usize>,
    /// For each row, the column of its threshold within the group of the constant source.
    theta: Vec<usize>,
    p: usize,

    /// S: one line of p entries per held row, the first `len` of them in use.
    s: Vec<T>,
    /// The line of each row, or NONE. Rows with carry have theirs for good.
    line: Vec<usize>,
    carried: usize,
    /// Y of the step before, for the feeders that were live; `y_len` columns.
    y: Vec<T>,
    y_line: Vec<usize>,
    y_len: usize,
    /// Where each source's group of columns starts, or NONE.
    start: Vec<usize>,
    len: usize,
    /// e and Ē of the last step.
    e: Vec<T>,
    e_bar: Vec<T>,
    /// Gradient gathered in the order of the awake columns, and in the order of parameters.
    pending: Vec<T>,
    gradient: Vec<T>,
    /// Scratch: the terms of one row.
    terms: Vec<(T, usize)>,
}

impl<T: Real> Rtrl<T> {
    /// A rule for one stream over `wiring`. With `activity` off, every row is held and every column awake from the
    /// start, and every product is done.
    pub fn new(wiring: Arc<Wiring>, activity: bool) -> Self {
        let form = Form::choose(&wiring);
        Self::with_form(wiring, form, activity)
    }

    /// The same with the inner rows folded away, or held, whichever is cheaper. For measuring the choice.
    pub fn with_folding(wiring: Arc<Wiring>, folding: bool, activity: bool) -> Self {
        let form = if folding { Form::folded(&wiring) } else { Form::held(&wiring) };
        Self::with_form(wiring, form, activity)
    }

    fn with_form(wiring: Arc<Wiring>, form: Form<T>, activity: bool) -> Self {
        let (rows, p) = (wiring.rows(), wiring.parameters());
        let feeders: Vec<_> = (0..rows).filter(|&l| form.previous.col(l).len() > 0).collect();
        let readers = (0..rows).filter(|&i| form.current.row(i).len() > 0).collect();
        let constants: Vec<_> = wiring.layout().weights().col(0).map(|(_, column)| column).collect();
        let theta = (0..rows).map(|row| {
            let column = wiring.threshold(row);
            constants.iter().position(|&c| Some(c) == column).unwrap_or(NONE)
        });
        let theta = theta.collect();
        let mut line = vec![NONE; rows];
        let mut carried = 0;
        for row in (0..rows).filter(|&row| wiring.carries(row)) {
            line[row] = carried;
            carried += 1;
        }
        let zeros = |n: usize| vec![T::zero(); n];
        let mut rule = Self {
            activity,
            readers,
            theta,
            p,
            s: zeros(rows * p),
            line,
            carried,
            y: zeros(feeders.len() * p),
            y_line: vec![NONE; rows],
            y_len: 0,
            start: vec![NONE; wiring.sources().len()],
            len: 0,
            e: zeros(rows),
            e_bar: zeros(rows),
            pending: zeros(p),
            gradient: zeros(p),
            terms: Vec::with_capacity(rows),
            feeders,
            form,
            arch: pulp::Arch::new(),
            wiring,
        };
        rule.reset();
        rule
    }

    fn is_live(&self, row: usize) -> bool {
        self.line[row] != NONE && (!self.activity || self.e[row] != T::zero() || self.e_bar[row] != T::zero())
    }

    /// `Y = diag(e) S + Ē`, for the live rows that the coming step reads.
    #[inline(always)]
    fn emit(&mut self) -> u64 {
        self.y_len = self.len;
        let (mut lines, mut macs) = (0, 0);
        for &row in &self.feeders {
            self.y_line[row] = NONE;
            if self.len == 0 || !self.is_live(row) {
                continue;
            }
            let e = self.e[row];
            let from = &self.s[self.line[row] * self.p..][..self.len];
            let to = &mut self.y[lines * self.p..][..self.len];
            for (y, &s) in to.iter_mut().zip(from) {
                *y = e * s;
            }
            macs += self.len;
            if self.e_bar[row] != T::zero() {
                to[self.theta[row]] += self.e_bar[row];
            }
            self.y_line[row] = lines;
            lines += 1;
        }
        macs as u64
    }

    /// Wakes the columns of sources that speak for the first time.
    fn wake(&mut self, phi: &[T]) {
        let before = self.len;
        for (source, &phi) in phi.iter().enumerate() {
            if self.start[source] == NONE && (phi != T::zero() || !self.activity) {
                self.start[source] = self.len;
                self.len += self.wiring.layout().weights().col(source).len();
            }
        }
        if self.len > before {
            for line in 0..self.carried {
                self.s[line * self.p..][before..self.len].fill(T::zero());
            }
        }
    }

    /// `S ← diag(d) S + A Y`, and which rows without carry are held.
    #[inline(always)]
    fn carry(&mut self, step: &Step<T>) -> u64 {
        let mut macs = 0;
        let mut next = self.carried;
        let values = self.form.values(step);
        for &row in &self.form.rows {
            self.terms.clear();
            for (l, at) in self.form.previous.row(row) {
                let a = values.a[at];
                if self.y_line[l] != NONE && (a != T::zero() || !self.activity) {
                    self.terms.push((a, self.y_line[l]));
                }
            }
            let decay = if self.wiring.carries(row) {
                step.d[row]
            } else {
                self.line[row] = NONE;
                if self.activity && !(step.is_live(row) && self.is_fed(row, step)) {
                    continue;
                }
                self.line[row] = next;
                next += 1;
                self.s[self.line[row] * self.p..][..self.len].fill(T::zero());
                T::one()
            };
            let to = &mut self.s[self.line[row] * self.p..][..self.y_len];
            let (y, p) = (&self.y, self.p);
            macs += kernel::combine(to, decay, &self.terms, |line| &y[line * p..][..p]);
        }
        macs
    }

    /// Whether anything flows into this row at this step; its terms from the step before are known.
    fn is_fed(&self, row: usize, step: &Step<T>) -> bool {
        let speaks = |&pre: &usize| step.gain[pre] != T::zero();
        let relays =
            |(j, at): (usize, usize)| step.b[at] != T::zero() && self.line[j] != NONE && step.is_live(j);
        !self.terms.is_empty()
            || self.wiring.gates_of(row).iter().any(speaks)
            || self.wiring.current().row(row).any(relays)
    }

    /// `S ← S + M̄`: gain × source, one entry per parameter whose source is not silent.
    #[inline(always)]
    fn inject(&mut self, step: &Step<T>) -> u64 {
        let mut macs = 0;
        let values = self.form.values(step);
        for (source, &phi) in step.phi.iter().enumerate() {
            if phi == T::zero() && self.activity {
                continue;
            }
            let start = self.start[source];
            for run in &self.form.injections[source] {
                let line = self.line[run.row];
                if line != NONE {
                    let to = &mut self.s[line * self.p + start + run.column..][..run.len];
                    for (s, &gain) in to.iter_mut().zip(&values.gain[run.at..][..run.len]) {
                        *s += gain * phi;
                    }
                    macs += run.len as u64;
                }
            }
        }
        macs
    }

    /// `S ← S + B Y_t`, row by row: the rows read are earlier ones, and final.
    #[inline(always)]
    fn relay(&mut self, step: &Step<T>) -> u64 {
        let mut macs = 0;
        let values = self.form.values(step);
        for &row in &self.readers {
            let line = self.line[row];
            if line == NONE {
                continue;
            }
            let (above, rest) = self.s.split_at_mut(line * self.p);
            let (to, below) = rest.split_at_mut(self.p);
            self.terms.clear();
            for (j, at) in self.form.current.row(row) {
                let b = values.b[at];
                let live = step.is_live(j) && b != T::zero();
                if self.line[j] != NONE && (live || !self.activity) {
                    self.terms.push((b * step.e[j], self.line[j]));
                    if step.e_bar[j] != T::zero() {
                        to[self.theta[j]] += b * step.e_bar[j];
                    }
                }
            }
            let p = self.p;
            macs += kernel::combine(&mut to[..self.len], T::one(), &self.terms, |j| {
                if j < line { &above[j * p..][..p] } else { &below[(j - line - 1) * p..][..p] }
            });
        }
        macs
    }

    /// Moves the gathered gradient from the order of columns to the order of parameters.
    fn fold(&mut self) {
        for (source, &start) in self.start.iter().enumerate().filter(|(_, start)| **start != NONE) {
            for (k, (_, column)) in self.wiring.layout().weights().col(source).enumerate() {
                self.gradient[column] += self.pending[start + k];
            }
        }
        self.pending[..self.len].fill(T::zero());
    }
}

/// The recursion of one step, for the machine's vector units.
struct Advance<'a, T: Real> {
    rule: &'a mut Rtrl<T>,
    step: &'a Step<T>,
}

impl<T: Real> pulp::WithSimd for Advance<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> u64 {
        let Self { rule, step } = self;
        let emitted = rule.emit();
        rule.wake(&step.phi);
        emitted + rule.carry(step) + rule.inject(step) + rule.relay(step)
    }
}

/// The gradient that the terms of a credit stand for, for the machine's vector units.
struct Gather<'a, T: Real> {
    rule: &'a mut Rtrl<T>,
}

impl<T: Real> pulp::WithSimd for Gather<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> u64 {
        let Rtrl { s, p, pending, len, terms, .. } = self.rule;
        kernel::combine(&mut pending[..*len], T::one(), terms, |line| &s[line * *p..][..*p])
    }
}

impl<T: Real> Rule<T> for Rtrl<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.fold();
        self.start.fill(NONE);
        self.len = 0;
        let dynamic = (0..self.wiring.rows()).filter(|&row| !self.wiring.carries(row));
        for row in dynamic {
            self.line[row] = NONE;
        }
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        macs.coupling += self.form.evaluate(step, self.activity);
        let arch = self.arch;
        macs.influence += arch.dispatch(Advance { rule: self, step });
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        self.terms.clear();
        for (row, &c) in outputs.zip(credit) {
            if !self.is_live(row) || (c == T::zero() && self.activity) {
                continue;
            }
            self.terms.push((c * self.e[row], self.line[row]));
            if self.e_bar[row] != T::zero() {
                self.pending[self.theta[row]] += c * self.e_bar[row];
            }
        }
        let arch = self.arch;
        macs.gradient += arch.dispatch(Gather { rule: self });
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        self.fold();
        super::hand_over(&mut self.gradient, gradient);
    }

    fn influence(&self) -> Option<Influence> {
        let held = self.line.iter().filter(|&&line| line != NONE).count() * self.len;
        let live = self.wiring.units().iter().filter(|&&row| self.is_live(row));
        let count = live.map(|&row| {
            let (e, e_bar) = (self.e[row], self.e_bar[row]);
            let entries = &self.s[self.line[row] * self.p..][..self.len];
            let through =
                if e == T::zero() { 0 } else { entries.iter().map(|&s| usize::from(s != T::zero())).sum() };
            if e_bar == T::zero() {
                return through;
            }
            // The entry of the unit's own threshold has Ē on top.
            let own = e * entries[self.theta[row]];
            through - usize::from(own != T::zero()) + usize::from(own + e_bar != T::zero())
        });
        Some(Influence { held, nonzero: count.sum() })
    }

    fn bytes(&self) -> usize {
        let lines = self.line.iter().filter(|&&line| line != NONE).count();
        let copied = self.feeders.iter().filter(|&&row| self.y_line[row] != NONE).count();
        (lines * self.len + copied * self.y_len + 2 * self.p) * std::mem::size_of::<T>()
    }
}
