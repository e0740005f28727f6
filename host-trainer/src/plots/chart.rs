//! A line chart as SVG, with its numbers as CSV beside it.

use crate::error::{Result, TrainerError};
use convrnn_models::files::write_whole;
use plotters::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// Colours that are told apart by most readers with colour vision deficiencies (Okabe and Ito 2008),
/// gray last.
pub(super) const COLOURS: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 75, 0),
    RGBColor(110, 60, 180),
    RGBColor(130, 130, 130),
];

/// A chart of lines over one axis.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Above the chart.
    pub title: String,
    /// Name and unit of the horizontal axis; its values are whole numbers from `first`.
    pub horizontal: &'a str,
    /// First value of the horizontal axis.
    pub first: usize,
    /// Name and unit of the vertical axis.
    pub vertical: &'a str,
    /// Range of the vertical axis; that of the values if not given.
    pub range: Option<(f64, f64)>,
    /// Name and values of each line.
    pub lines: Vec<(String, Vec<f64>)>,
}

/// Part of an image.
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Width and height of one chart, in pixels.
pub(super) const SIZE: (u32, u32) = (640, 400);

/// Room for the legend, as a share of the horizontal axis.
const LEGEND_SHARE: f64 = 0.35;

/// Writes charts side by side, two in a row, as `<name>.svg`, and their numbers as `<name>.csv`.
pub fn write(charts: &[Chart], folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(format!("{name}.svg"));
    let mut image = String::new();
    let columns = charts.len().clamp(1, 2);
    let rows = charts.len().div_ceil(columns).max(1);
    let draw = |image: &mut String| {
        let text = |error: DrawingAreaErrorKind<std::io::Error>| error.to_string();
        let size = (SIZE.0 * columns as u32, SIZE.1 * rows as u32);
        let area = SVGBackend::with_string(image, size).into_drawing_area();
        area.fill(&WHITE).map_err(text)?;
        for (chart, part) in charts.iter().zip(area.split_evenly((rows, columns))) {
            chart.draw(&part).map_err(text)?;
        }
        area.present().map_err(text)
    };
    draw(&mut image).map_err(|message| TrainerError::Plot { path: path.clone(), message })?;
    write_whole(&path, image.as_bytes())?;
    Ok(write_whole(&folder.join(format!("{name}.csv")), csv(charts).as_bytes())?)
}

/// One row a value: chart, name of the line, place on the horizontal axis, value.
fn csv(charts: &[Chart]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = String::from("chart,line,place,value\n");
    for chart in charts {
        for (line, values) in &chart.lines {
            for (index, value) in values.iter().enumerate() {
                let _ = writeln!(text, "{},{},{},{value}", quoted(&chart.title), quoted(line), chart.first + index);
            }
        }
    }
    text
}

impl Chart<'_> {
    fn range(&self) -> (f64, f64) {
        let finite = || self.lines.iter().flat_map(|(_, values)| values).copied().filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        match self.range {
            Some(range) => range,
            None if low < high => (low - 0.05 * (high - low), high + 0.05 * (high - low)),
            None if low.is_finite() => (low - 0.5, low + 0.5),
            None => (0.0, 1.0),
        }
    }

    fn draw(&self, area: &Area) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let points = self.lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let (low, high) = self.range();
        let last = (self.first + points.max(2) - 1) as f64;
        // The legend stands right of the last value, where it hides nothing.
        let room = LEGEND_SHARE * (last - self.first as f64);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(self.first as f64..last + room, low..high)?;
        chart
            .configure_mesh()
            .x_desc(self.horizontal)
            .y_desc(self.vertical)
            .x_labels(points.clamp(2, 16))
            .x_label_formatter(&|value| {
                let shown = (value - value.round()).abs() < 1e-6 && *value <= last;
                if shown { format!("{value:.0}") } else { String::new() }
            })
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        for (number, (name, values)) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let point = |(index, &value): (usize, &f64)| ((self.first + index) as f64, value);
            let finite = || values.iter().enumerate().filter(|(_, value)| value.is_finite()).map(point);
            let series = LineSeries::new(finite(), colour.filled().stroke_width(2)).point_size(3);
            let drawn = chart.draw_series(series)?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .position(SeriesLabelPosition::MiddleRight)
            .draw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_and_numbers_are_written_and_odd_values_do_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let chart = Chart {
            title: "a <title> & more".into(),
            horizontal: "step",
            first: 1,
            vertical: "accuracy [%]",
            range: None,
            lines: vec![("one, \"quoted\"".into(), vec![1.0, f64::NAN, 2.5]), ("two".into(), vec![0.5])],
        };
        write(std::slice::from_ref(&chart), folder.path(), "chart").unwrap();
        let csv = std::fs::read_to_string(folder.path().join("chart.csv")).unwrap();
        let title = "\"a <title> & more\"";
        let one = "\"one, \"\"quoted\"\"\"";
        assert_eq!(
            csv,
            format!(
                "chart,line,place,value\n{title},{one},1,1\n{title},{one},2,NaN\n{title},{one},3,2.5\n{title},\"two\",1,0.5\n"
            )
        );
        let svg = std::fs::read_to_string(folder.path().join("chart.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("polyline") && svg.contains("accuracy [%]") && !svg.contains("NaN"), "{svg}");
        write(&[Chart { lines: Vec::new(), ..chart }], folder.path(), "empty").unwrap();
        write(&[], folder.path(), "none").unwrap();
    }
}
