//! The approximations SnAp-n, RFLO and e-prop ([`Reach`]).

/// The approximation of [`PatternRtrl`](crate::rule::PatternRtrl): the pattern P of stored entries
/// of S and the couplings A′.
///
/// The approximations differ in the influence from the previous step:
///
/// - SnAp-n: all couplings A, but only entries of S in the pattern.
/// - e-prop: no recurrent weights; only the reset of a unit by its own event.
/// - RFLO: no couplings.
///
/// SnAp-1 includes the diagonal of A with the weights of units to themselves; e-prop and RFLO do
/// not. e-prop equals RFLO for cells without a direct coupling of a unit to itself, and for an EGRU
/// whose event resets the threshold inside the leak, since that reset is part of the carry d. For
/// the event RNN, which has no carry, e-prop and RFLO return the gradient of single steps.
///
/// Within a step, all three include the couplings B. Lower layers of a stack therefore receive
/// gradient from upper layers, and a reset gate before the product receives gradient from the
/// candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// SnAp-n, the sparse n-step approximation of RTRL.
    ///
    /// # Equation
    /// `S_t = (diag(d) S_{t−1} + A Y_{t−1} + B Y_t + M̄_t) ⊙ P_n`, where `P_1` is the pattern of M̄
    /// with the couplings within the step, and `P_{k+1} = P_k ∪ pattern(A P_k)`. P_n contains an
    /// entry (row, parameter) if the parameter can influence the row within n steps.
    ///
    /// # Exactness
    /// [`Claim::Pattern`](crate::rule::Claim::Pattern). SnAp-n is exact if P_n contains all entries
    /// that can become nonzero.
    ///
    /// # References
    /// J. Menick et al., *Practical real time recurrent learning with a sparse approximation*, ICLR
    /// 2021.
    Steps(usize),
    /// RFLO, random feedback local online learning, with exact credit.
    ///
    /// # Equation
    /// `S_t = diag(d) S_{t−1} + B Y_t + M̄_t`.
    ///
    /// # Exactness
    /// [`Claim::Heuristic`](crate::rule::Claim::Heuristic). Credit is the exact `∂L_t/∂y_t` of the
    /// readout instead of random feedback.
    ///
    /// # References
    /// J. M. Murray, *Local online learning in recurrent networks with random feedback*, eLife
    /// 8:e43299, 2019.
    Carry,
    /// e-prop, eligibility propagation, with symmetric feedback.
    ///
    /// # Equation
    /// `S_t = (diag(d) + R diag(e_{t−1})) S_{t−1} + R Ē_{t−1} + B Y_t + M̄_t`, where the diagonal
    /// matrix R is the direct coupling of a unit to itself: −1 for an EGRU whose event resets its
    /// output, else 0. Influence through recurrent weights is dropped.
    ///
    /// # Exactness
    /// [`Claim::Heuristic`](crate::rule::Claim::Heuristic). Differences from the publication: the
    /// derivative of the reset is included (e-prop for LSNNs omits it), credit is the exact
    /// `∂L_t/∂y_t` of the readout, and credit is not filtered.
    ///
    /// # References
    /// G. Bellec et al., *A solution to the learning dilemma for recurrent networks of spiking
    /// neurons*, Nature Communications 11:3625, 2020.
    Unit,
}
