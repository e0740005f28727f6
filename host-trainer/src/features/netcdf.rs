//! Features as NetCDF (64-bit offset), which xarray opens; presentations are the records.

use super::layout::Layout;
use super::{FeatureFile, Partial};
use crate::error::{Result, TrainerError};
use netcdf3::{DataSet, FileWriter, InvalidDataSet, Version, WriteError};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

/// Bytes of one presentation that the format can hold.
const LARGEST_RECORD: u64 = i32::MAX as u64 - 8;

const PRESENTATION: &str = "presentation";
const NEUROID: &str = "neuroid";
const TIME_BIN: &str = "time_bin";
const LAYER_NUMBER: &str = "layer_number";

/// Dimensions, variables and attributes.
pub fn definition(layout: &Layout) -> Result<DataSet> {
    let fail = |error: InvalidDataSet| TrainerError::Invalid {
        what: "features as NetCDF",
        expected: "dimensions and names that the format can hold".into(),
        found: format!("{error:?}"),
        hint: "write .npz instead".into(),
    };
    define(layout).map_err(fail)
}

fn define(layout: &Layout) -> Result<DataSet, InvalidDataSet> {
    let mut set = DataSet::new();
    set.set_unlimited_dim(PRESENTATION, layout.presented.len())?;
    set.add_fixed_dim(NEUROID, layout.neuroids())?;
    set.add_fixed_dim(TIME_BIN, layout.steps)?;
    set.add_fixed_dim(LAYER_NUMBER, layout.layers.len())?;
    let texts = Texts::new(layout);
    for (name, length) in texts.lengths() {
        set.add_fixed_dim(name, length)?;
    }
    let text = |set: &mut DataSet, name: &str, dims: &[&str]| {
        set.add_var_u8(name, dims)?;
        set.add_var_attr_string(name, "_Encoding", "utf-8")
    };
    set.add_var_i32("image_index", &[PRESENTATION])?;
    text(&mut set, "image_name", &[PRESENTATION, "image_name_length"])?;
    set.add_var_i32("label", &[PRESENTATION])?;
    text(&mut set, "class_name", &[PRESENTATION, "class_name_length"])?;
    text(&mut set, "layer", &[NEUROID, "layer_name_length"])?;
    for name in ["channel", "row", "column", "first_image_step"] {
        set.add_var_i32(name, &[NEUROID])?;
    }
    for name in ["time_bin_start", "time_bin_end"] {
        set.add_var_f64(name, &[TIME_BIN])?;
        // Not "units": xarray would take milliseconds for a duration and change the numbers.
        set.add_var_attr_string(name, "unit", "milliseconds")?;
    }
    text(&mut set, "layer_name", &[LAYER_NUMBER, "layer_name_length"])?;
    set.add_var_i32("layer_first_image_step", &[LAYER_NUMBER])?;
    for name in ["first_image_step", "layer_first_image_step"] {
        set.add_var_attr_string(name, "long_name", "first step whose value depends on the image, from 1; 0: none")?;
    }
    set.add_var_attr_string("label", "long_name", "class, from 0; -1: not labelled")?;
    set.add_var_f32("features", &[PRESENTATION, NEUROID, TIME_BIN])?;
    set.add_var_attr_string(
        "features",
        "coordinates",
        "image_index image_name label class_name layer channel row column first_image_step time_bin_start time_bin_end",
    )?;
    Ok(set)
}

/// Texts, filled up with zeros to one length.
struct Texts<'a> {
    images: Vec<&'a str>,
    classes: Vec<&'a str>,
    layers: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn new(layout: &'a Layout) -> Self {
        Self {
            images: layout.presented.iter().map(|image| image.name.as_str()).collect(),
            classes: layout.classes(),
            layers: layout.layers.iter().map(|layer| layer.name.as_str()).collect(),
        }
    }

    fn lengths(&self) -> [(&'static str, usize); 3] {
        [
            ("image_name_length", length(&self.images)),
            ("class_name_length", length(&self.classes)),
            ("layer_name_length", length(&self.layers)),
        ]
    }
}

