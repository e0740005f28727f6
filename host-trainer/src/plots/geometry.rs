//! Reads the places of marks and texts out of an SVG that plotters wrote, for tests of charts.

/// A chart as a viewer sees it. Pixels, from the upper left corner.
#[derive(Debug, Default)]
pub(super) struct Geometry {
    /// Centre and radius.
    pub circles: Vec<(f64, f64, f64)>,
    /// Corners of lines and triangles.
    pub corners: Vec<(f64, f64)>,
    /// Text with its box: left, top, right, bottom.
    pub texts: Vec<(String, [f64; 4])>,
    /// Left, top, right, bottom of the axes.
    pub frame: [f64; 4],
    /// Width and height of the image.
    pub size: (f64, f64),
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(&format!(" {name}=\"")).nth(1)?.split('"').next()
}

fn number(element: &str, name: &str) -> f64 {
    attribute(element, name).and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

impl Geometry {
    pub(super) fn of(svg: &str) -> Self {
        let mut found = Self { frame: [f64::INFINITY, 0.0, 0.0, 0.0], ..Self::default() };
        let mut longest = (0.0, 0.0);
        for element in svg.split('<').skip(1) {
            let name = element.split_whitespace().next().unwrap_or_default();
            match name {
                "svg" => found.size = (number(element, "width"), number(element, "height")),
                "circle" => {
                    found.circles.push((number(element, "cx"), number(element, "cy"), number(element, "r")));
                }
                "polyline" | "polygon" => {
                    let points: Vec<(f64, f64)> = attribute(element, "points")
                        .unwrap_or_default()
                        .split_whitespace()
                        .filter_map(|pair| pair.split_once(','))
                        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
                        .collect();
                    let is_axis = attribute(element, "stroke") == Some("#000000");
                    match points[..] {
                        [(left, y), (right, below)] if is_axis && y == below && right - left > longest.0 => {
                            longest.0 = right - left;
                            (found.frame[0], found.frame[2]) = (left, right);
                        }
                        [(x, top), (beside, bottom)] if is_axis && x == beside && (bottom - top).abs() > longest.1 => {
                            longest.1 = (bottom - top).abs();
                            (found.frame[1], found.frame[3]) = (top.min(bottom), top.max(bottom));
                        }
                        // Lines of the grid and ticks.
                        _ if is_axis || attribute(element, "stroke") == Some("#E1E1E1") => {}
                        _ => found.corners.extend(points),
                    }
                }
                "text" => {
                    let text = element.split('>').nth(1).unwrap_or_default().trim().to_owned();
                    let (x, y, size) = (number(element, "x"), number(element, "y"), number(element, "font-size"));
                    // A letter of a sans-serif face is about 0.55 of its size wide.
                    let width = 0.55 * size * text.chars().count() as f64;
                    let left = match attribute(element, "text-anchor") {
                        Some("end") => x - width,
                        Some("middle") => x - width / 2.0,
                        _ => x,
                    };
                    let top = match attribute(element, "dy") {
                        Some("0.76em") => y,
                        Some("0.5ex") => y - size / 2.0,
                        _ => y - size,
                    };
                    if attribute(element, "transform").is_none() {
                        found.texts.push((text, [left, top, left + width, top + size]));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Circles and corners within the axes, with their radius.
    pub(super) fn points(&self) -> Vec<(f64, f64, f64)> {
        let corners = self.corners.iter().map(|&(x, y)| (x, y, 0.0));
        let all = self.circles.iter().copied().chain(corners);
        all.filter(|&(_, y, radius)| y + radius >= self.frame[1]).collect()
    }

    /// Verifies what must hold of every chart: marks within the frame and off it, none under a text of the legend, texts
    /// within the image, and labels of ticks without needless decimals.
    pub(super) fn check(&self, legend: &[&str]) {
        let [left, top, right, bottom] = self.frame;
        for (x, y, radius) in self.points() {
            let is_inside = x - radius > left && x + radius < right && y - radius > top && y + radius < bottom;
            assert!(is_inside, "({x}, {y}) with radius {radius} lies on the frame {:?}", self.frame);
            for name in legend {
                let (_, shown) = self.texts.iter().find(|(text, _)| text == name).expect(name);
                let is_clear =
                    x + radius < shown[0] || x - radius > shown[2] || y + radius < shown[1] || y - radius > shown[3];
                assert!(is_clear, "({x}, {y}) lies under {name:?} at {shown:?}");
            }
        }
        for (text, shown) in &self.texts {
            let is_inside = shown[0] >= 0.0 && shown[2] <= self.size.0 && shown[1] >= 0.0 && shown[3] <= self.size.1;
            assert!(is_inside, "{text:?} at {shown:?} leaves the image of {:?}", self.size);
        }
        for axis in [self.labels(|shown| shown[1] > bottom), self.labels(|shown| shown[2] < left)] {
            let decimals =
                |text: &String| text.split_once('.').map(|(_, rest)| rest.split(' ').next().unwrap().to_owned());
            let given: Vec<String> = axis.iter().filter_map(decimals).collect();
            assert!(!axis.is_empty(), "an axis has labels");
            assert!(
                given.is_empty() || given.iter().any(|digits| !digits.ends_with('0')),
                "needless decimals: {axis:?}"
            );
        }
    }

    /// Texts that are numbers, where they stand as asked.
    pub(super) fn labels(&self, place: impl Fn(&[f64; 4]) -> bool) -> Vec<String> {
        let is_number = |text: &str| text.trim_end_matches([' ', 'k', 'M']).parse::<f64>().is_ok();
        let texts = self.texts.iter().filter(|(text, shown)| is_number(text) && place(shown));
        texts.map(|(text, _)| text.clone()).collect()
    }

    /// The largest share of the width of the axes without a mark, left of the first, right of the last or between two.
    pub(super) fn widest_blank(&self) -> f64 {
        let [left, _, right, _] = self.frame;
        let mut places: Vec<f64> = self.points().into_iter().map(|(x, _, _)| x).chain([left, right]).collect();
        places.sort_by(f64::total_cmp);
        places.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max) / (right - left)
    }
}
