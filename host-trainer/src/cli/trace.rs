//! `convrnn-train trace`.

use super::eval::{Input, with_all_damage};
use super::print;
use crate::data::counted;
use crate::error::Result;
use crate::parameters::to_tensors;
use crate::tracing::{Traced, trace};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct TraceCommand {
    #[command(flatten)]
    input: Input,
    /// Number of images whose logits are recorded at every step: a random sample of the split, every class in its share;
    /// 1000 if not given, or all where there are fewer.
    #[arg(long, value_name = "N")]
    images: Option<usize>,
    /// Number of these for which every value of every step is recorded; they come first in the file.
    /// 4 if not given, or all where there are fewer.
    #[arg(long, value_name = "K")]
    record: Option<usize>,
    /// Names the random sample.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File to write (.safetensors).
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

impl TraceCommand {
    pub fn run(self) -> Result<ExitCode> {
        let (checkpoint, images, _) = self.input.load()?;
        self.input.warn_of_sequence();
        let device = self.input.device()?;
        let workers = self.input.workers(&checkpoint.graph)?;
        let parameters = to_tensors(&checkpoint.graph, &checkpoint.parameters, device)?;
        let traced = Traced {
            architecture: &checkpoint.architecture,
            description: &checkpoint.description,
            parameters: &parameters,
        };
        let count = self.images.unwrap_or(images.len().min(1000));
        let record = self.record.unwrap_or(count.min(4));
        let trace = trace(workers.executor(), &traced, &images, count, record, self.seed);
        let trace = trace.map_err(|error| with_all_damage(error, &images))?;
        trace.write(&self.output, &checkpoint.graph)?;
        print(&format!(
            "{}: {}, logits of {} steps, every value of {}\n",
            self.output.display(),
            counted(trace.images(), "images"),
            checkpoint.description.presentation.steps,
            counted(trace.recorded, "images")
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