fn length(texts: &[&str]) -> usize {
    texts.iter().map(|text| text.len()).max().unwrap_or(0).max(1)
}

fn filled<'a>(texts: impl Iterator<Item = &'a str>, length: usize) -> Vec<u8> {
    texts.flat_map(|text| text.bytes().chain(std::iter::repeat(0)).take(length)).collect()
}

/// The library owns its output; this keeps a hand on it, to see whether the last bytes were written.
#[derive(Clone)]
struct Output(Rc<RefCell<BufWriter<File>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

impl Seek for Output {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.0.borrow_mut().seek(position)
    }
}

/// A `.nc` file under way.
pub struct NetcdfFile<'a> {
    writer: FileWriter<'a>,
    output: Output,
    partial: Partial,
    record: usize,
    next: usize,
}

impl<'a> NetcdfFile<'a> {
    /// Writes everything but the features.
    pub fn create(path: &Path, layout: &Layout, definition: &'a DataSet) -> Result<Self> {
        let record = layout.neuroids() * layout.steps;
        if 4 * record as u64 > LARGEST_RECORD {
            return Err(TrainerError::Invalid {
                what: "features of one image as NetCDF",
                expected: format!("at most {LARGEST_RECORD} bytes"),
                found: (4 * record).to_string(),
                hint: "choose fewer layers, or write .npz".into(),
            });
        }
        let (partial, file) = Partial::create(path)?;
        let output = Output(Rc::new(RefCell::new(BufWriter::new(file))));
        let name = path.display().to_string();
        let mut file = Self {
            writer: FileWriter::open_seek_write(&name, Box::new(output.clone())).map_err(error(path))?,
            output,
            partial,
            record,
            next: 0,
        };
        file.writer.set_def(definition, Version::Offset64Bit, 0).map_err(error(path))?;
        file.coordinates(layout).map_err(error(path))?;
        Ok(file)
    }

    fn coordinates(&mut self, layout: &Layout) -> Result<(), WriteError> {
        let texts = Texts::new(layout);
        let [(_, image), (_, class), (_, layer)] = texts.lengths();
        let first = layout.first_image_steps();
        let writer = &mut self.writer;
        let indices: Vec<i32> = layout.presented.iter().map(|image| image.index as i32).collect();
        writer.write_var_i32("image_index", &indices)?;
        writer.write_var_u8("image_name", &filled(texts.images.iter().copied(), image))?;
        writer.write_var_i32("label", &layout.labels())?;
        writer.write_var_u8("class_name", &filled(texts.classes.iter().copied(), class))?;
        writer.write_var_u8("layer", &filled(layout.places().map(|(number, _)| texts.layers[number]), layer))?;
        for (number, name) in ["channel", "row", "column"].into_iter().enumerate() {
            writer.write_var_i32(name, &layout.places().map(|(_, place)| place[number]).collect::<Vec<_>>())?;
        }
        let by_neuroid: Vec<i32> = layout.places().map(|(number, _)| first[number]).collect();
        writer.write_var_i32("first_image_step", &by_neuroid)?;
        let (starts, ends) = layout.bins();
        writer.write_var_f64("time_bin_start", &starts)?;
        writer.write_var_f64("time_bin_end", &ends)?;
        writer.write_var_u8("layer_name", &filled(texts.layers.iter().copied(), layer))?;
        writer.write_var_i32("layer_first_image_step", &first)
    }
}

fn error(path: &Path) -> impl Fn(WriteError) -> TrainerError {
    let path = path.to_path_buf();
    move |error| TrainerError::Content {
        path: path.clone(),
        message: format!("cannot be written as NetCDF: {error:?}"),
    }
}

impl FeatureFile for NetcdfFile<'_> {
    fn add(&mut self, features: &[f32]) -> Result<()> {
        for record in features.chunks_exact(self.record) {
            self.writer.write_record_f32("features", self.next, record).map_err(error(&self.partial.path))?;
            self.next += 1;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { writer, mut output, partial, .. } = *self;
        writer.close().map_err(error(&partial.path))?;
        output.flush().map_err(partial.fail())?;
        let buffer = output.0.borrow();
        partial.name(buffer.get_ref())
    }
}
