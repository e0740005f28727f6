//! `convrnn-train features`.

use super::eval::{SplitName, data_of, note_of_left_out, split_of, warn_of_sequence, with_all_damage};
use super::print;
use super::table::{format, grouped, step};
use crate::data::{Source, Subset, counted};
use crate::error::{Result, TrainerError};
use crate::evaluation::check_frame;
use crate::features::{Layout, Subject, layers, write};
use crate::parameters::to_tensors;
use crate::run_folder::checkpoint_of;
use crate::settings::parse_device;
use crate::unroll::override_steps;
use crate::workers::Workers;
use clap::Args;
use convrnn_models::Checkpoint;
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tch::Kind;

#[derive(Debug, Args)]
#[command(after_long_help = FEATURES_HELP)]
pub struct Features {
    /// Checkpoint directory, or run folder (its best checkpoint, or else its last).
    checkpoint: PathBuf,
    /// Images: folder:PATH (with or without train/, val/ and test/ in it) or any other data set; that of the training
    /// run if not given. See `convrnn-train train --help`.
    #[arg(long, visible_alias = "data", value_name = "SOURCE")]
    images: Option<String>,
    /// Split of the data set, without meaning for a plain folder of images; test if not given, or validation where there is no
    /// test split.
    #[arg(long, value_enum)]
    split: Option<SplitName>,
    /// Use only this many images, a random sample with every class in its share, in the order of the data set.
    #[arg(long, value_name = "IMAGES")]
    limit: Option<usize>,
    /// Values to write, with commas between: outputs (layer3.output), states (layer4.hidden) or any operation;
    /// every layer's output if not given.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    layers: Vec<String>,
    /// Number of steps of 10 ms, T; that of the training run if not given.
    #[arg(long, value_name = "T")]
    steps: Option<usize>,
    /// Steps the image is on show, then blank; that of the training run if not given.
    #[arg(long, value_name = "N")]
    image_steps: Option<usize>,
    /// File to write: .npz for NumPy, .nc for NetCDF. May be given twice.
    #[arg(long, short, value_name = "FILE", required = true)]
    output: Vec<PathBuf>,
    /// Largest size of the features, in GiB; larger ones are refused before anything is run.
    #[arg(long, value_name = "GIB", default_value_t = 4.0)]
    max_size: f64,
    /// Threads that share the work; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    device: String,
}

const FEATURES_HELP: &str = r#"In both files:
  features[presentation, neuroid, time_bin]            f32
  image_index, image_name, label, class_name           by presentation (image_index: place in the whole split of
                                                       the data set, from 0; label -1: not labelled)
  layer, channel, row, column, first_image_step        by neuroid (first_image_step from 1; 0: none)
  time_bin_start, time_bin_end                         milliseconds since the image came on
  layer_name, layer_first_image_step                   by layer

In Python:
  numpy.load("features.npz")["features"]
  xarray.open_dataset("features.nc")"#;

impl Features {
    pub fn run(self) -> Result<ExitCode> {
        if !(self.max_size > 0.0 && self.max_size.is_finite()) {
            return Err(TrainerError::Invalid {
                what: "--max-size",
                expected: "more than 0 GiB".into(),
                found: self.max_size.to_string(),
                hint: "for instance --max-size 16".into(),
            });
        }
        if let Some(path) = self.output.iter().find(|path| path.exists()) {
            return Err(TrainerError::Content {
                path: path.clone(),
                message: "is there already; remove it, or give another --output".into(),
            });
        }
        let directory = checkpoint_of(&self.checkpoint);
        warn_of_sequence(&directory);
        let checkpoint = Checkpoint::read(&directory)?;
        let presentation = override_steps(checkpoint.description.presentation, self.steps, self.image_steps)?;
        let layers = layers(&checkpoint.graph, &presentation, &self.layers)?;
        let source = match &self.images {
            Some(images) => images.clone(),
            None => data_of(&directory)?,
        };
        let source = crate::data::source::with_decoding(&source, &checkpoint.description.preprocessing.decoding);
        let source = Source::parse(&source)?;
        let (mut images, is_labelled) = source.load_images(split_of(&source, self.split)?)?;
        check_frame(&checkpoint.graph, &images)?;
        note_of_left_out(&images);
        if let Some(limit) = self.limit.filter(|&limit| limit != images.len()) {
            images = Arc::new(Subset::stratified(images, limit, 0)?.in_order());
        }
        let layout = Layout::new(&*images, is_labelled, layers, presentation.steps);
        let device = parse_device(&self.device)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.map_or_else(cores, usize::from);
        let mut workers = Workers::new(&checkpoint.graph, Kind::Float, device, threads)?;
        let parameters = to_tensors(&checkpoint.graph, &checkpoint.parameters, device)?;
        let subject = Subject {
            parameters: &parameters,
            preprocessing: &checkpoint.description.preprocessing,
            presentation: &presentation,
            images: &images,
        };
        let bar = ProgressBar::hidden();
        if std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_length(images.len() as u64);
        let largest = (self.max_size * f64::from(1 << 30)) as u64;
        let written = write(&mut workers, &subject, &layout, &self.output, largest, &mut |done| {
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        written.map_err(|error| with_all_damage(error, &images))?;
        print(&self.text(&layout))?;
        Ok(ExitCode::SUCCESS)
    }

    fn text(&self, layout: &Layout) -> String {
        let rows: Vec<Vec<String>> = layout
            .layers
            .iter()
            .map(|layer| {
                let values = grouped(layer.shape.elements() as u64);
                vec![layer.name.clone(), layer.shape.to_string(), values, step(layer.first_image_step)]
            })
            .collect();
        let mut text = format(&["layer", "shape", "values", "first image step"], &rows);
        for path in &self.output {
            text += &format!(
                "{}: {} x {} values x {} time bins\n",
                path.display(),
                counted(layout.presented.len(), "images"),
                layout.neuroids(),
                layout.steps
            );
        }
        text
    }
}
