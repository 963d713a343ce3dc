//! Exact RTRL that skips (RTRL paper, sections 4 and 5):
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
//! The rows of S of a unit *with* carry, an EGRU's, never vanish: `(1 − u) S_{t-1}` keeps them alive. The paper's β̃² is the
//! event RNN's.
//!
//! In a stack, parameters of an upper layer cannot influence a lower one: each layer's parameters have a
//! [panel](super::panel) of their own, over the rows they can reach.
//!
//! # Storage
//!
//! Columns never interact. So S is stored tile by tile: the blocks of 128 columns of all rows lie together, and a step is made into a
//! program first (which lines there are, and what they are made of), which is then carried through one tile after another, the
//! gradient with it, while the tile is in the first-level cache; by several threads where that is worth while. Columns are grouped by
//! the source their parameter reads, and a group gets its place when its source first speaks: the columns that can be nonzero are
//! always a prefix `0..len`, and no tile beyond it is looked at. Once none has woken in long, those that are awake are put in the order of
//! parameters (`arrange.rs`), in which the parameters of a row, and the gradient, are neighbours. `A Y` reads rows that are being overwritten: where rows carry, the
//! live rows of Y that something reads are copied out of the tile first; where none does, lines hold Y, and the new tile is made beside
//! the old one, its credit given while a line is still in registers. Steps walk through the tiles in turns forwards and backwards, so
//! that what one leaves in the caches, the next finds there. Room is reserved for all rows; nothing is allocated after construction, but
//! for the spare tile of a thread that takes part for the first time.
//!
//! A step is carried out when its credit comes, or before anything else needs it.
//!
//! # Threads
//!
//! Every thread has a stretch of tiles of its own, and whoever is done helps the others (`share.rs`). A thread that sleeps takes longer
//! to wake than a step of a mid-sized network takes: where the last step was worth a thread, it is called before the next is planned.
//!
//! # Inner rows
//!
//! The gated activities of an EGRU with the reset gate before the product are rows within a step. They are held, or folded
//! into the rows that read them, whichever is cheaper for the mask: see `rule/form.rs`.
//!
//! # Cost
//!
//! In MACs a step, with `k` columns awake (`k⁻` before this step) and `l` live sources: `l k⁻` for Y and `k⁻` a row for the carry,
//! if any row carries; `k⁻` for every entry of A with a live source, `k` for every entry of B with one, and one for every awake
//! entry of M̄ whose source is not silent. A credit costs `k` for every live output row with credit.

mod arrange;
mod columns;
mod count;
mod immediate;
mod panel;
mod pass;
mod plan;
mod program;
mod share;
mod tile;

use super::recursion::Form;
use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use count::Count;
use panel::Panel;
use plan::Now;
use program::Last;
use std::sync::Arc;

/// Exact RTRL over kept parameters, skipping what is zero.
pub struct Rtrl<T> {
    wiring: Arc<Wiring>,
    form: Form<T>,
    /// The widest vectors this machine has; loops called through it are compiled for them.
    arch: pulp::Arch,
    panels: Vec<Panel<T>>,
    last: Last<T>,
    /// Whether the last step is planned but not made yet.
    planned: bool,
    /// Gradient that was gathered before the last reset, in the order of parameters, if there is any.
    gradient: Vec<T>,
    gathered: bool,
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
        let panels = (0..wiring.layers()).map(|layer| Panel::new(&wiring, &form, layer)).collect();
        let mut rule = Self {
            panels,
            last: Last::new(wiring.rows(), activity),
            planned: false,
            gradient: vec![T::zero(); wiring.parameters()],
            gathered: false,
            form,
            arch: pulp::Arch::new(),
            wiring,
        };
        rule.reset();
        rule
    }

    /// Carries out what is planned: the step, and credit for it.
    fn run(&mut self) {
        let advance = std::mem::take(&mut self.planned);
        self.panels.iter_mut().for_each(|panel| panel.run(self.arch, advance));
    }

    fn make_step(&mut self) {
        if self.planned {
            self.run();
        }
    }
}

impl<T: Real> Rule<T> for Rtrl<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.make_step();
        for panel in &mut self.panels {
            self.gathered |= panel.settle(&mut self.gradient);
            panel.reset();
        }
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        self.make_step();
        let large = self.panels.iter().any(|panel| panel.is_large);
        let Self { form, panels, last, .. } = self;
        let mut plan = || {
            macs.coupling += form.evaluate(step, last.activity);
            let now = Now { step, values: form.values(step) };
            for panel in panels.iter_mut() {
                let (all, recurrent) = panel.plan(form, last, now);
                macs.influence += all;
                macs.recurrent += recurrent;
            }
        };
        // A thread that is called now is awake when there is work for it.
        if large && rayon::current_thread_index().is_some() && rayon::current_num_threads() > 1 {
            rayon::join(plan, || ());
        } else {
            plan();
        }
        self.last.follow(step);
        self.planned = true;
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        for panel in &mut self.panels {
            macs.gradient += panel.plan_credit(&self.last, outputs.clone(), credit);
        }
        self.run();
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        self.make_step();
        if std::mem::take(&mut self.gathered) {
            super::drain_into(&mut self.gradient, gradient);
        }
        assert_eq!(
            gradient.len(),
            self.gradient.len(),
            "the gradient must have as many entries as were gathered"
        );
        for panel in &mut self.panels {
            panel.settle(gradient);
        }
    }

    fn influence(&mut self) -> Option<Influence> {
        self.make_step();
        let mut total = Influence::default();
        for panel in &mut self.panels {
            total.held += panel.held();
            let count = Count { panel, last: &self.last, units: self.wiring.units() };
            let (all, recurrent) = self.arch.dispatch(count);
            total.nonzero += all;
            total.recurrent += recurrent;
        }
        Some(total)
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.make_step();
        archive.list("rtrl.e", &mut self.last.e)?;
        archive.list("rtrl.e_bar", &mut self.last.e_bar)?;
        archive.field("rtrl.gathered", &mut self.gathered)?;
        archive.list("rtrl.gradient", &mut self.gradient)?;
        self.panels.iter_mut().try_for_each(|panel| panel.archive(archive))
    }

    fn bytes(&self) -> usize {
        let panels: usize = self.panels.iter().map(Panel::numbers).sum();
        (panels + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
