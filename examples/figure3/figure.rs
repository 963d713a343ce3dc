//! Which panels there are, and what is on them.

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

const ITERATION: &str = "iteration (one batch, one update)";
const LOSS: &str = "loss (cross-entropy)";
const FACTOR: &str = "Σ (1−ω)²(1−β(t))(1−β(t−1)), the paper's factor";
const DENSITY: &str = "Σ density of the influence matrix";
const MACS: &str = "multiply-accumulates counted";

/// Where the entries of the influence matrix are, from below.
const SHARES: [Share; 5] = [
    Share { name: "not zero", colour: RGBColor(20, 40, 80) },
    Share { name: "zero: no path has led there yet", colour: RGBColor(240, 228, 66) },
    Share { name: "zero: columns nothing has influenced yet", colour: RGBColor(86, 180, 233) },
    Share { name: "zero: rows whose unit has no derivative", colour: RGBColor(230, 140, 0) },
    Share { name: "zero: masked columns", colour: RGBColor(205, 205, 205) },
];

/// The figure of a study as SVG; `other` is the same preset's other experiment, for comparison.
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
    fn draw(&self, root: &Area, with_reset: &[Setting]) -> Drawn {
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(HEAD);
        self.head(&head, !with_reset.is_empty())?;
        let last = self.settings.iter().flat_map(|s| &s.runs).filter_map(|r| r.last());
        let last = last.map(|p| p.iteration).max().unwrap_or(1) as f64;
        let of = |activity: bool, dashed: bool| {
            self.settings
                .iter()
                .filter(move |s| s.activity == activity)
                .map(move |s| (s, dashed))
                .collect::<Vec<_>>()
        };
        let (with, without) = (of(true, false), of(false, false));
        let compared: Vec<_> = with_reset.iter().filter(|s| s.activity).map(|s| (s, true)).collect();
        let iterations = Axis::Linear(0.0..last);
        let (rest, h) = if self.study.experiment == Experiment::Spirals {
            let (rest, h) = body.split_vertically(3 * ROW);
            let rows = rest.split_evenly((3, 3));
            self.loss(
                &rows[0],
                "A  with activity sparsity",
                ITERATION,
                &with,
                |p| p.iteration as f64,
                Some(&iterations),
            )?;
            self.loss(
                &rows[1],
                "B  the same, compute-adjusted",
                FACTOR,
                &with,
                |p| p.compute_adjusted_iteration,
                None,
            )?;
            self.loss(
                &rows[2],
                "B2  the same, density-adjusted",
                DENSITY,
                &with,
                |p| p.density_adjusted_iteration,
                None,
            )?;
            self.loss(
                &rows[3],
                "E  without activity sparsity",
                ITERATION,
                &without,
                |p| p.iteration as f64,
                Some(&iterations),
            )?;
            self.loss(
                &rows[4],
                "F  the same, compute-adjusted",
                FACTOR,
                &without,
                |p| p.compute_adjusted_iteration,
                None,
            )?;
            self.loss(
                &rows[5],
                "F2  the same, density-adjusted",
                DENSITY,
                &without,
                |p| p.density_adjusted_iteration,
                None,
            )?;
            self.share(&rows[6], "C  activity sparsity", "share of silent units", &with, &iterations, |p| {
                p.activity_sparsity
            })?;
            self.share(
                &rows[7],
                "D  influence-matrix sparsity",
                "share of zeros in ∂y/∂w",
                &with,
                &iterations,
                |p| 1.0 - p.influence_density,
            )?;
            let both = [with, of(false, true)].concat();
            self.loss(&rows[8], "G  against work counted", MACS, &both, |p| p.macs as f64, None)?;
            (rest, h)
        } else {
            let (rest, h) = body.split_vertically(ROW);
            let rows = rest.split_evenly((1, 3));
            let both = [with, compared].concat();
            self.share(&rows[0], "C  activity sparsity", "share of silent units", &both, &iterations, |p| {
                p.activity_sparsity
            })?;
            self.share(
                &rows[1],
                "D  influence-matrix sparsity",
                "share of zeros in ∂y/∂w",
                &both,
                &iterations,
                |p| 1.0 - p.influence_density,
            )?;
            self.loss(&rows[2], "G  against work counted", MACS, &both, |p| p.macs as f64, None)?;
            (rest, h)
        };
        drop(rest);
        self.zeros(&h, last)
    }

    fn look(&self, setting: &Setting, dashed: bool) -> Look {
        let rank = self.omegas.iter().position(|o| *o == setting.omega);
        Look { rank: rank.unwrap_or(0), dashed }
    }

    fn head(&self, area: &Area, compared: bool) -> Drawn {
        let preset = match self.study.preset {
            Preset::Default => "our setting",
            Preset::Paper => "the setting of the paper's code",
        };
        let (task, dashes) = match self.study.experiment {
            Experiment::Spirals => {
                ("spirals of 17 steps, reset between them", "dashed in G: without activity sparsity")
            }
            Experiment::Stream if compared => {
                ("an endless stream of spirals, never reset", "dashed: with a reset before every spiral")
            }
            Experiment::Stream => ("an endless stream of spirals, never reset", ""),
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
            x += 130;
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

    /// Loss against anything that grows; the mean of what it has grown to over seeds is the place on the axis.
    fn loss(
        &self,
        area: &Area,
        title: &str,
        x_name: &str,
        settings: &[(&Setting, bool)],
        x: impl Fn(&Point) -> f64,
        axis: Option<&Axis>,
    ) -> Drawn {
        let curve = |&(setting, dashed): &(&Setting, bool)| {
            let places = setting.over_seeds(&x).into_iter().map(|e| e.mean);
            Curve {
                look: self.look(setting, dashed),
                points: places.zip(setting.over_seeds(|p| p.loss)).collect(),
            }
        };
        let all: Vec<Curve> = settings.iter().map(curve).collect();
        let points = || all.iter().flat_map(|c| &c.points);
        let x_axis = axis.cloned().unwrap_or_else(|| Axis::log(points().map(|p| p.0)));
        let y_axis = Axis::log(points().map(|p| p.1.mean));
        curves(area, &Labels { title, x: x_name, y: LOSS }, &x_axis, &y_axis, &all)
    }

    fn share(
        &self,
        area: &Area,
        title: &str,
        y: &str,
        settings: &[(&Setting, bool)],
        x: &Axis,
        of: impl Fn(&Point) -> f64,
    ) -> Drawn {
        let curve = |&(setting, dashed): &(&Setting, bool)| {
            let iterations = setting.over_seeds(|p| p.iteration as f64).into_iter().map(|e| e.mean);
            Curve {
                look: self.look(setting, dashed),
                points: iterations.zip(setting.over_seeds(&of)).collect(),
            }
        };
        let all: Vec<Curve> = settings.iter().map(curve).collect();
        curves(area, &Labels { title, x: ITERATION, y }, x, &Axis::Linear(0.0..1.0), &all)
    }

    /// Panel H: where the zeros come from, one stack for every ω.
    fn zeros(&self, area: &Area, last: f64) -> Drawn {
        let (strip, stacks) = area.split_vertically(STRIP);
        let mut x = 24;
        for share in &SHARES {
            strip.draw(&Rectangle::new([(x, 8), (x + 16, 22)], share.colour.filled()))?;
            strip.draw(&Text::new(share.name, (x + 22, 7), TEXT))?;
            x += 50 + 7 * share.name.chars().count() as i32;
        }
        let with: Vec<&Setting> = self.settings.iter().filter(|s| s.activity).collect();
        for (area, setting) in stacks.split_evenly((1, 4)).iter().zip(with) {
            let mean = |of: &dyn Fn(&Point) -> f64| -> Vec<f64> {
                setting.over_seeds(of).iter().map(|e: &Estimate| e.mean).collect()
            };
            let unreached = |p: &Point| {
                1.0 - p.influence_density - p.columns_untouched - p.rows_without_derivative - p.columns_masked
            };
            let values = [
                mean(&|p| p.influence_density),
                mean(&unreached),
                mean(&|p| p.columns_untouched),
                mean(&|p| p.rows_without_derivative),
                mean(&|p| p.columns_masked),
            ];
            let title = format!("H  entries of ∂y/∂w, ω = {}", setting.omega);
            let labels = Labels { title: &title, x: "iteration", y: "share of n × p" };
            stack(area, &labels, last, &mean(&|p| p.iteration as f64), &SHARES, &values)?;
        }
        Ok(())
    }
}
