//! Cells: forward dynamics and local derivatives, and nothing about learning.
//!
//! A cell fills a [`Step`] with `c, y, d, e, Ē` and one gain per pre-activation; the [`Wiring`] turns gains into the
//! couplings `A`, `B` and the immediate influence M̄. To add a cell, write its file and add it to [`registry`].

pub mod egru;
pub mod event_rnn;
pub mod gru;
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
    /// Advances this layer by one step. Pre-activations already hold the contributions of the constant and the external inputs;
    /// lower layers are done. Fills this layer's part of `step`, except the couplings `a` and `b`.
    /// Returns the MACs of its weights: the kept weights whose source is nonzero.
    fn advance(&self, wiring: &Wiring, w: &[T], before: &State<T>, step: &mut Step<T>) -> u64;

    /// The rows that other layers read: this layer's units.
    fn rows(&self) -> Range<usize>;
}

/// Position of the reset gate of an EGRU or GRU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResetGate {
    /// Before the matrix product, `W_z (r ⊙ y⁻)` (LM paper, eq. 4).
    #[default]
    Before,
    /// After it, `r ⊙ (W_z y⁻ + b)` (EvNN, cuDNN): everything stays local to a unit.
    After,
}

/// What an event subtracts from its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventReset {
    /// Its output `y⁻`, outside the leak (LM paper, eq. 5).
    #[default]
    Output,
    /// Its threshold `o⁻ϑ`, inside the leak (EvNN, and the RTRL paper's own code).
    Threshold,
}

/// Settings of a cell. A cell ignores settings that do not apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellConfig {
    /// The event and its pseudo-derivative.
    pub surrogate: Surrogate,
    /// Position of the reset gate.
    pub reset_gate: ResetGate,
    /// What an event subtracts.
    pub event_reset: EventReset,
    /// Activity sparsity. Without it `y = c`: no events, no resets and no thresholds.
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

/// A cell that can be chosen by name.
pub struct CellEntry<T> {
    /// The name on the command line and in configurations.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Places a layer of a number of units on a plan.
    pub place: fn(&mut Plan, usize, CellConfig, &LayerInput) -> Box<dyn Cell<T>>,
    /// Every setting that changes its equations; tests run all of them.
    pub variants: fn() -> Vec<CellConfig>,
}

/// All cells.
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
            about: "threshold units without memory of their own (RTRL paper, eq. 5)",
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

/// The cell of that name.
///
/// # Errors
/// If there is none.
pub fn find<T: Real>(name: &str) -> Result<CellEntry<T>> {
    let known = registry::<T>();
    let names: Vec<_> = known.iter().map(|c| c.name).collect();
    known.into_iter().find(|c| c.name == name).ok_or_else(|| Error::unknown("cell", name, names.into_iter()))
}

/// Reads the sources of a layer, its input from below (the network reads external inputs) and its own emissions of the
/// previous step, and adds their contributions. Returns the MACs.
fn listen<T: Real>(
    wiring: &Wiring,
    w: &[T],
    feed: &LayerInput,
    own: (&Range<usize>, &Range<usize>),
    before: &State<T>,
    step: &mut Step<T>,
) -> u64 {
    let mut macs = 0;
    if let Some(below) = &feed.rows {
        read(&mut step.phi, &feed.sources, &step.y, below);
        macs += step.integrate(wiring, w, feed.sources.clone());
    }
    let (sources, units) = own;
    read(&mut step.phi, sources, &before.y, units);
    macs + step.integrate(wiring, w, sources.clone())
}

/// Copies emissions into the sources that read them.
fn read<T: Copy>(phi: &mut [T], sources: &Range<usize>, y: &[T], rows: &Range<usize>) {
    phi[sources.clone()].copy_from_slice(&y[rows.clone()]);
}
