//! The recursion of RTRL on a fixed pattern: SnAp-n, RFLO and e-prop.
//!
//! Whether an entry of S can become nonzero depends on its row and on the pre-activation that its parameter feeds, not on
//! the source that the parameter reads. So the pattern consists of blocks: a row × the parameters of one pre-activation,
//! which are neighbours in the parameter buffer. Blocks of different pre-activations never interact. Inner rows are folded
//! away (`rule/recursion.rs`).

use super::recursion::Form;
use super::{Claim, Influence, Rule};
use crate::archive::Archive;
use crate::error::Result;
use crate::macs::Macs;
use crate::params::Kind;
use crate::scalar::{Real, flush};
use crate::sparse::kernel;
use crate::wiring::{Step, Wiring};
use std::sync::Arc;

/// The approximation that [`PatternRtrl`] computes: which entries of S are kept (the pattern P), and which couplings A′.
///
/// The three approximations differ in the paths along which influence is followed from step to step:
///
/// - SnAp-n keeps the full coupling A and restricts *where* influence is stored;
/// - e-prop drops recurrent weights from A and keeps the reset of a unit by its own event;
/// - RFLO drops A altogether.
///
/// SnAp-1 keeps the diagonal of A, self-recurrent weights included; e-prop and RFLO drop these weights. e-prop and RFLO are
/// the same rule for cells without a direct coupling of a unit to itself, and for an EGRU whose event resets the threshold
/// inside the leak, since that reset is part of the carry d. For the event RNN, which has no carry, both are the gradient
/// of a single step.
///
/// Within a step, all three follow influence through B. So lower layers of a stack learn from their effect on upper layers,
/// and the reset gate before the product reaches the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// SnAp-n, the sparse n-step approximation of RTRL.
    ///
    /// # Equation
    /// `S_t = (diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t) ⊙ P_n`, where `P_1` is the pattern of M̄ after the couplings
    /// within a step, and `P_{k+1} = P_k ∪ pattern(A P_k)`: P_n keeps an entry (row, parameter) if the parameter can
    /// influence the row within n steps.
    ///
    /// # Exactness
    /// [`Claim::Pattern`]. SnAp-n is exact RTRL once P_n contains every entry that can become nonzero.
    ///
    /// # References
    /// J. Menick et al., *Practical real time recurrent learning with a sparse approximation*, ICLR 2021.
    Steps(usize),
    /// RFLO, random feedback local online learning, here with exact credit.
    ///
    /// # Equation
    /// `S_t = diag(d) S_{t−1} + B Y_t + M̄_t`.
    ///
    /// # Exactness
    /// [`Claim::Heuristic`]. Credit is the exact `∂L_t/∂y_t` of the readout instead of random feedback.
    ///
    /// # References
    /// J. M. Murray, *Local online learning in recurrent networks with random feedback*, eLife 8:e43299, 2019.
    Carry,
    /// e-prop, eligibility propagation, with symmetric feedback.
    ///
    /// # Equation
    /// `S_t = (diag(d) + R diag(e_{t−1})) S_{t−1} + R Ē_{t−1} + B Y_t + M̄_t`, where the diagonal matrix R is the direct
    /// coupling of a unit to itself: −1 for an EGRU whose event resets its output, else 0. What goes through recurrent
    /// weights is dropped.
    ///
    /// # Exactness
    /// [`Claim::Heuristic`]. Differences from the publication: the derivative of the reset is kept (e-prop for LSNNs leaves
    /// it out), credit is the exact `∂L_t/∂y_t` of the readout, and credit is not filtered.
    ///
    /// # References
    /// G. Bellec et al., *A solution to the learning dilemma for recurrent networks of spiking neurons*, Nature
    /// Communications 11:3625, 2020.
    Unit,
}

/// A path of a row's influence to itself besides the carry.
pub(super) enum Own {
    /// Entry of A at this position.
    Coupling(usize),
    /// Direct coupling of this index.
    Direct(usize),
}

/// The block of one row.
pub(super) struct RowBlock {
    pub row: usize,
    pub own: Option<Own>,
    /// Couplings (position in A or B, index of the source's block in the group); in `current`, the source's block is an
    /// earlier one.
    pub previous: Vec<(u32, u32)>,
    pub current: Vec<(u32, u32)>,
    /// Position of the gain with which M̄ enters this row, if it does.
    pub gain: Option<usize>,
    /// Whether another block of the group reads this one a step later.
    pub feeds: bool,
}

