//! Figure of the learning curves: mean loss per run, smoothed over 20 iterations, by sparsity.

use plotters::prelude::*;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::experiment::record::Row;
use std::path::Path;

/// Number of iterations averaged in one point of a curve.
const WINDOW: usize = 20;

/// Colours of viridis: distinguishable with colour blindness, ordered by darkness.
const COLOURS: [RGBColor; 4] =
    [RGBColor(68, 1, 84), RGBColor(49, 104, 142), RGBColor(53, 183, 121), RGBColor(210, 180, 20)];

/// Draws one line per run as SVG, with one colour per sparsity.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(path: &Path, curves: &[Vec<Row>]) -> Result<()> {
    let failed = |source| Error::Write { path: path.into(), source };
    let mut svg = String::new();
    chart(SVGBackend::with_string(&mut svg, (860, 480)).into_drawing_area(), curves)
        .map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    std::fs::write(path, svg).map_err(failed)
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn chart(area: Drawing, curves: &[Vec<Row>]) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let smooth: Vec<(f64, Vec<(f64, f64)>)> = curves.iter().filter_map(|c| smoothed(c)).collect();
    let losses = || smooth.iter().flat_map(|c| &c.1).map(|p| p.1);
    let (low, high) = (losses().fold(f64::MAX, f64::min), losses().fold(0.0, f64::max));
    let last = curves.iter().map(Vec::len).max().unwrap_or(1) as f64;
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(68)
        .build_cartesian_2d(0.0..last, (low.max(1e-6) * 0.8..high.max(2e-6) * 1.2).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .x_desc("iteration (one batch, one update)")
        .y_desc(format!("cross-entropy, mean of {WINDOW} iterations"))
        .label_style(("sans-serif", 15))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y}"))
        .draw()?;
    let mut sparsities: Vec<f64> = smooth.iter().map(|c| c.0).collect();
    sparsities.sort_by(f64::total_cmp);
    sparsities.dedup();
    for (k, omega) in sparsities.iter().enumerate() {
        let style = COLOURS[k % COLOURS.len()].stroke_width(1);
        let runs: Vec<_> = smooth.iter().filter(|c| c.0 == *omega).collect();
        let label = format!("ω = {omega}, {} seed{}", runs.len(), if runs.len() == 1 { "" } else { "s" });
        for (i, (_, points)) in runs.into_iter().enumerate() {
            let line = chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            if i == 0 {
                let swatch = move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], style);
                line.label(label.clone()).legend(swatch);
            }
        }
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 15))
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(190, 190, 190))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Returns ω and the smoothed curve of a run, or `None` if the curve is empty.
fn smoothed(curve: &[Row]) -> Option<(f64, Vec<(f64, f64)>)> {
    let point = |rows: &[Row]| {
        let mean = rows.iter().map(|r| r.loss).sum::<f64>() / rows.len() as f64;
        (rows[rows.len() - 1].iteration as f64, mean)
    };
    Some((curve.first()?.param_sparsity, curve.chunks(WINDOW).map(point).collect()))
}
