//! Draws one image: background, clutter, the digit, occluders, noise.
//!
//! Only additions, subtractions, multiplications, divisions and square roots of `f64` decide
//! pixels. IEEE 754 fixes all five to the bit, so an image is the same on every machine.

use super::super::random::Stream;
use super::RenderedOptions;
use super::glyphs::{Segment, segments};

/// How a digit of the unit box lands on the canvas.
#[derive(Clone, Copy)]
struct Pose {
    /// Centre in pixels.
    x: f64,
    y: f64,
    /// Rotation and scale (pixels a unit).
    cosine: f64,
    sine: f64,
    scale_x: f64,
    scale_y: f64,
    /// Horizontal shift by height.
    slant: f64,
    /// Bends: coefficients of y², xy (in x) and x², xy (in y).
    bend: [f64; 4],
}

impl Pose {
    fn random(stream: &mut Stream, options: &RenderedOptions, x: f64, y: f64, height: f64) -> Pose {
        // cos and sin from t = tan(angle / 2), for which half the angle serves at these sizes.
        let half = f64::from(options.rotation) * (std::f64::consts::PI / 360.0);
        let t = stream.range(-half, half);
        let length = 1.0 + t * t;
        let bend = f64::from(options.warp) / 100.0;
        Pose {
            x,
            y,
            cosine: (1.0 - t * t) / length,
            sine: 2.0 * t / length,
            scale_x: height * stream.range(0.75, 1.1),
            scale_y: height,
            slant: stream.range(-0.25, 0.25),
            bend: std::array::from_fn(|_| stream.range(-bend, bend)),
        }
    }

    fn place(&self, x: f64, y: f64) -> [f64; 2] {
        let bent_x = x + self.bend[0] * y * y + self.bend[1] * x * y - self.slant * y;
        let bent_y = y + self.bend[2] * x * x + self.bend[3] * x * y;
        let (u, v) = (bent_x * self.scale_x, bent_y * self.scale_y);
        [self.x + self.cosine * u - self.sine * v, self.y + self.sine * u + self.cosine * v]
    }

    fn segments(&self, digit: usize) -> Vec<Segment> {
        let place = |segment: &Segment| {
            let [x0, y0] = self.place(segment[0], segment[1]);
            let [x1, y1] = self.place(segment[2], segment[3]);
            [x0, y0, x1, y1]
        };
        segments(digit).iter().map(place).collect()
    }
}

/// A square of gray levels in `f64`, 0 to 255, with a coverage layer to draw into.
pub struct Canvas {
    side: usize,
    levels: Vec<f64>,
    coverage: Vec<f64>,
}

impl Canvas {
    /// One level everywhere.
    pub fn new(side: usize, level: f64) -> Canvas {
        Canvas { side, levels: vec![level; side * side], coverage: vec![0.0; side * side] }
    }

