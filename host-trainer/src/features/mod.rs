//! Values of chosen layers by time bin, image by image, streamed to NPZ and NetCDF files.
//!
//! Both hold the same arrays by the same names, as recordings are kept (presentation x neuroid x time bin):
//!
//! | name | dimensions | means |
//! |---|---|---|
//! | `features` | presentation, neuroid, time_bin | f32 values |
//! | `image_index`, `label` | presentation | place in the whole split of the data set, class (-1: not labelled) |
//! | `image_name`, `class_name` | presentation | text |
//! | `layer` | neuroid | name of the layer's value, for instance `layer3.output` |
//! | `channel`, `row`, `column` | neuroid | place within it, from 0 |
//! | `first_image_step` | neuroid | first step whose value depends on the image, from 1; 0: none does |
//! | `time_bin_start`, `time_bin_end` | time_bin | milliseconds since the image came on |
//! | `layer_name`, `layer_first_image_step` | layer_number | the same by layer |

mod layout;
mod netcdf;
mod npz;

pub use layout::{FeatureLayer, Layout, Presented, layers};

use crate::data::batches::evaluation_batches;
use crate::data::{Batch, SharedDataset, counted};
use crate::error::{Result, TrainerError};
use crate::evaluation::{EVALUATION_BATCH, frames};
use crate::executor::{Executor, RunOptions, whole_batch};
use crate::parameters::to_f32;
use crate::workers::{Workers, share};
use convrnn_graph::{Presentation, Wanted};
use convrnn_models::Preprocessing;
use convrnn_models::files::{destination, partial};
use std::path::{Path, PathBuf};
use tch::{TchError, Tensor};

/// Milliseconds of a time step.
pub const STEP_MILLISECONDS: f64 = 10.0;

/// Values of a run held in memory at once, in bytes.
const WORKING_MEMORY: usize = 256 << 20;

/// A file that takes features batch by batch.
trait FeatureFile {
    /// Takes the features of the next images, `[images, neuroids, steps]`.
    fn add(&mut self, features: &[f32]) -> Result<()>;
    /// Writes what is left, and gives the file its name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// A network and what it is shown.
pub struct Subject<'a> {
    /// Weights as tensors.
    pub parameters: &'a [Tensor],
    /// What pixels become.
    pub preprocessing: &'a Preprocessing,
    /// What is on show at each step.
    pub presentation: &'a Presentation,
    /// The images.
    pub images: &'a SharedDataset,
}

/// Runs every image and writes the layout's layers to every path (`.npz`, or `.nc` for NetCDF), in one pass.
/// Files are written under temporary names and renamed at the end. `progress` hears how many images are done.
///
/// # Errors
/// A path with another ending, features larger than `largest` bytes, files that cannot be written, images that
/// cannot be read.
pub fn write(
    workers: &mut Workers,
    subject: &Subject,
    layout: &Layout,
    paths: &[PathBuf],
    largest: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<()> {
    let bytes = layout.bytes();
    if bytes > largest {
        return Err(TrainerError::Invalid {
            what: "size of the features",
            expected: format!("at most {} (--max-size)", gibibytes(largest)),
            found: format!(
                "{}: {} x {} values x {} steps x 4 bytes",
                gibibytes(bytes),
                counted(layout.presented.len(), "images"),
                layout.neuroids(),
                layout.steps
            ),
            hint: "choose fewer layers (--layers) or images (--limit), or raise --max-size".into(),
        });
    }
    for (index, path) in paths.iter().enumerate() {
        let place = destination(path)?;
        for other in &paths[..index] {
            if destination(other)? == place {
                return Err(TrainerError::Invalid {
                    what: "--output",
                    expected: "files that differ".into(),
                    found: format!("{} twice", place.display()),
                    hint: "give each output a name of its own".into(),
                });
            }
        }
    }
    let definition = netcdf::definition(layout)?;
    let mut files: Vec<Box<dyn FeatureFile + '_>> = Vec::new();
    for path in paths {
        files.push(match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Box::new(npz::NpzFile::create(path, layout)?),
            Some("nc") => Box::new(netcdf::NetcdfFile::create(path, layout, &definition)?),
            _ => {
                return Err(TrainerError::Invalid {
                    what: "--output",
                    expected: "a file that ends in .npz (NumPy) or .nc (NetCDF)".into(),
                    found: path.display().to_string(),
                    hint: "give --output twice to write both".into(),
                });
            }
        });
    }
    let mut done = 0;
    for batch in evaluation_batches(subject.images, batch_size(workers, subject.presentation))? {
        let batch = batch?;
        for part in run(workers, subject, layout, &batch)? {
            for file in &mut files {
                file.add(&part)?;
            }
        }
        done += batch.len();
        progress(done);
    }
    files.into_iter().try_for_each(|file| file.finish())
}

/// Images at once: every value of every step is kept during a run.
fn batch_size(workers: &Workers, presentation: &Presentation) -> usize {
    let values: usize = workers.executor().graph().nodes.iter().map(|node| node.shape.elements()).sum();
    let bytes = 4 * values * presentation.steps;
    (WORKING_MEMORY / bytes.max(1)).clamp(workers.count(), EVALUATION_BATCH * workers.count())
}

/// Features of a batch, `[images, neuroids, steps]`, in parts of some images each.
fn run(workers: &mut Workers, subject: &Subject, layout: &Layout, batch: &Batch) -> Result<Vec<Vec<f32>>> {
    let frames = frames(batch, subject.preprocessing, workers.executor())?;
    let ranges = workers.ranges(batch.len() as i64).into_iter();
    let parts = ranges
        .map(|(start, end)| Ok((share(subject.parameters), frames.f_narrow(0, start, end - start)?)))
        .collect::<Result<Vec<_>, TchError>>()?;
    let parts = workers.map(parts, |executor: &Executor, (parameters, frames)| {
        tch::no_grad(|| {
            let run = executor.run(&parameters, &frames, subject.presentation, RunOptions::new(Wanted::Everything))?;
            let images = frames.size()[0];
            let step = |values: &Vec<Tensor>| {
                let layers = layout.layers.iter().map(|layer| {
                    whole_batch(&values[layer.node.0], images)?.f_reshape([images, layer.shape.elements() as i64])
                });
                Tensor::f_cat(&layers.collect::<Result<Vec<_>, TchError>>()?, 1)
            };
            let steps = run.values.iter().map(step).collect::<Result<Vec<_>, TchError>>()?;
            Tensor::f_stack(&steps, 2)
        })
    })?;
    Ok(parts.iter().map(to_f32).collect::<Result<_, _>>()?)
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.3} GiB", bytes as f64 / f64::from(1 << 30))
}

/// A file under a temporary name that goes away unless it gets its own.
struct Partial {
    path: PathBuf,
    temporary: PathBuf,
    is_named: bool,
}

impl Partial {
    fn create(path: &Path) -> Result<(Self, std::fs::File)> {
        let path = destination(path)?;
        let temporary = partial(&path);
        let file = std::fs::File::create(&temporary).map_err(TrainerError::io("create", &temporary))?;
        Ok((Self { path, temporary, is_named: false }, file))
    }

    fn fail(&self) -> impl Fn(std::io::Error) -> TrainerError + '_ {
        |source| TrainerError::Io { action: "write", path: self.path.clone(), source }
    }

    fn name(mut self, file: &std::fs::File) -> Result<()> {
        file.sync_all().map_err(self.fail())?;
        std::fs::rename(&self.temporary, &self.path).map_err(self.fail())?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests;
