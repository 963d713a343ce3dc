//! The choice between SnAp-n, RFLO and e-prop.

/// The approximation that [`PatternRtrl`](crate::rule::PatternRtrl) computes: which entries of S are kept (the pattern P), and which couplings A′.
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
    /// [`Claim::Pattern`](crate::rule::Claim::Pattern). SnAp-n is exact RTRL once P_n contains every entry that can become nonzero.
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
    /// [`Claim::Heuristic`](crate::rule::Claim::Heuristic). Credit is the exact `∂L_t/∂y_t` of the readout instead of random feedback.
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
    /// [`Claim::Heuristic`](crate::rule::Claim::Heuristic). Differences from the publication: the derivative of the reset is kept (e-prop for LSNNs leaves
    /// it out), credit is the exact `∂L_t/∂y_t` of the readout, and credit is not filtered.
    ///
    /// # References
    /// G. Bellec et al., *A solution to the learning dilemma for recurrent networks of spiking neurons*, Nature
    /// Communications 11:3625, 2020.
    Unit,
}
