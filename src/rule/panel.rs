//! The influence of one layer's parameters on every row they can reach: storage, and the parts of the recursion
//!
//! `S_t = diag(d) S_{t-1} + A Y_{t-1} + M̄_t + B Y_t`,  `Y_t = diag(e) S_t + Ē_t`,
//!
//! in the order in which they are done. What is skipped and why is said in `rule/rtrl.rs`.

use super::form::{Form, Injection, Values};
use crate::cell::{Step, Wiring};
use crate::params::Kind;
use crate::scalar::Real;
use crate::sparse::kernel;
use std::ops::Range;

/// No line of storage, no column group, no threshold here.
const NOWHERE: usize = usize::MAX;

/// e and Ē of the last step.
pub(super) struct Last<T> {
    /// Whether rows, columns and products that happen to be zero are skipped.
    pub activity: bool,
    e: Vec<T>,
    e_bar: Vec<T>,
}

impl<T: Real> Last<T> {
    pub fn new(rows: usize, activity: bool) -> Self {
        Self { activity, e: vec![T::zero(); rows], e_bar: vec![T::zero(); rows] }
    }

    pub fn follow(&mut self, step: &Step<T>) {
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
    }
}

/// The step being made, and its couplings and gains in the form the rule runs on.
#[derive(Clone, Copy)]
pub(super) struct Now<'a, T> {
    pub step: &'a Step<T>,
    pub values: Values<'a, T>,
}

/// The columns of one layer's parameters.
pub(super) struct Panel<T> {
    /// Rows its parameters can reach, ascending, and whether they carry.
    rows: Vec<(usize, bool)>,
    /// Those whose emission another row reads a step later, and those that read an emission of the same step.
    feeders: Vec<usize>,
    readers: Vec<usize>,
    /// For every source the parameters that read it, and where its φ enters.
    columns: Vec<Vec<usize>>,
    /// For every source how many of them are recurrent weights.
    recurrent: Vec<usize>,
    injections: Vec<Vec<Injection>>,
    /// For every row, the column of its threshold within the group of the constant source.
    theta: Vec<usize>,
    p: usize,

    /// S: one line of p entries per held row, the first `len` of them in use.
    s: Vec<T>,
    /// The line of each row, or NOWHERE. Rows with carry have theirs for good, the first `carried` ones.
    line: Vec<usize>,
    carried: usize,
    /// Y of the step before, for the feeders that were live; `y_len` columns.
    y: Vec<T>,
    y_line: Vec<usize>,
    y_len: usize,
    /// Awake columns of recurrent weights, and how many of them Y had.
    recurrent_len: usize,
    y_recurrent: usize,
    /// Where each source's group of columns starts, or NOWHERE.
    start: Vec<usize>,
    len: usize,
    /// Gradient gathered in the order of the awake columns.
    pending: Vec<T>,
    /// Scratch: the terms of one row.
    terms: Vec<(T, usize)>,
}

impl<T: Real> Panel<T> {
    /// Room for the influence of a layer's parameters.
    pub fn new(wiring: &Wiring, form: &Form<T>, layer: usize) -> Self {
        let n = wiring.rows();
        let pres: Vec<bool> = (0..wiring.pre_rows().len()).map(|pre| wiring.layer_of(pre) == layer).collect();
        let belong = |pre: usize| pres[pre];
        let reached = form.reach((0..pres.len()).filter(|&pre| belong(pre)), usize::MAX);
        let weights = wiring.layout().weights();
        let own = |source| weights.col(source).filter(|&(pre, _)| belong(pre)).map(|(_, column)| column);
        let columns: Vec<Vec<usize>> = (0..wiring.sources().len()).map(|s| own(s).collect()).collect();
        let p = columns.iter().map(Vec::len).sum();
        let recurrent = wiring.layout().of_kind(Kind::Recurrent);
        let recurrent = |columns: &Vec<usize>| columns.iter().filter(|&&c| recurrent[c]).count();
        let theta_of = |row| {
            let column = wiring.threshold(row);
            columns[0].iter().position(|&c| Some(c) == column).unwrap_or(NOWHERE)
        };
        let rows: Vec<_> = reached.iter().map(|&row| (row, wiring.carries(row))).collect();
        let feeds = |l: &usize| form.previous.col(*l).len() > 0;
        let reads = |i: &usize| form.current.row(*i).len() > 0;
        let feeders: Vec<usize> = reached.iter().copied().filter(feeds).collect();
        let mut line = vec![NOWHERE; n];
        let carried = rows.iter().filter(|row| row.1).enumerate();
        let carried = carried.map(|(k, row)| line[row.0] = k).count();
        let zeros = |n: usize| vec![T::zero(); n];
        Self {
            readers: reached.iter().copied().filter(reads).collect(),
            injections: form.injections(wiring, belong),
            theta: (0..n).map(theta_of).collect(),
            p,
            s: zeros(rows.len() * p),
            line,
            carried,
            y: zeros(feeders.len() * p),
            y_line: vec![NOWHERE; n],
            y_len: 0,
            recurrent: columns.iter().map(recurrent).collect(),
            recurrent_len: 0,
            y_recurrent: 0,
            start: vec![NOWHERE; columns.len()],
            len: 0,
            pending: zeros(p),
            terms: Vec::with_capacity(n),
            rows,
            feeders,
            columns,
        }
    }

