//! The architecture file.

use crate::cells::Cell;
use crate::error::{ArchitectureError, FileError};
use convrnn_graph::{Activation, Initializer, Padding, Presentation, ResizeMode, Shape};
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

/// One layer; it takes one step, whatever it holds. Order within: feedback is resized and
/// concatenated, average (`before`), convolution, cell, activation, pooling, average (`after`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The feedforward (and feedback) convolution.
    pub convolution: LayerConvolution,
    /// The recurrent cell, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// Applied to the cell's output; ELU in the paper, none for a classifier.
    #[serde(default = "default_activation")]
    pub activation: LayerActivation,
    /// Max-pooling after the activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<LayerPool>,
    /// Global average pooling, before the convolution or at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
}

fn default_activation() -> LayerActivation {
    LayerActivation::Elu
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// A layer's convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerConvolution {
    /// Kernel height and width.
    pub kernel: usize,
    /// Output channels.
    pub channels: usize,
    /// Stride in both directions.
    #[serde(default = "one")]
    pub stride: usize,
    /// "same" (default), "valid", or `[top, bottom, left, right]`.
    #[serde(default)]
    pub padding: LayerPadding,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weight starts.
    #[serde(default = "default_initializer")]
    pub initializer: Initializer,
}

fn default_initializer() -> Initializer {
    Initializer::VarianceScaling { scale: 2.0 }
}

/// Padding by name or by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PaddingText", into = "PaddingText")]
pub enum LayerPadding {
    /// `ceil(size / stride)` positions; the odd row or column goes to the bottom or right.
    #[default]
    Same,
    /// None.
    Valid,
    /// Explicit.
    Sides(Padding),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "padding must be \"same\", \"valid\" or [top, bottom, left, right]")]
enum PaddingText {
    Name(PaddingName),
    Sides([usize; 4]),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PaddingName {
    Same,
    Valid,
}

impl From<PaddingText> for LayerPadding {
    fn from(text: PaddingText) -> Self {
        match text {
            PaddingText::Name(PaddingName::Same) => LayerPadding::Same,
            PaddingText::Name(PaddingName::Valid) => LayerPadding::Valid,
            PaddingText::Sides([top, bottom, left, right]) => LayerPadding::Sides(Padding { top, bottom, left, right }),
        }
    }
}

impl From<LayerPadding> for PaddingText {
    fn from(padding: LayerPadding) -> Self {
        match padding {
            LayerPadding::Same => PaddingText::Name(PaddingName::Same),
            LayerPadding::Valid => PaddingText::Name(PaddingName::Valid),
            LayerPadding::Sides(Padding { top, bottom, left, right }) => PaddingText::Sides([top, bottom, left, right]),
        }
    }
}

impl LayerPadding {
    /// The largest number of rows or columns given by hand.
    pub(crate) fn widest(self) -> usize {
        match self {
            LayerPadding::Same | LayerPadding::Valid => 0,
            LayerPadding::Sides(Padding { top, bottom, left, right }) => top.max(bottom).max(left).max(right),
        }
    }

    /// The sides, for a window over a map.
    pub fn resolve(self, map: Shape, kernel: usize, stride: usize) -> Padding {
        match self {
            LayerPadding::Same => {
                Padding::same([map.height, map.width], [kernel, kernel], [stride.max(1), stride.max(1)])
            }
            LayerPadding::Valid => Padding::NONE,
            LayerPadding::Sides(padding) => padding,
        }
    }
}

/// A layer's activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerActivation {
    /// `max(x, 0)`
    Relu,
    /// `x` or `exp(x) - 1`
    Elu,
    /// Logistic function.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Identity.
    None,
}

impl LayerActivation {
    /// The graph's activation, if there is one.
    pub fn activation(self) -> Option<Activation> {
        match self {
            LayerActivation::Relu => Some(Activation::Relu),
            LayerActivation::Elu => Some(Activation::Elu),
            LayerActivation::Sigmoid => Some(Activation::Sigmoid),
            LayerActivation::Tanh => Some(Activation::Tanh),
            LayerActivation::None => None,
        }
    }
}

/// Max-pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPool {
    /// Window height and width.
    pub kernel: usize,
    /// Stride; the kernel if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Padding, "same" if not given.
    #[serde(default)]
    pub padding: LayerPadding,
}

/// Where a layer averages over all positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// Before the convolution.
    Before,
    /// At the end of the layer.
    After,
}

/// A feedback edge: the output of a later layer, one step old, enters an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Number of the layer whose output is fed back.
    pub from: usize,
    /// Number of the layer that receives it; smaller than `from`.
    pub to: usize,
    /// How it enters.
    #[serde(default)]
    pub entry: Entry,
    /// How it is brought to the receiving layer's input size.
    #[serde(default = "default_resize")]
    pub resize: ResizeMode,
}

fn default_resize() -> ResizeMode {
    ResizeMode::BilinearAlignedCorners
}

/// How feedback enters a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Concatenated with the feedforward input before the convolution (the paper's update rule).
    #[default]
    Concatenate,
    /// Through a 1x1 convolution with bias, added to the cell's input.
    CellInput,
}

impl Architecture {
    /// Parses and checks a file's text; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ArchitectureError> {
        let architecture: Self = crate::toml_file::parse(text)
            .map_err(|message| ArchitectureError::Syntax { origin: origin.into(), message })?;
        architecture.lower_named(origin)?;
        Ok(architecture)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ArchitectureError> {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.into(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field of an architecture has a TOML form")
    }
}
