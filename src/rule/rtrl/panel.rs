//! The influence of one layer's parameters on every row they can reach.

use super::column_map::ColumnMap;
use super::execute::TilePass;
use super::program::{NOWHERE, PreviousStep, Program};
use super::tile::{self, COLUMNS, Tile, TileLanes};
use super::work_queue::{self, TileQueue};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes;
use crate::wiring::Wiring;
use std::sync::Mutex;

/// MACs of a step from which on a second thread pays.
const WORTH_A_THREAD: usize = 3_000_000;

/// The influence of one layer's parameters on the rows they can reach: columns, slots and tiles.
///
/// Invariants: row r of S (or Y) lies in slot `slot[r]` of every tile, or is zero in all columns if `slot[r] = NOWHERE`; `held` are the rows with a
/// slot, ascending; rows that carry have the slots `0..carried`, in order; no two rows have one slot.
pub struct Panel<T> {
    /// The rows that the parameters can reach, ascending, and whether they carry.
    pub(super) rows: Vec<(usize, bool)>,
    /// Rows whose emission is read at the next step, and rows that read an emission of the same step.
    pub(super) sources_next: Vec<usize>,
    pub(super) coupled_rows: Vec<usize>,
    pub(super) columns: ColumnMap,
    /// The column of each row's threshold or NOWHERE [rows]; and its position at first, within the group of the constant source.
    pub(super) theta: Vec<u32>,
    first_theta: Vec<u32>,
    /// The parameter of each of these columns. [rows]
    pub(super) thresholds: Vec<u32>,
    /// Whether any row carries. Then slots hold S, and Y is copied where it is read. If none does, S is not needed at the next step:
    /// slots hold Y, and a step writes a new tile from the old one.
    pub(super) carries: bool,
    /// The slot of each row, or NOWHERE. [rows]
    pub(super) slot: Vec<u32>,
    pub(super) carried: usize,
    /// The rows that have a slot, ascending.
    pub(super) held: Vec<u32>,
    /// Room for the rows that may be stored. [rows + 1]
    pub(super) candidates: Vec<u32>,
    /// The index of the row's previous Y among the sources of the step, or NOWHERE. [rows]
    pub(super) source_slot: Vec<u32>,
    /// [tiles], locked where threads share them.
    pub(super) tiles: Vec<Mutex<Tile<T>>>,
    /// Room for one slot of all tiles. [p]
    pub(super) strip: Vec<T>,
    /// Scratch tiles and queues, one per thread.
    spare: Vec<Vec<TileLanes<T>>>,
    queues: Vec<TileQueue>,
    /// Whether the last step was worth a thread.
    pub(super) is_large: bool,
    pub(super) program: Program<T>,
    /// Whether tiles hold any gradient.
    pub(super) has_gradient: bool,
    backwards: bool,
}

impl<T: Real> Panel<T> {
    /// Room for the influence of a layer's parameters.
    pub fn new(wiring: &Wiring, form: &Form<T>, layer: usize) -> Self {
        let n = wiring.rows();
        let of_layer = (0..wiring.pre_rows().len()).filter(|&pre| wiring.layer_of(pre) == layer);
        let reached = form.reach(of_layer, usize::MAX);
        let columns = ColumnMap::new(wiring, form, layer);
        let theta_of = |row| {
            let own = |&parameter: &usize| Some(parameter) == wiring.threshold(row);
            columns.parameters(0).iter().position(own).map_or(NOWHERE, |column| column as u32)
        };
        let theta: Vec<u32> = (0..n).map(theta_of).collect();
        let rows: Vec<_> = reached.iter().map(|&row| (row, wiring.carries(row))).collect();
        let feeds = |l: &usize| form.previous.col(*l).len() > 0;
        let reads = |i: &usize| form.current.row(*i).len() > 0;
        let mut slot = vec![NOWHERE; n];
        let carried = rows.iter().filter(|row| row.1).enumerate();
        let carried = carried.map(|(k, row)| slot[row.0] = k as u32).count();
        let tiles = columns.all().div_ceil(COLUMNS);
        let updates = rows.len();
        Self {
            sources_next: reached.iter().copied().filter(feeds).collect(),
            coupled_rows: reached.iter().copied().filter(reads).collect(),
            first_theta: theta.clone(),
            thresholds: (0..n).map(|row| wiring.threshold(row).map_or(NOWHERE, |at| at as u32)).collect(),
            theta,
            carries: carried > 0,
            slot,
            carried,
            held: Vec::with_capacity(rows.len()),
            candidates: vec![0; rows.len() + 1],
            source_slot: vec![NOWHERE; n],
            tiles: (0..tiles).map(|_| Mutex::new(Tile::new(updates))).collect(),
            strip: vec![T::zero(); columns.all()],
            spare: vec![vec![TileLanes::zero(); updates]],
            queues: Vec::new(),
            is_large: false,
            program: Program::new(n, form, &columns, tiles),
            columns,
            rows,
            has_gradient: false,
            backwards: false,
        }
    }

