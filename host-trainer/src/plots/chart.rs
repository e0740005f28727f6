//! A line chart as SVG, with its numbers as CSV beside it.

use super::axis::{Scale, Ticks};
use super::head::{Area, COLOURS, DrawError, Entry, Head, Mark};
use crate::error::{Result, TrainerError};
use convrnn_models::files::write_whole;
use plotters::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// A chart of lines over one axis.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Above the chart.
    pub title: String,
    /// What a reader must know besides, below the title.
    pub note: Option<String>,
    /// Name and unit of the horizontal axis; its values are whole numbers from `first`.
    pub horizontal: &'a str,
    /// First value of the horizontal axis.
    pub first: usize,
    /// Name and unit of the vertical axis.
    pub vertical: &'a str,
    /// Range of the vertical axis; that of the values if not given.
    pub range: Option<(f64, f64)>,
    /// Name and values of each line, ten at most: more would not be told apart.
    pub lines: Vec<(String, Vec<f64>)>,
}

/// Width of one chart and height of its axes, in pixels.
const SIZE: (u32, u32) = (640, 340);

/// Room left and right of the first and the last value, as a share of the width between them, so that no marker lies on
/// the frame.
const ROOM: f64 = 0.03;

/// Writes charts side by side, two in a row, as `<name>.svg`, and their numbers as `<name>.csv`.
pub fn write(charts: &[Chart], folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(format!("{name}.svg"));
    let mut image = String::new();
    let columns = charts.len().clamp(1, 2);
    let rows = charts.len().div_ceil(columns).max(1);
    let heads: Vec<Head> = charts.iter().map(Chart::head).collect();
    let above = heads.iter().map(Head::height).max().unwrap_or(0);
    let draw = |image: &mut String| {
        let text = |error: DrawError| error.to_string();
        let size = (SIZE.0 * columns as u32, (SIZE.1 + above) * rows as u32);
        let area = SVGBackend::with_string(image, size).into_drawing_area();
        area.fill(&WHITE).map_err(text)?;
        for ((chart, head), part) in charts.iter().zip(&heads).zip(area.split_evenly((rows, columns))) {
            let (upper, lower) = part.split_vertically(above);
            head.draw(&upper).map_err(text)?;
            chart.draw(&lower).map_err(text)?;
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
    fn head(&self) -> Head<'_> {
        let entry = |(number, (name, _)): (usize, &(String, Vec<f64>))| Entry {
            name: name.clone(),
            colour: COLOURS[number % COLOURS.len()],
            mark: Mark::Line,
        };
        Head::new(&self.title, self.note.as_deref(), self.lines.iter().enumerate().map(entry).collect(), SIZE.0)
    }

    /// Lower and upper end of the vertical axis, with room for markers at the extremes.
    fn range(&self) -> (f64, f64) {
        let finite = || self.lines.iter().flat_map(|(_, values)| values).copied().filter(|value| value.is_finite());
        let found = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = self.range.unwrap_or(found);
        match low < high {
            true => (low - 0.05 * (high - low), high + 0.05 * (high - low)),
            false if low.is_finite() => (low - 0.5, low + 0.5),
            false => (0.0, 1.0),
        }
    }

    fn draw(&self, area: &Area) -> Result<(), DrawError> {
        let points = self.lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let (low, high) = self.range();
        let (first, last) = (self.first, self.first + points.max(1) - 1);
        // One value alone stands in the middle.
        let room = if last > first { ROOM * (last - first) as f64 } else { 0.5 };
        let across = Ticks::whole(first, last, 16);
        let (from, to) = self.range.unwrap_or((low, high));
        let up = Ticks::new(from, to, 9);
        let horizontal = Scale { range: first as f64 - room..last as f64 + room, ticks: across.values.clone() };
        let vertical = Scale { range: low..high, ticks: up.values.clone() };
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(4)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(horizontal, vertical)?;
        chart
            .configure_mesh()
            .x_desc(self.horizontal)
            .y_desc(self.vertical)
            .x_label_formatter(&|&value| across.label(value))
            .y_label_formatter(&|&value| up.label(value))
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        for (number, (_, values)) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let point = |(index, &value): (usize, &f64)| ((self.first + index) as f64, value);
            let finite = || values.iter().enumerate().filter(|(_, value)| value.is_finite()).map(point);
            chart.draw_series(LineSeries::new(finite(), colour.filled().stroke_width(2)).point_size(3))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Geometry;
    use super::*;

    fn drawn(chart: &Chart) -> Geometry {
        let folder = tempfile::tempdir().unwrap();
        write(std::slice::from_ref(chart), folder.path(), "chart").unwrap();
        Geometry::of(&std::fs::read_to_string(folder.path().join("chart.svg")).unwrap())
    }

    #[test]
    fn marks_lie_off_the_frame_and_clear_of_the_legend_and_fill_the_width() {
        let wave = |count: usize| (0..count).map(|at| 50.0 + 50.0 * (at as f64 * 0.7).cos()).collect::<Vec<f64>>();
        let long = "a name of a class that is rather long";
        for (count, range) in [(2, None), (8, Some((0.0, 100.0))), (90, None)] {
            let names = ["whole network", "without recurrence", long, "4", "5", "6", "7", "8", "9", "10"];
            let lines = names.iter().map(|name| ((*name).to_owned(), wave(count))).collect();
            let horizontal = "time step [10 ms]";
            let title = "Accuracy".to_owned();
            let chart = Chart { title, note: None, horizontal, first: 1, vertical: "accuracy [%]", range, lines };
            let geometry = drawn(&chart);
            geometry.check(&names[..3]);
            assert_eq!(geometry.circles.iter().filter(|(_, y, _)| *y > geometry.frame[1]).count(), 10 * count);
            let blank = geometry.widest_blank();
            assert!(blank < 0.25 || count == 2, "{count}: {blank}");
            let [left, _, right, _] = geometry.frame;
            let ends = geometry
                .points()
                .into_iter()
                .fold((f64::MAX, 0.0f64), |ends, (x, _, _)| (ends.0.min(x), ends.1.max(x)));
            assert!(ends.0 - left < 0.05 * (right - left) && right - ends.1 < 0.05 * (right - left), "{ends:?}");
        }
    }

    #[test]
    fn labels_of_an_accuracy_and_of_one_epoch_are_plain_numbers() {
        let chart = Chart {
            title: "Accuracy".into(),
            note: Some("what to know".into()),
            horizontal: "epoch",
            first: 1,
            vertical: "accuracy [%]",
            range: Some((0.0, 100.0)),
            lines: vec![("training".into(), vec![100.0])],
        };
        let geometry = drawn(&chart);
        geometry.check(&["training", "what to know"]);
        let bottom = geometry.frame[3];
        assert_eq!(geometry.labels(|shown| shown[1] > bottom), ["1"]);
        let mut up = geometry.labels(|shown| shown[2] < geometry.frame[0]);
        up.sort_by_key(|label| label.parse::<i64>().unwrap());
        assert_eq!(up, ["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn image_and_numbers_are_written_and_odd_values_do_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let chart = Chart {
            title: "a <title> & more".into(),
            note: None,
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
