//! The form of the recursion: with inner rows stored, or with inner rows folded.
//!
//! An inner row is a quantity within one step, such as the gated activity `g = r ⊙ y⁻` of an EGRU
//! with the reset gate before the product. It is either stored as a row of S and read through B, or
//! folded into the rows that read it:
//!
//! `A ← A + B diag(e) A_inner`,  `B ← B + B diag(e) B_inner`,  `M̄ ← M̄ + B diag(e) M̄_inner`.
//!
//! Both forms are exact. Folding adds entries to A and B; storing adds rows to S. The cheaper form
//! depends on the mask. [`Form::choose`] compares the numbers of entries, since each entry of A or
//! B costs a product with p numbers.

use crate::scalar::{Real, flush};
use crate::sparse::{IndexRun, Pattern, index_runs};
use crate::wiring::{Step, Wiring};

/// Converts pairs of positions to u32. They are not merged into runs, since the gains of a row are
/// rarely contiguous.
fn pairs(pairs: impl Iterator<Item = (usize, usize)>) -> Vec<(u32, u32)> {
    pairs.map(|(from, to)| (from as u32, to as u32)).collect()
}

/// Computes `to += factor · from` along runs. Returns the MACs.
fn add<T: Real>(runs: &[IndexRun], factor: T, from: &[T], to: &mut [T]) -> usize {
    for run in runs {
        let source = &from[run.source()];
        to[run.destination()].iter_mut().zip(source).for_each(|(to, &x)| *to += factor * x);
    }
    count(runs)
}

/// Returns the number of entries of runs.
fn count(runs: &[IndexRun]) -> usize {
    runs.iter().map(|run| run.len as usize).sum()
}

/// One fold: `row += B[row, inner] · e[inner] · inner`.
struct Fold {
    /// Position of `B[row, inner]` in the step's B.
    at: usize,
    /// The inner row.
    inner: usize,
    /// Runs from positions of the inner row in the step's A to positions of the row in the form's
    /// A.
    previous: Vec<IndexRun>,
    /// Runs from positions of the inner row in the step's B to positions of the row in the form's
    /// B.
    current: Vec<IndexRun>,
    /// Runs from pre-activations of the inner row to positions of the row in the form's gains.
    gains: Vec<IndexRun>,
}

/// Patterns of the couplings and gains of a rule, and their values.
pub(super) struct Form<T> {
    /// Pattern of A, rows × rows.
    pub previous: Pattern,
    /// Pattern of B, rows × rows.
    pub current: Pattern,
    /// Pattern of the gains, rows × pre-activations: an entry for every pre-activation that reaches
    /// a row within the step.
    pub gains: Pattern,
    /// Pairs (pre-activation, position in `gains`) of gains that are not folded.
    gain_keep: Vec<(u32, u32)>,
    /// `[entries of gains]`, values of the gains.
    gain: Vec<T>,
    /// Data of folding; `None` if inner rows are stored.
    folding: Option<Folding<T>>,
}

/// Entries and values of a form with folded inner rows.
struct Folding<T> {
    /// Runs from the step's A to `a` of entries that are copied.
    a_keep: Vec<IndexRun>,
    /// Runs from the step's B to `b` of entries that are copied.
    b_keep: Vec<IndexRun>,
    /// All folds, ascending by row.
    folds: Vec<Fold>,
    /// `[entries of A]`, values of A.
    a: Vec<T>,
    /// `[entries of B]`, values of B.
    b: Vec<T>,
}

/// Values on the patterns of a form.
#[derive(Clone, Copy)]
pub(super) struct Values<'a, T> {
    /// `[entries of A]`
    pub a: &'a [T],
    /// `[entries of B]`
    pub b: &'a [T],
    /// `[entries of gains]`
    pub gain: &'a [T],
}

impl<T: Real> Form<T> {
    /// Creates the form in which inner rows are stored.
    pub fn held(wiring: &Wiring) -> Self {
        let gates = wiring.pre_rows();
        let entries = gates.iter().enumerate().map(|(pre, &row)| (row, pre)).collect();
        let gains = Pattern::new(wiring.rows(), gates.len(), entries);
        let kept = gates.iter().enumerate();
        let kept = kept.map(|(pre, &row)| (pre, gains.position(row, pre).expect("the entry must exist")));
        Self {
            gain_keep: pairs(kept),
            gain: vec![T::zero(); gains.len()],
            previous: wiring.previous().clone(),
            current: wiring.current().clone(),
            gains,
            folding: None,
        }
    }

    /// Returns the cheaper of the two forms for this wiring.
    pub fn choose(wiring: &Wiring) -> Self {
        let (held, folded) = (Self::held(wiring), Self::folded(wiring));
        let folds = folded.folding.as_ref().is_some_and(|f| !f.folds.is_empty());
        if folds && folded.bound(wiring) <= held.bound(wiring) { folded } else { held }
    }

    /// Returns the MACs of a step in this form if all rows are live.
    fn bound(&self, wiring: &Wiring) -> usize {
        let weights = wiring.layout().weights();
        let products = self.previous.len() + self.current.len();
        let injected: usize = self.gains.entries().map(|(_, pre)| weights.row(pre).len()).sum();
        let folds = self.folding.iter().flat_map(|f| &f.folds);
        let folded: usize = folds.map(|f| count(&f.previous) + count(&f.current) + count(&f.gains)).sum();
        products * wiring.parameters() + injected + folded
    }

