//! Exact RTRL. [`Rtrl`] has the equations. A step is *planned* once (which rows have storage, and which terms they sum) and carried out later,
//! for one tile of columns after another.

mod column_map;
mod count;
mod execute;
mod immediate;
mod panel;
mod program;
mod sort;
mod spans;
mod symbolic;
mod tile;
mod work_queue;

use super::recursion::Form;
use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::scalar::Real;
use crate::wiring::{Step, Wiring};
use count::NonzeroCount;
use panel::Panel;
use program::PreviousStep;
use std::sync::Arc;
use symbolic::CurrentStep;

/// Exact RTRL over kept parameters that skips every zero row, column and term.
///
/// # Equation
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,  `g += Y_tᵀ c̄_t`
///
/// (RTRL paper, equations 3, 4 and 8 to 10; B couples rows of one step).
///
/// # Symbols
///
/// S = ∂c/∂w and Y = ∂y/∂w, rows × p; d carry, e emission derivative, Ē threshold influence, one per row; A, B sparse, rows × rows; M̄ immediate influence,
/// rows × p; c̄ = ∂L/∂y credit, one per output row; g gradient, p. p counts kept parameters.
///
/// # What is skipped
///
/// | zero | skipped |
/// |---|---|
/// | a pruned parameter | its column of S, its terms in A: neither is stored (ω̃²) |
/// | a row of Y with `e = 0` and `Ē = 0` | as a source in `A Y`, `B Y` and g (β̃ in the first power) |
/// | a row of S without carry and with `e = 0` | also as a destination, and in storage (β̃²: the event RNN, and the gated activities of an EGRU) |
/// | a column whose source has been zero since the reset | in every row, in g and in storage |
/// | a zero entry of A, B or φ | its product |
///
/// Rows of S with carry, those of an EGRU, never vanish: `(1 − u) S_{t−1}` remains. The paper's β̃² is that of the event RNN. In a stack, parameters of
/// an upper layer cannot influence a lower one: each layer's parameters have their own panel, over the rows they can reach.
///
/// # Cost
///
/// In MACs per step, with `k` active columns (`k⁻` before the step) and `l` live sources: `l k⁻` for Y and `k⁻` per row for the carry, if
/// any row carries; `k⁻` for every entry of A with a live source; `k` for every entry of B with a live source; one for every entry of M̄ in an active column whose
/// source is nonzero. A credit costs `k` for every live output row with credit.
///
/// # Exactness
///
/// Exact ([`Claim::Exact`]). Skips change the work and not the result.
///
/// # Implementation
///
/// *Tiles.* Columns of S never interact. S is stored in tiles of 128 columns: a tile holds the lanes of all rows for its columns. A step is planned once and
/// then carried through one tile after another, gradient included, while the tile is in the first-level cache. Tiles are processed forwards and backwards in turn,
/// so that the most recent ones are still in the caches.
///
/// *Columns* are grouped by the source that their parameter reads. A group is allocated when its source is first nonzero, so that the active columns are a prefix
/// `0..len`. When no group has been allocated for 256 steps, the active columns are sorted in the order of parameters. Then the entries that a row's M̄
/// adds to, and the gradient, are contiguous.
///
/// *Deferred execution.* [`observe`](Rule::observe) only plans the step. It is carried out with its credit in the same pass, or before anything else needs
/// its result (the next step, a drain, a reset, [`influence`](Rule::influence), an archive).
///
/// *Storage.* If rows carry, storage holds S, and live rows of Y that are read are copied before they are overwritten. If no row carries, storage holds Y, and a new
/// tile is written beside the old one. Room is reserved for all rows. Nothing is allocated after construction, except the scratch tile of a thread that takes part for the
/// first time.
///
/// *Threads.* Each thread has a range of tiles and then helps others. The result does not depend on their number.
///
/// *Inner rows.* The gated activities of an EGRU with the reset gate before the product are rows within a step. They are stored, or folded into the rows that
/// read them, whichever is cheaper for the mask.
pub struct Rtrl<T> {
    wiring: Arc<Wiring>,
    form: Form<T>,
    /// Dispatches loops to the widest vectors of this machine.
    arch: pulp::Arch,
    panels: Vec<Panel<T>>,
    last: PreviousStep<T>,
    /// Whether the last step is planned and not executed yet.
    pending: bool,
    /// Gradient from before the last reset, in the order of parameters, if `gathered`. [p]
    gradient: Vec<T>,
    gathered: bool,
}

