//! `convrnn-train trace`.

use super::eval::Input;
use super::print;
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
    /// Number of images, evenly spaced over the split, whose logits are recorded at every step.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    images: usize,
    /// Number of these for which every value of every step is recorded; they come first in the file.
    #[arg(long, value_name = "K", default_value_t = 4)]
    record: usize,
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
        let trace = trace(workers.executor(), &traced, &images, self.images, self.record)?;
        trace.write(&self.output, &checkpoint.graph)?;
        print(&format!(
            "{}: {} images, logits of {} steps, every value of {} images\n",
            self.output.display(),
            trace.images(),
            checkpoint.description.presentation.steps,
            trace.recorded
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
