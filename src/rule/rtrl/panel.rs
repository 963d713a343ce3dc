//! The influence of one layer's parameters on every row they can reach: which rows are held where, and what a step does to them.
//! What is skipped and why is said in `rule/rtrl/mod.rs`.

use super::columns::Columns;
use super::program::{Copied, Last, Line, NOWHERE, Point, Program};
use super::tile::{Block, COLUMNS};
use super::tile::{Pass, Tile};
use crate::cell::{Step, Wiring};
use crate::rule::form::{Form, Values};
use crate::scalar::Real;
use rayon::prelude::*;
use std::ops::Range;

/// MACs of a step from which on a second thread is worth its start.
const WORTH_A_THREAD: usize = 3_000_000;

/// The step being made, and its couplings and gains in the form the rule runs on.
#[derive(Clone, Copy)]
pub struct Now<'a, T> {
    pub step: &'a Step<T>,
    pub values: Values<'a, T>,
}

/// The columns of one layer's parameters, and the rows they reach.
pub struct Panel<T> {
    /// Rows its parameters can reach, ascending, and whether they carry.
    rows: Vec<(usize, bool)>,
    /// Those whose emission another row reads a step later, and those that read an emission of the same step.
    feeders: Vec<usize>,
    readers: Vec<usize>,
    columns: Columns,
    /// For every row, the column of its threshold within the group of the constant source, which comes first.
    theta: Vec<u32>,
    /// Whether any row carries. Then lines hold S, and Y is copied out where it is read. If none does, nothing of S is needed a step
    /// later: lines hold Y, and a step makes a new tile from the old one.
    carries: bool,
    /// The line of each row, or NOWHERE. Rows with carry have theirs for good, the first `carried` ones.
    line: Vec<u32>,
    carried: usize,
    held: usize,
    /// Where a step finds the row's Y of the step before, or NOWHERE.
    slot: Vec<u32>,
    tiles: Vec<Tile<T>>,
    /// One a thread.
    spare: Vec<Vec<Block<T>>>,
    program: Program<T>,
    /// Whether tiles hold any gradient.
    earned: bool,
}

impl<T: Real> Panel<T> {
    /// Room for the influence of a layer's parameters.
    pub fn new(wiring: &Wiring, form: &Form<T>, layer: usize) -> Self {
        let n = wiring.rows();
        let of_layer = (0..wiring.pre_rows().len()).filter(|&pre| wiring.layer_of(pre) == layer);
        let reached = form.reach(of_layer, usize::MAX);
        let columns = Columns::new(wiring, form, layer);
        let theta_of = |row| {
            let own = |&parameter: &usize| Some(parameter) == wiring.threshold(row);
            columns.parameters(0).iter().position(own).map_or(NOWHERE, |column| column as u32)
        };
        let theta = (0..n).map(theta_of).collect();
        let rows: Vec<_> = reached.iter().map(|&row| (row, wiring.carries(row))).collect();
        let feeds = |l: &usize| form.previous.col(*l).len() > 0;
        let reads = |i: &usize| form.current.row(*i).len() > 0;
        let mut line = vec![NOWHERE; n];
        let carried = rows.iter().filter(|row| row.1).enumerate();
        let carried = carried.map(|(k, row)| line[row.0] = k as u32).count();
        let tiles = columns.all().div_ceil(COLUMNS);
        let lines = rows.len();
        Self {
            feeders: reached.iter().copied().filter(feeds).collect(),
            readers: reached.iter().copied().filter(reads).collect(),
            theta,
            carries: carried > 0,
            line,
            carried,
            held: carried,
            slot: vec![NOWHERE; n],
            tiles: (0..tiles).map(|_| Tile::new(lines)).collect(),
            spare: vec![vec![Block::zero(); lines + 1]],
            program: Program::new(n, form, columns.entries_len(), tiles),
            columns,
            rows,
            earned: false,
        }
    }

    /// Forgets all influence; what was planned must have been carried out, and gathered gradient settled.
    pub fn reset(&mut self) {
        self.columns.reset();
        for &(row, _) in self.rows.iter().filter(|row| !row.1) {
            self.line[row] = NOWHERE;
        }
        self.held = self.carried;
    }

