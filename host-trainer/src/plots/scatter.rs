//! Points with error bars over a logarithmic axis, as SVG, with their numbers as CSV beside it.

use super::chart::{COLOURS, SIZE};
use crate::error::{Result, TrainerError};
use convrnn_models::files::write_whole;
use plotters::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// A scatter plot.
#[derive(Clone, Debug)]
pub struct Scatter {
    /// Above the chart.
    pub title: String,
    /// Name of the horizontal, logarithmic axis.
    pub horizontal: &'static str,
    /// Name and unit of the vertical axis.
    pub vertical: &'static str,
    /// What the vertical axis never goes beyond; error bars are cut there.
    pub limits: (f64, f64),
    /// Points by colour.
    pub groups: Vec<Group>,
}

/// Points of one colour.
#[derive(Clone, Debug)]
pub struct Group {
    /// Name in the legend.
    pub name: String,
    /// The points.
    pub points: Vec<Point>,
}

/// A value with the ends of its error bar.
#[derive(Clone, Debug)]
pub struct Point {
    /// Which of the group's points it is.
    pub label: &'static str,
    /// Place on the horizontal axis, more than 0.
    pub horizontal: f64,
    /// Place on the vertical axis.
    pub value: f64,
    /// Lower end of the error bar.
    pub low: f64,
    /// Upper end of the error bar.
    pub high: f64,
    /// Filled, or hollow.
    pub is_filled: bool,
}

/// Points at one place are set apart by this share of the horizontal axis.
const APART: f64 = 0.022;

/// Writes `<name>.svg` and `<name>.csv`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(scatter: &Scatter, folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(format!("{name}.svg"));
    let mut image = String::new();
    scatter.draw(&mut image).map_err(|error| TrainerError::Plot { path: path.clone(), message: error.to_string() })?;
    write_whole(&path, image.as_bytes())?;
    let mut csv = String::from("group,label,horizontal,value,low,high\n");
    for group in &scatter.groups {
        for Point { label, horizontal, value, low, high, .. } in &group.points {
            let _ = writeln!(csv, "{},{label},{horizontal},{value},{low},{high}", group.name);
        }
    }
    Ok(write_whole(&folder.join(format!("{name}.csv")), csv.as_bytes())?)
}

/// Round numbers in a range: 1, 2 and 5 times the powers of ten, and more of them within one decade.
fn ticks(left: f64, right: f64) -> Vec<f64> {
    let factors: &[f64] =
        if right / left < 10.0 { &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0] } else { &[1.0, 2.0, 5.0] };
    let powers = left.log10().floor() as i32..=right.log10().ceil() as i32;
    let values = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
    values.filter(|value| (left..=right).contains(value)).collect()
}

/// 43100 as 43.1 k, 2500000 as 2.5 M.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        _ if value >= 1e6 => (value / 1e6, " M"),
        _ if value >= 1e3 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let text = format!("{value:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

impl Scatter {
    fn draw(&self, image: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let area = SVGBackend::with_string(image, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let points = || self.groups.iter().flat_map(|group| &group.points);
        let ends = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (mut left, mut right) = ends(&mut points().map(|point| point.horizontal));
        let (mut low, mut high) = ends(&mut points().flat_map(|point| [point.low, point.high]));
        if left > right {
            (left, right, low, high) = (1.0, 10.0, 0.0, 1.0);
        }
        // Room around the outermost points, and for the legend on the right.
        let spread = (right / left).max(2.0);
        (left, right) = (left / spread.powf(0.1), right * spread.powf(0.6));
        let apart = (right / left).powf(APART);
        let margin = 0.08 * (high - low).max(1e-3);
        let (low, high) = ((low - margin).max(self.limits.0), (high + margin).min(self.limits.1));
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((left..right).log_scale().with_key_points(ticks(left, right)), low..high)?;
        chart
            .configure_mesh()
            .x_desc(self.horizontal)
            .y_desc(self.vertical)
            .x_label_formatter(&|&value| short(value))
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        let mut placed: Vec<f64> = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let mut elements = Vec::new();
            for point in &group.points {
                let same = placed.iter().filter(|&&place| (place / point.horizontal).ln().abs() < apart.ln()).count();
                placed.push(point.horizontal);
                elements.push((point.horizontal * apart.powi(same as i32), point));
            }
            let bars = elements.iter().map(|&(place, point)| {
                PathElement::new([(place, point.low.max(low)), (place, point.high.min(high))], colour.stroke_width(2))
            });
            chart.draw_series(bars)?;
            let mark = |&(place, point): &(f64, &Point)| {
                let style = if point.is_filled { colour.filled() } else { WHITE.filled() };
                [
                    Circle::new((place, point.value), 5, style),
                    Circle::new((place, point.value), 5, colour.stroke_width(2)),
                ]
            };
            let drawn = chart.draw_series(elements.iter().flat_map(mark))?;
            drawn.label(&group.name).legend(move |(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .position(SeriesLabelPosition::MiddleRight)
            .draw()?;
        area.present()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(ticks(9e3, 2e5), [1e4, 2e4, 5e4, 1e5, 2e5]);
        assert_eq!(ticks(9e3, 2.2e4), [1e4, 1.2e4, 1.5e4, 2e4]);
        assert_eq!([short(43_100.0), short(2e6), short(500.0)], ["43.1 k", "2 M", "500"]);
    }

    #[test]
    fn points_bars_and_numbers_are_written() {
        let point = |label, is_filled| Point { label, horizontal: 4e4, value: 80.0, low: 78.0, high: 82.0, is_filled };
        let scatter = Scatter {
            title: "Accuracy".into(),
            horizontal: "parameters",
            vertical: "accuracy [%]",
            limits: (0.0, 100.0),
            groups: vec![
                Group { name: "ff".into(), points: vec![point("plain", false), point("tuned", true)] },
                Group { name: "none".into(), points: Vec::new() },
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        write(&scatter, folder.path(), "figure").unwrap();
        let csv = std::fs::read_to_string(folder.path().join("figure.csv")).unwrap();
        assert_eq!(csv, "group,label,horizontal,value,low,high\nff,plain,40000,80,78,82\nff,tuned,40000,80,78,82\n");
        let svg = std::fs::read_to_string(folder.path().join("figure.svg")).unwrap();
        // Two circles a point, two in the legend.
        assert_eq!(svg.matches("<circle").count(), 6, "{svg}");
        assert!(svg.contains("50 k"), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
        write(&Scatter { groups: Vec::new(), ..scatter }, folder.path(), "empty").unwrap();
    }
}
