//! The influence of the parameters of one layer.

use super::column_map::ColumnMap;
use super::execute::TilePass;
use super::program::{NOWHERE, PreviousStep, Program};
use super::row_map::RowMap;
use super::tile::{self, COLUMNS, Tile, TileLanes};
use super::work_queue::{self, TileQueue};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::sparse::lanes;
use crate::wiring::Wiring;
use std::sync::Mutex;

/// MACs of a step from which several threads are used.
const WORTH_A_THREAD: usize = 3_000_000;

/// The influence of the parameters of one layer on the rows that they can reach.
pub struct Panel<T> {
    /// The map between rows and slots.
    pub(super) rows: RowMap,
    /// Reached rows whose emission is read at the next step, ascending.
    pub(super) sources_next: Vec<usize>,
    /// Reached rows that read emissions of the same step, ascending.
    pub(super) coupled_rows: Vec<usize>,
    /// The map between parameters and columns.
    pub(super) columns: ColumnMap,
    /// `[rows]`, the column of each row's threshold, or `NOWHERE`.
    pub(super) theta: Vec<u32>,
    /// `[rows]`, `theta` before columns are sorted.
    first_theta: Vec<u32>,
    /// `[rows]`, the parameter of each row's threshold, or `NOWHERE`.
    pub(super) thresholds: Vec<u32>,
    /// Whether any reached row carries. If so, slots hold S, and rows of Y are copied before they
    /// are read. Otherwise the next step does not read S: slots hold Y, and a step writes a new
    /// tile.
    pub(super) carries: bool,
    /// `[reached rows + 1]`, scratch: rows that may get a slot.
    pub(super) candidates: Vec<u32>,
    /// `[rows]`, the index of a row's previous Y among the sources of the program, or `NOWHERE`.
    pub(super) source_slot: Vec<u32>,
    /// `[tiles]`. A thread locks the tile that it processes.
    pub(super) tiles: Vec<Mutex<Tile<T>>>,
    /// `[columns]`, scratch: one slot of all tiles.
    pub(super) strip: Vec<T>,
    /// `[threads][reached rows][128]`, scratch tiles.
    spare: Vec<Vec<TileLanes<T>>>,
    /// `[threads]`
    queues: Vec<TileQueue>,
    /// Whether the last step was large enough for several threads.
    pub(super) is_large: bool,
    /// The program of the last step.
    pub(super) program: Program<T>,
    /// Whether the gradient in the tiles may be nonzero.
    pub(super) has_gradient: bool,
    /// Whether the last step processed the tiles backwards.
    backwards: bool,
}

impl<T: Real> Panel<T> {
    /// Creates a panel without influence.
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
        let tiles = columns.all().div_ceil(COLUMNS);
        let updates = rows.len();
        Self {
            sources_next: reached.iter().copied().filter(feeds).collect(),
            coupled_rows: reached.iter().copied().filter(reads).collect(),
            first_theta: theta.clone(),
            thresholds: (0..n).map(|row| wiring.threshold(row).map_or(NOWHERE, |at| at as u32)).collect(),
            theta,
            carries: rows.iter().any(|row| row.1),
            candidates: vec![0; rows.len() + 1],
            source_slot: vec![NOWHERE; n],
            tiles: (0..tiles).map(|_| Mutex::new(Tile::new(updates))).collect(),
            strip: vec![T::zero(); columns.all()],
            spare: vec![vec![TileLanes::zero(); updates]],
            queues: Vec::new(),
            is_large: false,
            program: Program::new(n, form, &columns, tiles),
            columns,
            rows: RowMap::new(rows, n),
            has_gradient: false,
            backwards: false,
        }
    }

    /// Removes all influence. No step may be pending, and the gradient must have been drained.
    pub fn reset(&mut self) {
        self.columns.reset();
        self.theta.copy_from_slice(&self.first_theta);
        self.rows.reset();
    }

    /// Returns whether Y of a row with these e and Ē may be nonzero.
    #[inline(always)]
    pub(super) fn is_live(&self, row: usize, e: T, e_bar: T) -> bool {
        self.rows.is_stored(row) && (e != T::zero() || (e_bar != T::zero() && self.theta[row] != NOWHERE))
    }

    /// Returns whether Y of a row may be nonzero at the previous step.
    #[inline(always)]
    pub(super) fn was_live(&self, row: usize, last: &PreviousStep<T>) -> bool {
        if !last.activity {
            return self.rows.is_stored(row);
        }
        self.is_live(row, last.e[row], last.e_bar[row])
    }

    /// Executes the planned step, if `advance`, and its credit. Large steps use several threads.
    /// The result does not depend on their number.
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

    /// Adds the gathered gradient to `gradient` (`[p]`, in the order of parameters) and sets it to
    /// zero. Returns whether there was a gradient.
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

    /// Writes the influence to an archive, or restores it. No step may be pending.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.columns.archive(archive)?;
        if archive.reads() {
            // Tiles beyond the saved tiles may hold influence and gradient.
            for tile in self.tiles.iter_mut().map(tile::own) {
                tile.blocks.fill(TileLanes::zero());
                tile.gradient = TileLanes::zero();
            }
            self.theta.copy_from_slice(&self.first_theta);
            if self.columns.any_sorted() && !self.follow_thresholds() {
                let found = "thresholds without a column".into();
                return Err(Error::State { field: "columns.sorted", found });
            }
        }
        archive.field("panel.has_gradient", &mut self.has_gradient)?;
        let slots = self.rows.archive(archive)?;
        for tile in self.tiles[..self.columns.tiles()].iter_mut().map(tile::own) {
            lanes::archive(archive, "panel.tile", &mut tile.blocks[..slots])?;
            lanes::archive(archive, "panel.gradient", std::slice::from_mut(&mut tile.gradient))?;
        }
        Ok(())
    }
}