    /// Whether Y of a row can be nonzero, given its e and Ē.
    #[inline(always)]
    fn is_live(&self, row: usize, e: T, e_bar: T) -> bool {
        self.line[row] != NOWHERE && (e != T::zero() || (e_bar != T::zero() && self.theta[row] != NOWHERE))
    }

    #[inline(always)]
    fn was_live(&self, row: usize, last: &Last<T>) -> bool {
        match last.activity {
            true => self.is_live(row, last.e[row], last.e_bar[row]),
            false => self.line[row] != NOWHERE,
        }
    }

    /// Plans a step. Returns its MACs, and those of `A Y` over the columns of recurrent weights.
    pub fn plan(&mut self, form: &Form<T>, last: &Last<T>, now: Now<T>) -> (u64, u64) {
        let activity = last.activity;
        let (y_len, y_recurrent) = (self.columns.len(), self.columns.recurrent_len());
        self.program.before = self.columns.tiles();
        self.emit(last);
        self.wake(now, activity);
        let (terms, decays) = self.carry(form, now, activity);
        let entries = self.inject(form, now, activity);
        let relayed = self.relay(form, now, activity);
        let macs =
            (self.program.copies.len() + decays + terms) * y_len + entries + relayed * self.columns.len();
        (macs as u64, (terms * y_recurrent) as u64)
    }

    /// Which live rows of Y the step reads, and where it finds them.
    fn emit(&mut self, last: &Last<T>) {
        self.program.copies.clear();
        for k in 0..self.feeders.len() {
            let row = self.feeders[k];
            self.slot[row] = match self.columns.len() > 0 && self.was_live(row, last) {
                false => NOWHERE,
                true if !self.carries => self.line[row],
                true => {
                    let (e, theta, e_bar) = (last.e[row], self.theta[row], last.e_bar[row]);
                    self.program.copies.push(Copied { line: self.line[row], e, theta, e_bar });
                    self.program.copies.len() as u32 - 1
                }
            };
        }
        self.program.sources = if self.carries { self.program.copies.len() } else { self.held };
    }

    /// Wakes the columns of sources that speak for the first time.
    fn wake(&mut self, now: Now<T>, activity: bool) {
        // The constant always speaks, and first: thresholds are found at their place in its group.
        debug_assert!(now.step.phi[0] == T::one());
        let before = self.program.before;
        for (source, &phi) in now.step.phi.iter().enumerate() {
            if phi != T::zero() || !activity {
                self.columns.wake(source);
            }
        }
        self.program.tiles = self.columns.tiles();
        if self.carries {
            // Places of a tile that no column has taken yet stay zero by themselves.
            for tile in &mut self.tiles[before..self.program.tiles] {
                tile.blocks.fill(Block::zero());
            }
        }
    }

