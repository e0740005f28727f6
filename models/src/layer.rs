//! One layer of an architecture file.

use crate::cells::Cell;
use crate::padding::LayerPadding;
use convrnn_graph::{Activation, Initializer};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// One layer; it takes one step, whatever it holds. Order within: average (`before`), edges are resized and
/// concatenated, convolutions with the cell after one of them, residual, activation, pooling, average (`after`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// One convolution, `convolution = { … }`, or several in a row, `convolution = [{ … }, { … }]`. The first one reads
    /// concatenated edges too.
    #[serde(rename = "convolution", deserialize_with = "one_or_several", serialize_with = "one_alone")]
    pub convolutions: Vec<LayerConvolution>,
    /// The recurrent cell, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// Number of convolutions before the cell; all of them if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_after: Option<usize>,
    /// Adds the layer's input to its result, before the activation; `residual = {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<Residual>,
    /// Applied to the result; ELU in the paper, none for a classifier.
    #[serde(default = "default_activation")]
    pub activation: LayerActivation,
    /// Max-pooling after the activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<LayerPool>,
    /// Global average pooling, before the convolution or at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
}

impl Layer {
    /// Product of the strides of the first convolutions, or of all.
    pub fn stride(&self, convolutions: Option<usize>) -> usize {
        let first = convolutions.unwrap_or(self.convolutions.len());
        self.convolutions.iter().take(first).map(|convolution| convolution.stride).product()
    }
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
    /// "same" (default), "valid", a number for all sides, or `[top, bottom, left, right]`.
    #[serde(default)]
    pub padding: LayerPadding,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weight starts.
    #[serde(default = "default_initializer")]
    pub initializer: Initializer,
    /// Normalisation after the convolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    /// Activation after convolution and normalisation, beside that of the layer.
    #[serde(default = "no_activation", skip_serializing_if = "LayerActivation::is_none")]
    pub activation: LayerActivation,
}

fn default_initializer() -> Initializer {
    Initializer::VarianceScaling { scale: 2.0 }
}

fn no_activation() -> LayerActivation {
    LayerActivation::None
}

/// A layer's normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// By the statistics of the batch; folded into the convolution at export.
    Batch,
}

/// The way around a layer's convolutions. Where the result has another shape than the layer's input, the input goes
/// through a 1x1 convolution with the stride of the layer; where that does not give the result's size ("valid" padding, for
/// instance), the input is resized to it first (bilinear, aligned corners).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Normalisation of the 1x1 convolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    /// How the weight of the 1x1 convolution starts.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
}

/// Reads a table, or a list of tables.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LayerConvolution>, D::Error> {
    struct OneOrSeveral;

    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<LayerConvolution>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a table with kernel and channels, or a list of such tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            LayerConvolution::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(sequence))
        }
    }

    deserializer.deserialize_any(OneOrSeveral)
}

fn one_alone<S: Serializer>(convolutions: &[LayerConvolution], serializer: S) -> Result<S::Ok, S::Error> {
    match convolutions {
        [one] => one.serialize(serializer),
        several => several.serialize(serializer),
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
    fn is_none(&self) -> bool {
        *self == LayerActivation::None
    }

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
