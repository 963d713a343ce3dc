//! The panels of the figure and their curves.

use crate::curve::{Estimate, Setting};
use crate::draw::{Area, Axis, Curve, Drawn, Labels, Look, Share, TEXT, curves, stack};
use crate::store::{Curves, Point};
use crate::study::{Experiment, Study};
use plotters::prelude::*;
use sparse_rtrl::experiment::Preset;

const WIDTH: u32 = 1200;
const HEAD: u32 = 84;
const ROW: u32 = 320;
/// Legend of panel H.
const STRIP: u32 = 30;

/// Networks whose curves are in a panel: with activity sparsity, without, both, or with activity
/// sparsity and the same networks with resets.
#[derive(Clone, Copy)]
enum Who {
    With,
    Without,
    Both,
    WithAndReset,
}

/// A panel of curves.
struct Panel {
    title: &'static str,
    who: Who,
    x: (&'static str, fn(&Point) -> f64),
    y: (&'static str, fn(&Point) -> f64),
    /// A second quantity of the same networks, drawn dashed.
    dashed: Option<fn(&Point) -> f64>,
}

// The font has no combining tilde: 1−ω replaces ω̃.
const ITERATION: (&str, fn(&Point) -> f64) = ("iteration (one batch, one update)", |p| p.iteration as f64);
const FACTOR: (&str, fn(&Point) -> f64) =
    ("Σ (1−ω)²(1−β(t))(1−β(t−1)), the paper's factor", |p| p.compute_adjusted_iteration);
const DENSITY: (&str, fn(&Point) -> f64) =
    ("Σ density of the influence matrix", |p| p.density_adjusted_iteration);
const MACS: (&str, fn(&Point) -> f64) = ("multiply-accumulates counted (MACs)", |p| p.macs as f64);
const LOSS: (&str, fn(&Point) -> f64) = ("loss (cross-entropy)", |p| p.loss);
const SILENT: (&str, fn(&Point) -> f64) = ("share of silent units", |p| p.activity_sparsity);
const ZEROS: (&str, fn(&Point) -> f64) = ("share of zeros in ∂y/∂w", |p| 1.0 - p.influence_density);

const fn panel(
    title: &'static str,
    who: Who,
    x: (&'static str, fn(&Point) -> f64),
    y: (&'static str, fn(&Point) -> f64),
) -> Panel {
    Panel { title, who, x, y, dashed: None }
}

const SPIRALS: [Panel; 9] = [
    panel("A: with activity sparsity", Who::With, ITERATION, LOSS),
    panel("B: with, compute-adjusted", Who::With, FACTOR, LOSS),
    panel("B2: with, density-adjusted", Who::With, DENSITY, LOSS),
    panel("E: without activity sparsity", Who::Without, ITERATION, LOSS),
    panel("F: without, compute-adjusted", Who::Without, FACTOR, LOSS),
    panel("F2: without, density-adjusted", Who::Without, DENSITY, LOSS),
    panel("C: activity sparsity", Who::With, ITERATION, SILENT),
    Panel {
        dashed: Some(|p| 1.0 - p.influence_density_recurrent),
        ..panel("D: influence-matrix sparsity", Who::With, ITERATION, ZEROS)
    },
    panel("G: loss against counted MACs", Who::Both, MACS, LOSS),
];

const STREAM: [Panel; 3] = [
    panel("C: activity sparsity", Who::WithAndReset, ITERATION, SILENT),
    panel("D: influence-matrix sparsity", Who::WithAndReset, ITERATION, ZEROS),
    panel("G: loss against counted MACs", Who::WithAndReset, MACS, LOSS),
];

/// Classes of entries of the influence matrix, from the bottom of the stack.
const SHARES: [Share; 5] = [
    Share { name: "nonzero", colour: RGBColor(20, 40, 80) },
    Share { name: "zero: other (no path yet, or decayed)", colour: RGBColor(240, 228, 66) },
    Share { name: "zero: inactive columns", colour: RGBColor(86, 180, 233) },
    Share { name: "zero: rows with zero derivative", colour: RGBColor(230, 140, 0) },
    Share { name: "zero: pruned columns", colour: RGBColor(205, 205, 205) },
];

/// Returns the figure of a study as SVG. `other` is the other experiment of the preset, for
/// comparison.
pub fn figure(study: &Study, points: &Curves, other: Option<(&Study, &Curves)>) -> String {
    let rows = if study.experiment == Experiment::Spirals { 4 } else { 2 };
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH, HEAD + rows * ROW + STRIP)).into_drawing_area();
    let drawing = Drawing { study, settings: Setting::all(study, points), omegas: study.omegas() };
    let other = match other {
        Some((study, points)) if study.experiment == Experiment::Spirals => Setting::all(study, points),
        _ => Vec::new(),
    };
    drawing.draw(&root, &other).and_then(|()| Ok(root.present()?)).expect("drawing to memory does not fail");
    drop(root);
    svg
}

struct Drawing<'a> {
    study: &'a Study,
    settings: Vec<Setting<'a>>,
    omegas: Vec<f64>,
}

impl Drawing<'_> {
    fn draw(&self, root: &Area, twins: &[Setting]) -> Drawn {
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(HEAD);
        self.head(&head, !twins.is_empty())?;
        let panels: &[Panel] = if self.study.experiment == Experiment::Spirals { &SPIRALS } else { &STREAM };
        let rows = panels.len() / 3;
        let (curves, zeros) = body.split_vertically(rows as u32 * ROW);
        for (area, panel) in curves.split_evenly((rows, 3)).iter().zip(panels) {
            self.panel(area, panel, twins)?;
        }
        self.zeros(&zeros)
    }

