//! Tables and figures of a comparison, on the terminal and as Markdown, CSV and SVG files.

use super::{Outcome, Predictions};
use crate::origin;
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table, TableStyle};
use plotters::prelude::*;
use sparse_rtrl::error::{Error, Result};
use sparse_rtrl::file;
use std::path::Path;

/// Content of the report of a comparison.
pub struct Report<'a> {
    /// Stem of the file names.
    pub name: &'a str,
    /// Name of the program.
    pub program: &'a str,
    pub title: &'a str,
    /// Definition of the measures, and the method by which settings were chosen.
    pub notes: &'a str,
    /// Names of the measures.
    pub measures: &'a [&'a str],
    /// Computes one value per measure.
    pub measure: &'a (dyn Fn(&Predictions) -> Vec<f64> + Sync),
    /// Published results: name and measures (NaN if not published).
    pub published: &'a [(&'a str, &'a [f64])],
    /// Computes the error over a range of rows, for the figure.
    pub error: &'a dyn Fn(&Predictions, std::ops::Range<usize>) -> f64,
    /// Rows per window in the figure.
    pub window: usize,
    /// Models in the figure.
    pub drawn: &'a [&'a str],
}

/// Prints a comparison and writes it to a folder.
///
/// # Errors
/// If a file cannot be written.
pub fn write(report: &Report, outcomes: &[Outcome], folder: &Path, data: &Path) -> Result<()> {
    let command =
        origin::command(&format!("cargo study {}", report.program), data.is_absolute().then_some(data));
    println!("{}\n\n{}", table(NOTHING, report, outcomes), report.notes);
    let text = format!(
        "# {}\n\n{}\n\n{}\n\n{}\n\n![Error over time]({}.svg)\n",
        report.title,
        origin::provenance(&command),
        table(ASCII_MARKDOWN, report, outcomes),
        report.notes,
        report.name,
    );
    let path = |kind: &str| folder.join(format!("{}.{kind}", report.name));
    file::replace(&path("md"), text)?;
    rows(report, outcomes, &path("csv"))?;
    draw(report, outcomes, &path("svg"))?;
    println!("\n{}", path("md").display());
    Ok(())
}

fn table(style: TableStyle, report: &Report, outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(["model"].iter().chain(report.measures).chain(&["seeds", "settings"]));
    let number = |x: f64| if x.is_nan() { String::new() } else { format!("{x:.4}") };
    for (name, measures) in report.published {
        let cells = measures.iter().map(|m| number(*m));
        table.add_row(
            [(*name).to_string()].into_iter().chain(cells).chain([String::new(), "*published*".into()]),
        );
    }
    for outcome in outcomes {
        let measured: Vec<Vec<f64>> = outcome.predictions.iter().map(report.measure).collect();
        let n = measured.len() as f64;
        let cell = |m: usize| {
            let mean = measured.iter().map(|j| j[m]).sum::<f64>() / n;
            let variance = measured.iter().map(|j| (j[m] - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
            if measured.len() > 1 { format!("{mean:.4} ± {:.4}", variance.sqrt()) } else { number(mean) }
        };
        let cells = (0..report.measures.len()).map(cell);
        let seeds = if measured.len() > 1 { measured.len().to_string() } else { String::new() };
        let name = outcome.model.name.clone();
        table.add_row([name].into_iter().chain(cells).chain([seeds, outcome.model.about.clone()]));
    }
    for column in table.column_iter_mut().skip(1).take(report.measures.len() + 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Writes the measures of every seed as CSV.
fn rows(report: &Report, outcomes: &[Outcome], path: &Path) -> Result<()> {
    let failed = |why: csv::Error| Error::Csv { path: path.into(), source: why.into() };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let header = ["model", "settings", "seed"].iter().chain(report.measures);
    csv.write_record(header).map_err(failed)?;
    for outcome in outcomes {
        for (seed, predictions) in outcome.predictions.iter().enumerate() {
            let model = [outcome.model.name.clone(), outcome.model.about.clone(), seed.to_string()];
            let measures = (report.measure)(predictions).into_iter().map(|m| format!("{m:.6}"));
            csv.write_record(model.into_iter().chain(measures)).map_err(failed)?;
        }
    }
    let bytes = csv.into_inner().map_err(|why| failed(why.into_error().into()))?;
    file::replace(path, bytes)
}

/// Draws the windowed error of the first seed over time.
fn draw(report: &Report, outcomes: &[Outcome], path: &Path) -> Result<()> {
    let drawn: Vec<&Outcome> =
        report.drawn.iter().filter_map(|n| outcomes.iter().find(|o| o.model.name == *n)).collect();
    let curve = |outcome: &Outcome| -> Vec<(f64, f64)> {
        let predictions = &outcome.predictions[0];
        let ends = (2 * report.window..=predictions.len()).step_by((report.window / 4).max(1));
        ends.map(|end| (end as f64, (report.error)(predictions, end - report.window..end))).collect()
    };
    let curves: Vec<Vec<(f64, f64)>> = drawn.iter().map(|outcome| curve(outcome)).collect();
    let points = || curves.iter().flatten();
    let (least, most) =
        points().fold((f64::INFINITY, 0.0f64), |(a, b), point| (a.min(point.1), b.max(point.1)));
    let end = points().map(|point| point.0).fold(1.0, f64::max);
    let mut text = String::new();
    let failed = |why: String| Error::Format { path: path.into(), why };
    {
        let area = SVGBackend::with_string(&mut text, (900, 420)).into_drawing_area();
        let picture = || -> std::result::Result<(), Box<dyn std::error::Error>> {
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .caption(report.title, ("sans-serif", 18))
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(64)
                // The legend is on the right.
                .build_cartesian_2d(0.0..1.36 * end, (0.8 * least..1.25 * most).log_scale())?;
            let x = format!("row (error over the last {} rows)", report.window);
            chart
                .configure_mesh()
                .x_desc(x)
                .y_desc(report.measures[0])
                .x_label_formatter(&|row| if *row <= end { format!("{row:.0}") } else { String::new() })
                .light_line_style(BLACK.mix(0.06))
                .draw()?;
            for (k, (outcome, curve)) in drawn.iter().zip(&curves).enumerate() {
                let color = Palette99::pick(k).to_rgba();
                chart
                    .draw_series(LineSeries::new(curve.iter().copied(), color.stroke_width(2)))?
                    .label(&outcome.model.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.2))
                .draw()?;
            area.present()?;
            Ok(())
        };
        picture().map_err(|why| failed(why.to_string()))?;
    }
    file::replace(path, text)
}
