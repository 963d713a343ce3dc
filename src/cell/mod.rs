//! Cells: forward dynamics and local derivatives. Cells do not depend on learning rules.
//!
//! A cell fills a [`Step`] with `c, y, d, e, Ē` and one gain per pre-activation. From the gains,
//! the [`Wiring`] computes the couplings `A`, `B` and the immediate influence M̄. To add a cell,
//! write its file and add it to [`registry`].

pub mod egru;
pub(crate) mod egru_unit;
pub mod event_rnn;
pub mod gru;
pub(crate) mod lstm_unit;
pub mod rnn;
mod surrogate;
pub mod trace;

pub use surrogate::Surrogate;

pub(crate) use trace::Trace;

use crate::error::{Error, Result};
use crate::scalar::{Real, compiled_once};
use crate::wiring::{LayerInput, Plan, State, Step, Wiring};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A layer placed in a network.
pub trait Cell<T: Real>: Send + Sync {
    /// Advances this layer by one step. Fills this layer's part of `step`, except the couplings `a`
    /// and `b`.
    ///
    /// The caller has added the contributions of the constant and the external inputs to the
    /// pre-activations, and has advanced the lower layers. `w` holds the p kept parameters.
    ///
    /// Returns the MACs: one per kept weight whose source is nonzero.
    fn advance(&self, wiring: &Wiring, w: &[T], before: &State<T>, step: &mut Step<T>) -> u64;

    /// Returns the rows that other layers read: this layer's units.
    fn rows(&self) -> Range<usize>;
}

/// Position of the reset gate of an EGRU or GRU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ResetGate {
    /// Before the matrix product, `W_z (r ⊙ y⁻)` (LM paper, eq. 4).
    #[default]
    Before,
    /// After the matrix product, `r ⊙ (W_z y⁻ + b)` (EvNN, cuDNN). W_r then influences a unit only
    /// through that unit's own reset gate.
    After,
}

/// Quantity that an event subtracts from its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventReset {
    /// The output `y⁻`, outside the leak (LM paper, eq. 5).
    #[default]
    Output,
    /// The threshold `o⁻ϑ`, inside the leak (EvNN, and the code of the RTRL paper).
    Threshold,
}

/// Settings of a cell. A cell ignores settings that do not apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellConfig {
    /// Event function and pseudo-derivative.
    pub surrogate: Surrogate,
    /// Position of the reset gate.
    pub reset_gate: ResetGate,
    /// Quantity that an event subtracts from its unit.
    pub event_reset: EventReset,
    /// Activity sparsity. If false, `y = c`: there are no events, resets or thresholds.
    pub activity: bool,
}

impl Default for CellConfig {
    fn default() -> Self {
        Self {
            surrogate: Surrogate::default(),
            reset_gate: ResetGate::default(),
            event_reset: EventReset::default(),
            activity: true,
        }
    }
}

/// A cell in the [`registry`], selected by name.
pub struct CellEntry<T> {
    /// Name on the command line and in configurations.
    pub name: &'static str,
    /// Description for `--help`, one line.
    pub about: &'static str,
    /// Places a layer on a plan, given its number of units, its settings and its input.
    pub place: fn(&mut Plan, usize, CellConfig, &LayerInput) -> Box<dyn Cell<T>>,
    /// Returns every setting that changes the equations. Tests run all of them.
    pub variants: fn() -> Vec<CellConfig>,
}

/// Returns all cells.
pub fn registry<T: Real>() -> Vec<CellEntry<T>> {
    compiled_once(in_single, in_double)
}

#[inline(never)]
fn in_single() -> Vec<CellEntry<f32>> {
    all()
}

#[inline(never)]
fn in_double() -> Vec<CellEntry<f64>> {
    all()
}

fn all<T: Real>() -> Vec<CellEntry<T>> {
    vec![
        CellEntry {
            name: "egru",
            about: "event-based gated recurrent unit (LM paper, eqs. 3-5)",
            place: |plan, units, config, feed| Box::new(egru::Egru::place(plan, units, config, feed)),
            variants: egru::variants,
        },
        CellEntry {
            name: "event-rnn",
            about: "threshold units without carry (RTRL paper, eq. 5)",
            place: |plan, units, config, feed| {
                Box::new(event_rnn::EventRnn::place(plan, units, config, feed))
            },
            variants: event_rnn::variants,
        },
        CellEntry {
            name: "gru",
            about: "gated recurrent unit: an EGRU without events (Cho et al. 2014)",
            place: |plan, units, config, feed| Box::new(gru::place(plan, units, config, feed)),
            variants: gru::variants,
        },
        CellEntry {
            name: "rnn",
            about: "tanh units (Elman 1990)",
            place: |plan, units, _, feed| Box::new(rnn::Rnn::place(plan, units, feed)),
            variants: rnn::variants,
        },
    ]
}

/// Returns the cell called `name`.
///
/// # Errors
/// If no cell has that name.
pub fn find<T: Real>(name: &str) -> Result<CellEntry<T>> {
    let known = registry::<T>();
    let names: Vec<_> = known.iter().map(|c| c.name).collect();
    known.into_iter().find(|c| c.name == name).ok_or_else(|| Error::unknown("cell", name, names.into_iter()))
}

/// Copies the sources of a layer with its own recurrence into φ, and adds their contributions to
/// the pre-activations: the emissions of the layer below at this step, and the emissions of the
/// layer's `units` at the previous step, which are the `sources`. The network adds external inputs.
/// Returns the MACs.
///
/// # Panics
/// If the wiring, w, the state and the step are not of the same network.
pub fn integrate_layer<T: Real>(
    wiring: &Wiring,
    w: &[T],
    input: &LayerInput,
    sources: &Range<usize>,
    units: &Range<usize>,
    before: &State<T>,
    step: &mut Step<T>,
) -> u64 {
    let mut macs = 0;
    if let Some(below) = &input.rows {
        read(&mut step.phi, &input.sources, &step.y, below);
        macs += step.integrate(wiring, w, input.sources.clone());
    }
    read(&mut step.phi, sources, &before.y, units);
    macs + step.integrate(wiring, w, sources.clone())
}

/// Copies the emissions of `rows` into their sources.
fn read<T: Copy>(phi: &mut [T], sources: &Range<usize>, y: &[T], rows: &Range<usize>) {
    phi[sources.clone()].copy_from_slice(&y[rows.clone()]);
}