    /// Forgets all influence; gathered gradient must have been settled.
    pub fn reset(&mut self) {
        self.start.fill(NOWHERE);
        (self.len, self.recurrent_len) = (0, 0);
        for &(row, _) in self.rows.iter().filter(|row| !row.1) {
            self.line[row] = NOWHERE;
        }
    }

    /// Whether Y of a row can be nonzero, given its e and Ē.
    fn is_live(&self, row: usize, e: T, e_bar: T) -> bool {
        self.line[row] != NOWHERE && (e != T::zero() || (e_bar != T::zero() && self.theta[row] != NOWHERE))
    }

    fn was_live(&self, row: usize, last: &Last<T>) -> bool {
        match last.activity {
            true => self.is_live(row, last.e[row], last.e_bar[row]),
            false => self.line[row] != NOWHERE,
        }
    }

    /// `Y = diag(e) S + Ē`, for the live rows that the coming step reads.
    #[inline(always)]
    pub fn emit(&mut self, last: &Last<T>) -> u64 {
        (self.y_len, self.y_recurrent) = (self.len, self.recurrent_len);
        let (mut lines, mut macs) = (0, 0);
        for &row in &self.feeders {
            self.y_line[row] = NOWHERE;
            if self.len == 0 || !self.was_live(row, last) {
                continue;
            }
            let e = last.e[row];
            let from = &self.s[self.line[row] * self.p..][..self.len];
            let to = &mut self.y[lines * self.p..][..self.len];
            for (y, &s) in to.iter_mut().zip(from) {
                *y = e * s;
            }
            macs += self.len;
            if self.theta[row] != NOWHERE {
                to[self.theta[row]] += last.e_bar[row];
            }
            self.y_line[row] = lines;
            lines += 1;
        }
        macs as u64
    }

    /// Wakes the columns of sources that speak for the first time.
    pub fn wake(&mut self, now: Now<T>, activity: bool) {
        let before = self.len;
        // The constant always speaks, and first: thresholds are found at their place in its group.
        debug_assert!(now.step.phi[0] == T::one() && (self.start[0] == 0 || self.start[0] == NOWHERE));
        for (source, &phi) in now.step.phi.iter().enumerate() {
            if self.start[source] == NOWHERE && (phi != T::zero() || !activity) {
                self.start[source] = self.len;
                self.len += self.columns[source].len();
                self.recurrent_len += self.recurrent[source];
            }
        }
        if self.len > before {
            for line in 0..self.carried {
                self.s[line * self.p..][before..self.len].fill(T::zero());
            }
        }
    }

