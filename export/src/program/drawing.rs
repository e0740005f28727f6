//! The arena over one step: what lies where, and for how long.

use convrnn_format::{BufferRecord, Program, Role};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::fmt::Write;
use std::ops::Range;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1100, 640);

/// A buffer lower than this, in pixels, has no name in the picture.
const NAMED_HEIGHT: f64 = 11.0;
/// Width of a letter of a name, in pixels; a name that is longer than its buffer is cut.
const LETTER: f64 = 5.5;
/// Fewest letters of a name that say anything.
const LEAST_LETTERS: usize = 8;
/// Height of title and legend, in pixels.
const HEAD: u32 = 54;

/// Role, colour and meaning, for the legend.
const ROLES: [(&str, RGBColor, &str); 3] = [
    ("state", RGBColor(86, 180, 233), "state: lives from step to step"),
    ("frame", RGBColor(0, 158, 115), "frame: the image on show"),
    ("transient", RGBColor(230, 159, 0), "transient: written and read within the step"),
];

/// A buffer's place in the arena and its life, in operations of the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnBuffer {
    /// Path of the state, or of the operation that writes it.
    pub name: String,
    /// `state`, `frame` or `transient`.
    pub role: &'static str,
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub length: usize,
    /// First operation that it is in use at.
    pub from: usize,
    /// The one after the last; the number of operations and one more for what outlives the step.
    pub to: usize,
}

/// The arena of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArenaDrawing {
    title: String,
    operations: usize,
    bytes: usize,
    /// In the order of the program.
    pub buffers: Vec<DrawnBuffer>,
}

impl ArenaDrawing {
    /// Reads the arena plan of a verified program.
    pub fn new(program: &Program<'_>) -> Self {
        let (prelude, operations) = (program.prelude(), program.prelude().operation_count as usize);
        let buffers = (0..program.buffer_count() as u16).filter_map(|index| {
            let buffer = program.buffer(index)?;
            let role = Role::from_byte(buffer.role)?;
            Some(drawn(program, index, &buffer, role, operations))
        });
        let name = program.metadata().map_or_else(String::new, |metadata| metadata.name.to_owned());
        let bytes = prelude.arena_length as usize;
        Self {
            title: format!("{name}: arena of {bytes} bytes over one step"),
            operations,
            bytes,
            buffers: buffers.collect(),
        }
    }

    /// One row a buffer: name, role, first byte, bytes, first operation of its life, the one after the last.
    pub fn csv(&self) -> String {
        let mut text = String::from("buffer,role,offset,bytes,from_operation,to_operation\n");
        for DrawnBuffer { name, role, offset, length, from, to } in &self.buffers {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name},{role},{offset},{length},{from},{to}");
        }
        text
    }

    /// Operations to the right, bytes upwards, a rectangle a buffer.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn svg(&self) -> Result<String, String> {
        let mut image = String::new();
        self.draw(&mut image).map_err(|error| error.to_string())?;
        Ok(image)
    }

    fn draw(&self, image: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let area = SVGBackend::with_string(image, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (upper, lower) = area.split_vertically(HEAD);
        upper.draw(&Text::new(self.title.clone(), (14, 8), ("sans-serif", 18)))?;
        let mut left = 14;
        for (_, colour, meaning) in ROLES {
            let corners = [(left, 36), (left + 12, 48)];
            upper.draw(&Rectangle::new(corners, colour.mix(0.6).filled()))?;
            upper.draw(&Rectangle::new(corners, BLACK.mix(0.7).stroke_width(1)))?;
            upper.draw(&Text::new(meaning, (left + 20, 36), ("sans-serif", 15)))?;
            left += 20 + 9 * meaning.len() as i32;
        }
        let (width, height) = (self.operations as f64 + 1.0, self.bytes as f64);
        let (across, up) = (whole_ticks(self.operations + 1, 12), whole_ticks(self.bytes, 10));
        let mut chart = ChartBuilder::on(&lower)
            .margin(12)
            .margin_top(4)
            .margin_right(28)
            .x_label_area_size(40)
            .y_label_area_size(72)
            .build_cartesian_2d(Scale { range: 0.0..width, ticks: across }, Scale { range: 0.0..height, ticks: up })?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("operation of the step")
            .y_desc("byte of the arena")
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .draw()?;
        let (columns, rows) = chart.plotting_area().dim_in_pixel();
        for buffer in &self.buffers {
            let colour = ROLES.iter().find(|(role, ..)| *role == buffer.role).map_or(BLACK, |(_, colour, _)| *colour);
            let (left, right) = (buffer.from as f64, buffer.to as f64);
            let (low, high) = (buffer.offset as f64, (buffer.offset + buffer.length) as f64);
            let corners = [(left, low), (right, high)];
            chart.draw_series([
                Rectangle::new(corners, colour.mix(0.6).filled()),
                Rectangle::new(corners, BLACK.mix(0.7).stroke_width(1)),
            ])?;
            let size = ((right - left) / width * f64::from(columns), (high - low) / height * f64::from(rows));
            let letters = ((size.0 - 6.0) / LETTER).max(0.0) as usize;
            let fits = buffer.name.chars().count() <= letters;
            if size.1 >= NAMED_HEIGHT && (fits || letters >= LEAST_LETTERS) {
                let place = (left + width / f64::from(columns) * 3.0, high - height / f64::from(rows));
                let shown = match fits {
                    true => buffer.name.clone(),
                    false => buffer.name.chars().take(letters - 1).chain(['…']).collect(),
                };
                chart.draw_series([Text::new(shown, place, ("sans-serif", 10))])?;
            }
        }
        area.present()
    }
}