    /// Level of a pixel.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.levels[row * self.side + column]
    }

    /// Changes the level of a pixel.
    pub fn set(&mut self, row: usize, column: usize, level: f64) {
        self.levels[row * self.side + column] = level;
    }

    /// Adds a line with round ends to the coverage layer, its edge softened over one pixel.
    fn line(&mut self, [x0, y0, x1, y1]: Segment, radius: f64) {
        let limit = self.side as f64;
        let reach = radius + 1.0;
        let clip = |value: f64| value.clamp(0.0, limit) as usize;
        let (left, right) = (clip(x0.min(x1) - reach), clip(x0.max(x1) + reach));
        let (top, bottom) = (clip(y0.min(y1) - reach), clip(y0.max(y1) + reach));
        let (dx, dy) = (x1 - x0, y1 - y0);
        let squared = dx * dx + dy * dy;
        for row in top..bottom {
            for column in left..right {
                let (px, py) = (column as f64 + 0.5 - x0, row as f64 + 0.5 - y0);
                let along = if squared > 0.0 { ((px * dx + py * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
                let (ex, ey) = (px - along * dx, py - along * dy);
                let cover = (radius + 0.5 - (ex * ex + ey * ey).sqrt()).clamp(0.0, 1.0);
                let cell = &mut self.coverage[row * self.side + column];
                *cell = cell.max(cover);
            }
        }
    }

    /// Keeps the coverage only within a disc.
    fn keep_disc(&mut self, x: f64, y: f64, radius: f64) {
        for row in 0..self.side {
            for column in 0..self.side {
                let (px, py) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
                let keep = (radius + 0.5 - (px * px + py * py).sqrt()).clamp(0.0, 1.0);
                self.coverage[row * self.side + column] *= keep;
            }
        }
    }

    /// Paints the coverage layer in one gray level and clears it.
    fn paint(&mut self, level: f64) {
        for (pixel, cover) in self.levels.iter_mut().zip(&mut self.coverage) {
            *pixel += (level - *pixel) * *cover;
            *cover = 0.0;
        }
    }
}

/// Renders one digit into `pixels`, `size` x `size`.
pub fn draw(stream: &mut Stream, options: &RenderedOptions, digit: usize, pixels: &mut [u8]) {
    let side = options.size as f64;
    let background = stream.range(0.0, 70.0);
    let mut canvas = Canvas::new(options.size, background);
    let ink = stream.range(140.0, 255.0);

    let shift = side * f64::from(options.shift) / 100.0;
    let x = side / 2.0 + stream.range(-shift, shift);
    let y = side / 2.0 + stream.range(-shift, shift);
    let height = side * stream.range(0.55, 0.78);
    let pose = Pose::random(stream, options, x, y, height);
    let thickness = side * stream.range(0.028, 0.055);

    for _ in 0..options.clutter {
        draw_fragment(stream, options, &mut canvas, ink);
    }
    for segment in pose.segments(digit) {
        canvas.line(segment, thickness);
    }
    canvas.paint(ink);
    for _ in 0..options.occluders {
        draw_occluder(stream, &mut canvas, (x, y), height, background);
    }
    for (pixel, level) in pixels.iter_mut().zip(&canvas.levels) {
        let noise = noise(stream, options.noise);
        *pixel = ((level + 0.5).floor() as i32 + noise).clamp(0, 255) as u8;
    }
}

/// A piece of some digit, of the same stroke and about the same ink, anywhere.
fn draw_fragment(stream: &mut Stream, options: &RenderedOptions, canvas: &mut Canvas, ink: f64) {
    let side = options.size as f64;
    let (x, y) = (stream.range(0.0, side), stream.range(0.0, side));
    let height = side * stream.range(0.5, 0.75);
    let pose = Pose::random(stream, options, x, y, height);
    let pieces = pose.segments(stream.below(10));
    let thickness = side * stream.range(0.028, 0.055);
    let [anchor_x, anchor_y, ..] = pieces[stream.below(pieces.len())];
    for segment in pieces {
        canvas.line(segment, thickness);
    }
    canvas.keep_disc(anchor_x, anchor_y, side * stream.range(0.10, 0.19));
    canvas.paint((ink + stream.range(-40.0, 40.0)).clamp(110.0, 255.0));
}

/// A bar across the digit or a blob on it, in any gray or in that of the background.
pub fn draw_occluder(stream: &mut Stream, canvas: &mut Canvas, (x, y): (f64, f64), height: f64, background: f64) {
    let side = canvas.side as f64;
    let (cx, cy) = (x + height * stream.range(-0.3, 0.3), y + height * stream.range(-0.45, 0.45));
    if stream.below(3) < 2 {
        // A direction without trigonometry: a point on the edge of a square, not too short a bar.
        let (mut dx, mut dy) = (1.0, stream.range(-1.0, 1.0));
        if stream.below(2) == 0 {
            std::mem::swap(&mut dx, &mut dy);
        }
        let reach = side * stream.range(0.15, 0.5);
        canvas.line(
            [cx - dx * reach, cy - dy * reach, cx + dx * reach, cy + dy * reach],
            side * stream.range(0.04, 0.07),
        );
    } else {
        canvas.line([cx, cy, cx, cy], side * stream.range(0.08, 0.14));
    }
    let level = if stream.below(2) == 0 { background } else { stream.range(0.0, 255.0) };
    canvas.paint(level);
}

/// Nearly normal integer noise of standard deviation `deviation`: four bytes of one draw, summed.
pub fn noise(stream: &mut Stream, deviation: u32) -> i32 {
    if deviation == 0 {
        return 0;
    }
    let sum: i32 = stream.bits().to_le_bytes().iter().map(|&byte| i32::from(byte)).sum::<i32>() - 510;
    // Four uniform bytes have a standard deviation of sqrt(4 (256² - 1) / 12), 147.8.
    let scaled = sum * deviation as i32;
    (2 * scaled + scaled.signum() * 148) / 296
}