    /// Returns the last iteration over all runs.
    fn last(&self) -> f64 {
        let last = self.settings.iter().flat_map(|s| &s.runs).filter_map(|run| run.last());
        last.map(|p| p.iteration).max().unwrap_or(1) as f64
    }

    fn panel(&self, area: &Area, panel: &Panel, twins: &[Setting]) -> Drawn {
        let (Panel { x, y, .. }, mut all) = (panel, Vec::new());
        let mut add = |settings: &[Setting], activity: bool, dashed: bool, of: fn(&Point) -> f64| {
            for setting in settings.iter().filter(|s| s.activity == activity) {
                // The position on a compute axis is the mean over seeds of the compute up to this
                // iteration.
                let places = setting.over_seeds(x.1).into_iter().map(|e| e.mean);
                let points = places.zip(setting.over_seeds(of)).collect();
                all.push(Curve { look: self.look(setting, dashed), points });
            }
        };
        let (with, without) = match panel.who {
            Who::With | Who::WithAndReset => (true, None),
            Who::Without => (false, Some(false)),
            Who::Both => (true, Some(true)),
        };
        if with {
            add(&self.settings, true, false, y.1);
        }
        if let Some(dashed) = without {
            add(&self.settings, false, dashed, y.1);
        }
        if matches!(panel.who, Who::WithAndReset) {
            add(twins, true, true, y.1);
        }
        if let Some(of) = panel.dashed {
            add(&self.settings, true, true, of);
        }
        let points = || all.iter().flat_map(|c: &Curve| &c.points);
        let x_axis = match x.0 == ITERATION.0 {
            true => Axis::Linear(0.0..self.last()),
            false => Axis::log(points().map(|p| p.0)),
        };
        let y_axis = match y.0 == LOSS.0 {
            true => Axis::log(points().map(|p| p.1.mean)),
            false => Axis::Linear(0.0..1.0),
        };
        curves(area, &Labels { title: panel.title, x: x.0, y: y.0 }, &x_axis, &y_axis, &all)
    }

    fn look(&self, setting: &Setting, dashed: bool) -> Look {
        let rank = self.omegas.iter().position(|o| *o == setting.omega);
        Look { rank: rank.unwrap_or(0), dashed }
    }

    fn head(&self, area: &Area, compared: bool) -> Drawn {
        let preset = match self.study.preset {
            Preset::Default => "default preset",
            Preset::Paper => "paper preset",
        };
        let (task, dashes) = match self.study.experiment {
            Experiment::Spirals => (
                "spirals of 17 steps, with resets",
                "dashed: D recurrent columns only, G without activity sparsity",
            ),
            Experiment::Stream if compared => {
                ("endless stream of spirals without reset", "dashed: with a reset before every spiral")
            }
            Experiment::Stream => ("endless stream of spirals without reset", ""),
        };
        let units = self.study.settings.first().map_or(0, |c| c.units);
        let title = format!("EGRU of {units} units, exact sparse RTRL, {preset}: {task}");
        area.draw(&Text::new(title, (20, 12), ("sans-serif", 22)))?;
        let mut x = 24;
        for &omega in &self.omegas {
            let look =
                Look { rank: self.omegas.iter().position(|o| *o == omega).unwrap_or(0), dashed: false };
            area.draw(&PathElement::new(vec![(x, 58), (x + 36, 58)], look.colour().stroke_width(2)))?;
            look.mark(area, (x + 18, 58))?;
            area.draw(&Text::new(format!("ω = {omega}"), (x + 44, 50), ("sans-serif", 17)))?;
            x += 118;
        }
        let n = self.study.seeds.len();
        let seeds = match n {
            1 => "1 seed".to_string(),
            _ => format!("mean ± standard error, n = {n} seeds"),
        };
        let text =
            [seeds.as_str(), dashes].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("; ");
        area.draw(&Text::new(text, (x + 10, 50), ("sans-serif", 17)))?;
        Ok(())
    }

    /// Draws panel H: causes of the zeros, one stack per ω.
    fn zeros(&self, area: &Area) -> Drawn {
        let (strip, stacks) = area.split_vertically(STRIP);
        let mut x = 24;
        for share in &SHARES {
            strip.draw(&Rectangle::new([(x, 8), (x + 16, 22)], share.colour.filled()))?;
            strip.draw(&Text::new(share.name, (x + 22, 7), TEXT))?;
            x += 44 + 7 * share.name.chars().count() as i32;
        }
        let with: Vec<&Setting> = self.settings.iter().filter(|s| s.activity).collect();
        for (area, setting) in stacks.split_evenly((1, 4)).iter().zip(with) {
            let mean = |of: &dyn Fn(&Point) -> f64| -> Vec<f64> {
                setting.over_seeds(of).iter().map(|e: &Estimate| e.mean).collect()
            };
            let unreached = |p: &Point| {
                1.0 - p.influence_density - p.columns_inactive - p.rows_without_derivative - p.columns_masked
            };
            let values = [
                mean(&|p| p.influence_density),
                mean(&unreached),
                mean(&|p| p.columns_inactive),
                mean(&|p| p.rows_without_derivative),
                mean(&|p| p.columns_masked),
            ];
            let title = format!("H: entries of ∂y/∂w, ω = {}", setting.omega);
            let labels = Labels { title: &title, x: "iteration", y: "share of n × p" };
            stack(area, &labels, self.last(), &mean(&|p| p.iteration as f64), &SHARES, &values)?;
        }
        Ok(())
    }
}
