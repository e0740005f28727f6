//! Features as a NumPy archive, streamed: the arrays of coordinates first, the features last.

use super::layout::Layout;
use super::{FeatureFile, Partial};
use crate::error::Result;
use npyz::{AutoSerialize, DType, WriteOptions, WriterBuilder};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A `.npz` file under way.
pub struct NpzFile {
    zip: ZipWriter<BufWriter<File>>,
    partial: Partial,
}

impl NpzFile {
    /// Writes everything but the features, and their header.
    pub fn create(path: &Path, layout: &Layout) -> Result<Self> {
        let (partial, file) = Partial::create(path)?;
        let mut zip = ZipWriter::new(BufWriter::new(file));
        coordinates(&mut zip, layout).map_err(partial.fail())?;
        let shape = [layout.presented.len(), layout.neuroids(), layout.steps];
        header(&mut zip, "features", &shape, f32::default_dtype()).map_err(partial.fail())?;
        Ok(Self { zip, partial })
    }
}

fn coordinates(zip: &mut ZipWriter<BufWriter<File>>, layout: &Layout) -> std::io::Result<()> {
    let names: Vec<&str> = layout.presented.iter().map(|image| image.name.as_str()).collect();
    let layer_names: Vec<&str> = layout.layers.iter().map(|layer| layer.name.as_str()).collect();
    let first = layout.first_image_steps();
    integers(zip, "image_index", layout.presented.iter().map(|image| image.index as i32))?;
    strings(zip, "image_name", names.into_iter())?;
    integers(zip, "label", layout.labels().into_iter())?;
    strings(zip, "class_name", layout.classes().into_iter())?;
    strings(zip, "layer", layout.places().map(|(layer, _)| layer_names[layer]))?;
    for (number, name) in ["channel", "row", "column"].into_iter().enumerate() {
        integers(zip, name, layout.places().map(|(_, place)| place[number]))?;
    }
    integers(zip, "first_image_step", layout.places().map(|(layer, _)| first[layer]))?;
    let (starts, ends) = layout.bins();
    for (name, values) in [("time_bin_start", starts), ("time_bin_end", ends)] {
        header(zip, name, &[values.len()], f64::default_dtype())?;
        zip.write_all(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    strings(zip, "layer_name", layer_names.iter().copied())?;
    integers(zip, "layer_first_image_step", first.iter().copied())
}

/// Starts an array; its values follow as little-endian bytes.
fn header(zip: &mut ZipWriter<BufWriter<File>>, name: &str, shape: &[usize], dtype: DType) -> std::io::Result<()> {
    // Large: the size may pass 4 GiB. Stored: features hardly get smaller, and NumPy can map them.
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true);
    zip.start_file(format!("{name}.npy"), options)?;
    let shape: Vec<u64> = shape.iter().map(|extent| *extent as u64).collect();
    WriteOptions::new_header_only().dtype(little_endian(dtype)).shape(&shape).writer(zip).write_header_only()?;
    Ok(())
}

/// The same type with its bytes in the order that is written here.
fn little_endian(dtype: DType) -> DType {
    match dtype.descr().trim_matches('\'').strip_prefix('>') {
        Some(rest) => plain(&format!("<{rest}")),
        None => dtype,
    }
}

fn plain(text: &str) -> DType {
    DType::Plain(text.parse().expect("a valid type"))
}

fn integers(
    zip: &mut ZipWriter<BufWriter<File>>,
    name: &str,
    values: impl Iterator<Item = i32> + Clone,
) -> std::io::Result<()> {
    header(zip, name, &[values.clone().count()], i32::default_dtype())?;
    zip.write_all(&values.flat_map(i32::to_le_bytes).collect::<Vec<u8>>())
}

/// Text as NumPy's `<U`: code points of 4 bytes, filled up with zeros.
fn strings<'a>(
    zip: &mut ZipWriter<BufWriter<File>>,
    name: &str,
    values: impl Iterator<Item = &'a str> + Clone,
) -> std::io::Result<()> {
    let length = values.clone().map(|value| value.chars().count()).max().unwrap_or(0).max(1);
    header(zip, name, &[values.clone().count()], plain(&format!("<U{length}")))?;
    let points = values.flat_map(|value| value.chars().map(u32::from).chain(std::iter::repeat(0)).take(length));
    zip.write_all(&points.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
}

impl FeatureFile for NpzFile {
    fn add(&mut self, features: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = features.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.zip.write_all(&bytes).map_err(self.partial.fail())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { zip, partial } = *self;
        let buffer = zip.finish().map_err(std::io::Error::from).map_err(partial.fail())?;
        let file = buffer.into_inner().map_err(|error| partial.fail()(error.into_error()))?;
        partial.name(&file)
    }
}
