//! The arena over one step: what lies where, and for how long.

use convrnn_format::{BufferRecord, Program, Role};
use plotters::prelude::*;
use std::fmt::Write;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1100, 640);

/// A buffer narrower or lower than this, in pixels, has no name in the picture.
const NAMED: (f64, f64) = (60.0, 11.0);

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
        let (width, height) = (self.operations as f64 + 1.0, self.bytes as f64);
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..width, 0.0..height)?;
        chart.configure_mesh().disable_mesh().x_desc("operation of the step").y_desc("byte of the arena").draw()?;
        let (columns, rows) = chart.plotting_area().dim_in_pixel();
        for buffer in &self.buffers {
            let colour = match buffer.role {
                "state" => RGBColor(86, 180, 233),
                "frame" => RGBColor(0, 158, 115),
                _ => RGBColor(230, 159, 0),
            };
            let (left, right) = (buffer.from as f64, buffer.to as f64);
            let (low, high) = (buffer.offset as f64, (buffer.offset + buffer.length) as f64);
            let corners = [(left, low), (right, high)];
            chart.draw_series([
                Rectangle::new(corners, colour.mix(0.6).filled()),
                Rectangle::new(corners, BLACK.mix(0.7).stroke_width(1)),
            ])?;
            let size = ((right - left) / width * f64::from(columns), (high - low) / height * f64::from(rows));
            if size.0 >= NAMED.0 && size.1 >= NAMED.1 {
                let place = (left + width / f64::from(columns) * 3.0, high - height / f64::from(rows));
                chart.draw_series([Text::new(buffer.name.clone(), place, ("sans-serif", 10))])?;
            }
        }
        area.present()
    }
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