    /// Removes all influence. Nothing may be pending, and the gradient must have been drained.
    pub fn reset(&mut self) {
        self.columns.reset();
        self.theta.copy_from_slice(&self.first_theta);
        self.release();
        self.held.clear();
    }

    /// Frees the slots of rows without carry.
    pub(super) fn release(&mut self) {
        if !self.carries {
            return self.slot.fill(NOWHERE);
        }
        for &row in &self.held {
            let slot = &mut self.slot[row as usize];
            // Slots of rows with carry come first.
            if *slot as usize >= self.carried {
                *slot = NOWHERE;
            }
        }
    }

    /// Whether Y of a row can be nonzero, given its e and Ē.
    #[inline(always)]
    pub(super) fn is_live(&self, row: usize, e: T, e_bar: T) -> bool {
        self.slot[row] != NOWHERE && (e != T::zero() || (e_bar != T::zero() && self.theta[row] != NOWHERE))
    }

    #[inline(always)]
    pub(super) fn was_live(&self, row: usize, last: &PreviousStep<T>) -> bool {
        match last.activity {
            true => self.is_live(row, last.e[row], last.e_bar[row]),
            false => self.slot[row] != NOWHERE,
        }
    }

    /// Executes the step, if `advance`, and its credit, on several threads where that pays. The result does not depend on their number.
    pub fn run(&mut self, arch: pulp::Arch, advance: bool) {
        self.backwards ^= advance;
        let Self { program, columns, tiles, spare, queues, carries, backwards, .. } = self;
        let (carries, backwards) = (*carries, *backwards);
        let tiles = &mut tiles[..columns.tiles()];
        let rows = if advance { program.rows() } else { 0 } + program.credit.len();
        self.is_large = tiles.len() * COLUMNS * rows >= WORTH_A_THREAD;
        let threads = if self.is_large { rayon::current_num_threads().min(tiles.len()) } else { 1 };
        let tiles = &*tiles;
        let pass = |numbers: &mut dyn Iterator<Item = usize>, spare: &mut Vec<TileLanes<T>>| {
            let sources = columns.spans().sources();
            lanes::dispatch(arch, TilePass { program, sources, carries, advance, tiles, numbers, spare });
        };
        if threads == 1 {
            match backwards {
                true => pass(&mut (0..tiles.len()).rev(), &mut spare[0]),
                false => pass(&mut (0..tiles.len()), &mut spare[0]),
            }
        } else {
            let room = spare[0].len();
            spare.resize_with(threads.max(spare.len()), || vec![TileLanes::zero(); room]);
            queues.resize_with(threads, TileQueue::default);
            for (k, queue) in queues.iter_mut().enumerate() {
                queue.set(tiles.len() * k / threads..tiles.len() * (k + 1) / threads);
            }
            let queues = &queues[..];
            work_queue::side_by_side(&mut spare[..threads], 0, &|own, spare: &mut Vec<_>| {
                pass(&mut work_queue::tiles(queues, own, backwards), spare);
            });
        }
        self.has_gradient |= !(self.program.credit.is_empty() && self.program.credit_points.is_empty());
        for (_, slot) in self.program.credit.drain(..) {
            self.program.credit_of[slot as usize] = T::zero();
        }
        self.program.credit_points.clear();
    }

