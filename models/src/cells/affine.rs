//! The affine maps that gates and inputs of cells are made of (paper, section 6.3).

use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, Read};
use serde::{Deserialize, Serialize};

/// Kind of map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AffineKind {
    /// Elementwise sum of the inputs, without weights.
    Sum,
    /// One convolution over the concatenation of the inputs.
    #[default]
    Convolution,
    /// A depthwise convolution of each input, then a 1x1 convolution over all of them (`Affine` "depth-separable" in
    /// the paper). The kernel is limited to the map, as in the released code.
    Separable,
}

/// An affine map of one or several maps of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Kind of map.
    pub kind: AffineKind,
    /// Kernel height and width.
    pub kernel: usize,
    /// How the bias starts, if there is one.
    pub bias: Option<Initializer>,
    /// How the weights start.
    pub initializer: Initializer,
}

impl Affine {
    /// A convolution that starts from `initializer`.
    pub fn convolution(kernel: usize, bias: Option<Initializer>, initializer: Initializer) -> Self {
        Self { kind: AffineKind::Convolution, kernel, bias, initializer }
    }

    /// Emits the map to so many channels.
    pub fn emit(
        &self,
        builder: &mut GraphBuilder,
        name: &str,
        inputs: &[Read],
        channels: usize,
    ) -> Result<Read, GraphError> {
        match self.kind {
            AffineKind::Sum => self.sum(builder, name, inputs),
            AffineKind::Convolution => {
                let spec = ConvolutionSpec { bias: self.bias, ..self.spec(channels, self.kernel) };
                builder.convolution(name, inputs, spec).map(Read::Node)
            }
            AffineKind::Separable => {
                let mut filtered = Vec::with_capacity(inputs.len());
                for (index, &input) in inputs.iter().enumerate() {
                    let shape = builder.shape(input);
                    let kernel = [self.kernel.min(shape.height), self.kernel.min(shape.width)];
                    let groups = shape.channels;
                    let spec = ConvolutionSpec { kernel, groups, ..self.spec(shape.channels, 1) };
                    let part = if inputs.len() == 1 { String::new() } else { (index + 1).to_string() };
                    let path = format!("{name}.depthwise{part}");
                    filtered.push(Read::Node(builder.convolution(&path, &[input], spec)?));
                }
                let spec = ConvolutionSpec { bias: self.bias, ..self.spec(channels, 1) };
                builder.convolution(name, &filtered, spec).map(Read::Node)
            }
        }
    }

    fn spec(&self, channels: usize, kernel: usize) -> ConvolutionSpec {
        ConvolutionSpec { initializer: self.initializer, ..ConvolutionSpec::new(channels, kernel) }
    }

    fn sum(&self, builder: &mut GraphBuilder, name: &str, inputs: &[Read]) -> Result<Read, GraphError> {
        let mut sum = inputs[0];
        for (index, &input) in inputs.iter().enumerate().skip(1) {
            sum = Read::Node(builder.add(&format!("{name}.sum{}", index + 1), sum, input)?);
        }
        Ok(sum)
    }
}

/// What gates and candidates of several cells are: `f(W * inputs + b)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Squashed<'a> {
    /// Name of the value; the convolution is `w_<name>`.
    pub name: &'a str,
    /// Height and width of the convolution.
    pub kernel: usize,
    /// How its weights start.
    pub initializer: Initializer,
    /// What the bias starts from.
    pub bias: f64,
    /// f.
    pub activation: Activation,
}

impl<'a> Squashed<'a> {
    /// The gates and candidates of a cell whose convolutions are all of one size: by name, f, and what the bias starts from.
    pub fn family(kernel: usize, initializer: Initializer) -> impl Fn(&'a str, Activation, f64) -> Self {
        move |name, activation, bias| Self { name, kernel, initializer, bias, activation }
    }

    pub fn emit(self, builder: &mut GraphBuilder, inputs: &[Read], channels: usize) -> Result<Read, GraphError> {
        let affine = self.affine(builder, inputs, channels)?;
        self.squash(builder, affine)
    }

    /// `W * inputs + b`
    pub fn affine(self, builder: &mut GraphBuilder, inputs: &[Read], channels: usize) -> Result<Read, GraphError> {
        let bias = Some(Initializer::Constant { value: self.bias });
        let affine = Affine::convolution(self.kernel, bias, self.initializer);
        affine.emit(builder, &format!("w_{}", self.name), inputs, channels)
    }

    /// f of a value.
    pub fn squash(self, builder: &mut GraphBuilder, value: Read) -> Result<Read, GraphError> {
        builder.activation(self.name, self.activation, value).map(Read::Node)
    }
}

/// `gate . first + (1 - gate) . second`, as several cells update their state.
pub(super) fn interpolate(
    builder: &mut GraphBuilder,
    name: &str,
    gate: Read,
    first: Read,
    second: Read,
) -> Result<convrnn_graph::NodeId, GraphError> {
    let complement = builder.affine(&format!("{name}.complement"), -1.0, 1.0, gate)?;
    let kept = builder.multiply(&format!("{name}.kept"), gate, first)?;
    let taken = builder.multiply(&format!("{name}.taken"), Read::Node(complement), second)?;
    builder.add(name, Read::Node(kept), Read::Node(taken))
}