impl<T: Real> Rtrl<T> {
    /// A rule for one stream over `wiring`. Without `activity`, every row is stored, every column is active from the start, and every
    /// product is computed.
    pub fn new(wiring: Arc<Wiring>, activity: bool) -> Self {
        let form = Form::choose(&wiring);
        Self::with_form(wiring, form, activity)
    }

    /// [`new`](Self::new) with the inner rows folded or stored, for comparing the two.
    pub fn with_folding(wiring: Arc<Wiring>, folding: bool, activity: bool) -> Self {
        let form = if folding { Form::folded(&wiring) } else { Form::held(&wiring) };
        Self::with_form(wiring, form, activity)
    }

    fn with_form(wiring: Arc<Wiring>, form: Form<T>, activity: bool) -> Self {
        let panels = (0..wiring.layers()).map(|layer| Panel::new(&wiring, &form, layer)).collect();
        let mut rule = Self {
            panels,
            last: PreviousStep::new(wiring.rows(), activity),
            pending: false,
            gradient: vec![T::zero(); wiring.parameters()],
            gathered: false,
            form,
            arch: pulp::Arch::new(),
            wiring,
        };
        rule.reset();
        rule
    }

    /// Executes what is pending: the step, and its credit.
    fn run(&mut self) {
        let advance = std::mem::take(&mut self.pending);
        self.panels.iter_mut().for_each(|panel| panel.run(self.arch, advance));
    }

    fn finish_pending(&mut self) {
        if self.pending {
            self.run();
        }
    }
}

impl<T: Real> Rule<T> for Rtrl<T> {
    fn claim(&self) -> Claim {
        Claim::Exact
    }

    fn reset(&mut self) {
        self.finish_pending();
        for panel in &mut self.panels {
            self.gathered |= panel.drain_into(&mut self.gradient);
            panel.reset();
        }
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        self.finish_pending();
        let large = self.panels.iter().any(|panel| panel.is_large);
        let Self { form, panels, last, .. } = self;
        let mut plan = || {
            macs.coupling += form.evaluate(step, last.activity);
            let now = CurrentStep { step, values: form.values(step) };
            for panel in panels.iter_mut() {
                let (all, recurrent) = panel.plan(form, last, now);
                macs.influence += all;
                macs.recurrent += recurrent;
            }
        };
        // A thread that is woken now is ready when there is work for it.
        if large && rayon::current_thread_index().is_some() && rayon::current_num_threads() > 1 {
            rayon::join(plan, || ());
        } else {
            plan();
        }
        self.last.update(step);
        self.pending = true;
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
        self.finish_pending();
        if std::mem::take(&mut self.gathered) {
            super::drain_into(&mut self.gradient, gradient);
        }
        assert_eq!(
            gradient.len(),
            self.gradient.len(),
            "the gradient must have as many entries as were gathered"
        );
        for panel in &mut self.panels {
            panel.drain_into(gradient);
        }
    }

    fn influence(&mut self) -> Option<Influence> {
        self.finish_pending();
        let mut total = Influence::default();
        for panel in &mut self.panels {
            total.held += panel.held();
            let count = NonzeroCount { panel, last: &self.last, units: self.wiring.units() };
            let (all, recurrent) = self.arch.dispatch(count);
            total.nonzero += all;
            total.recurrent += recurrent;
        }
        Some(total)
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        self.finish_pending();
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
