//! Exact RTRL ([`Rtrl`]). Each step is planned once (which rows are stored, which terms they sum)
//! and then executed for each tile of columns.

mod column_map;
mod count;
mod execute;
mod immediate;
mod panel;
mod program;
mod row_map;
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

/// Exact RTRL for one stream. It skips pruned parameters and all zero rows, columns and terms.
///
/// # Equation
///
/// `S_t = diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t`,  `Y_t = diag(e) S_t + Ē_t`,
/// `g += Y_tᵀ c̄_t`
///
/// (RTRL paper, equations 3, 4 and 8 to 10; B couples rows of one step).
///
/// # Symbols
///
/// p is the number of kept parameters.
///
/// | symbol | shape | meaning |
/// |---|---|---|
/// | S, Y | rows × p | influence matrices `∂c/∂w` and `∂y/∂w` |
/// | d, e | rows | carry and emission derivative |
/// | A, B | rows × rows, sparse | couplings to the previous and within the current step |
/// | M̄ | rows × p | immediate influence |
/// | Ē | rows × p, at most one entry per row | immediate influence of thresholds |
/// | c̄ | output rows | credit `∂L/∂y` |
/// | g | p | gradient |
///
/// # What is skipped
///
/// | zero | skipped |
/// |---|---|
/// | pruned parameter | its column of S and its terms in A (ω̃²) |
/// | row of Y with `e = 0` and `Ē = 0` | source in `A Y`, `B Y` and g (factor β̃) |
/// | row of S without carry and with `e = 0` | also destination and storage (factor β̃²) |
/// | inactive column | in every row, in g and in storage |
/// | zero entry of A, B or φ | its product |
///
/// The factor β̃² applies to the event RNN and to the gated activities of an EGRU. Rows of S with
/// carry, such as the units of an EGRU, are always stored, since `(1 − u) S_{t−1}` is nonzero. In a
/// stack, parameters of an upper layer cannot influence a lower layer. The parameters of each layer
/// therefore have their own panel, over the rows that they can reach.
///
/// # Cost
///
/// There are `k` active columns (`k⁻` before the step) and `l` live sources. MACs per step:
///
/// - `l k⁻` for Y and `k⁻` per row for the carry, if any row carries
/// - `k⁻` per entry of A with a live source
/// - `k` per entry of B with a live source
/// - 1 per entry of M̄ in an active column whose source is nonzero
///
/// MACs per credit: `k` per live output row with nonzero credit.
///
/// # Exactness
///
/// [`Claim::Exact`]. Skips change the number of MACs and not the result.
///
/// # Implementation
///
/// *Tiles.* Columns of S do not interact. S is stored in tiles of 128 columns; a tile holds all
/// rows of its columns. A planned step is executed for one tile after another, gradient included,
/// while the tile is in the first-level cache. Tiles are processed forwards and backwards at
/// alternate steps, so that the last tiles of a step are still in the caches at the next step.
///
/// *Columns* are grouped by source. A group is allocated when its source is first nonzero, so that
/// the active columns are a prefix `0..len`. If no group has been allocated for 256 steps, the
/// active columns are sorted in the order of parameters. The gradient, and the entries of S that M̄
/// of a row is added to, are then contiguous.
///
/// *Deferred execution.* [`observe`](Rule::observe) plans the step. The step is executed together
/// with its credit, or when its result is needed: at the next step, a drain, a reset, a call of
/// [`influence`](Rule::influence) or an archive.
///
/// *Storage.* If rows carry, tiles store S, and the live rows of Y that are read are copied before
/// they are overwritten. If no row carries, tiles store Y, and a new tile is written beside the old
/// tile. Memory for all rows is reserved at construction. Later, only the scratch tile of an
/// additional thread is allocated.
///
/// *Threads.* Each thread processes a range of tiles, and then tiles that other threads have not
/// processed. The result does not depend on the number of threads.
///
/// *Inner rows.* The gated activities of an EGRU with the reset gate before the product are inner
/// rows. They are stored or folded into the rows that read them, whichever is cheaper for the mask.
pub struct Rtrl<T> {
    wiring: Arc<Wiring>,
    form: Form<T>,
    /// The vector instructions of this machine.
    arch: pulp::Arch,
    /// `[layers]`
    panels: Vec<Panel<T>>,
    /// e and Ē of the last observed step.
    last: PreviousStep<T>,
    /// Whether the last step is planned and not executed.
    pending: bool,
    /// `[p]`, the gradient from before the last reset; zero unless `gathered`.
    gradient: Vec<T>,
    /// Whether `gradient` may be nonzero.
    gathered: bool,
}

impl<T: Real> Rtrl<T> {
    /// Creates a rule for one stream. Without `activity`, every row is stored, every column is
    /// active from the first step, and every product is computed.
    pub fn new(wiring: Arc<Wiring>, activity: bool) -> Self {
        let form = Form::choose(&wiring);
        Self::with_form(wiring, form, activity)
    }

    /// Creates a rule whose inner rows are folded (`folding`) or stored, for a comparison of both
    /// forms.
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

    /// Executes the pending step, if any, and pending credit.
    fn run(&mut self) {
        let advance = std::mem::take(&mut self.pending);
        self.panels.iter_mut().for_each(|panel| panel.run(self.arch, advance));
    }

    /// Executes the pending step, if any.
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
        // The empty task starts a second thread before it is needed.
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
        assert_eq!(gradient.len(), self.gradient.len(), "the gradient must have p entries");
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