    /// Creates the form in which every inner row is folded, except inner rows that read an inner
    /// row.
    pub fn folded(wiring: &Wiring) -> Self {
        let n = wiring.rows();
        let is_inner = |row: usize| {
            !wiring.carries(row) && !wiring.units().contains(&row) && !wiring.outputs().contains(&row)
        };
        let reads_inner = |row: usize| wiring.current().row(row).any(|(j, _)| is_inner(j));
        let folds_away: Vec<bool> = (0..n).map(|row| is_inner(row) && !reads_inner(row)).collect();

        let (a, b) = (wiring.previous(), wiring.current());
        let rows: Vec<usize> = (0..n).filter(|&row| !folds_away[row]).collect();
        let [previous, current, gains] = folded_patterns(wiring, &rows, &folds_away);

        let place = |p: &Pattern, i, j| p.position(i, j).expect("the entry must exist");
        let (mut a_keep, mut b_keep, mut gain_keep) = (Vec::new(), Vec::new(), Vec::new());
        let mut folds = Vec::new();
        for &row in &rows {
            a_keep.extend(a.row(row).map(|(l, at)| (at, place(&previous, row, l))));
            gain_keep.extend(wiring.gates_of(row).iter().map(|&pre| (pre, place(&gains, row, pre))));
            for (j, at) in b.row(row) {
                if folds_away[j] {
                    folds.push(Fold {
                        at,
                        inner: j,
                        previous: index_runs(a.row(j).map(|(l, from)| (from, place(&previous, row, l)))),
                        current: index_runs(b.row(j).map(|(k, from)| (from, place(&current, row, k)))),
                        gains: index_runs(
                            wiring.gates_of(j).iter().map(|&pre| (pre, place(&gains, row, pre))),
                        ),
                    });
                } else {
                    b_keep.push((at, place(&current, row, j)));
                }
            }
        }
        let zeros = |p: &Pattern| vec![T::zero(); p.len()];
        let folding = Folding {
            a_keep: index_runs(a_keep),
            b_keep: index_runs(b_keep),
            folds,
            a: zeros(&previous),
            b: zeros(&current),
        };
        Self {
            gain_keep: pairs(gain_keep.into_iter()),
            gain: zeros(&gains),
            previous,
            current,
            gains,
            folding: Some(folding),
        }
    }

    /// Returns the rows that the parameters of these pre-activations can influence within `steps`
    /// steps, ascending. At the first step, these are the rows of their gains and the rows reached
    /// from them through B. Every further step adds the rows reached through A and then B.
    pub fn reach(&self, pres: impl Iterator<Item = usize>, steps: usize) -> Vec<usize> {
        let n = self.previous.rows();
        let mut reached = vec![false; n];
        for pre in pres {
            self.gains.col(pre).for_each(|(row, _)| reached[row] = true);
        }
        for step in 0..steps {
            let before = reached.clone();
            for i in 0..n {
                let coupled = step > 0 && self.previous.row(i).any(|(l, _)| before[l]);
                reached[i] |= coupled || self.current.row(i).any(|(j, _)| reached[j]);
            }
            if step > 0 && reached == before {
                break;
            }
        }
        (0..n).filter(|&row| reached[row]).collect()
    }

    /// Computes the values of this form from a step. Returns the MACs: one per folded entry. With
    /// `skip`, entries whose factor is zero are skipped.
    pub fn evaluate(&mut self, step: &Step<T>, skip: bool) -> u64 {
        self.gain.fill(T::zero());
        for &(from, to) in &self.gain_keep {
            self.gain[to as usize] += step.gain[from as usize];
        }
        let Some(f) = &mut self.folding else { return 0 };
        f.a.fill(T::zero());
        f.b.fill(T::zero());
        add(&f.a_keep, T::one(), &step.a, &mut f.a);
        add(&f.b_keep, T::one(), &step.b, &mut f.b);
        let mut macs = 0;
        for fold in &f.folds {
            let factor = step.b[fold.at] * step.e[fold.inner];
            if factor == T::zero() && skip {
                continue;
            }
            macs += add(&fold.previous, factor, &step.a, &mut f.a)
                + add(&fold.current, factor, &step.b, &mut f.b)
                + add(&fold.gains, factor, &step.gain, &mut self.gain);
        }
        flush(&mut f.a);
        flush(&mut f.b);
        flush(&mut self.gain);
        macs as u64
    }

    /// Returns the values of this form for the step that was last [evaluated](Self::evaluate).
    pub fn values<'a>(&'a self, step: &'a Step<T>) -> Values<'a, T> {
        match &self.folding {
            Some(f) => Values { a: &f.a, b: &f.b, gain: &self.gain },
            None => Values { a: &step.a, b: &step.b, gain: &self.gain },
        }
    }
}

/// Returns the patterns of A, B and the gains after folding.
fn folded_patterns(wiring: &Wiring, rows: &[usize], folds_away: &[bool]) -> [Pattern; 3] {
    let (a, b) = (wiring.previous(), wiring.current());
    let (mut a_entries, mut b_entries) = (Vec::new(), Vec::new());
    let mut gain_entries: Vec<(usize, usize)> = Vec::new();
    for &row in rows {
        a_entries.extend(a.row(row).map(|(l, _)| (row, l)));
        gain_entries.extend(wiring.gates_of(row).iter().map(|&pre| (row, pre)));
        for (j, _) in b.row(row) {
            if folds_away[j] {
                a_entries.extend(a.row(j).map(|(l, _)| (row, l)));
                b_entries.extend(b.row(j).map(|(k, _)| (row, k)));
                gain_entries.extend(wiring.gates_of(j).iter().map(|&pre| (row, pre)));
            } else {
                b_entries.push((row, j));
            }
        }
    }
    let n = wiring.rows();
    let gates = wiring.pre_rows().len();
    [Pattern::new(n, n, a_entries), Pattern::new(n, n, b_entries), Pattern::new(n, gates, gain_entries)]
}
