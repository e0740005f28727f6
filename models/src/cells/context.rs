//! What a layer gives its cell.

use crate::edge::{EdgeKind, EdgeResize};
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{GraphBuilder, GraphError, Initializer, Read, StateId};

/// The reads a cell may use.
#[derive(Clone, Copy, Debug)]
pub struct CellContext<'a> {
    /// x: the layer's convolved input of this step.
    pub input: Read,
    /// What the layer's first convolution reads: the output of the layer below after the previous step (the frame, for
    /// layer 1), then concatenated edges.
    pub below: &'a [Read],
    /// Product of the strides of the convolutions between `below` and x.
    pub stride: usize,
    /// Edges that enter at the hidden state.
    pub hidden_edges: &'a [Entering],
    /// Edges that enter at the output.
    pub output_edges: &'a [Entering],
}

/// The output of another layer where it enters a cell, resized to the map of x.
#[derive(Clone, Copy, Debug)]
pub struct Entering {
    /// Which way it goes.
    pub kind: EdgeKind,
    /// The value.
    pub read: Read,
    /// How its convolution starts.
    pub initializer: Initializer,
}

impl CellContext<'_> {
    /// The hidden state h of the previous step, edges added. A cell reads its hidden state through this.
    pub fn hidden(&self, builder: &mut GraphBuilder, state: StateId) -> Result<Read, GraphError> {
        add(builder, "hidden", Read::State(state), self.hidden_edges)
    }

    /// A value of the cell's output path, edges added.
    pub fn output(&self, builder: &mut GraphBuilder, value: Read) -> Result<Read, GraphError> {
        add(builder, "output", value, self.output_edges)
    }

    /// `below` on the map of x: where that has another size, each read is resized (bilinear, aligned corners).
    pub fn below_on_map(&self, builder: &mut GraphBuilder) -> Result<Vec<Read>, GraphError> {
        let size = builder.shape(self.input);
        let resized = |(index, &read): (usize, &Read)| {
            let number = if index == 0 { String::new() } else { (index + 1).to_string() };
            EdgeResize::BilinearAlignedCorners.apply(builder, &format!("below{number}.resize"), read, size)
        };
        self.below.iter().enumerate().map(resized).collect()
    }
}

/// `value + W * sources + bias` with a 1x1 convolution over the edges of each kind; the value itself where there are none.
pub(crate) fn add(
    builder: &mut GraphBuilder,
    place: &str,
    mut value: Read,
    edges: &[Entering],
) -> Result<Read, GraphError> {
    for kind in EdgeKind::ALL {
        let entering: Vec<&Entering> = edges.iter().filter(|edge| edge.kind == kind).collect();
        let Some(first) = entering.first() else { continue };
        let sources: Vec<Read> = entering.iter().map(|edge| edge.read).collect();
        let spec = ConvolutionSpec {
            bias: Some(Initializer::Zeros),
            initializer: first.initializer,
            ..ConvolutionSpec::new(builder.shape(value).channels, 1)
        };
        let name = format!("{}_{place}", kind.name());
        let added = builder.convolution(&name, &sources, spec)?;
        value = builder.add(&format!("{name}.sum"), value, Read::Node(added)).map(Read::Node)?;
    }
    Ok(value)
}
