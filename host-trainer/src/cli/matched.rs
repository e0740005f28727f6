//! `convrnn-train match`.

use super::print;
use super::table::grouped;
use crate::error::{Result, TrainerError};
use clap::{Args, ValueEnum};
use convrnn_models::matched::{Growth, matched};
use convrnn_models::{Report, catalogue};
use std::path::PathBuf;
use std::process::ExitCode;

/// How the net grows, by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    /// The channels of all layers but the last are multiplied by one factor.
    Wider,
    /// Layers are added, and a factor of the channels makes up for what is left.
    Deeper,
}

#[derive(Debug, Args)]
pub struct Match {
    /// Feedforward net to start from: name from `convrnn-train list`, or architecture file (.toml).
    #[arg(long)]
    architecture: String,
    /// Match the parameters of this architecture.
    #[arg(long, value_name = "ARCHITECTURE", required_unless_present = "parameters")]
    like: Option<String>,
    /// Match this number of parameters.
    #[arg(long, conflicts_with = "like")]
    parameters: Option<usize>,
    /// How the net grows (or shrinks).
    #[arg(long, value_enum, default_value = "wider")]
    by: By,
    /// Architecture file to write, which must not exist; stdout if not given.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Match {
    pub fn run(self) -> Result<ExitCode> {
        let base = catalogue::find(&self.architecture)?;
        let target = match (&self.like, self.parameters) {
            (Some(like), _) => Report::new(&catalogue::find(like)?)?.parameters,
            (None, parameters) => parameters.unwrap_or_default(),
        };
        let growth = match self.by {
            By::Wider => Growth::Wider,
            By::Deeper => Growth::Deeper,
        };
        let net = matched(&base, target, growth)?;
        let Some(path) = self.output else {
            print(&net.to_toml())?;
            return Ok(ExitCode::SUCCESS);
        };
        if path.exists() {
            return Err(TrainerError::Invalid {
                what: "--output",
                expected: "a file that does not exist".into(),
                found: path.display().to_string(),
                hint: "choose another name".into(),
            });
        }
        convrnn_models::files::write_whole(&path, net.to_toml().as_bytes())?;
        let found = Report::new(&net)?.parameters;
        print(&format!(
            "{}: {} parameters, {} wanted\n",
            path.display(),
            grouped(found as u64),
            grouped(target as u64)
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