/// The blocks of one pre-activation's k parameters, by ascending row.
pub(super) struct Group {
    /// The parameters: k consecutive columns, and the source of each.
    pub columns: std::ops::Range<usize>,
    pub sources: Vec<usize>, // [k]
    /// Where the group's blocks start in S: block b occupies `s[at + b k .. at + (b + 1) k]`.
    at: usize,
    pub blocks: Vec<RowBlock>,
    /// The row whose threshold is among the parameters, as (block, column within the group).
    theta: Option<(usize, usize)>,
}

/// RTRL on a fixed pattern of S, for one stream: SnAp-n, RFLO and e-prop.
///
/// # Equation
/// `S_t = (diag(d) S_{t−1} + A′ Y_{t−1} + B Y_t + M̄_t) ⊙ P`,  `Y_t = diag(e) S_t + Ē_t`,  `g += Y_tᵀ c̄_t`,
///
/// where the pattern P and the couplings A′ that are kept are those of a [`Reach`].
///
/// # Symbols
/// As in [`Rule`]: h rows, p parameters, S and Y of shape h × p, of which only the entries of P are stored.
///
/// # What is skipped
/// Columns of A′ and B of rows with `e = 0`, and entries of M̄ whose source is zero.
///
/// # Cost
/// MACs per step for a block of k parameters: k for its carry, k for every kept coupling from a live block of the same
/// parameters, k for the Y of a block that others read, and one per parameter whose source is nonzero. k MACs per credit
/// and live output row. Memory: `|P| + p` numbers, and those of the pre-activation with the largest pattern.
///
/// # Exactness
/// [`Claim::Pattern`] for SnAp-n, [`Claim::Heuristic`] for RFLO and e-prop.
///
/// # References
/// See the variants of [`Reach`].
pub struct PatternRtrl<T> {
    reach: Reach,
    arch: pulp::Arch,
    wiring: Arc<Wiring>,
    form: Form<T>,
    groups: Vec<Group>,
    s: Vec<T>,        // [|P|]: blocks of all groups, one after another
    y: Vec<T>,        // [largest group]: Y of the step before, block by block, of the group being advanced
    live: Vec<bool>,  // [h]: rows live at the last step
    e: Vec<T>,        // [h]: e of the last step
    e_bar: Vec<T>,    // [h]: Ē of the last step
    gradient: Vec<T>, // [p]
    /// Which parameters are recurrent weights.
    recurrent: Vec<bool>, // [p]
    /// Scratch: terms (factor, block) of a linear combination.
    terms: Vec<(T, usize)>,
}

impl<T: Real> PatternRtrl<T> {
    /// A rule for one stream over `wiring`, with the pattern and couplings of `reach`.
    ///
    /// # Panics
    /// If `reach` is `Steps(0)`.
    pub fn new(wiring: Arc<Wiring>, reach: Reach) -> Self {
        assert!(reach != Reach::Steps(0), "SnAp-n needs n ≥ 1");
        let form = Form::folded(&wiring);
        let groups = groups(&wiring, &form, reach);
        let (size, widest) = groups.iter().fold((0, 0), |(size, widest), g| {
            let entries = g.blocks.len() * g.columns.len();
            (size.max(g.at + entries), widest.max(entries))
        });
        let zeros = |n: usize| vec![T::zero(); n];
        Self {
            reach,
            arch: pulp::Arch::new(),
            groups,
            s: zeros(size),
            y: zeros(widest),
            live: vec![false; wiring.rows()],
            e: zeros(wiring.rows()),
            e_bar: zeros(wiring.rows()),
            gradient: zeros(wiring.parameters()),
            recurrent: wiring.layout().of_kind(Kind::Recurrent),
            terms: Vec::with_capacity(wiring.rows()),
            form,
            wiring,
        }
    }
}

