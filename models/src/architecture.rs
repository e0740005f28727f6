//! The architecture file.

use crate::error::ArchitectureError;
use crate::layer::Layer;
use convrnn_graph::{Initializer, Presentation, ResizeMode, Shape};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A whole network, as written in TOML. Layers are numbered from 1 in the order of the file and
/// named `layer1`, `layer2`, ….
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Name in reports.
    pub name: String,
    /// What it is and where it comes from.
    #[serde(default)]
    pub description: String,
    /// Steps of the minimally unrolled control, where the file wants another number than the largest
    /// over local parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_unroll: Option<usize>,
    /// Shape of the frame.
    pub input: Input,
    /// What is on show at each step, unless the trainer is told otherwise.
    pub presentation: Presentation,
    /// The layers, first to last.
    #[serde(rename = "layer")]
    pub layers: Vec<Layer>,
    /// Long-range feedback edges.
    #[serde(default, rename = "feedback", skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<Feedback>,
}

/// Shape of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// 1 for gray, 3 for colour.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Input {
    /// The same as a graph shape.
    pub fn shape(&self) -> Shape {
        Shape::new(self.channels, self.height, self.width)
    }
}

/// A feedback edge: the output of a later layer, one step old, enters an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Number of the layer whose output is fed back.
    pub from: usize,
    /// Number of the layer that receives it; smaller than `from`.
    pub to: usize,
    /// How it enters.
    #[serde(default)]
    pub entry: Entry,
    /// How it is brought to the size of the map that it enters.
    #[serde(default = "default_resize")]
    pub resize: ResizeMode,
    /// How the weights of its 1x1 convolution start.
    #[serde(default = "default_initializer")]
    pub initializer: Initializer,
}

fn default_initializer() -> Initializer {
    Initializer::XavierUniform
}

fn default_resize() -> ResizeMode {
    ResizeMode::BilinearAlignedCorners
}

/// How feedback enters a layer. All edges that are added at one place of a layer share one 1x1 convolution with bias,
/// over their concatenation in the order of the source layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Concatenated with the feedforward input before the convolution (the paper's update rule).
    #[default]
    Concatenate,
    /// Added to the cell's input x.
    CellInput,
    /// Added to the cell's hidden state of the previous step, wherever the cell reads it.
    CellHidden,
    /// Added to the cell's output path: to what the gate of the output multiplies in a reciprocal gated or search cell
    /// (the released median model), to the output itself in other cells.
    CellOutput,
}

impl Architecture {
    /// Gives the last convolution so many channels, one logit for each class.
    pub fn set_classes(&mut self, classes: usize) {
        let last = self.layers.last_mut().and_then(|layer| layer.convolutions.last_mut());
        if let Some(convolution) = last {
            convolution.channels = classes;
        }
    }

    /// Parses and checks a file's text; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ArchitectureError> {
        let architecture: Self = crate::toml_file::parse(text)
            .map_err(|message| ArchitectureError::Syntax { origin: origin.into(), message })?;
        architecture.lower_named(origin)?;
        Ok(architecture)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ArchitectureError> {
        let text = crate::files::read_text(path)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field of an architecture has a TOML form")
    }
}
