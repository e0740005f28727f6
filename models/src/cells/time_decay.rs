//! Time decay: a leaky integrator with one trained decay a layer.

use super::context::CellContext;
use convrnn_graph::{GraphBuilder, GraphError, NodeId, Read, StateKind};
use serde::{Deserialize, Serialize};

/// `h[t+1] = x + decay * h[t]`, the decay one trained number for the whole layer. State: `hidden`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeDecay {
    /// What the decay starts from; 0 in the released models, where the layer starts as a feedforward one.
    #[serde(default)]
    pub initial: f64,
}

impl TimeDecay {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let hidden = builder.state("hidden", StateKind::Cell, builder.shape(context.input));
        let h = context.hidden(builder, hidden)?;
        let kept = builder.scale("decay", self.initial, h)?;
        let next = builder.add("next", context.input, Read::Node(kept))?;
        builder.write_state(hidden, next);
        Ok(next)
    }
}
