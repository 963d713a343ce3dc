//! The form of the recursion that a skipping rule runs: as the cell wrote it, or with inner rows folded away.
//!
//! A row that lives only within a step, such as the gated activity `g = r ⊙ y⁻` of an EGRU with the reset gate before the
//! product, can be held as a row of S and read through B (two stages), or be folded into the rows that read it:
//!
//! `A ← A + B diag(e) A_inner`,  `B ← B + B diag(e) B_inner`,  `M̄ ← M̄ + B diag(e) M̄_inner`.
//!
//! Both are exact. Folding multiplies two patterns and so fills in; holding costs rows. Which is cheaper depends on the
//! mask, and [`Form::choose`] decides by counting entries: each entry of A or B stands for a product with a row of p.

use crate::scalar::{Real, flush};
use crate::sparse::{IndexRun, Pattern, index_runs};
use crate::wiring::{Step, Wiring};

/// Pairs of positions as they are: gains of one row are seldom neighbours.
fn pairs(pairs: impl Iterator<Item = (usize, usize)>) -> Vec<(u32, u32)> {
    pairs.map(|(from, to)| (from as u32, to as u32)).collect()
}

/// `to += factor · from` along runs. Returns the MACs.
fn add<T: Real>(runs: &[IndexRun], factor: T, from: &[T], to: &mut [T]) -> usize {
    for run in runs {
        let source = &from[run.source()];
        to[run.destination()].iter_mut().zip(source).for_each(|(to, &x)| *to += factor * x);
    }
    count(runs)
}

fn count(runs: &[IndexRun]) -> usize {
    runs.iter().map(|run| run.len as usize).sum()
}

/// One fold: `row += B[row, inner] · e[inner] · inner`.
struct Fold {
    at: usize,
    inner: usize,
    previous: Vec<IndexRun>,
    current: Vec<IndexRun>,
    gains: Vec<IndexRun>,
}

/// Patterns of the couplings and gains a rule runs on, and how to get their values from a step.
pub(super) struct Form<T> {
    /// A and B.
    pub previous: Pattern,
    pub current: Pattern,
    /// Gains: rows × pre-activations, one entry for every pre-activation that reaches a row within the step.
    pub gains: Pattern,
    /// Gains as they stand in the step, to where they go; and their values, in the order of `gains`.
    gain_keep: Vec<(u32, u32)>,
    gain: Vec<T>,
    folding: Option<Folding<T>>,
}

/// What folding needs every step: entries that stay, entries that are folded, and room for the values.
struct Folding<T> {
    a_keep: Vec<IndexRun>,
    b_keep: Vec<IndexRun>,
    folds: Vec<Fold>,
    a: Vec<T>,
    b: Vec<T>,
}

/// Values on a form's patterns.
#[derive(Clone, Copy)]
pub(super) struct Values<'a, T> {
    pub a: &'a [T],
    pub b: &'a [T],
    pub gain: &'a [T],
}

impl<T: Real> Form<T> {
    /// The recursion as the cell wrote it.
    pub fn held(wiring: &Wiring) -> Self {
        let gates = wiring.pre_rows();
        let entries = gates.iter().enumerate().map(|(pre, &row)| (row, pre)).collect();
        let gains = Pattern::new(wiring.rows(), gates.len(), entries);
        let kept = gates.iter().enumerate();
        let kept = kept.map(|(pre, &row)| (pre, gains.position(row, pre).expect("just entered")));
        Self {
            gain_keep: pairs(kept),
            gain: vec![T::zero(); gains.len()],
            previous: wiring.previous().clone(),
            current: wiring.current().clone(),
            gains,
            folding: None,
        }
    }

    /// The cheaper of the two forms for this wiring.
    pub fn choose(wiring: &Wiring) -> Self {
        let (held, folded) = (Self::held(wiring), Self::folded(wiring));
        let folds = folded.folding.as_ref().is_some_and(|f| !f.folds.is_empty());
        if folds && folded.bound(wiring) <= held.bound(wiring) { folded } else { held }
    }

    /// MACs of a step in this form if everything is live.
    fn bound(&self, wiring: &Wiring) -> usize {
        let weights = wiring.layout().weights();
        let products = self.previous.len() + self.current.len();
        let injected: usize = self.gains.entries().map(|(_, pre)| weights.row(pre).len()).sum();
        let folds = self.folding.iter().flat_map(|f| &f.folds);
        let folded: usize = folds.map(|f| count(&f.previous) + count(&f.current) + count(&f.gains)).sum();
        products * wiring.parameters() + injected + folded
    }

    /// With every inner row folded away that does not itself read an inner row.
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

        let place = |p: &Pattern, i, j| p.position(i, j).expect("just entered");
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

    /// The rows that parameters feeding these pre-activations can influence within `steps` steps, ascending: the rows of
    /// their gains and what these pass on within the step, then once more over A and B for every further step.
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

    /// Computes the values of this form from a step. Returns the MACs: one per folded entry whose factor is not zero.
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

    /// The values of this form: those of the step itself, or what [`evaluate`](Self::evaluate) made of them.
    pub fn values<'a>(&'a self, step: &'a Step<T>) -> Values<'a, T> {
        match &self.folding {
            Some(f) => Values { a: &f.a, b: &f.b, gain: &self.gain },
            None => Values { a: &step.a, b: &step.b, gain: &self.gain },
        }
    }
}

/// The patterns of A, B and the gains after inner rows have been folded into the rows that read them.
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
