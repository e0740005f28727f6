//! Points with error bars over a logarithmic axis, as SVG, with their numbers as CSV beside it.

use super::axis::{Scale, Ticks};
use super::head::{COLOURS, DrawError, Entry, Head, Mark};
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
    pub vertical: String,
    /// What the columns of the CSV are called that hold the places on the two axes.
    pub columns: (&'static str, String),
    /// What the vertical axis never goes beyond; error bars are cut there. The axis shows no less than a hundredth of it.
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
    /// Lower end of the error bar; the value where there is none.
    pub low: f64,
    /// Upper end of the error bar; the value where there is none.
    pub high: f64,
    /// Filled, or hollow.
    pub is_filled: bool,
}

/// Width of the figure and height of its axes, in pixels.
const SIZE: (u32, u32) = (720, 380);

/// Points at one place are set apart by this share of the distance between the outermost places.
const APART: f64 = 0.024;
/// Room left and right of the outermost points, as a share of the distance between them.
const ROOM: f64 = 0.05;
/// Distance of the outermost places where all points are at one, as a ratio.
const NARROWEST: f64 = 1.2;
/// What the vertical axis shows at least, as a share of what lies between its limits: a point of accuracies in percent. What
/// is closer together is equal for the eye, and labels of more decimals would run into the name of the axis.
const NARROWEST_SHARE: f64 = 0.01;

/// Writes `<name>.svg` and `<name>.csv`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(scatter: &Scatter, folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(format!("{name}.svg"));
    let mut image = String::new();
    scatter.draw(&mut image).map_err(|error| TrainerError::Plot { path: path.clone(), message: error.to_string() })?;
    write_whole(&path, image.as_bytes())?;
    let (horizontal, value) = &scatter.columns;
    let mut csv = format!("group,label,{horizontal},{value},{value}_low,{value}_high\n");
    for group in &scatter.groups {
        for Point { label, horizontal, value, low, high, .. } in &group.points {
            // Without an error bar the ends are not known.
            let ends = if low == high { ",".into() } else { format!("{low},{high}") };
            let _ = writeln!(csv, "{},{label},{horizontal},{value},{ends}", group.name);
        }
    }
    Ok(write_whole(&folder.join(format!("{name}.csv")), csv.as_bytes())?)
}

/// The range from `low` to `high`, but at least this wide: around its middle, and within the limits.
fn widened((low, high): (f64, f64), least: f64, limits: (f64, f64)) -> (f64, f64) {
    if high - low >= least {
        return (low, high);
    }
    let from = (0.5 * (low + high - least)).min(limits.1 - least).max(limits.0);
    (from, from + least)
}

/// Least and largest of some values.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Colour and shape of a group: circles, then triangles in the same colours.
fn look(number: usize) -> (RGBColor, Mark) {
    let mark = if (number / COLOURS.len()).is_multiple_of(2) { Mark::Circle } else { Mark::Triangle };
    (COLOURS[number % COLOURS.len()], mark)
}