/// The blocks of a pattern, pre-activation by pre-activation.
pub(super) fn groups<T: Real>(wiring: &Wiring, form: &Form<T>, reach: Reach) -> Vec<Group> {
    let steps = if let Reach::Steps(steps) = reach { steps } else { 1 };
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    for pre in 0..wiring.pre_rows().len() {
        let parameters: Vec<_> = wiring.layout().weights().row(pre).collect();
        let Some(&(_, first)) = parameters.first() else { continue };
        let columns = first..first + parameters.len();
        let rows = form.reach(std::iter::once(pre), steps);
        let place = |row: usize| rows.binary_search(&row).ok();
        let mut blocks: Vec<RowBlock> =
            rows.iter().map(|&row| block(wiring, form, reach, pre, row, &place)).collect();
        let read: Vec<u32> = blocks.iter().flat_map(|b| b.previous.iter().map(|p| p.1)).collect();
        read.into_iter().for_each(|k| blocks[k as usize].feeds = true);
        let owner = |k: usize| wiring.threshold(rows[k]).filter(|column| columns.contains(column));
        let theta = (0..rows.len()).find_map(|k| Some((k, owner(k)? - first)));
        let sources = parameters.iter().map(|&(source, _)| source).collect();
        let size = blocks.len() * columns.len();
        groups.push(Group { columns, sources, at, blocks, theta });
        at += size;
    }
    groups
}

fn block<T: Real>(
    wiring: &Wiring,
    form: &Form<T>,
    reach: Reach,
    pre: usize,
    row: usize,
    place: &impl Fn(usize) -> Option<usize>,
) -> RowBlock {
    let all = matches!(reach, Reach::Steps(_));
    let coupled = |(l, at): (usize, usize)| place(l).map(|k| (at as u32, k as u32));
    let others = form.previous.row(row).filter(|&(l, _)| all && l != row);
    let own = match reach {
        Reach::Steps(_) => form.previous.position(row, row).map(Own::Coupling),
        Reach::Carry => None,
        Reach::Unit => wiring.direct_to_itself(row).map(Own::Direct),
    };
    RowBlock {
        row,
        own,
        previous: others.filter_map(coupled).collect(),
        current: form.current.row(row).filter_map(coupled).collect(),
        gain: form.gains.position(row, pre),
        feeds: false,
    }
}

impl<T: Real> PatternRtrl<T> {
    /// `Y_{t−1}` of the blocks that another block reads. Returns the MACs.
    #[inline(always)]
    fn previous_events(&mut self, g: usize) -> u64 {
        let group = &self.groups[g];
        let k = group.columns.len();
        let s = &self.s[group.at..][..group.blocks.len() * k];
        let mut macs = 0;
        let read = group.blocks.iter().enumerate().filter(|(_, b)| b.feeds && self.live[b.row]);
        for (b, block) in read {
            let e = self.e[block.row];
            let y = &mut self.y[b * k..][..k];
            y.iter_mut().zip(&s[b * k..]).for_each(|(y, &s)| *y = (e * s).flushed());
            if let Some((_, column)) = group.theta.filter(|theta| theta.0 == b) {
                y[column] += self.e_bar[block.row];
            }
            macs += k as u64;
        }
        macs
    }

    /// Advances one group. Returns the MACs.
    #[inline(always)]
    fn advance(&mut self, g: usize, step: &Step<T>) -> u64 {
        let mut macs = self.previous_events(g);
        let group = &self.groups[g];
        let k = group.columns.len();
        let s = &mut self.s[group.at..][..group.blocks.len() * k];
        let values = self.form.values(step);
        let was_live = &self.live;
        for (b, block) in group.blocks.iter().enumerate() {
            let row = block.row;
            let (above, rest) = s.split_at_mut(b * k);
            let s = &mut rest[..k];
            if !self.wiring.carries(row) && !step.is_live(row) {
                s.fill(T::zero());
                continue;
            }
            // The own coupling joins the carry: d S + a (e S + Ē).
            let own = block.own.as_ref().filter(|_| was_live[row]).map_or(T::zero(), |own| match own {
                Own::Coupling(at) => values.a[*at],
                Own::Direct(k) => step.direct_previous[*k],
            });
            let carry = step.d[row] + own * self.e[row];
            self.terms.clear();
            for &(at, source) in &block.previous {
                let (at, source) = (at as usize, source as usize);
                if was_live[group.blocks[source].row] && values.a[at] != T::zero() {
                    self.terms.push((values.a[at], source));
                }
            }
            macs += kernel::combine(s, carry, &self.terms, |source| &self.y[source * k..][..k]);
            if let Some((_, column)) = group.theta.filter(|theta| theta.0 == b) {
                s[column] += own * self.e_bar[row];
            }
            if let Some(at) = block.gain {
                for (s, &source) in s.iter_mut().zip(&group.sources) {
                    let phi = step.phi[source];
                    if phi != T::zero() {
                        *s += values.gain[at] * phi;
                        macs += 1;
                    }
                }
            }
            self.terms.clear();
            for &(at, source) in &block.current {
                let (at, source) = (at as usize, source as usize);
                let from = group.blocks[source].row;
                if step.is_live(from) && values.b[at] != T::zero() {
                    self.terms.push((values.b[at] * step.e[from], source));
                    if let Some((_, column)) = group.theta.filter(|theta| theta.0 == source) {
                        s[column] += values.b[at] * step.e_bar[from];
                    }
                }
            }
            macs += kernel::combine(s, T::one(), &self.terms, |source| &above[source * k..][..k]);
            flush(s);
        }
        macs
    }
}

