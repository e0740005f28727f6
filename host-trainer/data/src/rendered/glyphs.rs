//! The strokes of the ten digits.
//!
//! Each digit is a few lines and cubic Bezier curves in a box of about 0.6 x 1 around the origin,
//! x to the right, y downwards. The shapes are our own, drawn by hand on this grid.

use std::sync::LazyLock;

/// Segments a curve is cut into.
const PIECES: usize = 8;
/// Bezier handle length for a quarter of an ellipse, as a share of the radius.
const HANDLE: f64 = 0.5523;

/// A straight piece of a stroke: x and y of its two ends.
pub type Segment = [f64; 4];

enum Part {
    Line([f64; 4]),
    Curve([f64; 8]),
    /// Centre x, centre y, radius x, radius y.
    Ellipse([f64; 4]),
}

use Part::{Curve, Ellipse, Line};

const DIGITS: [&[Part]; 10] = [
    &[Ellipse([0.0, 0.0, 0.27, 0.48])],
    &[Line([-0.15, -0.30, 0.03, -0.48]), Line([0.03, -0.48, 0.03, 0.48])],
    &[
        Curve([-0.25, -0.25, -0.25, -0.57, 0.27, -0.57, 0.26, -0.21]),
        Curve([0.26, -0.21, 0.25, 0.05, -0.15, 0.20, -0.27, 0.46]),
        Line([-0.27, 0.46, 0.28, 0.46]),
    ],
    &[
        Curve([-0.24, -0.38, -0.10, -0.56, 0.26, -0.52, 0.24, -0.24]),
        Curve([0.24, -0.24, 0.22, -0.06, 0.06, -0.03, -0.06, -0.03]),
        Curve([-0.06, -0.03, 0.12, -0.03, 0.28, 0.04, 0.27, 0.23]),
        Curve([0.27, 0.23, 0.25, 0.54, -0.14, 0.54, -0.27, 0.34]),
    ],
    &[Line([0.12, 0.48, 0.12, -0.48]), Line([0.12, -0.48, -0.28, 0.18]), Line([-0.28, 0.18, 0.30, 0.18])],
    &[
        Line([0.24, -0.46, -0.20, -0.46]),
        Line([-0.20, -0.46, -0.23, -0.06]),
        Curve([-0.23, -0.06, -0.05, -0.20, 0.28, -0.14, 0.27, 0.16]),
        Curve([0.27, 0.16, 0.26, 0.50, -0.10, 0.56, -0.27, 0.36]),
    ],
    &[Curve([0.20, -0.46, -0.10, -0.40, -0.26, -0.10, -0.26, 0.20]), Ellipse([0.0, 0.21, 0.26, 0.26])],
    &[Line([-0.27, -0.46, 0.27, -0.46]), Line([0.27, -0.46, -0.08, 0.48])],
    &[Ellipse([0.0, -0.24, 0.21, 0.23]), Ellipse([0.0, 0.23, 0.26, 0.25])],
    &[Ellipse([0.0, -0.21, 0.26, 0.26]), Curve([0.26, -0.20, 0.26, 0.10, 0.14, 0.36, -0.12, 0.47])],
];

/// The straight pieces of a digit, 0 to 9.
pub fn segments(digit: usize) -> &'static [Segment] {
    static FLAT: LazyLock<Vec<Vec<Segment>>> = LazyLock::new(|| DIGITS.iter().map(|parts| flatten(parts)).collect());
    &FLAT[digit]
}

fn flatten(parts: &[Part]) -> Vec<Segment> {
    let mut segments = Vec::new();
    for part in parts {
        match part {
            Line(line) => segments.push(*line),
            Curve(points) => flatten_curve(points, &mut segments),
            Ellipse([x, y, rx, ry]) => {
                let (hx, hy) = (rx * HANDLE, ry * HANDLE);
                for curve in [
                    [x + rx, *y, x + rx, y + hy, x + hx, y + ry, *x, y + ry],
                    [*x, y + ry, x - hx, y + ry, x - rx, y + hy, x - rx, *y],
                    [x - rx, *y, x - rx, y - hy, x - hx, y - ry, *x, y - ry],
                    [*x, y - ry, x + hx, y - ry, x + rx, y - hy, x + rx, *y],
                ] {
                    flatten_curve(&curve, &mut segments);
                }
            }
        }
    }
    segments
}

fn flatten_curve(points: &[f64; 8], segments: &mut Vec<Segment>) {
    let at = |axis: usize, t: f64| {
        let u = 1.0 - t;
        let [p0, p1, p2, p3] = [points[axis], points[axis + 2], points[axis + 4], points[axis + 6]];
        u * u * u * p0 + 3.0 * u * u * t * p1 + 3.0 * u * t * t * p2 + t * t * t * p3
    };
    let mut last = [points[0], points[1]];
    for piece in 1..=PIECES {
        let t = piece as f64 / PIECES as f64;
        let next = [at(0, t), at(1, t)];
        segments.push([last[0], last[1], next[0], next[1]]);
        last = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_fills_its_box() {
        for digit in 0..10 {
            let ys = segments(digit).iter().flat_map(|segment| [segment[1], segment[3]]);
            let (low, high) = ys.fold((1.0f64, -1.0f64), |(low, high), y| (low.min(y), high.max(y)));
            assert!((-0.52..-0.44).contains(&low) && (0.44..0.52).contains(&high), "digit {digit}: {low} to {high}");
            assert!(segments(digit).iter().flatten().all(|value| value.abs() < 0.55));
        }
    }
}