    /// Adds the gathered gradient to `gradient`, in the order of parameters, and clears it. Returns whether there was any.
    pub fn drain_into(&mut self, gradient: &mut [T]) -> bool {
        if !std::mem::take(&mut self.has_gradient) {
            return false;
        }
        let tiles = &mut self.tiles[..self.columns.tiles()];
        if self.columns.are_sorted() {
            for run in self.columns.runs() {
                let columns = run.source();
                let own = &tile::own(&mut tiles[columns.start / COLUMNS]).gradient.0;
                let own = &own[columns.start % COLUMNS..][..columns.len()];
                let to = gradient[run.destination()].iter_mut();
                to.zip(own).for_each(|(to, &sum)| *to = (*to + sum).normal());
            }
        } else {
            for (tile, parameters) in tiles.iter_mut().map(tile::own).zip(self.columns.active()) {
                for (&parameter, &sum) in parameters.iter().zip(&tile.gradient.0) {
                    let to = &mut gradient[parameter as usize];
                    *to = (*to + sum).normal();
                }
            }
        }
        tiles.iter_mut().map(tile::own).for_each(|tile| tile.gradient = TileLanes::zero());
        true
    }

    /// Saves or restores the influence. Nothing may be pending.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.columns.archive(archive)?;
        if archive.reads() {
            // A rule that has been used may hold influence and gradient in tiles beyond the saved ones.
            for tile in self.tiles.iter_mut().map(tile::own) {
                tile.blocks.fill(TileLanes::zero());
                tile.gradient = TileLanes::zero();
            }
            self.theta.copy_from_slice(&self.first_theta);
            if self.columns.any_sorted() && !self.follow_thresholds() {
                let found = "thresholds without a column".into();
                return Err(Error::State { field: "columns.arranged", found });
            }
        }
        archive.field("panel.earned", &mut self.has_gradient)?;
        archive.field("panel.held", &mut self.held)?;
        archive.list("panel.line", &mut self.slot)?;
        let taken = self.slot.iter().filter(|slot| **slot != NOWHERE);
        let updates = taken.max().map_or(0, |&last| last as usize + 1);
        if !self.has_sound_lines() {
            return Err(Error::State { field: "panel.line", found: "lines of other rows".into() });
        }
        self.held.reserve(self.rows.len().saturating_sub(self.held.len()));
        for tile in self.tiles[..self.columns.tiles()].iter_mut().map(tile::own) {
            lanes::archive(archive, "panel.tile", &mut tile.blocks[..updates])?;
            lanes::archive(archive, "panel.gradient", std::slice::from_mut(&mut tile.gradient))?;
        }
        Ok(())
    }

    /// Whether slots satisfy the invariants of [`Panel`].
    fn has_sound_lines(&self) -> bool {
        let mut carrying = self.rows.iter().filter(|row| row.1).enumerate();
        let mut free = vec![true; self.rows.len()];
        let mut owned = self.rows.iter().map(|&(row, carries)| {
            let slot = self.slot[row];
            slot == NOWHERE
                || free.get_mut(slot as usize).is_some_and(std::mem::take)
                    && (carries || self.held.binary_search(&(row as u32)).is_ok())
        });
        let known = |row: &u32| self.slot.get(*row as usize).is_some_and(|slot| *slot != NOWHERE);
        let reached = self.slot.iter().filter(|slot| **slot != NOWHERE).count();
        self.held.is_sorted_by(|a, b| a < b)
            && self.held.iter().all(known)
            && owned.all(|own| own)
            && reached == free.iter().filter(|free| !**free).count()
            && carrying.all(|(k, row)| self.slot[row.0] as usize == k)
    }
}