/// The recursion of one step, compiled for the vector units of the machine.
struct Advance<'a, T> {
    blocks: &'a mut PatternRtrl<T>,
    step: &'a Step<T>,
}

impl<T: Real> pulp::WithSimd for Advance<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> u64 {
        (0..self.blocks.groups.len()).map(|g| self.blocks.advance(g, self.step)).sum()
    }
}

impl<T: Real> Rule<T> for PatternRtrl<T> {
    fn claim(&self) -> Claim {
        match self.reach {
            Reach::Steps(n) => Claim::Pattern(n),
            Reach::Carry | Reach::Unit => Claim::Heuristic,
        }
    }

    fn reset(&mut self) {
        self.s.fill(T::zero());
        self.live.fill(false);
        // The next step multiplies these by a zero S, so they must be finite.
        self.e.fill(T::zero());
        self.e_bar.fill(T::zero());
    }

    fn observe(&mut self, step: &Step<T>, macs: &mut Macs) {
        macs.coupling += self.form.evaluate(step, true);
        let arch = self.arch;
        macs.influence += arch.dispatch(Advance { blocks: self, step });
        self.e.copy_from_slice(&step.e);
        self.e_bar.copy_from_slice(&step.e_bar);
        (0..self.live.len()).for_each(|row| self.live[row] = step.is_live(row));
    }

    fn credit(&mut self, credit: &[T], macs: &mut Macs) {
        let outputs = self.wiring.outputs();
        assert_eq!(credit.len(), outputs.len(), "credit must have one entry per output row");
        for group in &self.groups {
            let k = group.columns.len();
            for (b, block) in group.blocks.iter().enumerate() {
                let row = block.row;
                if !outputs.contains(&row) || !self.live[row] {
                    continue;
                }
                let c = credit[row - outputs.start];
                let s = &self.s[group.at + b * k..][..k];
                let to = &mut self.gradient[group.columns.clone()];
                macs.gradient += kernel::combine(to, T::one(), &[(c * self.e[row], 0)], |_| s);
                if let Some((_, column)) = group.theta.filter(|theta| theta.0 == b) {
                    to[column] += c * self.e_bar[row];
                }
            }
            self.gradient[group.columns.clone()].iter_mut().for_each(|g| *g = g.normal());
        }
    }

    fn drain(&mut self, gradient: &mut [T], _: &mut Macs) {
        super::drain_into(&mut self.gradient, gradient);
    }

    fn influence(&mut self) -> Option<Influence> {
        let mut total = Influence { held: self.s.len(), ..Influence::default() };
        for group in &self.groups {
            let k = group.columns.len();
            for (b, block) in group.blocks.iter().enumerate() {
                if !self.live[block.row] || !self.wiring.units().contains(&block.row) {
                    continue;
                }
                let (e, e_bar) = (self.e[block.row], self.e_bar[block.row]);
                let own = group.theta.filter(|theta| theta.0 == b).map(|theta| theta.1);
                for (at, &s) in self.s[group.at + b * k..][..k].iter().enumerate() {
                    if e * s + if own == Some(at) { e_bar } else { T::zero() } != T::zero() {
                        total.nonzero += 1;
                        total.recurrent += usize::from(self.recurrent[group.columns.start + at]);
                    }
                }
            }
        }
        Some(total)
    }

    fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        archive.list("blocks.s", &mut self.s)?;
        archive.list("blocks.y", &mut self.y)?;
        archive.list("blocks.live", &mut self.live)?;
        archive.list("blocks.e", &mut self.e)?;
        archive.list("blocks.e_bar", &mut self.e_bar)?;
        archive.list("blocks.gradient", &mut self.gradient)
    }

    fn bytes(&self) -> usize {
        (self.s.len() + self.y.len() + self.gradient.len()) * std::mem::size_of::<T>()
    }
}