    /// Which lines there are, and what they are made of. Returns the number of their terms, and of those that decay.
    fn carry(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> (usize, usize) {
        let (mut decays, mut end) = (0, 0);
        self.held = self.carried;
        self.program.lines.clear();
        for k in 0..self.rows.len() {
            let (row, carries) = self.rows[k];
            let dead = activity && !carries && !now.step.is_live(row);
            let start = end;
            if !dead {
                // Lines of rows without carry hold Y = e S where no row carries.
                let scale = if self.carries { T::one() } else { now.step.e[row] };
                let (sources, positions) = form.previous.row_of(row);
                let terms = &mut self.program.terms[start..];
                let mut n = 0;
                for (&l, &a) in sources.iter().zip(&now.values.a[positions]) {
                    // Written always, kept if it counts: whether it does is a coin toss to a branch.
                    let slot = self.slot[l as usize];
                    terms[n] = (a * scale, slot);
                    n += usize::from((slot != NOWHERE) & (a != T::zero() || !activity));
                }
                end = start + n;
            }
            if carries {
                let decay = now.step.d[row];
                decays += usize::from(decay != T::one());
                self.push_line(row, decay, start..end);
            } else if dead || (activity && end == start && !self.is_fed(row, form, now)) {
                end = start;
                self.line[row] = NOWHERE;
            } else {
                self.line[row] = self.held as u32;
                self.held += 1;
                self.push_line(row, T::zero(), start..end);
            }
        }
        self.program.arrange(self.carries);
        (end, decays)
    }

    fn push_line(&mut self, row: usize, decay: T, terms: Range<usize>) {
        let (start, terms) = (terms.start as u32, terms.len() as u32);
        self.program.lines.push(Line { at: self.line[row], decay, start, terms });
    }

    /// Whether anything flows into this row at this step, beside what it reads from the step before.
    fn is_fed(&self, row: usize, form: &Form<T>, now: Now<T>) -> bool {
        let speaks = |(_, at): (usize, usize)| now.values.gain[at] != T::zero();
        let relays = |(j, at): (usize, usize)| now.values.b[at] != T::zero() && self.relays(j, now.step);
        let shows = now.step.e_bar[row] != T::zero() && self.theta[row] != NOWHERE;
        shows || form.gains.row(row).any(speaks) || form.current.row(row).any(relays)
    }

    /// Whether this row's Y of the present step can be nonzero.
    fn relays(&self, row: usize, step: &Step<T>) -> bool {
        self.is_live(row, step.e[row], step.e_bar[row])
    }

    /// What M̄ and Ē add: gain × source, one entry per parameter of a held row whose source is not silent. Returns how many there are.
    fn inject(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> usize {
        let Self { program, columns, line, theta, rows, .. } = self;
        program.points.clear();
        for &(row, _) in rows.iter().filter(|_| !self.carries) {
            if line[row] != NOWHERE && theta[row] != NOWHERE {
                let (line, column, value) = (line[row], theta[row], now.step.e_bar[row]);
                program.points.push(Point { line, column, value });
            }
        }
        for &(row, _) in rows.iter() {
            let place = if line[row] == NOWHERE { NOWHERE } else { line[row] * COLUMNS as u32 };
            let scale = if self.carries { T::one() } else { now.step.e[row] };
            for (_, at) in form.gains.row(row) {
                program.gains[at] = (place, scale * now.values.gain[at]);
            }
        }
        let mut end = 0;
        for tile in 0..program.tiles {
            for span in columns.spans(tile) {
                let phi = now.step.phi[span.source as usize];
                if phi == T::zero() && activity {
                    continue;
                }
                let (from, to) = (columns.entries(span), &mut program.entries[end..]);
                let mut n = 0;
                for entry in from {
                    // Written always, kept if the row is held.
                    let (place, gain) = program.gains[entry.at as usize];
                    to[n] = (place.wrapping_add((entry.column + span.shift) % COLUMNS as u32), gain * phi);
                    n += usize::from(place != NOWHERE);
                }
                end += n;
            }
            program.ends[tile] = end;
        }
        end
    }

    /// What lines read of the same step. Returns the number of terms.
    fn relay(&mut self, form: &Form<T>, now: Now<T>, activity: bool) -> usize {
        let step = now.step;
        self.program.relays.clear();
        self.program.relay_terms.clear();
        for k in 0..self.readers.len() {
            let row = self.readers[k];
            let line = self.line[row];
            if line == NOWHERE {
                continue;
            }
            let start = self.program.relay_terms.len() as u32;
            for (j, at) in form.current.row(row) {
                let b = now.values.b[at];
                let live = self.relays(j, step) && b != T::zero();
                if !(live || (self.line[j] != NOWHERE && !activity)) {
                    continue;
                }
                // From lines that hold Y into one that holds Y, or from lines that hold S into one that holds S.
                let factor = if self.carries { b * step.e[j] } else { b * step.e[row] };
                self.program.relay_terms.push((factor, self.line[j]));
                if self.carries && self.theta[j] != NOWHERE {
                    let value = b * step.e_bar[j];
                    self.program.points.push(Point { line, column: self.theta[j], value });
                }
            }
            let terms = self.program.relay_terms.len() as u32 - start;
            self.program.relays.push(Line { at: line, decay: T::one(), start, terms });
        }
        self.program.relay_terms.len()
    }

    /// Plans `g ← g + Yᵀ c̄` over the live output rows. Returns its MACs.
    pub fn plan_credit(&mut self, last: &Last<T>, outputs: Range<usize>, credit: &[T]) -> u64 {
        for (row, &c) in outputs.zip(credit) {
            if !self.was_live(row, last) || (c == T::zero() && last.activity) {
                continue;
            }
            let factor = if self.carries { c * last.e[row] } else { c };
            self.program.credit.push((factor, self.line[row]));
            if self.carries && self.theta[row] != NOWHERE {
                self.program.credit_points.push((c * last.e_bar[row], self.theta[row]));
            }
        }
        (self.program.credit.len() * self.columns.len()) as u64
    }

    /// Carries out what is planned: the step, if it has not been made yet, and the credit; over several threads where that is worth
    /// while. The result does not depend on how many there are.
    pub fn run(&mut self, arch: pulp::Arch, advance: bool) {
        let Self { program, columns, tiles, spare, carries, .. } = self;
        let tiles = &mut tiles[..columns.tiles()];
        let blocks = program.copies.len() + program.lines.len() + program.credit.len();
        let terms =
            program.lines.iter().map(|line| line.terms as usize).sum::<usize>() + program.relay_terms.len();
        let work = tiles.len() * COLUMNS * (blocks + terms);
        let threads = if work < WORTH_A_THREAD { 1 } else { rayon::current_num_threads().min(tiles.len()) };
        let pass = |first, tiles, spare| {
            arch.dispatch(Pass { program, carries: *carries, advance, tiles, first, spare });
        };
        if threads == 1 {
            pass(0, tiles, &mut spare[0]);
        } else {
            let room = spare[0].len();
            spare.resize_with(threads.max(spare.len()), || vec![Block::zero(); room]);
            let share = tiles.len().div_ceil(threads);
            let shares = tiles.par_chunks_mut(share).zip(spare.par_iter_mut()).enumerate();
            shares.for_each(|(k, (tiles, spare))| pass(k * share, tiles, spare));
        }
        self.earned |= !(self.program.credit.is_empty() && self.program.credit_points.is_empty());
        self.program.credit.clear();
        self.program.credit_points.clear();
    }

    /// Moves the gathered gradient from the order of columns to the order of parameters. Returns whether there was any.
    pub fn settle(&mut self, gradient: &mut [T]) -> bool {
        if !std::mem::take(&mut self.earned) {
            return false;
        }
        for (tile, parameters) in self.tiles.iter_mut().zip(self.columns.awake()) {
            for (&parameter, &sum) in parameters.iter().zip(&tile.gradient.0) {
                gradient[parameter as usize] += sum;
            }
            tile.gradient = Block::zero();
        }
        true
    }

    /// Entries of S held.
    pub fn held(&self) -> usize {
        self.held * self.columns.len()
    }

    /// Entries of Y that are not zero, over those of its rows that are units, and those of them in columns of recurrent weights.
    #[inline(always)]
    pub fn nonzero(&self, last: &Last<T>, units: &[usize]) -> (usize, usize) {
        let (mut all, mut recurrent) = (0, 0);
        let live = self.rows.iter().map(|row| row.0).filter(|&row| self.was_live(row, last));
        for row in live.filter(|row| units.binary_search(row).is_ok()) {
            let line = self.line[row] as usize;
            let shows = !self.carries || last.e[row] != T::zero();
            for (number, tile) in self.tiles[..self.columns.tiles()].iter().enumerate().filter(|_| shows) {
                // Sums of u32 are what vector units count with.
                let entries = tile.blocks[line].0.iter().zip(self.columns.recurrent(number));
                let (mut own, mut of_recurrent) = (0u32, 0u32);
                for (&s, &is_recurrent) in entries {
                    let nonzero = u32::from(s != T::zero());
                    own += nonzero;
                    of_recurrent += nonzero * is_recurrent;
                }
                all += own as usize;
                recurrent += of_recurrent as usize;
            }
            // Where lines hold S, the entry of the unit's own threshold has Ē on top.
            if self.carries && self.theta[row] != NOWHERE && self.columns.len() > 0 {
                let column = self.theta[row] as usize;
                let own = last.e[row] * self.tiles[column / COLUMNS].blocks[line].0[column % COLUMNS];
                let count = |s: T| usize::from(s != T::zero());
                all = all + count(own + last.e_bar[row]) - count(own);
            }
        }
        (all, recurrent)
    }

    /// Numbers in use: S or Y, and the gathered gradient.
    pub fn numbers(&self) -> usize {
        self.held() + self.columns.all()
    }
}
