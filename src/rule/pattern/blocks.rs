//! The blocks of a pattern. A block is a row × the parameters of one pre-activation.

use super::Reach;
use crate::rule::recursion::Form;
use crate::scalar::Real;
use crate::wiring::Wiring;

/// The coupling of a row to itself, in addition to the carry.
pub(in crate::rule) enum Own {
    /// The entry of A at this position.
    Coupling(usize),
    /// The direct coupling with this index.
    Direct(usize),
}

/// The block of one row.
pub(in crate::rule) struct RowBlock {
    /// The row.
    pub row: usize,
    /// The coupling of the row to itself, if any.
    pub own: Option<Own>,
    /// Pairs (position in A, index of the source's block in the group) of couplings to other rows.
    pub previous: Vec<(u32, u32)>,
    /// Pairs (position in B, index of the source's block in the group). The source's block precedes
    /// this block.
    pub current: Vec<(u32, u32)>,
    /// Position of the gain of M̄ in this row, if any.
    pub gain: Option<usize>,
    /// Whether another block of the group reads this block at the next step.
    pub feeds: bool,
}

/// The blocks of the k parameters of one pre-activation.
pub(in crate::rule) struct Group {
    /// The parameters: k consecutive indices in the parameter buffer.
    pub columns: std::ops::Range<usize>,
    /// `[k]`, the source of each parameter.
    pub sources: Vec<usize>,
    /// Start of the group in S. Block b is `s[at + b k .. at + (b + 1) k]`.
    pub at: usize,
    /// Blocks, ascending by row.
    pub blocks: Vec<RowBlock>,
    /// Pair (block, column within the group) of the threshold among the parameters, if any.
    pub theta: Option<(usize, usize)>,
}

/// Returns the groups of a pattern, one per pre-activation with parameters.
pub(in crate::rule) fn groups<T: Real>(wiring: &Wiring, form: &Form<T>, reach: Reach) -> Vec<Group> {
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

/// Creates the block of a row and a pre-activation. `place` returns the block of a row in the
/// group.
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
