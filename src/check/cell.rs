//! Comparison of the local derivatives of cells with finite differences.

use super::{Mismatch, Trial, check_equal, normal};
use crate::cell::CellEntry;
use crate::macs::Macs;
use crate::network::Network;
use crate::wiring::{State, Step, Wiring};

/// Step h of central differences, (f(x + h) − f(x − h)) / 2h.
const H: f64 = 1e-6;

/// Tolerance of the relative error. Rounding errors are about 1e-9 with this H. If the
/// pseudo-derivative has a kink between the two points, the error is at most the jump of its slope,
/// γ/ε = 1.4, times H/2, times the magnitude of the state.
const TOLERANCE: f64 = 3e-6;

/// Checks a cell on random networks of one to three layers, in all its variants, with masks and
/// with traces.
///
/// - Every step must set the same fields of the [`Step`], since its buffers are reused. Among them
///   must be c, y, the pre-activations and the sources.
/// - All local derivatives must equal central finite differences. For this check, events are
///   replaced by the primitive of their pseudo-derivative, so a cell must call
///   [`Surrogate::event`](crate::cell::Surrogate::event) for its events.
/// - The MACs that the cell returns must equal the number of kept weights whose source is nonzero.
///
/// ```
/// let cell = sparse_rtrl::cell::find("rnn")?;
/// sparse_rtrl::check::check_cell(&cell).unwrap();
/// # Ok::<(), sparse_rtrl::Error>(())
/// ```
///
/// # Errors
/// If the cell fails a check.
pub fn check_cell(cell: &CellEntry<f64>) -> Result<(), Mismatch> {
    let mut nonzero = 0;
    for smooth in [true, false] {
        for (seed, trial) in (0..).zip(Trial::of_cell(cell, 3, smooth)) {
            let (network, w) = trial.build_with(std::slice::from_ref(cell), seed)?;
            let rows = network.wiring().rows();
            let x = normal(network.wiring().inputs(), 7 + seed);
            let before = State { c: normal(rows, 100 + seed), y: normal(rows, 200 + seed) };
            check_fields(&network, &trial.label, &w, seed)?;
            if smooth {
                nonzero += check_step(&network, &trial.label, &w, &x, &before)?;
            }
        }
    }
    if nonzero == 0 {
        return Err(Mismatch::new("derivatives", cell.name, "some nonzero derivatives", "none"));
    }
    Ok(())
}

/// Checks that steps from several states set the same fields, and checks their MACs.
///
/// Buffers of steps are reused. A field that a cell sets at some steps only would keep the value of
/// an earlier step. A field that it never sets is zero.
fn check_fields(network: &Network<f64>, label: &str, w: &[f64], seed: u64) -> Result<(), Mismatch> {
    let wiring = network.wiring();
    let mut set: Option<[Vec<bool>; 13]> = None;
    for point in 0..4 {
        let scale = [1.0, 0.1, 3.0, 0.0][point as usize];
        let numbers = |n, offset| normal(n, seed + offset + point).into_iter().map(|x| scale * x).collect();
        let before = State { c: numbers(wiring.rows(), 300), y: numbers(wiring.rows(), 400) };
        let x: Vec<f64> = numbers(wiring.inputs(), 500);
        let (mut step, mut macs) = (Step::new(wiring), Macs::default());
        fields(&mut step).into_iter().for_each(|(_, values)| values.fill(f64::NAN));
        network.advance(w, &x, &before, &mut step, &mut macs);

        let weights = wiring.layout().weights();
        let sources = || weights.entries().map(|(_, source)| source);
        let forward = sources().filter(|&source| step.phi[source] != 0.0).count() as u64;
        let coupling = sources().filter(|&source| source > wiring.inputs()).count() as u64;
        let expected = Macs { forward, coupling, ..Macs::default() };
        check_equal("MACs of a forward step", label, expected, macs)?;

        let now = fields(&mut step).map(|(_, values)| values.iter().map(|x| !x.is_nan()).collect::<Vec<_>>());
        let always = ["c", "y", "pre", "phi"];
        for (k, (name, _)) in fields(&mut step).iter().enumerate() {
            let differs = |at: &usize| match &set {
                _ if always.contains(name) => !now[k][*at],
                Some(before) => now[k][*at] != before[k][*at],
                None => false,
            };
            if let Some(at) = (0..now[k].len()).find(differs) {
                let what = format!("{name}[{at}]");
                return Err(Mismatch::new(what, label, "a value at every step", "no value at some step"));
            }
        }
        set.get_or_insert(now);
    }
    Ok(())
}

