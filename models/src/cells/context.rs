//! What a layer gives its cell.

use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{GraphBuilder, GraphError, Initializer, Read, StateId};

/// The reads a cell may use.
#[derive(Clone, Copy, Debug)]
pub struct CellContext<'a> {
    /// x: the layer's convolved input of this step.
    pub input: Read,
    /// What the layer's first convolution reads: the output of the layer below after the previous step (the frame, for
    /// layer 1), then concatenated feedback.
    pub below: &'a [Read],
    /// Feedback that enters at the hidden state, resized to the map of x.
    pub hidden_feedback: &'a [Read],
    /// Feedback that enters at the output.
    pub output_feedback: &'a [Read],
    /// How the convolutions of feedback start.
    pub feedback_initializer: Initializer,
}

impl CellContext<'_> {
    /// The hidden state h of the previous step, feedback added. A cell reads its hidden state through this.
    pub fn hidden(&self, builder: &mut GraphBuilder, state: StateId) -> Result<Read, GraphError> {
        self.add(builder, "feedback_hidden", Read::State(state), self.hidden_feedback)
    }

    /// A value of the cell's output path, feedback added.
    pub fn output(&self, builder: &mut GraphBuilder, value: Read) -> Result<Read, GraphError> {
        self.add(builder, "feedback_output", value, self.output_feedback)
    }

    /// `value + W * sources + bias` with a 1x1 convolution; the value itself where nothing is fed back.
    pub(crate) fn add(
        &self,
        builder: &mut GraphBuilder,
        name: &str,
        value: Read,
        sources: &[Read],
    ) -> Result<Read, GraphError> {
        if sources.is_empty() {
            return Ok(value);
        }
        let spec = ConvolutionSpec {
            bias: Some(Initializer::Zeros),
            initializer: self.feedback_initializer,
            ..ConvolutionSpec::new(builder.shape(value).channels, 1)
        };
        let added = builder.convolution(name, sources, spec)?;
        builder.add(&format!("{name}.sum"), value, Read::Node(added)).map(Read::Node)
    }
}