/// A linear axis with its ticks; plotters formats no axis of f64 that has ticks of its own.
struct Scale {
    range: Range<f64>,
    ticks: Vec<f64>,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Light points are those between ticks.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Whole numbers from 0 up to an end, at most so many: multiples of 1, 2 or 5 times a power of ten.
fn whole_ticks(end: usize, most: usize) -> Vec<f64> {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|factor| factor * 10usize.saturating_pow(power)));
    let step = steps.into_iter().find(|step| end / step < most).unwrap_or(end.max(1));
    (0..=end / step).map(|number| (number * step) as f64).collect()
}

fn drawn(program: &Program<'_>, index: u16, buffer: &BufferRecord, role: Role, operations: usize) -> DrawnBuffer {
    let state = || {
        let state = program.states().find(|state| state.buffer == index)?;
        Some(program.name(state.name, state.name_length).to_owned())
    };
    let writer = || {
        let written = (0..operations).filter_map(|at| program.operation(at)).find(|record| record.output == index)?;
        Some(program.name(written.name, written.name_length).to_owned())
    };
    let (role, name, from, to) = match role {
        Role::State => ("state", state(), 0, operations + 1),
        Role::Frame => ("frame", Some("frame".to_owned()), 0, operations + 1),
        Role::Transient => {
            let (first, last) = program.life(buffer);
            ("transient", writer(), first, last + 1)
        }
    };
    let (offset, length) = (buffer.offset as usize, buffer.length as usize);
    DrawnBuffer { name: name.unwrap_or_default(), role, offset, length, from, to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_whole_and_few() {
        assert_eq!(whole_ticks(7, 12), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(whole_ticks(34_816, 10), [0.0, 5e3, 1e4, 1.5e4, 2e4, 2.5e4, 3e4]);
        assert_eq!(whole_ticks(0, 10), [0.0]);
    }

    #[test]
    fn the_drawing_has_a_legend_whole_labels_and_no_name_wider_than_its_buffer() {
        let buffer = |name: &str, role, from, to, offset| DrawnBuffer {
            name: name.into(),
            role,
            offset,
            length: 4000,
            from,
            to,
        };
        let long = "layer3.cell.a_name_that_is_longer_than_its_buffer";
        let drawing = ArenaDrawing {
            title: "net: arena".into(),
            operations: 20,
            bytes: 8000,
            buffers: vec![buffer("frame", "frame", 0, 21, 0), buffer(long, "transient", 2, 4, 4000)],
        };
        let svg = drawing.svg().unwrap();
        let texts: Vec<&str> = svg.split("<text").skip(1).filter_map(|rest| rest.split('>').nth(1)).collect();
        let texts: Vec<&str> = texts.iter().map(|text| text.split('<').next().unwrap().trim()).collect();
        for (_, _, meaning) in ROLES {
            assert!(texts.contains(&meaning), "{texts:?}");
        }
        assert!(texts.contains(&"frame") && texts.contains(&"8000") && texts.contains(&"20"), "{texts:?}");
        let cut = texts.iter().find(|text| text.ends_with('…')).unwrap();
        // Two of 21 operations on some 990 pixels.
        assert!(long.starts_with(cut.trim_end_matches('…')) && cut.chars().count() as f64 * LETTER < 95.0, "{cut}");
        assert!(!texts.iter().any(|text| text.parse::<f64>().is_ok() && text.contains('.')), "{texts:?}");
    }
}