/// Returns the fields of a step by name.
fn fields(step: &mut Step<f64>) -> [(&'static str, &mut Vec<f64>); 13] {
    let Step { c, y, slope, d, e, e_bar, pre, gain, phi, a, b, direct_previous, direct_current } = step;
    [
        ("c", c),
        ("y", y),
        ("slope", slope),
        ("d", d),
        ("e", e),
        ("e_bar", e_bar),
        ("pre", pre),
        ("gain", gain),
        ("phi", phi),
        ("a", a),
        ("b", b),
        ("direct_previous", direct_previous),
        ("direct_current", direct_current),
    ]
}

/// A point or direction in the space of previous state c⁻, previous emission y⁻ and parameters w.
#[derive(Clone)]
struct Point {
    c: Vec<f64>,
    y: Vec<f64>,
    w: Vec<f64>,
}

impl Point {
    fn parts(&mut self) -> [(&'static str, &mut Vec<f64>); 3] {
        [("c⁻", &mut self.c), ("y⁻", &mut self.y), ("w", &mut self.w)]
    }

    fn step(&self, network: &Network<f64>, x: &[f64]) -> Step<f64> {
        let mut step = Step::new(network.wiring());
        let before = State { c: self.c.clone(), y: self.y.clone() };
        network.advance(&self.w, x, &before, &mut step, &mut Macs::default());
        step
    }
}

/// Computes the derivatives of c and y of every row along a direction, from the fields of the step:
/// `dc = d dc⁻ + A dy⁻ + B dy + M̄ dw`, `dy = e dc + Ē dw`.
fn along(wiring: &Wiring, step: &Step<f64>, direction: &Point) -> (Vec<f64>, Vec<f64>) {
    let (mut dc, mut dy) = (vec![0.0; wiring.rows()], vec![0.0; wiring.rows()]);
    for row in 0..wiring.rows() {
        dc[row] = step.d[row] * direction.c[row];
        dc[row] += wiring.previous().row(row).map(|(l, at)| step.a[at] * direction.y[l]).sum::<f64>();
        dc[row] += wiring.current().row(row).map(|(j, at)| step.b[at] * dy[j]).sum::<f64>();
        for &pre in wiring.gates_of(row) {
            let weights = wiring.layout().weights().row(pre);
            dc[row] += weights.map(|(s, k)| step.gain[pre] * step.phi[s] * direction.w[k]).sum::<f64>();
        }
        dy[row] = step.e[row] * dc[row];
        if let Some(theta) = wiring.threshold(row) {
            dy[row] += step.e_bar[row] * direction.w[theta];
        }
    }
    (dc, dy)
}

/// Compares all local derivatives of one step with central finite differences, along every
/// coordinate of the previous state, the previous emission and the parameters. Returns the number
/// of nonzero derivatives. `label` is the name of the network in messages.
///
/// # Errors
/// If a derivative differs.
pub fn check_step(
    network: &Network<f64>,
    label: &str,
    w: &[f64],
    x: &[f64],
    before: &State<f64>,
) -> Result<usize, Mismatch> {
    let wiring = network.wiring();
    let mut at = Point { c: before.c.clone(), y: before.y.clone(), w: w.to_vec() };
    let mut direction = Point { c: vec![0.0; at.c.len()], y: vec![0.0; at.y.len()], w: vec![0.0; w.len()] };
    let here = at.step(network, x);
    let mut nonzero = 0;
    for part in 0..3 {
        for i in 0..at.parts()[part].1.len() {
            let shifted = |h: f64| {
                let mut at = at.clone();
                at.parts()[part].1[i] += h;
                at.step(network, x)
            };
            let (up, down) = (shifted(H), shifted(-H));
            direction.parts()[part].1[i] = 1.0;
            let (dc, dy) = along(wiring, &here, &direction);
            direction.parts()[part].1[i] = 0.0;
            for row in 0..wiring.rows() {
                let slope = |up: &[f64], down: &[f64]| (up[row] - down[row]) / (2.0 * H);
                for (name, got, expected) in
                    [("c", dc[row], slope(&up.c, &down.c)), ("y", dy[row], slope(&up.y, &down.y))]
                {
                    // Not `>`: a NaN must fail.
                    let close = (got - expected).abs() / (1.0 + expected.abs()) < TOLERANCE;
                    if !close {
                        let what = format!("∂{name}[{row}]/∂{}[{i}]", at.parts()[part].0);
                        return Err(Mismatch::new(
                            what,
                            label,
                            format!("{expected} (finite difference)"),
                            got,
                        ));
                    }
                    nonzero += usize::from(expected != 0.0);
                }
            }
        }
    }
    Ok(nonzero)
}
