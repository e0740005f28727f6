//! An archive of ImageNet's number of images: listed, trained from, killed, resumed.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{checkout, process};

#[derive(clap::Args)]
pub struct ArchiveArguments {
    /// Images in the archive; 1.28 million take 2 GB in the folder for temporary files
    #[arg(long, default_value_t = 1_280_000)]
    images: usize,
    /// Classes of these images
    #[arg(long, default_value_t = 1000)]
    classes: usize,
    /// Training steps of the run that is left alone; the other one is killed after a third of them
    #[arg(long, default_value_t = 60)]
    steps: u64,
}

pub fn run(arguments: &ArchiveArguments) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("convrnn-archive-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut command = Command::new(checkout::built("examples/archive_speed"));
    command.arg(&folder).arg(arguments.images.to_string()).arg(arguments.classes.to_string());
    command.arg(arguments.steps.to_string()).arg(checkout::built("convrnn-train"));
    let status = process::run_on_stderr(&mut command);
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    if let Err(error) = status {
        bail!("{error:#}");
    }
    Ok(())
}
