//! `convrnn-train init`.

use super::network_options::NetworkOptions;
use super::print;
use crate::error::{Result, TrainerError};
use crate::initial::untrained;
use crate::settings::Settings;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write an untrained checkpoint: weights drawn by the seed, as `convrnn-train train` starts from. Everything that reads a
/// checkpoint takes it: `convrnn-export onnx`, `program`, `validate` (after `convrnn-train trace`), and `inspect` and `cost`
/// of its program.
#[derive(Debug, Args)]
pub struct Init {
    /// Name from `convrnn-train list`, or an architecture file (.toml).
    #[arg(long, value_name = "NAME|FILE")]
    architecture: String,
    /// Data set whose training images preprocessing, class names and calibration frames are taken from, all of them, as for
    /// `convrnn-train train`. If not given: pixels become values from -1 to 1, classes are called by their number, and
    /// calibration frames are random pixels, good for an int8 program's size and cost but not for its answers.
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Use only this many training images, drawn evenly at random.
    #[arg(long, value_name = "IMAGES", requires = "data")]
    limit: Option<usize>,
    #[command(flatten)]
    network: NetworkOptions,
    /// Names the random stream of the weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Checkpoint directory to write, which must not exist yet.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

impl Init {
    pub fn run(self) -> Result<ExitCode> {
        if self.output.exists() {
            let message = "exists already; a checkpoint is never overwritten: give another --output".to_owned();
            return Err(TrainerError::Content { path: self.output, message });
        }
        let (architecture, presentation) = self.network.of(&self.architecture)?;
        let settings = Settings {
            data: self.data.clone().unwrap_or_default(),
            limit: self.limit,
            epochs: 0,
            seed: self.seed,
            ..Settings::default()
        };
        let (graph, checkpoint) = untrained(architecture, presentation, settings)?;
        if let Some(parent) = self.output.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(TrainerError::io("create", parent))?;
        }
        checkpoint.write(&graph, &self.output)?;
        print(&format!(
            "{}: {} of {}, untrained, seed {}; {}\n",
            self.output.display(),
            super::table::grouped(graph.parameter_count() as u64) + " parameters",
            graph.name,
            self.seed,
            match &self.data {
                Some(data) => format!("preprocessing measured on the training images of {data}"),
                None => "preprocessing neutral, calibration frames of random pixels".into(),
            }
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