impl Scatter {
    /// Logarithm of the place of each point, by group. Points that would lie on each other stand side by side, as near to
    /// their places as that allows: with z the sorted places less `rank * apart`, the non-decreasing values of least squares
    /// to z (pool adjacent violators; Barlow et al. 1972), plus `rank * apart`.
    fn places(&self) -> Vec<Vec<f64>> {
        let wanted: Vec<f64> =
            self.groups.iter().flat_map(|group| &group.points).map(|point| point.horizontal.ln()).collect();
        let (left, right) = ends(wanted.iter().copied());
        let apart = APART * (right - left).max(NARROWEST.ln());
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]).then(a.cmp(&b)));
        // Sum and number of the values that are pooled.
        let mut pools: Vec<(f64, usize)> = Vec::new();
        let mean = |pool: &(f64, usize)| pool.0 / pool.1 as f64;
        for (rank, &point) in order.iter().enumerate() {
            pools.push((wanted[point] - rank as f64 * apart, 1));
            while let [.., before, last] = pools[..]
                && mean(&before) > mean(&last)
            {
                pools.pop();
                pools.pop();
                pools.push((before.0 + last.0, before.1 + last.1));
            }
        }
        let values = pools.iter().flat_map(|pool| std::iter::repeat_n(mean(pool), pool.1));
        let mut places = wanted.clone();
        for ((rank, &point), value) in order.iter().enumerate().zip(values) {
            places[point] = value + rank as f64 * apart;
        }
        let mut places = places.into_iter();
        self.groups.iter().map(|group| places.by_ref().take(group.points.len()).collect()).collect()
    }

    fn draw(&self, image: &mut String) -> Result<(), DrawError> {
        let entry = |(number, group): (usize, &Group)| {
            let (colour, mark) = look(number);
            Entry { name: group.name.clone(), colour, mark }
        };
        let head = Head::new(&self.title, None, self.groups.iter().enumerate().map(entry).collect(), SIZE.0);
        let area = SVGBackend::with_string(image, (SIZE.0, SIZE.1 + head.height())).into_drawing_area();
        area.fill(&WHITE)?;
        let (upper, lower) = area.split_vertically(head.height());
        head.draw(&upper)?;
        let places = self.places();
        let points = || self.groups.iter().flat_map(|group| &group.points);
        let (mut left, mut right) = ends(places.iter().flatten().copied());
        let (mut low, mut high) = ends(points().flat_map(|point| [point.low, point.high, point.value]));
        if left > right {
            (left, right, low, high) = (0.0, 10f64.ln(), 0.0, 1.0);
        }
        let (found, least) = (right - left, NARROWEST.ln());
        let room = ROOM * found.max(least) + 0.5 * (least - found).max(0.0);
        let (left, right) = ((left - room).exp(), (right + room).exp());
        let least = NARROWEST_SHARE * (self.limits.1 - self.limits.0);
        let (from, to) = widened((low.max(self.limits.0), high.min(self.limits.1)), least, self.limits);
        // Room for markers, also at the limits; ticks stay within them.
        let margin = 0.08 * (to - from);
        let (low, high) = (from - margin, to + margin);
        let up = Ticks::new(low.max(self.limits.0), high.min(self.limits.1), 9);
        let across = Ticks::logarithmic(left, right);
        let horizontal = (left..right).log_scale().with_key_points(across.values.clone());
        let vertical = Scale { range: low..high, ticks: up.values.clone() };
        let mut chart = ChartBuilder::on(&lower)
            .margin(12)
            .margin_top(4)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(horizontal, vertical)?;
        chart
            .configure_mesh()
            .x_desc(self.horizontal)
            .y_desc(self.vertical.as_str())
            .x_label_formatter(&|&value| across.label(value))
            .y_label_formatter(&|&value| up.label(value))
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        for (number, (group, places)) in self.groups.iter().zip(&places).enumerate() {
            let (colour, mark) = look(number);
            for (point, place) in group.points.iter().zip(places) {
                let place = place.exp();
                let bar = [(place, point.low.max(self.limits.0)), (place, point.high.min(self.limits.1))];
                chart.draw_series([PathElement::new(bar, colour.stroke_width(2))])?;
                let inside = if point.is_filled { colour } else { WHITE };
                let at = (place, point.value);
                match mark {
                    Mark::Triangle => {
                        chart.draw_series([
                            TriangleMarker::new(at, 8, colour.filled()),
                            TriangleMarker::new(at, 4, inside.filled()),
                        ])?;
                    }
                    Mark::Circle | Mark::Line => {
                        chart.draw_series([
                            Circle::new(at, 5, inside.filled()),
                            Circle::new(at, 5, colour.stroke_width(2)),
                        ])?;
                    }
                }
            }
        }
        area.present()
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Geometry;
    use super::*;

    #[test]
    fn points_fill_the_width_and_stand_clear_of_each_other_and_of_the_legend() {
        let names = ["ff-28", "ff-28-matched", "vanilla-28", "lstm-28", "rgc-28", "rgc-28-minimal"];
        let parameters = [11_826.0, 36_449.0, 17_158.0, 62_662.0, 36_598.0, 36_598.0];
        let group = |(name, horizontal): (&&str, f64)| {
            let point = |label, value: f64, is_filled| Point {
                label,
                horizontal,
                value,
                low: value - 3.0,
                high: 100.0,
                is_filled,
            };
            Group { name: (*name).into(), points: vec![point("plain", 97.0, false), point("tuned", 100.0, true)] }
        };
        let scatter = Scatter {
            title: "Accuracy over seeds".into(),
            horizontal: "parameters",
            vertical: "accuracy [%]".into(),
            columns: ("parameters", "accuracy".into()),
            limits: (0.0, 100.0),
            groups: names.iter().zip(parameters).map(group).collect(),
        };
        let mut svg = String::new();
        scatter.draw(&mut svg).unwrap();
        let geometry = Geometry::of(&svg);
        geometry.check(&names);
        // What is blank between the points is the distance of the nets; beside them there is next to nothing.
        let [left, _, right, _] = geometry.frame;
        let circles = geometry.circles.iter().filter(|(_, y, _)| *y > geometry.frame[1]);
        let places: Vec<f64> = circles.map(|(x, _, _)| *x).collect();
        let ends = places.iter().fold((f64::MAX, 0.0f64), |ends, &x| (ends.0.min(x), ends.1.max(x)));
        assert!(ends.0 - left < 0.06 * (right - left) && right - ends.1 < 0.06 * (right - left), "{ends:?}");
        let mut apart = places.clone();
        apart.sort_by(f64::total_cmp);
        apart.dedup();
        assert_eq!(apart.len(), 12, "every point has a place of its own: {apart:?}");
        assert!(apart.windows(2).all(|pair| pair[1] - pair[0] >= 11.0), "circles do not cover each other: {apart:?}");
    }

    #[test]
    fn a_nearly_empty_range_is_widened_around_the_value() {
        for (values, expected) in [
            (&[50.0][..], &["49.6", "49.8", "50.0", "50.2", "50.4"][..]),
            (&[50.0, 50.000_04], &["49.6", "49.8", "50.0", "50.2", "50.4"]),
            (&[100.0, 100.0], &["99.0", "99.2", "99.4", "99.6", "99.8", "100.0"]),
            (&[0.0], &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ] {
            let point = |&value: &f64| Point {
                label: "plain",
                horizontal: 4e4,
                value,
                low: value,
                high: value,
                is_filled: true,
            };
            let scatter = Scatter {
                title: "Accuracy".into(),
                horizontal: "parameters",
                vertical: "accuracy [%]".into(),
                columns: ("parameters", "accuracy".into()),
                limits: (0.0, 100.0),
                groups: vec![Group { name: "ff".into(), points: values.iter().map(point).collect() }],
            };
            let mut svg = String::new();
            scatter.draw(&mut svg).unwrap();
            let geometry = Geometry::of(&svg);
            geometry.check(&["ff"]);
            let mut ticks = geometry.labels(|shown| shown[2] < geometry.frame[0]);
            ticks.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse().unwrap()));
            assert_eq!(ticks, expected, "{values:?}");
        }
    }

    #[test]
    fn more_groups_than_colours_have_another_shape() {
        assert_eq!((look(3).0, look(3).1), (look(13).0, Mark::Circle));
        assert_eq!(look(13).1, Mark::Triangle);
    }

    #[test]
    fn points_bars_and_numbers_are_written() {
        let point = |label, is_filled| Point { label, horizontal: 4e4, value: 80.0, low: 78.0, high: 82.0, is_filled };
        let alone = Point { low: 80.0, high: 80.0, ..point("tuned", true) };
        let scatter = Scatter {
            title: "Accuracy".into(),
            horizontal: "parameters",
            vertical: "accuracy [%]".into(),
            columns: ("parameters", "accuracy".into()),
            limits: (0.0, 100.0),
            groups: vec![
                Group { name: "ff".into(), points: vec![point("plain", false), alone] },
                Group { name: "none".into(), points: Vec::new() },
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        write(&scatter, folder.path(), "figure").unwrap();
        let csv = std::fs::read_to_string(folder.path().join("figure.csv")).unwrap();
        assert_eq!(
            csv,
            "group,label,parameters,accuracy,accuracy_low,accuracy_high\nff,plain,40000,80,78,82\nff,tuned,40000,80,,\n"
        );
        let svg = std::fs::read_to_string(folder.path().join("figure.svg")).unwrap();
        // Two circles a point, one an entry of the legend.
        assert_eq!(svg.matches("<circle").count(), 6, "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
        write(&Scatter { groups: Vec::new(), ..scatter }, folder.path(), "empty").unwrap();
    }
}