    /// `S ← diag(d) S + A Y`, and which rows without carry are held. Returns the MACs, and those of `A Y` over the columns of
    /// recurrent weights.
    #[inline(always)]
    pub fn carry(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> (u64, u64) {
        let (mut macs, mut recurrent) = (0, 0);
        let mut next = self.carried;
        for k in 0..self.rows.len() {
            let (row, carries) = self.rows[k];
            self.terms.clear();
            for (l, at) in form.previous.row(row) {
                let a = now.values.a[at];
                if self.y_line[l] != NOWHERE && (a != T::zero() || !activity) {
                    self.terms.push((a, self.y_line[l]));
                }
            }
            let decay = if carries {
                now.step.d[row]
            } else {
                self.line[row] = NOWHERE;
                if activity && !(now.step.is_live(row) && self.is_fed(row, form, now)) {
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
            recurrent += (self.terms.len() * self.y_recurrent) as u64;
        }
        (macs, recurrent)
    }

    /// Whether anything flows into this row at this step; its terms from the step before are known.
    fn is_fed(&self, row: usize, form: &Form<T>, now: Now<T>) -> bool {
        let speaks = |(_, at): (usize, usize)| now.values.gain[at] != T::zero();
        let relays = |(j, at): (usize, usize)| now.values.b[at] != T::zero() && self.relays(j, now.step);
        let shows = now.step.e_bar[row] != T::zero() && self.theta[row] != NOWHERE;
        shows
            || !self.terms.is_empty()
            || form.gains.row(row).any(speaks)
            || form.current.row(row).any(relays)
    }

    /// Whether this row's Y of the present step can be nonzero.
    fn relays(&self, row: usize, step: &Step<T>) -> bool {
        self.is_live(row, step.e[row], step.e_bar[row])
    }

    /// `S ← S + M̄`: gain × source, one entry per parameter whose source is not silent.
    #[inline(always)]
    pub fn inject(&mut self, now: Now<T>, activity: bool) -> u64 {
        let mut macs = 0;
        for (source, &phi) in now.step.phi.iter().enumerate() {
            if phi == T::zero() && activity {
                continue;
            }
            let start = self.start[source];
            for run in &self.injections[source] {
                let line = self.line[run.row];
                if line != NOWHERE {
                    let to = &mut self.s[line * self.p + start + run.column..][..run.len];
                    for (s, &gain) in to.iter_mut().zip(&now.values.gain[run.at..][..run.len]) {
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
    pub fn relay(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> u64 {
        let mut macs = 0;
        let step = now.step;
        for k in 0..self.readers.len() {
            let row = self.readers[k];
            let line = self.line[row];
            if line == NOWHERE {
                continue;
            }
            self.terms.clear();
            for (j, at) in form.current.row(row) {
                let b = now.values.b[at];
                let live = self.relays(j, step) && b != T::zero();
                if live || (self.line[j] != NOWHERE && !activity) {
                    self.terms.push((b * step.e[j], self.line[j]));
                    if self.theta[j] != NOWHERE {
                        self.s[line * self.p + self.theta[j]] += b * step.e_bar[j];
                    }
                }
            }
            let p = self.p;
            let (above, rest) = self.s.split_at_mut(line * p);
            let (to, below) = rest.split_at_mut(p);
            macs += kernel::combine(&mut to[..self.len], T::one(), &self.terms, |j| {
                if j < line { &above[j * p..][..p] } else { &below[(j - line - 1) * p..][..p] }
            });
        }
        macs
    }

    /// `g ← g + Yᵀ c̄` over the live output rows.
    #[inline(always)]
    pub fn gather(&mut self, last: &Last<T>, outputs: Range<usize>, credit: &[T]) -> u64 {
        self.terms.clear();
        for (row, &c) in outputs.zip(credit) {
            if !self.was_live(row, last) || (c == T::zero() && last.activity) {
                continue;
            }
            self.terms.push((c * last.e[row], self.line[row]));
            if self.theta[row] != NOWHERE {
                self.pending[self.theta[row]] += c * last.e_bar[row];
            }
        }
        let (s, p) = (&self.s, self.p);
        let to = &mut self.pending[..self.len];
        kernel::combine(to, T::one(), &self.terms, |line| &s[line * p..][..p])
    }

    /// Moves the gathered gradient from the order of columns to the order of parameters.
    pub fn settle(&mut self, gradient: &mut [T]) {
        for (columns, &start) in self.columns.iter().zip(&self.start).filter(|(_, start)| **start != NOWHERE)
        {
            for (&column, &pending) in columns.iter().zip(&self.pending[start..]) {
                gradient[column] += pending;
            }
        }
        self.pending[..self.len].fill(T::zero());
    }

    fn lines(&self) -> usize {
        self.rows.iter().filter(|(row, _)| self.line[*row] != NOWHERE).count()
    }

    /// Entries of S held.
    pub fn held(&self) -> usize {
        self.lines() * self.len
    }

    /// Entries of Y that are not zero, over those of its rows that are units, and those of them in columns of recurrent weights:
    /// a source is read by recurrent weights of this layer or by none.
    #[inline(always)]
    pub fn nonzero(&self, last: &Last<T>, units: &[usize]) -> (usize, usize) {
        let (mut all, mut recurrent) = (0, 0);
        let awake = |source: &usize| self.start[*source] != NOWHERE;
        let live = self.rows.iter().map(|row| row.0).filter(|&row| self.was_live(row, last));
        for row in live.filter(|row| units.binary_search(row).is_ok()) {
            let (e, e_bar) = (last.e[row], last.e_bar[row]);
            let entries = &self.s[self.line[row] * self.p..][..self.len];
            // Sums of u32 are what vector units count with.
            let count =
                |entries: &[T]| entries.iter().map(|&s| u32::from(s != T::zero())).sum::<u32>() as usize;
            if e != T::zero() {
                let through = count(entries);
                let others =
                    (0..self.start.len()).filter(|source| awake(source) && self.recurrent[*source] == 0);
                let of = |source: usize| count(&entries[self.start[source]..][..self.columns[source].len()]);
                recurrent += through - others.map(of).sum::<usize>();
                all += through;
            }
            // The entry of the unit's own threshold has Ē on top.
            if self.theta[row] != NOWHERE {
                let own = e * entries[self.theta[row]];
                all = all + count(&[own + e_bar]) - count(&[own]);
            }
        }
        (all, recurrent)
    }

    /// Numbers in use: S, the copies of Y, and the gathered gradient.
    pub fn numbers(&self) -> usize {
        let copied = self.feeders.iter().filter(|&&row| self.y_line[row] != NOWHERE).count();
        self.held() + copied * self.y_len + self.p
    }
}
