//! `convrnn-train info`.

use super::table::{format, grouped, step};
use super::{print, to_json};
use crate::error::Result;
use crate::run_folder::checkpoint_of;
use convrnn_graph::{Presentation, first_image_steps};
use convrnn_models::{Checkpoint, Report, catalogue};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Info {
    /// Name from `convrnn-train list`, architecture file (.toml), checkpoint directory or run folder.
    what: String,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Print the architecture file instead, to change and train it.
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

#[derive(Serialize)]
struct Description<'a> {
    #[serde(flatten)]
    report: &'a Report,
    presentation: Presentation,
    /// Of a checkpoint: the first step whose logits can depend on the image with its weights; none where they never do.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_image_step_with_weights: Option<Option<usize>>,
    warnings: Vec<String>,
}

impl Info {
    pub fn run(self) -> Result<ExitCode> {
        let path = Path::new(&self.what);
        let mut first_image_step_with_weights = None;
        let (architecture, presentation) = if path.is_dir() {
            let checkpoint = Checkpoint::read(&checkpoint_of(path))?;
            let steps = first_image_steps(&checkpoint.graph, &checkpoint.parameters);
            first_image_step_with_weights = Some(steps[checkpoint.graph.logits.0]);
            (checkpoint.architecture, checkpoint.description.presentation)
        } else {
            let architecture = catalogue::find(&self.what)?;
            let presentation = architecture.presentation;
            (architecture, presentation)
        };
        if self.toml {
            print(&architecture.to_toml())?;
            return Ok(ExitCode::SUCCESS);
        }
        let report = Report::new(&architecture)?;
        let warnings = report.warnings(&presentation);
        if self.json {
            let report = &report;
            print(&to_json(&Description { report, presentation, first_image_step_with_weights, warnings }))?;
        } else {
            let first = first_image_step_with_weights;
            print(&text(&architecture.description, &report, &presentation, first, &warnings))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(
    description: &str,
    report: &Report,
    presentation: &Presentation,
    first_with_weights: Option<Option<usize>>,
    warnings: &[String],
) -> String {
    let with_weights = match first_with_weights {
        None => String::new(),
        Some(None) => "with the weights of this checkpoint: never\n".into(),
        Some(Some(step)) => format!("with the weights of this checkpoint: step {step}\n"),
    };
    let mut text = format!("{}: {description}\n\n", report.name);
    let layers: Vec<Vec<String>> = report
        .layers
        .iter()
        .map(|layer| {
            vec![
                layer.name.clone(),
                layer.output.clone(),
                layer.cell.clone().unwrap_or_else(|| "-".into()),
                grouped(layer.parameters as u64),
                grouped(layer.multiply_accumulates),
                grouped(layer.state_elements as u64),
                step(layer.first_image_step),
            ]
        })
        .collect();
    text +=
        &format(&["layer", "output", "cell", "parameters", "MACs a step", "state values", "first image step"], &layers);
    let _ = write!(
        text,
        "in all: {} parameters, {} MACs a step, {} state values\n\n\
         frame {}, {} classes; image for {} steps of {}\n\
         first image-driven logits: step {}, by the arrows and edges alone (no weights make it sooner, some later)\n{with_weights}\
         first step the blank can change: {}\n\
         minimal unroll: {} steps, {} with feedback\n\n",
        grouped(report.parameters as u64),
        grouped(report.multiply_accumulates),
        grouped(report.state_elements as u64),
        report.frame,
        report.classes,
        presentation.image_steps,
        presentation.steps,
        step(report.first_image_step),
        step(report.first_blank_step),
        step(report.minimal_unroll),
        step(report.minimal_unroll_all),
    );
    let parameters: Vec<Vec<String>> = report
        .parameter_timing
        .iter()
        .map(|part| {
            let route = match (part.feedback, part.skip) {
                (true, _) => "feedback",
                (false, true) => "skip",
                (false, false) => "",
            };
            vec![part.name.clone(), route.into(), step(part.first_step)]
        })
        .collect();
    text += &format(&["parameter", "", "changes the logits from step (biases zero)"], &parameters);
    for warning in warnings {
        let _ = writeln!(text, "\nwarning: {warning}");
    }
    text
}
