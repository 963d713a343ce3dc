//! Drawing of one panel: curves with standard errors, or a stack of shares.

use crate::curve::Estimate;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::ops::Range;

/// Area of a panel.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Result of a drawing function.
pub type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// Font and size of labels.
pub const TEXT: (&str, i32) = ("sans-serif", 15);
const GRID: RGBColor = RGBColor(228, 228, 228);

/// Style of a curve: a colour of viridis (distinguishable with colour blindness, ordered by
/// darkness) and a marker.
#[derive(Clone, Copy)]
pub struct Look {
    pub rank: usize,
    /// Whether the curve is dashed.
    pub dashed: bool,
}

impl Look {
    /// Returns the colour.
    pub fn colour(self) -> RGBColor {
        let viridis =
            [RGBColor(68, 1, 84), RGBColor(49, 104, 142), RGBColor(53, 183, 121), RGBColor(200, 165, 10)];
        viridis[self.rank % viridis.len()]
    }

    /// Returns the marker: circle, square, triangle or cross, hollow for a dashed curve.
    pub fn mark(self, area: &Area, (x, y): (i32, i32)) -> Drawn {
        let style = if self.dashed { self.colour().stroke_width(1) } else { self.colour().filled() };
        match self.rank % 4 {
            0 => area.draw(&Circle::new((x, y), 4, style))?,
            1 => area.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], style))?,
            2 => {
                let corners = vec![(x, y - 5), (x - 5, y + 4), (x + 5, y + 4)];
                match self.dashed {
                    true => {
                        area.draw(&PathElement::new([corners.clone(), vec![(x, y - 5)]].concat(), style))?
                    }
                    false => area.draw(&Polygon::new(corners, style))?,
                }
            }
            _ => area.draw(&Cross::new((x, y), 4, self.colour().stroke_width(2)))?,
        }
        Ok(())
    }
}

/// Curve of a setting: positions on the x axis and estimates.
pub struct Curve {
    pub look: Look,
    pub points: Vec<(f64, Estimate)>,
}

/// Title and axis labels of a panel.
pub struct Labels<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
}

/// Range of an axis, linear or logarithmic.
#[derive(Clone)]
pub enum Axis {
    Linear(Range<f64>),
    Log(Range<f64>),
}

