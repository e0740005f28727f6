//! `convrnn-train list`.

use super::table::{format, grouped, step};
use super::{print, to_json};
use crate::error::Result;
use convrnn_models::{Report, catalogue};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct List {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(self) -> Result<ExitCode> {
        let reports = catalogue::ENTRIES
            .iter()
            .map(|(name, _)| Report::new(&catalogue::find(name)?))
            .collect::<Result<Vec<_>, _>>()?;
        if self.json {
            print(&to_json(&reports))?;
            return Ok(ExitCode::SUCCESS);
        }
        let header = [
            "architecture",
            "frame",
            "classes",
            "parameters",
            "MACs a step",
            "state values",
            "first image step",
            "minimal unroll",
            "with feedback",
        ];
        let row = |report: &Report| {
            vec![
                report.name.clone(),
                report.frame.clone(),
                report.classes.to_string(),
                grouped(report.parameters as u64),
                grouped(report.multiply_accumulates),
                grouped(report.state_elements as u64),
                step(report.first_image_step),
                step(report.minimal_unroll),
                step(report.minimal_unroll_all),
            ]
        };
        print(&format(&header, &reports.iter().map(row).collect::<Vec<_>>()))?;
        Ok(ExitCode::SUCCESS)
    }
}
