//! `convrnn-export inspect`

use super::{Outcome, grouped, say, say_json};
use convrnn_models::{Architecture, Report};
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what a checkpoint or a device program costs and when it answers.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoint directory or .crnn file.
    path: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let checkpoint = convrnn_models::Checkpoint::read(&arguments.path)?;
    let report = Report::new(&checkpoint.architecture)?;
    match arguments.json {
        true => say_json(&report)?,
        false => say(checkpoint_text(&checkpoint.architecture, &report))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn checkpoint_text(architecture: &Architecture, report: &Report) -> String {
    let step = |step: Option<usize>| step.map_or("never".into(), |step| step.to_string());
    let mut lines = vec![
        format!("{}: {}", report.name, architecture.description),
        format!("frame                     {}", report.frame),
        format!("classes                   {}", report.classes),
        format!("parameters                {}", grouped(report.parameters as u64)),
        format!("MACs a step               {}", grouped(report.multiply_accumulates)),
        format!("state values              {}", grouped(report.state_elements as u64)),
        format!("first image-driven logits step {}", step(report.first_image_step)),
        String::new(),
        format!("{:<10} {:>12} {:<18} {:>12} {:>14} {:>12} {:>11}", "layer", "output", "cell", "parameters", "MACs", "states", "image from"),
    ];
    for layer in &report.layers {
        lines.push(format!(
            "{:<10} {:>12} {:<18} {:>12} {:>14} {:>12} {:>11}",
            layer.name,
            layer.output,
            layer.cell.as_deref().unwrap_or("-"),
            grouped(layer.parameters as u64),
            grouped(layer.multiply_accumulates),
            grouped(layer.state_elements as u64),
            step(layer.first_image_step),
        ));
    }
    lines.extend(report.warnings(&architecture.presentation).into_iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
