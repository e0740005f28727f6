//! The architecture file.

use crate::edge::{Edge, EdgeKind};
use crate::error::ArchitectureError;
use crate::layer::Layer;
use convrnn_graph::{Presentation, Shape};
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<Edge>,
    /// Edges forward over layers, each of one step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<Edge>,
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

impl Architecture {
    /// Every edge with its kind: feedback, then skips, each in the order of the file.
    pub fn edges(&self) -> impl Iterator<Item = (EdgeKind, Edge)> + '_ {
        EdgeKind::ALL.into_iter().flat_map(move |kind| self.edges_of(kind).iter().map(move |&edge| (kind, edge)))
    }

    /// The edges of one kind.
    pub fn edges_of(&self, kind: EdgeKind) -> &[Edge] {
        match kind {
            EdgeKind::Feedback => &self.feedback,
            EdgeKind::Skip => &self.skip,
        }
    }

    /// Gives the last convolution so many channels, one logit for each class.
    pub fn set_classes(&mut self, classes: usize) {
        let last = self.layers.last_mut().and_then(|layer| layer.convolutions.last_mut());
        if let Some(convolution) = last {
            convolution.channels = classes;
        }
    }

    /// Parses and checks a file's text; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ArchitectureError> {
        let architecture: Self = crate::toml_file::parse_with(text, crate::refused::advice)
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
