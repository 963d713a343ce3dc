//! The influence of one layer's parameters on every row they can reach: which rows are held where, and what a step does to them.
//! What is skipped and why is said in `rule/rtrl/mod.rs`.

use super::arrange::Run;
use super::columns::Columns;
use super::pass::Pass;
use super::program::{Last, NOWHERE, Program};
use super::share::{self, Stretch};
use super::tile::{self, COLUMNS, Lanes, Tile};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes;
use crate::wiring::Wiring;
use std::sync::Mutex;

/// MACs of a step from which on a second thread is worth its start.
const WORTH_A_THREAD: usize = 3_000_000;

/// The columns of one layer's parameters, and the rows they reach.
pub struct Panel<T> {
    /// Rows its parameters can reach, ascending, and whether they carry.
    pub(super) rows: Vec<(usize, bool)>,
    /// Those whose emission another row reads a step later, and those that read an emission of the same step.
    pub(super) feeders: Vec<usize>,
    pub(super) readers: Vec<usize>,
    pub(super) columns: Columns,
    /// For every row, the column of its threshold; and where that is at first, within the group of the constant source, which comes first.
    pub(super) theta: Vec<u32>,
    first_theta: Vec<u32>,
    /// The parameter of each of these columns.
    pub(super) thresholds: Vec<u32>,
    /// Whether any row carries. Then lines hold S, and Y is copied out where it is read. If none does, nothing of S is needed a step
    /// later: lines hold Y, and a step makes a new tile from the old one.
    pub(super) carries: bool,
    /// The line of each row, or NOWHERE. Rows with carry have theirs for good, the first `carried` ones.
    pub(super) line: Vec<u32>,
    pub(super) carried: usize,
    /// The rows that have a line, ascending.
    pub(super) held: Vec<u32>,
    /// Room for the rows that may be held.
    pub(super) candidates: Vec<u32>,
    /// Where a step finds the row's Y of the step before, or NOWHERE.
    pub(super) slot: Vec<u32>,
    /// Locked where threads share them.
    pub(super) tiles: Vec<Mutex<Tile<T>>>,
    /// Room for a line through all tiles.
    pub(super) strip: Vec<T>,
    /// One a thread, and the tiles it has.
    spare: Vec<Vec<Lanes<T>>>,
    stretches: Vec<Stretch>,
    /// Whether the last step was worth a thread.
    pub(super) is_large: bool,
    pub(super) program: Program<T>,
    /// Whether tiles hold any gradient.
    pub(super) earned: bool,
    backwards: bool,
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
        let theta: Vec<u32> = (0..n).map(theta_of).collect();
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
            first_theta: theta.clone(),
            thresholds: (0..n).map(|row| wiring.threshold(row).map_or(NOWHERE, |at| at as u32)).collect(),
            theta,
            carries: carried > 0,
            line,
            carried,
            held: Vec::with_capacity(rows.len()),
            candidates: vec![0; rows.len() + 1],
            slot: vec![NOWHERE; n],
            tiles: (0..tiles).map(|_| Mutex::new(Tile::new(lines))).collect(),
            strip: vec![T::zero(); columns.all()],
            spare: vec![vec![Lanes::zero(); lines]],
            stretches: Vec::new(),
            is_large: false,
            program: Program::new(n, form, &columns, tiles),
            columns,
            rows,
            earned: false,
            backwards: false,
        }
    }

    /// Forgets all influence; what was planned must have been carried out, and gathered gradient settled.
    pub fn reset(&mut self) {
        self.columns.reset();
        self.theta.copy_from_slice(&self.first_theta);
        self.release();
        self.held.clear();
    }

    /// Takes the lines of rows without carry back.
    pub(super) fn release(&mut self) {
        if !self.carries {
            return self.line.fill(NOWHERE);
        }
        for &row in &self.held {
            let line = &mut self.line[row as usize];
            // Lines of rows with carry come first.
            if *line as usize >= self.carried {
                *line = NOWHERE;
            }
        }
    }

    /// Whether Y of a row can be nonzero, given its e and Ē.
    #[inline(always)]
    pub(super) fn is_live(&self, row: usize, e: T, e_bar: T) -> bool {
        self.line[row] != NOWHERE && (e != T::zero() || (e_bar != T::zero() && self.theta[row] != NOWHERE))
    }

    #[inline(always)]
    pub(super) fn was_live(&self, row: usize, last: &Last<T>) -> bool {
        match last.activity {
            true => self.is_live(row, last.e[row], last.e_bar[row]),
            false => self.line[row] != NOWHERE,
        }
    }

    /// Carries out what is planned: the step, if it has not been made yet, and the credit; over several threads where that is worth
    /// while. The result does not depend on how many there are.
    pub fn run(&mut self, arch: pulp::Arch, advance: bool) {
        self.backwards ^= advance;
        let Self { program, columns, tiles, spare, stretches, carries, backwards, .. } = self;
        let (carries, backwards) = (*carries, *backwards);
        let tiles = &mut tiles[..columns.tiles()];
        let rows = if advance { program.rows() } else { 0 } + program.credit.len();
        self.is_large = tiles.len() * COLUMNS * rows >= WORTH_A_THREAD;
        let threads = if self.is_large { rayon::current_num_threads().min(tiles.len()) } else { 1 };
        let tiles = &*tiles;
        let pass = |numbers: &mut dyn Iterator<Item = usize>, spare: &mut Vec<Lanes<T>>| {
            let sources = columns.spans().sources();
            lanes::dispatch(arch, Pass { program, sources, carries, advance, tiles, numbers, spare });
        };
        if threads == 1 {
            match backwards {
                true => pass(&mut (0..tiles.len()).rev(), &mut spare[0]),
                false => pass(&mut (0..tiles.len()), &mut spare[0]),
            }
        } else {
            let room = spare[0].len();
            spare.resize_with(threads.max(spare.len()), || vec![Lanes::zero(); room]);
            stretches.resize_with(threads, Stretch::default);
            for (k, stretch) in stretches.iter_mut().enumerate() {
                stretch.set(tiles.len() * k / threads..tiles.len() * (k + 1) / threads);
            }
            let stretches = &stretches[..];
            share::side_by_side(&mut spare[..threads], 0, &|own, spare: &mut Vec<_>| {
                pass(&mut share::tiles(stretches, own, backwards), spare);
            });
        }
        self.earned |= !(self.program.credit.is_empty() && self.program.credit_points.is_empty());
        for (_, line) in self.program.credit.drain(..) {
            self.program.credit_of[line as usize] = T::zero();
        }
        self.program.credit_points.clear();
    }

    /// Moves the gathered gradient from the order of columns to the order of parameters. Returns whether there was any.
    pub fn settle(&mut self, gradient: &mut [T]) -> bool {
        if !std::mem::take(&mut self.earned) {
            return false;
        }
        let tiles = &mut self.tiles[..self.columns.tiles()];
        if self.columns.are_arranged() {
            for &Run { column, parameter, len } in self.columns.runs() {
                let own = &tile::own(&mut tiles[column as usize / COLUMNS]).gradient.0;
                let own = &own[column as usize % COLUMNS..][..len as usize];
                let to = &mut gradient[parameter as usize..][..len as usize];
                to.iter_mut().zip(own).for_each(|(to, &sum)| *to = (*to + sum).normal());
            }
        } else {
            for (tile, parameters) in tiles.iter_mut().map(tile::own).zip(self.columns.awake()) {
                for (&parameter, &sum) in parameters.iter().zip(&tile.gradient.0) {
                    let to = &mut gradient[parameter as usize];
                    *to = (*to + sum).normal();
                }
            }
        }
        tiles.iter_mut().map(tile::own).for_each(|tile| tile.gradient = Lanes::zero());
        true
    }

    /// Writes the influence it holds, or takes it back; what was planned must have been carried out.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.columns.archive(archive)?;
        if archive.reads() {
            // A rule that was used may hold influence and gradient in tiles beyond those that were saved.
            for tile in self.tiles.iter_mut().map(tile::own) {
                tile.blocks.fill(Lanes::zero());
                tile.gradient = Lanes::zero();
            }
            self.theta.copy_from_slice(&self.first_theta);
            if self.columns.any_arranged() && !self.follow_thresholds() {
                let found = "thresholds without a column".into();
                return Err(Error::State { field: "columns.arranged", found });
            }
        }
        archive.field("panel.earned", &mut self.earned)?;
        archive.field("panel.held", &mut self.held)?;
        archive.list("panel.line", &mut self.line)?;
        let taken = self.line.iter().filter(|line| **line != NOWHERE);
        let lines = taken.max().map_or(0, |&last| last as usize + 1);
        if !self.has_sound_lines() {
            return Err(Error::State { field: "panel.line", found: "lines of other rows".into() });
        }
        self.held.reserve(self.rows.len().saturating_sub(self.held.len()));
        for tile in self.tiles[..self.columns.tiles()].iter_mut().map(tile::own) {
            lanes::archive(archive, "panel.tile", &mut tile.blocks[..lines])?;
            lanes::archive(archive, "panel.gradient", std::slice::from_mut(&mut tile.gradient))?;
        }
        Ok(())
    }

    /// Whether lines are as a step leaves them: those of rows that carry in order, others of held rows, none of two.
    fn has_sound_lines(&self) -> bool {
        let mut carrying = self.rows.iter().filter(|row| row.1).enumerate();
        let mut free = vec![true; self.rows.len()];
        let mut owned = self.rows.iter().map(|&(row, carries)| {
            let line = self.line[row];
            line == NOWHERE
                || free.get_mut(line as usize).is_some_and(std::mem::take)
                    && (carries || self.held.binary_search(&(row as u32)).is_ok())
        });
        let known = |row: &u32| self.line.get(*row as usize).is_some_and(|line| *line != NOWHERE);
        let reached = self.line.iter().filter(|line| **line != NOWHERE).count();
        self.held.is_sorted_by(|a, b| a < b)
            && self.held.iter().all(known)
            && owned.all(|own| own)
            && reached == free.iter().filter(|free| !**free).count()
            && carrying.all(|(k, row)| self.line[row.0] as usize == k)
    }
}