impl Axis {
    /// Returns a logarithmic axis that contains all values above zero.
    pub fn log(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|x| *x > 0.0 && x.is_finite())
            .fold((f64::MAX, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
        if low > high {
            return Self::Log(0.1..1.0);
        }
        // Only powers of ten are labelled, so the axis must contain at least two of them.
        let (below, above) = (low.log10().floor(), high.log10().ceil());
        let inside = high.log10().floor() - low.log10().ceil();
        if inside >= 1.0 {
            Self::Log(low * 0.8..high * 1.25)
        } else {
            Self::Log(10f64.powf(below)..10f64.powf(above.max(below + 1.0)))
        }
    }

    fn clamp(&self, x: f64) -> f64 {
        let (Self::Linear(range) | Self::Log(range)) = self;
        x.clamp(range.start, range.end)
    }
}

/// Draws curves over a linear or logarithmic axis.
pub fn curves(area: &Area, labels: &Labels, x: &Axis, y: &Axis, curves: &[Curve]) -> Drawn {
    let clamp = |v: f64| y.clamp(v);
    match (x.clone(), y.clone()) {
        (Axis::Linear(x), Axis::Linear(y)) => on(area, labels, x, y, clamp, curves),
        (Axis::Linear(x), Axis::Log(y)) => on(area, labels, x, y.log_scale(), clamp, curves),
        (Axis::Log(x), Axis::Linear(y)) => on(area, labels, x.log_scale(), y, clamp, curves),
        (Axis::Log(x), Axis::Log(y)) => on(area, labels, x.log_scale(), y.log_scale(), clamp, curves),
    }
}

/// Formats a label with at most five digits, or as a power of ten.
fn number(x: &f64) -> String {
    match x.abs() {
        0.0 | 1e-3..1e5 => format!("{}", (x * 1e6).round() / 1e6),
        _ => {
            // The powers of ten of a logarithmic axis have rounding errors.
            let text = format!("{x:.5e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

fn on<X, Y>(area: &Area, labels: &Labels, x: X, y: Y, clamp: impl Fn(f64) -> f64, curves: &[Curve]) -> Drawn
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, ("sans-serif", 18))
        .margin(8)
        .margin_right(18)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .max_light_lines(0)
        .x_labels(5)
        .y_labels(6)
        .x_desc(labels.x)
        .y_desc(labels.y)
        .label_style(TEXT)
        .axis_desc_style(TEXT)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()?;
    for Curve { look, points } in curves {
        let points: Vec<_> = points.iter().filter(|(x, y)| x.is_finite() && y.mean.is_finite()).collect();
        let edge = |sign: f64| move |(x, y): &&(f64, Estimate)| (*x, y.mean + sign * y.spread());
        let upper = points.iter().copied().map(|p| edge(1.0)(&p));
        let lower = points.iter().copied().rev().map(|p| edge(-1.0)(&p));
        let band: Vec<_> = upper.chain(lower).map(|(x, y)| (x, clamp(y))).collect();
        if points.iter().any(|p| p.1.spread() > 0.0) {
            chart.draw_series([Polygon::new(band, look.colour().mix(0.18))])?;
        }
        let line = points.iter().map(|(x, y)| (*x, clamp(y.mean)));
        let style = look.colour().stroke_width(2);
        match look.dashed {
            true => {
                chart.draw_series(DashedLineSeries::new(line.clone().collect::<Vec<_>>(), 5, 4, style))?;
            }
            false => {
                chart.draw_series(LineSeries::new(line.clone(), style))?;
            }
        }
        // Markers at intervals, with an offset per curve so that they do not overlap.
        let line: Vec<_> = line.collect();
        let stride = (line.len() / 6).max(1);
        for at in line.iter().skip((look.rank + 1) * stride / 5).step_by(stride) {
            let (x, y) = chart.backend_coord(at);
            let (left, top) = area.get_base_pixel();
            look.mark(area, (x - left, y - top))?;
        }
    }
    Ok(())
}

/// Name and colour of a share.
pub struct Share {
    pub name: &'static str,
    pub colour: RGBColor,
}

/// Draws a stack of shares over iterations; `values[k]` belongs to `shares[k]`, from the bottom.
pub fn stack(
    area: &Area,
    labels: &Labels,
    last: f64,
    iterations: &[f64],
    shares: &[Share],
    values: &[Vec<f64>],
) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, ("sans-serif", 18))
        .margin(8)
        .margin_right(18)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..last, 0.0..1.0)?;
    let mut floor = vec![0.0; iterations.len()];
    for (share, values) in shares.iter().zip(values) {
        let top: Vec<f64> = floor.iter().zip(values).map(|(floor, value)| floor + value).collect();
        let upper = iterations.iter().copied().zip(top.iter().copied());
        let lower = iterations.iter().copied().zip(floor.iter().copied()).rev();
        chart.draw_series([Polygon::new(upper.clone().chain(lower).collect::<Vec<_>>(), share.colour)])?;
        chart.draw_series(LineSeries::new(upper, WHITE.stroke_width(1)))?;
        floor = top;
    }
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(4)
        .y_labels(6)
        .x_desc(labels.x)
        .y_desc(labels.y)
        .label_style(TEXT)
        .axis_desc_style(TEXT)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn number_of_an_inexact_power_of_ten_is_rounded() {
        let shown = [9.999999999999999e-5, 2.5e-7, 1e11, 0.1].map(|x| number(&x));
        assert_eq!(shown, ["1e-4", "2.5e-7", "1e11", "0.1"]);
    }
}
