//! Curves as SVG inside a page: the door of `plotters`.
//!
//! It writes colours as attributes, which any style sheet overrides. So a colour here is only a name: `report.css` gives each its
//! value for light and for dark pages, its dashes, and the page's font.

use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::drawing::IntoDrawingArea;
use plotters::prelude::SVGBackend;
use plotters::series::{AreaSeries, LineSeries};
use plotters::style::{Color, IntoTextStyle, RGBColor, ShapeStyle};

use crate::error::{Error, Result};
use crate::text::html::escape;

/// A chart's size in its own units, which are whole numbers in `plotters`: fine enough for smooth curves.
const SIZE: (u32, u32) = (1760, 1280);
/// Height of the text: 15 px where a chart is 440 px wide, 10 px on a phone.
const TEXT: u32 = 60;
const THICK: u32 = 9;
const THIN: u32 = 3;

const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);

/// An axis from `low` to `high` with labels at some of its values.
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Ranged for &Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

/// A curve.
pub(super) struct Series {
    /// The number of its colour, from 0.
    pub(super) colour: usize,
    pub(super) kind: Kind,
    pub(super) points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Line,
    Dashed,
    /// Filled down to the axis.
    Area,
}

pub(super) struct Chart<'a> {
    /// What it shows, for those who do not see it. May hold any text.
    pub(super) label: &'a str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

impl Kind {
    /// The name of a colour: the kind in red, its number in blue.
    fn colour(self, number: usize) -> RGBColor {
        let kind = match self {
            Self::Line => 16,
            Self::Dashed => 32,
            Self::Area => 48,
        };
        RGBColor(kind, 0, u8::try_from(number).unwrap_or(u8::MAX))
    }
}

/// The chart as an `<svg>` element.
pub(super) fn svg(chart: &Chart<'_>) -> Result<String> {
    let mut out = String::new();
    draw(chart, &mut out).map_err(|error| Error::internal(format!("draw a chart: {error}")))?;
    Ok(out.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(chart.label)), 1))
}

fn draw(chart: &Chart<'_>, out: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let Chart { x, y, series, .. } = chart;
    let area = SVGBackend::with_string(out, SIZE).into_drawing_area();
    let text = ("sans-serif", TEXT).with_color(INK).into_text_style(&area);
    let mut plot = ChartBuilder::on(&area)
        .margin(TEXT / 4)
        .margin_right(TEXT * 3 / 2)
        .margin_top(TEXT / 2)
        .x_label_area_size(TEXT * 3)
        .y_label_area_size(TEXT * 4)
        .build_cartesian_2d(x, y)?;
    let line = |colour: RGBColor, width: u32| ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: width };
    plot.configure_mesh()
        .bold_line_style(line(GRID, THIN))
        .max_light_lines(0)
        .axis_style(line(INK, THIN))
        .label_style(text.clone())
        .axis_desc_style(text)
        .set_all_tick_mark_size(TEXT / 4)
        .x_desc(x.title)
        .y_desc(y.title)
        .x_label_formatter(&|value| named(&x.ticks, *value))
        .y_label_formatter(&|value| named(&y.ticks, *value))
        .draw()?;
    for Series { colour, kind, points } in series {
        let colour = kind.colour(*colour);
        let points = points.iter().map(|&(across, up)| (across.clamp(x.low, x.high), up.clamp(y.low, y.high)));
        match kind {
            Kind::Area => plot.draw_series(AreaSeries::new(points, y.low, colour).border_style(line(colour, THIN)))?,
            Kind::Line | Kind::Dashed => plot.draw_series(LineSeries::new(points, line(colour, THICK)))?,
        };
    }
    area.present()?;
    Ok(())
}

/// The label of the tick at `value`.
fn named(ticks: &[(f64, String)], value: f64) -> String {
    ticks.iter().min_by(|a, b| (a.0 - value).abs().total_cmp(&(b.0 - value).abs())).map(|tick| tick.1.clone()).unwrap_or_default()
}
