//! The influence of one layer's parameters on every row they can reach: which rows are held where, and what a step does to them.
//! What is skipped and why is said in `rule/rtrl/mod.rs`.

use super::columns::Columns;
use super::program::{Last, NOWHERE, Program};
use super::tile::{Block, COLUMNS, Pass, Tile};
use crate::archive::Archive;
use crate::cell::Wiring;
use crate::error::{Error, Result};
use crate::rule::form::Form;
use crate::scalar::Real;
use crate::sparse::block;
use rayon::prelude::*;

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
    /// For every row, the column of its threshold within the group of the constant source, which comes first.
    pub(super) theta: Vec<u32>,
    /// Whether any row carries. Then lines hold S, and Y is copied out where it is read. If none does, nothing of S is needed a step
    /// later: lines hold Y, and a step makes a new tile from the old one.
    pub(super) carries: bool,
    /// The line of each row, or NOWHERE. Rows with carry have theirs for good, the first `carried` ones.
    pub(super) line: Vec<u32>,
    pub(super) carried: usize,
    pub(super) held: usize,
    /// Where a step finds the row's Y of the step before, or NOWHERE.
    pub(super) slot: Vec<u32>,
    pub(super) tiles: Vec<Tile<T>>,
    /// One a thread.
    pub(super) spare: Vec<Vec<Block<T>>>,
    pub(super) program: Program<T>,
    /// Whether tiles hold any gradient.
    pub(super) earned: bool,
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
            spare: vec![vec![Block::zero(); lines]],
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
        let Self { program, columns, tiles, spare, carries, .. } = self;
        let tiles = &mut tiles[..columns.tiles()];
        let terms = || program.lines.iter().map(|line| line.terms as usize).sum::<usize>();
        let made = match advance {
            true => program.copies.len() + program.lines.len() + terms() + program.relay_terms.len(),
            false => 0,
        };
        let work = tiles.len() * COLUMNS * (made + program.credit.len());
        let threads = if work < WORTH_A_THREAD { 1 } else { rayon::current_num_threads().min(tiles.len()) };
        let pass = |first, tiles, spare| {
            block::dispatch(arch, Pass { program, carries: *carries, advance, tiles, first, spare });
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

    /// Writes the influence it holds, or takes it back; what was planned must have been carried out.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.columns.archive(archive)?;
        archive.field("panel.earned", &mut self.earned)?;
        archive.field("panel.held", &mut self.held)?;
        archive.list("panel.line", &mut self.line)?;
        if self.held > self.rows.len() || self.line.iter().any(|&l| l != NOWHERE && l as usize >= self.held) {
            return Err(Error::State { field: "panel.line", found: format!("lines beyond {}", self.held) });
        }
        for tile in &mut self.tiles[..self.columns.tiles()] {
            for block in tile.blocks[..self.held].iter_mut().chain([&mut tile.gradient]) {
                let mut values = block.0.to_vec();
                archive.list("panel.tile", &mut values)?;
                block.0.copy_from_slice(&values);
            }
        }
        Ok(())
    }

    /// Numbers in use: S or Y, and the gathered gradient.
    pub fn numbers(&self) -> usize {
        self.held() + self.columns.all()
    }
}
